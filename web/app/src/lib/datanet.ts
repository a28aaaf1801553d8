/** Making a datanet from the page: a public one, whose key everyone may know. */
import type { Datanet } from "@openledger/client";
import { generateIdentity, identityToRecipient } from "age-encryption";

import { units } from "./amount";
import { pages, PAGE, queries } from "./chain";
import { config } from "./config";
import { AppError } from "./errors";
import { attribute, execute, type Account } from "./wallet";

/** What to create. */
export interface NewDatanet {
  name: string;
  description: string;
  license: string;
  minDataBps: number;
  /** Least fee for each token of an answer, in base units. */
  floorPerToken: bigint;
  /** What a model version that trains on it pays, in base units. */
  trainingPrice: bigint;
  /** Curators and the votes that decide; null for an open datanet. */
  curated: { curators: string[]; quorum: number } | null;
  uses: Datanet.Uses;
}

/** What a datanet's contributions have done so far. */
export interface UsesOfDatanet {
  /** Model versions that rest on it and were asked. */
  models: number;
  sessions: number;
  /** What sessions of these models paid to data, in base units. */
  paid: bigint;
}

/** What sessions have paid to the data of each datanet, by sessions of models that rest on it. */
export async function usesOfAll(): Promise<Map<number, UsesOfDatanet>> {
  const { escrow, models } = await queries();
  const sessions = await pages(
    async (startAfter) => (await escrow.sessions({ startAfter: startAfter!, limit: PAGE })).sessions,
    (session) => session.session_id,
  );
  const byModel = new Map<string, { modelId: number; version: number; sessions: number; paid: bigint }>();
  for (const { model_id: modelId, model_version: version, data_part } of sessions) {
    const key = `${modelId}:${version}`;
    const entry = byModel.get(key) ?? { modelId, version, sessions: 0, paid: 0n };
    byModel.set(key, { ...entry, sessions: entry.sessions + 1, paid: entry.paid + units(data_part) });
  }
  const found = new Map<number, UsesOfDatanet>();
  for (const { modelId, version, sessions: count, paid } of byModel.values()) {
    const { datanets } = await models.version({ modelId, version });
    for (const { datanet_id } of datanets) {
      const entry = found.get(datanet_id) ?? { models: 0, sessions: 0, paid: 0n };
      found.set(datanet_id, { models: entry.models + 1, sessions: entry.sessions + count, paid: entry.paid + paid });
    }
  }
  return found;
}

/** Curators as people write them, one a line or with commas; null when one is no address of this chain. */
export function parseCurators(text: string, prefix: string): string[] | null {
  const found = text.split(/[\s,]+/).filter((part) => part !== "");
  return found.every((address) => address.startsWith(`${prefix}1`)) ? [...new Set(found)].sort() : null;
}

/** Creates a public datanet; returns its number. */
export async function createDatanet(account: Account, wanted: NewDatanet): Promise<number> {
  const { contracts } = await config();
  const identity = await generateIdentity();
  const msg: Datanet.ExecuteMsg = {
    create_datanet: {
      name: wanted.name,
      description: wanted.description,
      visibility: "public",
      license: wanted.license,
      recipient: await identityToRecipient(identity),
      public_identity: identity,
      min_data_bps: wanted.minDataBps,
      floor_per_token: wanted.floorPerToken.toString(),
      training_price: wanted.trainingPrice.toString(),
      uses: wanted.uses,
      ...(wanted.curated ? { policy: { curated: wanted.curated } } : {}),
    },
  };
  const sent = await execute(account, [{ contract: contracts.datanet, msg }]);
  const id = attribute(sent, contracts.datanet, "wasm", "datanet_id") ?? attribute(sent, contracts.datanet, "", "datanet_id");
  if (!id) throw new AppError("E-WEB-012", sent.hash);
  return Number(id);
}
