/** Transactions with CosmJS; a part of its own, loaded when something is signed. */
import type { OfflineAminoSigner } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { MsgExecuteContract } from "cosmjs-types/cosmwasm/wasm/v1/tx";

import { parseDecimal } from "./amount";
import { jsonBytes } from "./bytes";import type { ChainInfo } from "./config";
import { AppError, asAppError } from "./errors";
import type { Call, Sent } from "./wallet";

/** Gas asked for over what the simulation used, in percent. */
const MARGIN = 140n;

/** Places of a gas price after the point. */
const PRICE_DECIMALS = 9;

/** Signs and sends. */
export async function send(
  chain: ChainInfo,
  signer: OfflineAminoSigner,
  sender: string,
  calls: readonly Call[],
): Promise<Sent> {
  const fee = chain.feeCurrencies[0];
  if (!fee) throw new AppError("E-WEB-001", "feeCurrencies");
  const price = parseDecimal(fee.gasPriceStep.average.toFixed(PRICE_DECIMALS), PRICE_DECIMALS) ?? 0n;
  let client: SigningCosmWasmClient;
  try {
    client = await SigningCosmWasmClient.connectWithSigner(chain.rpc, signer);
  } catch (error) {
    throw new AppError("E-WEB-002", error instanceof Error ? error.message : "");
  }
  try {
    const instructions = calls.map(({ contract, msg, funds }) => ({
      contractAddress: contract,
      msg: msg as Record<string, unknown>,
      ...(funds ? { funds: [{ denom: funds.denom, amount: funds.amount.toString() }] } : {}),
    }));
    const messages = instructions.map(({ contractAddress, msg, funds }) => ({
      typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract",
      value: MsgExecuteContract.fromPartial({ sender, contract: contractAddress, msg: jsonBytes(msg), funds: funds ?? [] }),
    }));
    const used = BigInt(Math.ceil(await client.simulate(sender, messages, "")));
    const gas = (used * MARGIN) / 100n;
    // Rounded up: the chain asks for at least gas times price.
    const amount = (gas * price + 10n ** BigInt(PRICE_DECIMALS) - 1n) / 10n ** BigInt(PRICE_DECIMALS);
    const stdFee = { gas: gas.toString(), amount: [{ denom: fee.coinMinimalDenom, amount: amount.toString() }] };
    const sent = await client.executeMultiple(sender, instructions, stdFee);
    return { hash: sent.transactionHash, height: sent.height, events: sent.events };
  } catch (error) {
    throw refused(error);
  } finally {
    client.disconnect();
  }
}

/** What went wrong, in the app's codes. */
function refused(error: unknown): AppError {
  const text = error instanceof Error ? error.message : String(error);
  if (/insufficient funds|does not exist on chain|spendable balance/i.test(text)) return new AppError("E-WEB-013", text);
  if (/request rejected|denied|declined|rejected by|user cancel/i.test(text)) return new AppError("E-WEB-011", text);
  if (/fetch|network|ECONN|timeout/i.test(text)) return new AppError("E-WEB-002", text);
  const contract = /failed to execute message; message index: \d+: (.*?)(?:: execute wasm contract failed.*)?$/s.exec(text);
  if (contract || /code: \d+|Query failed|Broadcasting/i.test(text)) return new AppError("E-WEB-012", contract?.[1] ?? text);
  return asAppError(error);
}
