/** The division of fees (PROTOCOL L4) in whole base units; what docs/formats.md says under "Money". */
import { bytesToHex } from "@noble/hashes/utils.js";

import type { Share } from "./generated/PayableEscrow.types.js";
import { tieKey } from "./ledger.js";

/** Basis points in a whole. */
export const BPS = 10_000n;

/** What each contribution and the commons earn of one answer. */
export interface Division {
  /** The data's part: what is divided. */
  data: bigint;
  /** Contribution and amount, in the order of the shares. */
  amounts: [number, bigint][];
  /** For the part without evidence. */
  commons: bigint;
}

/** `floor(amount × bps / 10,000)`. */
export function bpsFloor(amount: bigint, bps: number): bigint {
  return (amount * BigInt(bps)) / BPS;
}

/**
 * Divides one answer's data part by its shares: floors, then the missing units one each by largest
 * remainder, ties by the tie key rising; the part without evidence takes part as contribution 0.
 */
export function divideAnswer(
  fee: bigint,
  dataBps: number,
  shares: readonly Share[],
  noEvidence: number,
  seed: Uint8Array,
): Division {
  const data = bpsFloor(fee, dataBps);
  const entries = [{ contribution_id: 0, bps: noEvidence }, ...shares].map(({ contribution_id, bps }) => ({
    id: contribution_id,
    amount: bpsFloor(data, bps),
    remainder: (data * BigInt(bps)) % BPS,
    takes: bps > 0,
    tie: bytesToHex(tieKey(seed, contribution_id)),
  }));
  const missing = data - entries.reduce((sum, entry) => sum + entry.amount, 0n);
  const order = entries
    .filter((entry) => entry.takes)
    .sort((a, b) =>
      a.remainder !== b.remainder ? (a.remainder > b.remainder ? -1 : 1) : a.tie < b.tie ? -1 : 1,
    );
  for (const entry of order.slice(0, Number(missing))) entry.amount += 1n;
  const [commons, ...rest] = entries;
  return { data, commons: commons?.amount ?? 0n, amounts: rest.map(({ id, amount }) => [id, amount]) };
}

/** What an answer costs: tokens at their prices, at least `minFee`. */
export function answerFee(
  tokensIn: number,
  tokensOut: number,
  priceIn: bigint,
  priceOut: bigint,
  minFee: bigint,
): bigint {
  const fee = BigInt(tokensIn) * priceIn + BigInt(tokensOut) * priceOut;
  return fee > minFee ? fee : minFee;
}
