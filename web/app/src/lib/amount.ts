/** Amounts: whole base units as bigint; never a floating-point number. */
import type { ChainInfo } from "./config";

/** An amount in base units, written in decimal digits. */
export function units(digits: string): bigint {
  if (!/^\d+$/.test(digits)) throw new RangeError(`${digits} is not an amount in base units`);
  return BigInt(digits);
}

/** Base units as a decimal number with `decimals` places, without trailing zeros: exact. */
export function decimal(amount: bigint, decimals: number): string {
  const negative = amount < 0n;
  const digits = (negative ? -amount : amount).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const rest = decimals > 0 ? digits.slice(-decimals).replace(/0+$/, "") : "";
  return `${negative ? "−" : ""}${whole}${rest ? `.${rest}` : ""}`;
}

/** A coin's name and decimals; a denom that the chain's description does not know is shown in base units. */
export function coinOf(chain: ChainInfo, denom: string): { name: string; decimals: number } {
  const found = chain.currencies.find((currency) => currency.coinMinimalDenom === denom);
  return found ? { name: found.coinDenom, decimals: found.coinDecimals } : { name: denom, decimals: 0 };
}

/** Base units of what a person typed, `null` when it is no amount or finer than a base unit. */
export function parseDecimal(text: string, decimals: number): bigint | null {
  const match = /^(\d{1,20})(?:[.,](\d*))?$/.exec(text.trim());
  if (!match) return null;
  const fraction = (match[2] ?? "").replace(/0+$/, "");
  if (fraction.length > decimals) return null;
  return BigInt(`${match[1]}${fraction.padEnd(decimals, "0")}`);
}

/** Basis points as percent, exact. */
export function percent(bps: number | bigint): string {
  return `${decimal(BigInt(bps), 2)} %`;
}
