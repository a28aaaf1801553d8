/**
 * How integers, text and fields become bytes, as docs/formats.md defines it.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

/** A number of the protocol; JSON numbers above 2^53 - 1 are refused, because they lost digits. */
export type Integer = number | bigint;

/** An integer as big-endian bytes of a fixed width. */
export function bigEndian(value: Integer, width: number): Uint8Array {
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
export function amount(digits: string): bigint {
  if (!/^[0-9]+$/.test(digits)) {
    throw new RangeError(`${digits} is not an amount in base units`);
  }
  return BigInt(digits);
}

/** 32 bytes out of hexadecimal. */
export function hash32(field: string, hex: string): Uint8Array {
  const bytes = hexToBytes(hex);
  if (bytes.length !== 32) {
    throw new RangeError(`${field} must have 32 bytes, not ${bytes.length}`);
  }
  return bytes;
}

/** Bytes to be hashed: a domain tag and fields, each after its length in 8 bytes. */
export class Preimage {
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
