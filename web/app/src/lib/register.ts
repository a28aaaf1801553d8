/**
 * Registering one's own model from its folder, as `cli/src/model.rs` does: every file is compared with the
 * manifest, the training counts with their root, then hash, price and split go on chain and the files to a node.
 */
import { formats, merkle, type ModelRegistry } from "@openledger/client";

import { bytesToHex, utf8 } from "./bytes";
import { pages, PAGE, queries } from "./chain";
import { config } from "./config";
import { AppError } from "./errors";
import { putBlob, servedModels } from "./node";
import { attribute, execute, type Account, type Sent } from "./wallet";

/** Name of the manifest in a model's folder. */
const MANIFEST = "manifest.json";
/** Name of the training receipt in a model's folder. */
const RECEIPT = "training_receipt.json";
/** Milliseconds between two looks whether the node has loaded the model, and for how many looks. */
const LOOK = { every: 1_000, times: 300 };

/** What the page reads of a manifest (`packages/types/src/formats/model.rs`). */
export interface Manifest {
  format: number;
  name: string;
  architecture: string;
  numeric_class: ModelRegistry.NumericClass;
  sampler: string;
  commit_scheme: string;
  attribution: string;
  weights_root: string;
  training_root: string;
  context: number;
  parameters: number;
  datanets: ModelRegistry.VersionRef[];
  files: { name: string; blob: { root: string; len: number } }[];
}

/** A training receipt, as far as a page reads it (`inference-node/src/train/export.rs`). */
export interface TrainingReceipt {
  documents: number;
  bytes: number;
  steps: number;
  seconds: number;
  loss_first: number;
  loss_last: number;
  training_root: string;
  training: { datanet_id: number; uses: { contribution_id: number; times_seen: number }[] }[];
}

/** A model's folder whose files are those that its manifest names. */
export interface Folder {
  manifest: Manifest;
  manifestBytes: Uint8Array<ArrayBuffer>;
  manifestHash: string;
  files: Map<string, Uint8Array<ArrayBuffer>>;
  trainedOn: ModelRegistry.TrainedOn[];
}

/** How a version is priced. */
export interface Terms {
  denom: string;
  priceIn: bigint;
  priceOut: bigint;
  split: ModelRegistry.Split;
  royaltyBps: number;
  parents: ModelRegistry.Parent[];
}

function damaged(what: string): AppError {
  return new AppError("E-WEB-060", what);
}

const blobOf = (bytes: Uint8Array) => ({
  root: bytesToHex(merkle.chunkRoot(bytes, merkle.BLOB_CHUNK)),
  len: bytes.length,
});

/** Reads a model's folder and holds every file against the manifest. */
export async function readFolder(files: Iterable<File>): Promise<Folder> {
  const byName = new Map([...files].map((file) => [file.name, file]));
  const bytesOf = async (name: string) => {
    const file = byName.get(name);
    if (!file) throw damaged(name);
    return new Uint8Array(await file.arrayBuffer());
  };
  const manifestBytes = await bytesOf(MANIFEST);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(utf8(manifestBytes)) as Manifest;
  } catch (error) {
    throw damaged(`${MANIFEST}: ${error instanceof Error ? error.message : ""}`);
  }
  if (manifest.format !== 1 || !Array.isArray(manifest.files)) throw damaged(MANIFEST);
  const held = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const { name, blob } of manifest.files) {
    const bytes = await bytesOf(name);
    const found = blobOf(bytes);
    if (found.root !== blob.root || found.len !== blob.len) throw damaged(name);
    held.set(name, bytes);
  }
  const receipt = held.get(RECEIPT);
  if (!receipt) throw damaged(RECEIPT);
  const trainedOn = trainedOnOf(manifest, JSON.parse(utf8(receipt)) as TrainingReceipt);
  return { manifest, manifestBytes, manifestHash: bytesToHex(formats.manifestHash(manifestBytes)), files: held, trainedOn };
}

/** The versions of a manifest, each with the root of its training counts, held against the manifest's root. */
export function trainedOnOf(manifest: Manifest, receipt: TrainingReceipt): ModelRegistry.TrainedOn[] {
  const roots = receipt.training.map(({ datanet_id, uses }) => {
    const leaves = uses.map((use) => formats.trainingLeaf(use.contribution_id, use.times_seen));
    const { hash, sum } = merkle.root(merkle.SUM, leaves);
    return { datanet: datanet_id, root: { hash: bytesToHex(hash), sum: sum.toString(), count: leaves.length } };
  });
  if (bytesToHex(formats.trainingRoot(roots)) !== manifest.training_root) throw damaged(RECEIPT);
  return manifest.datanets.map(({ datanet_id, version }) => {
    const found = roots.find(({ datanet }) => datanet === datanet_id);
    if (!found) throw damaged(`${RECEIPT}: ${datanet_id}`);
    return { datanet_id, version, training: found.root };
  });
}

/** Models of a developer, the newest first. */
export async function modelsOf(developer: string): Promise<ModelRegistry.ModelResponse[]> {
  const { models } = await queries();
  const all = await pages(
    async (startAfter) => (await models.models({ startAfter: startAfter!, limit: PAGE })).models,
    (model) => model.model_id,
  );
  return all.filter((model) => model.developer === developer).reverse();
}

/** Where a registration stands. */
export type RegisterStep = "model" | "version" | "uploading" | "loading" | "done";

/**
 * Registers a folder as a version of a model (a new one where `model` is a name) and hands its files to a node.
 * A run that was cut off goes on: a model without a version is chosen again, and a version that is on chain is
 * found by the manifest's hash.
 */
export async function register(
  account: Account,
  folder: Folder,
  model: number | { name: string; description: string },
  terms: Terms,
  node: string,
  onStep: (step: RegisterStep) => void,
): Promise<{ modelId: number; version: number }> {
  const { contracts } = await config();
  const contract = contracts.model_registry;
  let modelId: number;
  if (typeof model === "number") {
    modelId = model;
  } else {
    onStep("model");
    const sent = await execute(account, [{ contract, msg: { register_model: model } }]);
    modelId = numberOf(sent, contract, "model_id");
  }
  const version = (await registered(modelId, folder)) ?? (await registerVersion(account, modelId, folder, terms, onStep));
  onStep("uploading");
  await upload(node, folder, modelId, version);
  onStep("loading");
  await ready(node, modelId, version);
  onStep("done");
  return { modelId, version };
}

async function registerVersion(
  account: Account,
  modelId: number,
  { manifest, manifestBytes, manifestHash, trainedOn }: Folder,
  terms: Terms,
  onStep: (step: RegisterStep) => void,
): Promise<number> {
  const contract = (await config()).contracts.model_registry;
  onStep("version");
  const version: ModelRegistry.NewVersion = {
    manifest_hash: manifestHash,
    manifest: blobOf(manifestBytes),
    weights_root: manifest.weights_root,
    training_root: manifest.training_root,
    numeric_class: manifest.numeric_class,
    datanets: trainedOn,
    parents: terms.parents,
    royalty_bps: terms.royaltyBps,
    denom: terms.denom,
    price_in: terms.priceIn.toString(),
    price_out: terms.priceOut.toString(),
    split: terms.split,
  };
  const sent = await execute(account, [{ contract, msg: { register_version: { model_id: modelId, version } } }]);
  return numberOf(sent, contract, "version");
}

/** The version of a model that has this manifest; null when there is none. */
async function registered(modelId: number, { manifestHash }: Folder): Promise<number | null> {
  const { models } = await queries();
  const { versions } = await models.versions({ modelId, limit: PAGE });
  return versions.find((version) => version.manifest_hash === manifestHash)?.version ?? null;
}

/** Gives manifest, then files, to a node: it takes a file only after the manifest that names it. */
export async function upload(node: string, folder: Folder, modelId: number, version: number): Promise<void> {
  const reference = `model:${modelId}:${version}`;
  await putBlob(node, blobOf(folder.manifestBytes).root, reference, folder.manifestBytes);
  for (const { name, blob } of folder.manifest.files) {
    const bytes = folder.files.get(name);
    if (!bytes) throw damaged(name);
    await putBlob(node, blob.root, reference, bytes);
  }
}

/** Waits until a node lists a model as ready. */
async function ready(node: string, modelId: number, version: number): Promise<void> {
  for (let look = 0; look < LOOK.times; look += 1) {
    const served = await servedModels(node);
    if (served.some((model) => model.model_id === modelId && model.version === version)) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK.every));
  }
  throw new AppError("E-WEB-004", `${node}: ${modelId}:${version}`);
}

/** Announces other prices; they hold for sessions opened after the notice. */
export async function setPrice(
  account: Account,
  modelId: number,
  version: number,
  priceIn: bigint,
  priceOut: bigint,
): Promise<Sent> {
  const { contracts } = await config();
  const msg: ModelRegistry.ExecuteMsg = {
    set_price: { model_id: modelId, version, price_in: priceIn.toString(), price_out: priceOut.toString() },
  };
  return execute(account, [{ contract: contracts.model_registry, msg }]);
}

/** Advises users against a version; sessions go on. */
export async function deprecate(account: Account, modelId: number, version: number): Promise<Sent> {
  const { contracts } = await config();
  const msg: ModelRegistry.ExecuteMsg = { deprecate: { model_id: modelId, version } };
  return execute(account, [{ contract: contracts.model_registry, msg }]);
}

function numberOf(sent: Sent, contract: string, key: string): number {
  const found = attribute(sent, contract, "wasm", key) ?? attribute(sent, contract, "", key);
  if (found === undefined) throw new AppError("E-WEB-012", sent.hash);
  return Number(found);
}

/** Parents as people write them: `1:2 base, 3:1 teacher`; null when the text is none. */
export function parseParents(text: string): ModelRegistry.Parent[] | null {
  const found: ModelRegistry.Parent[] = [];
  for (const part of text.split(",").map((piece) => piece.trim()).filter((piece) => piece !== "")) {
    const match = /^(\d{1,9}):(\d{1,9})(?:\s+(base|adapter|teacher))?$/.exec(part);
    if (!match) return null;
    found.push({
      model_id: Number(match[1]),
      version: Number(match[2]),
      kind: (match[3] ?? "base") as ModelRegistry.ParentKind,
    });
  }
  return found.sort((a, b) => a.model_id - b.model_id || a.version - b.version);
}
