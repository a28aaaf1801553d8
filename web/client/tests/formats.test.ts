import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import * as formats from "../src/formats.js";

// Of the clone: the compiled test lies in dist/tests.
const path = new URL("../../../../packages/types/vectors/formats.json", import.meta.url);
const vectors = JSON.parse(readFileSync(path, "utf8"));

test("a request hashes as in Rust", () => {
  const { body, nonce, hash } = vectors.request_hash;
  const request = formats.requestHash(utf8ToBytes(body), hexToBytes(nonce));
  assert.equal(bytesToHex(request), hash);
  assert.equal(bytesToHex(formats.seed(request, 7, 2, 4)), vectors.seed);
  assert.equal(bytesToHex(formats.seed(request, 7n, 2n, 4n)), vectors.seed);
});

test("a voucher hashes as in Rust", () => {
  assert.equal(bytesToHex(formats.voucherDigest(vectors.voucher.input)), vectors.voucher.digest);
});

test("a receipt and its leaf hash as in Rust", () => {
  const { input, digest, leaf } = vectors.receipt;
  assert.equal(bytesToHex(formats.receiptDigest(input)), digest);
  const ours = formats.receiptLeaf(input);
  assert.deepEqual({ hash: bytesToHex(ours.hash), sum: ours.sum.toString() }, leaf);
});

test("versions and manifests hash as in Rust", () => {
  assert.equal(bytesToHex(formats.versionHash(vectors.version.input)), vectors.version.hash);
  const { document, hash } = vectors.manifest_hash;
  assert.equal(bytesToHex(formats.manifestHash(utf8ToBytes(document))), hash);
});

test("the end of a session paid from another chain hashes as in Rust", () => {
  assert.equal(bytesToHex(formats.closeDigest("openledger-1", "openledger1gateway", 7)), vectors.close_digest);
});

test("a training receipt hashes as in Rust", () => {
  const { hash, sum } = formats.trainingLeaf(17, 4);
  assert.deepEqual({ hash: bytesToHex(hash), sum: sum.toString() }, vectors.training_leaf);
  const root = { hash: "07".repeat(32), sum: "44", count: 6 };
  assert.equal(bytesToHex(formats.trainingRoot([{ datanet: 3, root }])), vectors.training_root);
});

test("every field of a voucher and of a receipt counts", () => {
  const voucher = vectors.voucher.input;
  const changes = [
    { chain_id: "openledger-2" },
    { contract: "openledger1other" },
    { session_id: 8 },
    { node_id: 3 },
    { sequence: 5 },
    { denom: "uother" },
    { request_hash: "00".repeat(32) },
    { cumulative_max: "123456788" },
    { acknowledged: { ...voucher.acknowledged, count: 4 } },
  ];
  const digests = changes.map((change) => bytesToHex(formats.voucherDigest({ ...voucher, ...change })));
  assert.equal(new Set([vectors.voucher.digest, ...digests]).size, changes.length + 1);
  const receipt = vectors.receipt.input;
  for (const change of [{ outcome: "length" }, { no_evidence: 2499 }, { shares: [] }, { fee: "84001" }]) {
    assert.notEqual(bytesToHex(formats.receiptDigest({ ...receipt, ...change })), vectors.receipt.digest);
  }
});

test("numbers and hashes that lost something are refused", () => {
  const voucher = vectors.voucher.input;
  for (const change of [
    { session_id: 2 ** 53 },
    { session_id: -1 },
    { session_id: 1.5 },
    { cumulative_max: "-1" },
    { cumulative_max: "1e3" },
    { cumulative_max: (1n << 128n).toString() },
    { request_hash: "06".repeat(31) },
  ]) {
    assert.throws(() => formats.voucherDigest({ ...voucher, ...change }), RangeError, JSON.stringify(change));
  }
  assert.throws(() => formats.requestHash(new Uint8Array(), new Uint8Array(31)), RangeError);
});
