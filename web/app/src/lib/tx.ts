/** Transactions with CosmJS; a part of its own, loaded when something is signed. */
import type { OfflineAminoSigner } from "@cosmjs/amino";
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import type { EncodeObject } from "@cosmjs/proto-signing";
import { MsgExecuteContract } from "cosmjs-types/cosmwasm/wasm/v1/tx";
import { MsgTransfer } from "cosmjs-types/ibc/applications/transfer/v1/tx";

import { parseDecimal } from "./amount";
import { jsonBytes } from "./bytes";
import type { ChainInfo } from "./config";
import { AppError, asAppError } from "./errors";
import type { Call, Sent, Transfer } from "./wallet";

/** Gas asked for over what the simulation used, in percent. */
const MARGIN = 140n;

/** Places of a gas price after the point. */
const PRICE_DECIMALS = 9;

/** Messages to contracts. */
export function execute(sender: string, calls: readonly Call[]): EncodeObject[] {
  return calls.map(({ contract, msg, funds }) => ({
    typeUrl: "/cosmwasm.wasm.v1.MsgExecuteContract",
    value: MsgExecuteContract.fromPartial({
      sender,
      contract,
      msg: jsonBytes(msg),
      funds: funds ? [{ denom: funds.denom, amount: funds.amount.toString() }] : [],
    }),
  }));
}

/** The message of a transfer. */
export function transfer(sender: string, { channel, denom, amount, receiver, memo, timeout }: Transfer): EncodeObject {
  return {
    typeUrl: "/ibc.applications.transfer.v1.MsgTransfer",
    value: MsgTransfer.fromPartial({
      sourcePort: "transfer",
      sourceChannel: channel,
      token: { denom, amount: amount.toString() },
      sender,
      receiver,
      timeoutTimestamp: BigInt(Date.now() + timeout * 1_000) * 1_000_000n,
      memo,
    }),
  };
}

/** Signs and sends. */
export async function send(
  chain: ChainInfo,
  signer: OfflineAminoSigner,
  sender: string,
  messages: readonly EncodeObject[],
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
    const used = BigInt(Math.ceil(await client.simulate(sender, messages, "")));
    const gas = (used * MARGIN) / 100n;
    // Rounded up: the chain asks for at least gas times price.
    const amount = (gas * price + 10n ** BigInt(PRICE_DECIMALS) - 1n) / 10n ** BigInt(PRICE_DECIMALS);
    const stdFee = { gas: gas.toString(), amount: [{ denom: fee.coinMinimalDenom, amount: amount.toString() }] };
    const sent = await client.signAndBroadcast(sender, messages, stdFee);
    if (sent.code !== 0) throw new AppError("E-WEB-012", contractWords(sent.rawLog ?? "") ?? sent.rawLog);
    return { hash: sent.transactionHash, height: sent.height, events: sent.events };
  } catch (error) {
    throw refused(error);
  } finally {
    client.disconnect();
  }
}

/** What a contract said, out of the chain's words around it. */
function contractWords(text: string): string | undefined {
  return /failed to execute message; message index: \d+: (.*?)(?:: execute wasm contract failed.*)?$/s.exec(text)?.[1];
}

/** What went wrong, in the app's codes. */
function refused(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (/insufficient funds|does not exist on chain|spendable balance/i.test(text)) return new AppError("E-WEB-013", text);
  if (/request rejected|denied|declined|rejected by|user cancel/i.test(text)) return new AppError("E-WEB-011", text);
  if (/fetch|network|ECONN|timeout/i.test(text)) return new AppError("E-WEB-002", text);
  const contract = contractWords(text);
  if (contract || /code: \d+|Query failed|Broadcasting/i.test(text)) return new AppError("E-WEB-012", contract ?? text);
  return asAppError(error);
}
