/**
 * Contributing from the page (PROTOCOL D1): clean here, commit, reveal, upload. Salts and ciphertexts are
 * kept in this browser before the chain hears of them, so that a batch that was cut off can be finished.
 */
import { formats, merkle, packed, type Datanet } from "@openledger/client";

import { units } from "./amount";
import { bytesToHex, hexToBytes, utf8ToBytes } from "./bytes";
import { queries } from "./chain";
import { config } from "./config";
import { AppError } from "./errors";
import type { Ready } from "./ingest";
import { putBlob } from "./node";
import { sealBlob } from "./source";
import { batches, dropBatch, saveBatch } from "./store";
import { attribute, attributes, execute, type Account } from "./wallet";

/** Leaves opened in one transaction. */
const REVEALS = 64;

/** One document of a batch. */
interface Item extends Omit<Ready, "content" | "name"> {
  title: string;
  salt: string;
  blob: { root: string; len: number };
  bytes: Uint8Array<ArrayBuffer>;
  license: string | null;
  contribution_id: number | null;
  uploaded: boolean;
}

/** A commit on its way. */
export interface Batch {
  root: string;
  chain_id: string;
  contract: string;
  datanet_id: number;
  owner: string;
  commit_id: number | null;
  items: Item[];
  txs: string[];
}

/** Where a batch stands. */
export type BatchStep = "committing" | "revealing" | "uploading" | "done";

/** The contribution on chain that has the same match text, for each document. */
export async function onChain(ready: readonly Ready[]): Promise<(number | null)[]> {
  const { datanet } = await queries();
  const found = ready.map(({ match_hash: matchHash }) => datanet.byMatchHash({ matchHash }));
  return (await Promise.all(found)).map(({ contribution_id }) => contribution_id ?? null);
}

/** The bond that a commit of so many documents binds, in base units. */
export async function bond(count: number): Promise<{ denom: string; amount: bigint }> {
  const { params } = await (await queries()).datanet.config();
  return { denom: params.denom, amount: units(params.commit_bond) * BigInt(count) };
}

function leafOf(item: Item, owner: string): Uint8Array {
  return formats.commitLeaf(hexToBytes(item.salt), owner, hexToBytes(item.raw_hash));
}

/** Seals the documents and keeps the batch. */
export async function prepare(
  account: Account,
  datanet: Datanet.DatanetResponse,
  ready: readonly Ready[],
  license: string | null,
): Promise<Batch> {
  const { chain, contracts } = await config();
  const items = await Promise.all(
    ready.map(async ({ content, name, ...facts }): Promise<Item> => {
      const bytes = await sealBlob(datanet.recipient, datanet.datanet_id, facts.content_root, utf8ToBytes(content));
      const root = bytesToHex(merkle.chunkRoot(bytes, merkle.BLOB_CHUNK));
      const salt = bytesToHex(crypto.getRandomValues(new Uint8Array(32)));
      const blob = { root, len: bytes.length };
      return { ...facts, title: shorten(name), salt, blob, bytes, license, contribution_id: null, uploaded: false };
    }),
  );
  const root = bytesToHex(merkle.root(merkle.PLAIN, items.map((item) => leafOf(item, account.address))));
  const batch: Batch = {
    root,
    chain_id: chain.chainId,
    contract: contracts.datanet,
    datanet_id: datanet.datanet_id,
    owner: account.address,
    commit_id: null,
    items,
    txs: [],
  };
  await saveBatch(batch);
  return batch;
}

/** Batches of an account that have not reached their end. */
export async function unfinished(account: Account): Promise<Batch[]> {
  const { chain, contracts } = await config();
  return (await batches<Batch>()).filter(
    (batch) =>
      batch.owner === account.address && batch.chain_id === chain.chainId && batch.contract === contracts.datanet,
  );
}

/** Takes a batch from wherever it stands to its end; returns the contributions' numbers. */
export async function finish(
  account: Account,
  batch: Batch,
  node: string,
  onStep: (step: BatchStep) => void,
): Promise<number[]> {
  const { contract } = batch;
  if (batch.commit_id === null) {
    onStep("committing");
    const funds = await bond(batch.items.length);
    const msg = { commit: { datanet_id: batch.datanet_id, root: batch.root, count: batch.items.length } };
    const sent = await execute(account, [{ contract, msg, funds }]);
    const id = attribute(sent, contract, "commit_opened", "commit_id");
    if (!id) throw new AppError("E-WEB-012", sent.hash);
    batch.commit_id = Number(id);
    batch.txs.push(sent.hash);
    await saveBatch(batch);
  }
  await reveal(account, batch, batch.commit_id, onStep);
  onStep("uploading");
  for (const item of batch.items.filter((candidate) => !candidate.uploaded)) {
    await putBlob(node, item.blob.root, `contribution:${item.contribution_id}`, item.bytes);
    item.uploaded = true;
    await saveBatch(batch);
  }
  await dropBatch(batch.root);
  onStep("done");
  return batch.items.map((item) => item.contribution_id ?? 0);
}

async function reveal(
  account: Account,
  batch: Batch,
  commitId: number,
  onStep: (step: BatchStep) => void,
): Promise<void> {
  const { datanet } = await queries();
  onStep("revealing");
  // A run that was cut off may have opened leaves without noting it: the chain knows.
  for (const item of batch.items.filter((candidate) => candidate.contribution_id === null)) {
    const { contribution_id: id } = await datanet.byMatchHash({ matchHash: item.match_hash });
    if (!id) continue;
    const { facts } = await datanet.contribution({ contributionId: id });
    if (facts.contributor === batch.owner && facts.content_root === item.content_root) item.contribution_id = id;
  }
  const leaves = batch.items.map((item) => leafOf(item, batch.owner));
  const open = batch.items.map((_, at) => at).filter((at) => batch.items[at]?.contribution_id === null);
  for (let from = 0; from < open.length; from += REVEALS) {
    const part = open.slice(from, from + REVEALS);
    const items = part.map((at) => revealItem(batch.items[at]!, at, merkle.prove(merkle.PLAIN, leaves, at)));
    const msg = { reveal: { commit_id: commitId, items: packed.documents(items) } };
    const sent = await execute(account, [{ contract: batch.contract, msg }]);
    for (const found of attributes(sent, batch.contract, "contribution_revealed")) {
      const item = batch.items[Number(found["index"])];
      if (item && found["contribution_id"]) item.contribution_id = Number(found["contribution_id"]);
    }
    batch.txs.push(sent.hash);
    await saveBatch(batch);
  }
}

function revealItem(item: Item, index: number, path: Uint8Array[]): packed.RevealItem {
  const { salt, raw_hash, content_root, content_len, match_root, match_len, match_hash, blob, media, license, title } =
    item;
  const hashes = { salt, raw_hash, content_root, match_root, match_hash, blob_root: blob.root };
  const facts = { ...hashes, content_len, match_len, blob_len: blob.len, media, title };
  return { index, path: path.map(bytesToHex), ...facts, license };
}

/** The end of a name is what tells files apart, so the beginning goes; at most 128 bytes. */
function shorten(name: string): string {
   
  let clean = name.replace(/[\u0000-\u001f\u007f]/g, " ");
  while (utf8ToBytes(clean).length > 128) clean = clean.slice(1);
  return clean;
}
