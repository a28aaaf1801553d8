/**
 * The wallet: Keplr's provider interface, amino signing only, so that a Ledger works. CosmJS is loaded
 * when the first transaction is signed.
 */
import type { OfflineAminoSigner } from "@cosmjs/amino";
import type { Datanet, IbcGateway, ModelRegistry, PayableEscrow } from "@openledger/client";

import { config, type ChainInfo } from "./config";
import { AppError, asAppError } from "./errors";

/** What the app uses of Keplr (docs.keplr.app). */
export interface Keplr {
  experimentalSuggestChain(chain: ChainInfo): Promise<void>;
  enable(chainId: string): Promise<void>;
  getKey(chainId: string): Promise<{ name: string; bech32Address: string; isNanoLedger: boolean }>;
  getOfflineSignerOnlyAmino(chainId: string): OfflineAminoSigner;
  disable?(chainId: string): Promise<void>;
}

declare global {
  interface Window {
    keplr?: Keplr;
  }
}

/** A connected account. */
export interface Account {
  address: string;
  name: string;
  ledger: boolean;
}

/** Messages of the contracts that the page writes to. */
export type Message =
  | Datanet.ExecuteMsg
  | IbcGateway.ExecuteMsg
  | ModelRegistry.ExecuteMsg
  | PayableEscrow.ExecuteMsg;

/** A message to a contract. */
export interface Call {
  contract: string;
  msg: Message;
  funds?: { denom: string; amount: bigint };
}

/** What came of a transaction. */
export interface Sent {
  hash: string;
  height: number;
  events: readonly { type: string; attributes: readonly { key: string; value: string }[] }[];
}

/** Whether the wallet is there; it may be put into the page after its scripts ran. */
export async function wallet(): Promise<Keplr> {
  for (let tries = 0; tries < 20 && !window.keplr; tries += 1) {
    if (document.readyState === "complete" && tries > 4) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!window.keplr) throw new AppError("E-WEB-010");
  return window.keplr;
}

/** Tells a refusal by the wallet's owner from other failures. */
function ofWallet(error: unknown): AppError {
  const text = error instanceof Error ? error.message : String(error);
  if (/reject|denied|declined|cancel/i.test(text)) return new AppError("E-WEB-011", text);
  if (/no chain info|not.*(enabled|found).*chain|chain.*not/i.test(text)) return new AppError("E-WEB-014", text);
  return asAppError(error);
}

/** Asks the wallet for an account, on this chain unless another one is named. */
export async function connect(of?: ChainInfo): Promise<Account> {
  const chain = of ?? (await config()).chain;
  const keplr = await wallet();
  try {
    await keplr.experimentalSuggestChain(chain);
    await keplr.enable(chain.chainId);
    const key = await keplr.getKey(chain.chainId);
    if (!key.bech32Address.startsWith(`${chain.bech32Config.bech32PrefixAccAddr}1`)) {
      throw new AppError("E-WEB-014", key.bech32Address);
    }
    return { address: key.bech32Address, name: key.name, ledger: key.isNanoLedger };
  } catch (error) {
    throw ofWallet(error);
  }
}

/** The wallet's signer for an account of a chain. */
async function signerOf(chain: ChainInfo, account: Account): Promise<OfflineAminoSigner> {
  const keplr = await wallet();
  try {
    const signer = keplr.getOfflineSignerOnlyAmino(chain.chainId);
    const [first] = await signer.getAccounts();
    if (first?.address !== account.address) throw new AppError("E-WEB-014", first?.address ?? "");
    return signer;
  } catch (error) {
    throw ofWallet(error);
  }
}

/** Signs and sends messages in one transaction, after a simulation; waits until it is in a block. */
export async function execute(account: Account, calls: readonly Call[]): Promise<Sent> {
  const [{ chain }, { execute: messages, send }] = await Promise.all([config(), import("./tx")]);
  return send(chain, await signerOf(chain, account), account.address, messages(account.address, calls));
}

/** An ICS-20 transfer. */
export interface Transfer {
  /** Channel of the transfer port on the chain that it leaves. */
  channel: string;
  denom: string;
  amount: bigint;
  receiver: string;
  memo: string;
  /** Seconds within which it has to arrive. */
  timeout: number;
}

/** Signs and sends a transfer on a chain; waits until it is in a block there. */
export async function transfer(chain: ChainInfo, account: Account, wanted: Transfer): Promise<Sent> {
  const { transfer: message, send } = await import("./tx");
  return send(chain, await signerOf(chain, account), account.address, [message(account.address, wanted)]);
}

/** The value of an attribute of a contract's event, whose type ends with `event`. */
export function attribute(sent: Sent, contract: string, event: string, key: string): string | undefined {
  return attributes(sent, contract, event).find((found) => found[key] !== undefined)?.[key];
}

/** Attributes of a contract's events of a type; the address is set by the chain, not by the contract. */
export function attributes(sent: Sent, contract: string, event: string): Record<string, string>[] {
  return sent.events
    .filter(({ type }) => type.endsWith(event))
    .map(({ attributes: list }) => Object.fromEntries(list.map(({ key, value }) => [key, value])))
    .filter((found) => found["_contract_address"] === contract);
}
