/**
 * What a page hashes, as docs/formats.md defines it. Rust, the contracts and this file run the same
 * vectors: packages/types/vectors/formats.json.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import type { Outcome, Receipt, VersionRef, Voucher } from "./generated/PayableEscrow.types.js";

/** A number of the protocol; JSON numbers above 2^53 - 1 are refused, because they lost digits. */
export type Integer = number | bigint;

/** 32 zero bytes: the request hash of a voucher that only acknowledges. */
export const ZERO_HASH = new Uint8Array(32);

/** A node of a Merkle-sum tree. */
export interface SumNode {
  hash: Uint8Array;
  sum: bigint;
}

/** An integer as big-endian bytes of a fixed width. */
function bigEndian(value: Integer, width: number): Uint8Array {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is not a whole number up to 2^53 - 1: pass a bigint`);
  }
  let rest = BigInt(value);
  if (rest < 0n || rest >= 1n << BigInt(8 * width)) {
    throw new RangeError(`${value} does not fit into ${8 * width} bits`);
  }
  const bytes = new Uint8Array(width);
  for (let place = width - 1; place >= 0; place -= 1) {
    bytes[place] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** An amount in base units, written in decimal digits. */
function amount(digits: string): bigint {
  if (!/^[0-9]+$/.test(digits)) {
    throw new RangeError(`${digits} is not an amount in base units`);
  }
  return BigInt(digits);
}

/** 32 bytes out of hexadecimal. */
function hash32(field: string, hex: string): Uint8Array {
  const bytes = hexToBytes(hex);
  if (bytes.length !== 32) {
    throw new RangeError(`${field} must have 32 bytes, not ${bytes.length}`);
  }
  return bytes;
}

/** Bytes to be hashed: a domain tag and fields, each after its length in 8 bytes. */
class Preimage {
  private readonly parts: Uint8Array[] = [];

  constructor(tag: string) {
    this.text(tag);
  }

  bytes(field: Uint8Array): this {
    this.parts.push(bigEndian(field.length, 8), field);
    return this;
  }

  text(field: string): this {
    return this.bytes(utf8ToBytes(field));
  }

  u8(field: Integer): this {
    return this.bytes(bigEndian(field, 1));
  }

  u16(field: Integer): this {
    return this.bytes(bigEndian(field, 2));
  }

  u32(field: Integer): this {
    return this.bytes(bigEndian(field, 4));
  }

  u64(field: Integer): this {
    return this.bytes(bigEndian(field, 8));
  }

  u128(field: Integer): this {
    return this.bytes(bigEndian(field, 16));
  }

  finish(): Uint8Array {
    return concatBytes(...this.parts);
  }

  hash(): Uint8Array {
    return sha256(this.finish());
  }
}

/** Hash of a Merkle leaf. */
function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concatBytes(Uint8Array.of(0), data));
}

/** `openledger/request/1`: the body's bytes as sent, the client's nonce. */
export function requestHash(body: Uint8Array, nonce: Uint8Array): Uint8Array {
  if (nonce.length !== 32) {
    throw new RangeError(`the nonce must have 32 bytes, not ${nonce.length}`);
  }
  return new Preimage("openledger/request/1").bytes(body).bytes(nonce).hash();
}

/** `openledger/seed/1`: what the sampler of an answer is keyed by. */
export function seed(request: Uint8Array, session: Integer, node: Integer, sequence: Integer): Uint8Array {
  return new Preimage("openledger/seed/1").bytes(request).u64(session).u64(node).u64(sequence).hash();
}

/** `openledger/manifest/1`: the document's bytes. */
export function manifestHash(document: Uint8Array): Uint8Array {
  return new Preimage("openledger/manifest/1").bytes(document).hash();
}

/** `openledger/version/1`: a sealed version of a datanet. */
export function versionHash(version: VersionRef): Uint8Array {
  return new Preimage("openledger/version/1")
    .u64(version.datanet_id)
    .u32(version.version)
    .bytes(hash32("root", version.root))
    .u64(version.size)
    .hash();
}

/** `openledger/voucher/1`: what the session key signs. */
export function voucherDigest(voucher: Voucher): Uint8Array {
  return new Preimage("openledger/voucher/1")
    .text(voucher.chain_id)
    .text(voucher.contract)
    .u64(voucher.session_id)
    .u64(voucher.node_id)
    .u64(voucher.sequence)
    .text(voucher.denom)
    .bytes(hash32("request_hash", voucher.request_hash))
    .u128(amount(voucher.cumulative_max))
    .bytes(hash32("acknowledged.hash", voucher.acknowledged.hash))
    .u128(amount(voucher.acknowledged.sum))
    .u64(voucher.acknowledged.count)
    .hash();
}

const OUTCOMES: Record<Outcome, number> = { stop: 1, length: 2, cancelled: 3 };

/** `openledger/receipt/1`: what the node signs, and the receipt's id. */
export function receiptDigest(receipt: Receipt): Uint8Array {
  const { temperature_milli, top_k, top_p_milli, max_tokens } = receipt.decoding;
  const decoding = [temperature_milli, top_k, top_p_milli, max_tokens].map((value) => bigEndian(value, 4));
  const shares = receipt.shares.flatMap((share) => [
    bigEndian(share.contribution_id, 8),
    bigEndian(share.bps, 2),
  ]);
  return new Preimage("openledger/receipt/1")
    .text(receipt.chain_id)
    .text(receipt.contract)
    .u64(receipt.node_id)
    .u64(receipt.session_id)
    .u64(receipt.sequence)
    .u64(receipt.height)
    .bytes(hash32("request_hash", receipt.request_hash))
    .bytes(hash32("answer_root", receipt.answer_root))
    .u64(receipt.answer_len)
    .u64(receipt.model_id)
    .u32(receipt.model_version)
    .bytes(concatBytes(...receipt.datanets.map(versionHash)))
    .u32(receipt.tokens_in)
    .u32(receipt.tokens_out)
    .u128(amount(receipt.fee))
    .bytes(concatBytes(...decoding))
    .bytes(hash32("seed", receipt.seed))
    .text(receipt.commit_scheme)
    .bytes(hash32("commit_root", receipt.commit_root))
    .text(receipt.signature_scheme)
    .bytes(hash32("signature_root", receipt.signature_root))
    .bytes(hash32("evidence_root", receipt.evidence_root))
    .u8(OUTCOMES[receipt.outcome])
    .bytes(concatBytes(...shares))
    .u16(receipt.no_evidence)
    .hash();
}

/** `openledger/receipt-leaf/1`: leaf of a session's log, worth the fee. */
export function receiptLeaf(receipt: Receipt): SumNode {
  const sum = amount(receipt.fee);
  const data = new Preimage("openledger/receipt-leaf/1")
    .bytes(receiptDigest(receipt))
    .u64(receipt.session_id)
    .u64(receipt.sequence)
    .u128(sum)
    .finish();
  return { hash: leafHash(data), sum };
}
