/** Reading the chain over its REST interface: small enough for the first page, no CosmJS. */
import { DatanetQueryClient } from "@openledger/client/generated/Datanet.client.js";
import { IbcGatewayQueryClient } from "@openledger/client/generated/IbcGateway.client.js";
import { ModelRegistryQueryClient } from "@openledger/client/generated/ModelRegistry.client.js";
import { NodeRegistryQueryClient } from "@openledger/client/generated/NodeRegistry.client.js";
import { PayableEscrowQueryClient } from "@openledger/client/generated/PayableEscrow.client.js";
import { RefereeQueryClient } from "@openledger/client/generated/Referee.client.js";

import { jsonBytes, toBase64 } from "./bytes";
import { config, gatewayOf, type ChainInfo, type Config } from "./config";
import { AppError } from "./errors";

/** Longest wait for an answer, in milliseconds. */
const PATIENCE = 15_000;

/** Reads a JSON document of the REST interface, of this chain unless another one is named. */
export async function rest<T>(path: string, of?: ChainInfo): Promise<T> {
  const chain = of ?? (await config()).chain;
  let response: Response;
  try {
    response = await fetch(`${chain.rest.replace(/\/$/, "")}${path}`, { signal: AbortSignal.timeout(PATIENCE) });
  } catch (error) {
    throw new AppError("E-WEB-002", error instanceof Error ? error.message : "");
  }
  const body = (await response.json().catch(() => null)) as (T & { message?: string }) | null;
  if (!response.ok || body === null) {
    const code = response.status >= 500 && !body?.message ? "E-WEB-002" : "E-WEB-003";
    throw new AppError(code, body?.message ?? `${response.status}`);
  }
  return body;
}

/** The one method of CosmJS that the generated query clients call. */
const reader = {
  async queryContractSmart(address: string, message: unknown): Promise<unknown> {
    const query = toBase64(jsonBytes(message)).replaceAll("+", "-").replaceAll("/", "_");
    const answer = await rest<{ data: unknown }>(`/cosmwasm/wasm/v1/contract/${address}/smart/${query}`);
    return answer.data;
  },
};

type Clients = ReturnType<typeof clients>;

function clients({ contracts }: Config) {
  // The generated clients ask for CosmJS' whole client, of which they call this method only.
  const chain = reader as never;
  return {
    datanet: new DatanetQueryClient(chain, contracts.datanet),
    models: new ModelRegistryQueryClient(chain, contracts.model_registry),
    nodes: new NodeRegistryQueryClient(chain, contracts.node_registry),
    escrow: new PayableEscrowQueryClient(chain, contracts.payable_escrow),
    referee: new RefereeQueryClient(chain, contracts.referee),
  };
}

let made: Clients | undefined;

/** Typed query clients of the contracts. */
export async function queries(): Promise<Clients> {
  made ??= clients(await config());
  return made;
}

/** Query client of the gateway; refused where the deployment has none. */
export async function gateway(): Promise<IbcGatewayQueryClient> {
  return new IbcGatewayQueryClient(reader as never, gatewayOf(await config()));
}

/** Height of the newest block. */
export async function height(): Promise<number> {
  type Latest = { block: { header: { height: string } } };
  const latest = await rest<Latest>("/cosmos/base/tendermint/v1beta1/blocks/latest");
  return Number(latest.block.header.height);
}

/** What an account holds of a denom, in base units, on this chain unless another one is named. */
export async function balance(address: string, denom: string, of?: ChainInfo): Promise<bigint> {
  const query = new URLSearchParams({ denom });
  const answer = await rest<{ balance: { amount: string } }>(
    `/cosmos/bank/v1beta1/balances/${address}/by_denom?${query.toString()}`,
    of,
  );
  return BigInt(answer.balance.amount);
}

/** Reads all pages of a list that is paged by number. */
export async function pages<T>(
  page: (after: number | undefined) => Promise<T[]>,
  key: (entry: T) => number,
  most = 20_000,
): Promise<T[]> {
  const all: T[] = [];
  while (all.length < most) {
    const last = all.at(-1);
    const next = await page(last === undefined ? undefined : key(last));
    all.push(...next);
    if (next.length < PAGE) break;
  }
  return all;
}

/** Entries of a page: the most that contracts give. */
export const PAGE = 30;

/** Waits until the chain has reached a height. */
export async function waitForHeight(target: number, signal?: AbortSignal): Promise<void> {
  while ((await height()) < target) {
    signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
