/**
 * What the app is told by the folder that it is served from: `config.json` beside `index.html`, with the
 * chain as wallets take it and the addresses of the contracts. Nodes are read from the chain.
 */
import { AppError } from "./errors";

/** A coin as wallets describe it. */
export interface Currency {
  coinDenom: string;
  coinMinimalDenom: string;
  coinDecimals: number;
}

/** Keplr's ChainInfo, as far as the app reads it; the whole document goes to the wallet. */
export interface ChainInfo {
  chainId: string;
  chainName: string;
  rpc: string;
  rest: string;
  bech32Config: { bech32PrefixAccAddr: string } & Record<string, string>;
  currencies: Currency[];
  feeCurrencies: (Currency & { gasPriceStep: { low: number; average: number; high: number } })[];
  stakeCurrency: Currency;
  [field: string]: unknown;
}

/** Addresses of the contracts, under the names of `deployment.json`. */
export interface Contracts {
  datanet: string;
  model_registry: string;
  node_registry: string;
  payable_escrow: string;
  referee: string;
  /** Absent where earnings stay on this chain. */
  ibc_gateway?: string;
}

/** Another chain, from which sessions are paid and to which earnings go. */
export interface Remote {
  chain: ChainInfo;
  /** Channel of the transfer port on this chain. */
  channel: string;
  /** Its end on the other chain. */
  remote_channel: string;
}

/** The document. */
export interface Config {
  chain: ChainInfo;
  contracts: Contracts;
  remotes?: Remote[];
}

let loading: Promise<Config> | undefined;

/** Reads the document, once. */
export function config(): Promise<Config> {
  loading ??= read().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** For tests. */
export function setConfig(value: Config): void {
  loading = Promise.resolve(value);
}

async function read(): Promise<Config> {
  const response = await fetch("./config.json", { cache: "no-cache" }).catch(() => null);
  const found = response?.ok ? ((await response.json().catch(() => null)) as Config | null) : null;
  if (!found?.chain?.chainId || !found.contracts?.payable_escrow) throw new AppError("E-WEB-001");
  return found;
}

/** The gateway's address. */
export function gatewayOf({ contracts }: Config): string {
  if (!contracts.ibc_gateway) throw new AppError("E-WEB-070");
  return contracts.ibc_gateway;
}
