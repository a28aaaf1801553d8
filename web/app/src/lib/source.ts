/**
 * The text of a contribution, where its datanet lets anyone read it: the blob is fetched from whichever
 * node has it, opened with the datanet's public identity and compared with the chain.
 */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { merkle, type Datanet } from "@openledger/client";
import { Decrypter, Encrypter } from "age-encryption";

import { bytesToHex, concatBytes, hexToBytes, utf8, utf8ToBytes } from "./bytes";
import { queries } from "./chain";
import { AppError } from "./errors";
import { matchText } from "./ingest";
import { blobFromAny, type EvidencePiece } from "./node";

const MAGIC = utf8ToBytes("OLB1");
const NONCE = 24;

/** A contribution's text. */
export interface Source {
  contribution: Datanet.ContributionResponse;
  datanet: Datanet.DatanetResponse;
  /** Content text; null where the datanet does not let everyone read it. */
  content: string | null;
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function associated(datanetId: number, contentRoot: string): Uint8Array {
  return concatBytes(utf8ToBytes("openledger/blob/1"), u64(datanetId), hexToBytes(contentRoot));
}

/** Opens a sealed blob (docs/formats.md, "Blob") and checks that its text is the one committed. */
export async function openBlob(
  identity: string,
  datanetId: number,
  contentRoot: string,
  blob: Uint8Array,
): Promise<string> {
  if (blob.length < 6 || !MAGIC.every((byte, at) => blob[at] === byte)) throw new AppError("E-WEB-006", "OLB1");
  const wrapped = 6 + ((blob[4] ?? 0) << 8) + (blob[5] ?? 0);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const key = await decrypter.decrypt(blob.subarray(6, wrapped));
  const nonce = blob.subarray(wrapped, wrapped + NONCE);
  const cipher = xchacha20poly1305(key, nonce, associated(datanetId, contentRoot));
  const content = cipher.decrypt(blob.subarray(wrapped + NONCE));
  if (bytesToHex(merkle.chunkRoot(content, merkle.CONTENT_CHUNK)) !== contentRoot) {
    throw new AppError("E-WEB-006", "content root");
  }
  return utf8(content);
}

/** Seals a content text for a datanet's recipient, as `packages/store/src/blob.rs` does. */
export async function sealBlob(
  recipient: string,
  datanetId: number,
  contentRoot: string,
  content: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = crypto.getRandomValues(new Uint8Array(32));
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE));
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const wrapped = await encrypter.encrypt(key);
  const sealed = xchacha20poly1305(key, nonce, associated(datanetId, contentRoot)).encrypt(content);
  const length = Uint8Array.of(wrapped.length >> 8, wrapped.length & 0xff);
  return concatBytes(MAGIC, length, wrapped, nonce, sealed);
}

const sources = new Map<number, Promise<Source>>();

/** The text of a contribution as far as its datanet's visibility allows. */
export function source(contributionId: number): Promise<Source> {
  let found = sources.get(contributionId);
  if (!found) {
    found = read(contributionId);
    found.catch(() => sources.delete(contributionId));
    sources.set(contributionId, found);
  }
  return found;
}

async function read(contributionId: number): Promise<Source> {
  const { datanet: client } = await queries();
  const contribution = await client.contribution({ contributionId });
  const { facts } = contribution;
  const datanet = await client.datanet({ datanetId: facts.datanet_id });
  if (datanet.visibility !== "public" || !datanet.public_identity) return { contribution, datanet, content: null };
  const blob = await blobFromAny(null, facts.blob.root);
  const content = await openBlob(datanet.public_identity, facts.datanet_id, facts.content_root, blob);
  return { contribution, datanet, content };
}

/** A cited piece within its source: the text around it, and whether the bytes are the same. */
export interface Quoted {
  before: string;
  piece: string;
  after: string;
  same: boolean;
}

/** Compares a piece of evidence with its source, byte by byte in match text. */
export async function quote(found: Source, piece: EvidencePiece, answerMatch: string): Promise<Quoted | null> {
  if (found.content === null) return null;
  const range: [number, number] = [piece.source_start, piece.source_start + piece.len];
  const { text, ranges } = await matchText(found.content, [range]);
  const theirs = utf8ToBytes(text).subarray(...range);
  const ours = utf8ToBytes(answerMatch).subarray(piece.answer_start, piece.answer_start + piece.len);
  const content = utf8ToBytes(found.content);
  const [start, end] = ranges[0] ?? [0, 0];
  return {
    before: utf8(content.subarray(Math.max(0, start - 160), start)),
    piece: utf8(content.subarray(start, end)),
    after: utf8(content.subarray(end, end + 160)),
    same: ours.length === piece.len && utf8(ours) === utf8(theirs),
  };
}
