/**
 * What bulk messages carry as one base64 string, as docs/formats.md (Packed) defines it. Rust, the
 * contracts and this file run the same vectors: packages/types/vectors/packed.json.
 */
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import type { Account, LedgerLeaf } from "./generated/PayableEscrow.types.js";
import type { Uses } from "./generated/Datanet.types.js";
import type { Integer } from "./formats.js";

/** A node of a Merkle-sum path: 32 bytes in hexadecimal, a sum in decimal digits. */
export interface SumStep {
  hash: string;
  sum: string;
}

/** A leaf of a final ledger with its path. */
export interface ClaimItem {
  node_id: Integer;
  denom: string;
  leaf: LedgerLeaf;
  index: Integer;
  path: SumStep[];
}

/** One leaf of a commit, opened; hashes in hexadecimal. */
export interface RevealItem {
  index: Integer;
  path: string[];
  salt: string;
  raw_hash: string;
  content_root: string;
  content_len: Integer;
  match_root: string;
  match_len: Integer;
  match_hash: string;
  blob_root: string;
  blob_len: Integer;
  media: string;
  license?: string | null;
  uses?: Uses | null;
  near_duplicate_of?: Integer | null;
  title: string;
}

/** Most nodes of a path. */
const MAX_NODES = 65;

/** Media type that is left out. */
const PLAIN = "text/plain";

/** An integer below 2^bits. */
function integer(field: string, value: Integer | string, bits: number): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${field} is not a whole number up to 2^53 - 1: pass a bigint`);
  }
  if (typeof value === "string" && !/^[0-9]+$/.test(value)) {
    throw new RangeError(`${field} is not written in decimal digits`);
  }
  const number = BigInt(value);
  if (number < 0n || number >= 1n << BigInt(bits)) {
    throw new RangeError(`${field} does not fit into ${bits} bits`);
  }
  return number;
}

/** Packed bytes in the making. */
class Writer {
  private readonly parts: Uint8Array[] = [];

  raw(bytes: Uint8Array): this {
    this.parts.push(bytes);
    return this;
  }

  byte(value: number): this {
    return this.raw(Uint8Array.of(value));
  }

  /** Seven bits a byte, the lowest first; the highest bit says that more follow. */
  varint(field: string, value: Integer | string, bits = 64): this {
    let rest = integer(field, value, bits);
    const bytes: number[] = [];
    while (rest >= 0x80n) {
      bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.raw(Uint8Array.of(...bytes, Number(rest)));
  }

  hash(field: string, hex: string): this {
    const bytes = hexToBytes(hex);
    if (bytes.length !== 32) {
      throw new RangeError(`${field} must have 32 bytes, not ${bytes.length}`);
    }
    return this.raw(bytes);
  }

  text(text: string): this {
    const bytes = utf8ToBytes(text);
    return this.varint("length", bytes.length).raw(bytes);
  }

  /** A hash, one byte with the length of the sum, and the sum without leading zeros. */
  step({ hash, sum }: SumStep): this {
    const digits = integer("sum", sum, 128).toString(16);
    const bytes = digits === "0" ? new Uint8Array() : hexToBytes(digits.padStart(digits.length + (digits.length % 2), "0"));
    return this.hash("hash", hash).byte(bytes.length).raw(bytes);
  }

  count(nodes: readonly unknown[]): this {
    return this.byte(bounded(nodes).length);
  }

  finish(): Uint8Array {
    return concatBytes(...this.parts);
  }
}

function bounded<T>(nodes: readonly T[]): readonly T[] {
  if (nodes.length > MAX_NODES) {
    throw new RangeError(`a path has at most ${MAX_NODES} nodes, not ${nodes.length}`);
  }
  return nodes;
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** A path of hashes (hexadecimal), for fields of type `HashPath`. */
export function hashPath(hashes: readonly string[]): string {
  return base64(bounded(hashes).reduce((out, hash) => out.hash("hash", hash), new Writer()).finish());
}

/** A path, a proof or peaks of a Merkle-sum tree, for fields of type `SumPath`. */
export function sumPath(steps: readonly SumStep[]): string {
  return base64(bounded(steps).reduce((out, step) => out.step(step), new Writer()).finish());
}

function accountOf(account: Account): { code: number; address: string } {
  if (typeof account === "object") {
    return { code: 2, address: account.contributor };
  }
  return { code: account === "commons" ? 0 : 1, address: "" };
}

/** Leaves of ledgers, for `Claim`. Denom and account are left out where the leaf before has them too. */
export function claims(items: readonly ClaimItem[]): string {
  const out = new Writer();
  let before: { denom: string; code: number; address: string } | undefined;
  for (const { node_id, denom, leaf, index, path } of items) {
    const account = accountOf(leaf.account);
    out.varint("node_id", node_id).text(before?.denom === denom ? "" : denom);
    if (before?.code === account.code && before.address === account.address) {
      out.byte(3);
    } else {
      out.byte(account.code);
      if (account.code === 2) {
        out.text(account.address);
      }
    }
    before = { denom, ...account };
    out.varint("cumulative", leaf.cumulative, 128).varint("uses", leaf.uses);
    out.hash("detail.hash", leaf.detail.hash).varint("detail.sum", leaf.detail.sum, 128);
    out.varint("detail.count", leaf.detail.count).varint("index", index).count(path);
    path.forEach((step) => out.step(step));
  }
  return base64(out.finish());
}

/** Opened leaves of a commit, for `Reveal`. */
export function documents(items: readonly RevealItem[]): string {
  const out = new Writer();
  for (const item of items) {
    out.varint("index", item.index, 32).count(item.path);
    item.path.forEach((hash) => out.hash("path", hash));
    for (const field of ["salt", "raw_hash", "content_root", "match_root", "match_hash", "blob_root"] as const) {
      out.hash(field, item[field]);
    }
    for (const field of ["content_len", "match_len", "blob_len"] as const) {
      out.varint(field, item[field]);
    }
    const { license, uses, near_duplicate_of: near, media } = item;
    out.byte((license != null ? 1 : 0) | (uses != null ? 2 : 0) | (near != null ? 4 : 0) | (media !== PLAIN ? 8 : 0));
    if (license != null) {
      out.text(license);
    }
    if (uses != null) {
      out.byte((uses.train ? 1 : 0) | (uses.answer ? 2 : 0) | (uses.commercial ? 4 : 0));
    }
    if (near != null) {
      out.varint("near_duplicate_of", near);
    }
    if (media !== PLAIN) {
      out.text(media);
    }
    out.text(item.title);
  }
  return base64(out.finish());
}
