/**
 * Trees of RFC 6962 §2.1 and Merkle-sum trees over the same shape, as docs/formats.md defines them. The
 * root equals the peaks of a mountain range bagged from right to left, so that a log keeps one node a peak.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "@noble/hashes/utils.js";

import { bigEndian } from "./encode.js";

/** Bytes in a chunk of content text, match text and answers. */
export const CONTENT_CHUNK = 1024;

/** Bytes in a leaf of a stored blob. */
export const BLOB_CHUNK = 16384;

/** A node of a Merkle-sum tree. */
export interface SumNode {
  hash: Uint8Array;
  sum: bigint;
}

/** What is joined, and the root of a tree without leaves. */
interface Kind<N> {
  join: (left: N, right: N) => N;
  empty: N;
}

/** Hash of a leaf: `SHA-256(0x00 ‖ data)`. */
export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(0), data));
}

/** A leaf of a Merkle-sum tree; `data` must itself contain the amount. */
export function sumLeaf(data: Uint8Array, sum: bigint): SumNode {
  return { hash: leafHash(data), sum };
}

/** Trees of hashes. */
export const PLAIN: Kind<Uint8Array> = {
  join: (left, right) => sha256(concatBytes(Uint8Array.of(1), left, right)),
  empty: sha256(new Uint8Array()),
};

/** Trees of hashes with sums; a sum of more than 128 bits is refused by its encoding. */
export const SUM: Kind<SumNode> = {
  join: (left, right) => {
    const sum = left.sum + right.sum;
    bigEndian(sum, 16);
    const parts = [left.hash, bigEndian(left.sum, 16), right.hash, bigEndian(right.sum, 16)];
    return { hash: sha256(concatBytes(Uint8Array.of(1), ...parts)), sum };
  },
  empty: { hash: sha256(new Uint8Array()), sum: 0n },
};

/** Appends a leaf to the peaks of a log of `size` leaves, the tallest first. */
export function push<N>(kind: Kind<N>, peaks: readonly N[], size: number, leaf: N): N[] {
  const next = [...peaks];
  let node = leaf;
  for (let rest = size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
    const left = next.pop();
    if (left === undefined) throw new RangeError("a log needs a peak for every bit of its size");
    node = kind.join(left, node);
  }
  next.push(node);
  return next;
}

/** The root over peaks, bagged from right to left. */
export function bag<N>(kind: Kind<N>, peaks: readonly N[]): N {
  const last = peaks.at(-1);
  if (last === undefined) return kind.empty;
  return peaks.slice(0, -1).reduceRight((right, left) => kind.join(left, right), last);
}

/** The root over leaves. */
export function root<N>(kind: Kind<N>, leaves: readonly N[]): N {
  let peaks: N[] = [];
  leaves.forEach((leaf, size) => {
    peaks = push(kind, peaks, size, leaf);
  });
  return bag(kind, peaks);
}

/** The largest power of two below `length` (at least 2). */
function split(length: number): number {
  let half = 1;
  while (half * 2 < length) half *= 2;
  return half;
}

/** The audit path of leaf `index`, from the leaf upwards (RFC 6962 §2.1.1). */
export function prove<N>(kind: Kind<N>, leaves: readonly N[], index: number): N[] {
  if (index < 0 || index >= leaves.length) throw new RangeError(`there is no leaf ${index}`);
  if (leaves.length === 1) return [];
  const half = split(leaves.length);
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
  return index < half
    ? [...prove(kind, left, index), root(kind, right)]
    : [...prove(kind, right, index - half), root(kind, left)];
}

/** The root that a path leads to from leaf `index` of `size` leaves; none when the path has another length. */
export function climb<N>(kind: Kind<N>, leaf: N, index: number, size: number, path: readonly N[]): N | null {
  if (index < 0 || index >= size) return null;
  // RFC 9162 §2.1.3.2.
  let [at, last, node] = [index, size - 1, leaf];
  for (const step of path) {
    if (last === 0) return null;
    if (at % 2 === 1 || at === last) {
      node = kind.join(step, node);
      while (at % 2 === 0 && at !== 0) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    } else {
      node = kind.join(node, step);
    }
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0 ? node : null;
}

/** Root over chunks of `chunk` bytes, the last shorter. */
export function chunkRoot(bytes: Uint8Array, chunk: number): Uint8Array {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += chunk) leaves.push(leafHash(bytes.subarray(at, at + chunk)));
  return root(PLAIN, leaves);
}
