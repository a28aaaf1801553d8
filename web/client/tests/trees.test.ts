import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";

import * as formats from "../src/formats.js";
import * as ledger from "../src/ledger.js";
import * as merkle from "../src/merkle.js";
import { answerFee, divideAnswer } from "../src/money.js";

const path = new URL("../../../../packages/types/vectors/formats.json", import.meta.url);
const vectors = JSON.parse(readFileSync(path, "utf8"));

/** 32 bytes of one value, as the vectors are made. */
const fill = (value: number) => new Uint8Array(32).fill(value);
const hex = (node: merkle.SumNode) => ({ hash: bytesToHex(node.hash), sum: node.sum.toString() });
const account = { commons: "commons", dust: "dust" } as const;

test("details, leaves and epochs hash as in Rust", () => {
  assert.deepEqual(hex(ledger.detailLeaf(vectors.detail.input)), vectors.detail.leaf);
  const { input, leaf } = vectors.ledger_leaf;
  assert.deepEqual(hex(ledger.ledgerLeaf(input)), leaf);
  assert.deepEqual(hex(ledger.ledgerLeaf({ ...input, account: account.commons })), vectors.commons_leaf);
  assert.deepEqual(hex(ledger.ledgerLeaf({ ...input, account: account.dust })), vectors.dust_leaf);
  assert.equal(bytesToHex(ledger.epochHash(vectors.epoch.input)), vectors.epoch.hash);
});

test("evidence, windows, ties and commits hash as in Rust", () => {
  assert.equal(bytesToHex(ledger.evidenceHeaderLeaf(fill(15), 290)), vectors.evidence_header_leaf);
  assert.equal(bytesToHex(ledger.tieKey(fill(9), 17)), vectors.tie_key);
  assert.equal(bytesToHex(formats.commitLeaf(fill(1), "openledger1contributor", fill(2))), vectors.commit_leaf);
  const piece = { answer_start: 5, len: 40, contribution_id: 17, source_start: 1000 };
  assert.equal(bytesToHex(ledger.spanLeaf(piece)), vectors.span_leaf);
  const { signature_header_leaf: header, signature_row_leaf: row } = vectors.influence;
  assert.equal(bytesToHex(ledger.signatureHeaderLeaf("rkf16-int8/1", 2)), header);
  const values = Uint8Array.from(Int8Array.of(0, 1, -1, 127, -127, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -12), (v) => v & 0xff);
  assert.equal(bytesToHex(ledger.signatureRowLeaf(70_000, values)), row);
  const text = (bytes: number) => Uint8Array.from({ length: bytes }, (_, i) => i % 251);
  const content = merkle.chunkRoot(text(2500), merkle.CONTENT_CHUNK);
  assert.equal(bytesToHex(content), vectors.chunk_root_2500_bytes_1024);
  const blob = merkle.chunkRoot(text(40_000), merkle.BLOB_CHUNK);
  assert.equal(bytesToHex(blob), vectors.blob_root_40000_bytes_16384);
  const request = hexToBytes(vectors.request_hash.hash);
  const window = formats.windowLeaf(request, 1, [5, 70_000], Uint8Array.of(1, 2, 3, 4));
  assert.equal(bytesToHex(window), vectors.window_leaf);
});

test("rule_L4_a_fee_is_divided_as_in_rust", () => {
  const { fee, data_bps, seed, amounts, commons } = vectors.divide_answer;
  const { shares, no_evidence } = vectors.receipt.input;
  const division = divideAnswer(BigInt(fee), data_bps, shares, no_evidence, hexToBytes(seed));
  assert.deepEqual(division.amounts.map(([id, amount]) => [id, amount.toString()]), amounts);
  assert.equal(division.commons.toString(), commons);
});

test("rule_L4_the_parts_of_an_answer_are_its_data_part_exactly", () => {
  for (let fee = 0n; fee < 200n; fee += 1n) {
    const shares = [3, 1, 7].map((bps, id) => ({ contribution_id: id + 1, bps: bps * 900 }));
    const { data, amounts, commons } = divideAnswer(fee, 5_001, shares, 100, fill(Number(fee)));
    const sum = amounts.reduce((total, [, amount]) => total + amount, commons);
    assert.equal(sum, data);
    assert.equal(data, (fee * 5_001n) / 10_000n);
  }
  assert.equal(answerFee(3, 5, 10n, 20n, 1n), 130n);
  assert.equal(answerFee(0, 0, 10n, 20n, 1n), 1n);
});

test("rule_L9_every_leaf_climbs_to_the_root_and_only_from_its_place", () => {
  for (let size = 1; size <= 33; size += 1) {
    const leaves = Array.from({ length: size }, (_, i) => merkle.sumLeaf(Uint8Array.of(i), BigInt(i)));
    const root = hex(merkle.root(merkle.SUM, leaves));
    leaves.forEach((leaf, index) => {
      const path = merkle.prove(merkle.SUM, leaves, index);
      const found = merkle.climb(merkle.SUM, leaf, index, size, path);
      assert.deepEqual(found && hex(found), root);
      const moved = merkle.climb(merkle.SUM, leaf, (index + 1) % size, size, path);
      if (size > 1) assert.notDeepEqual(moved && hex(moved), root);
      const more = merkle.climb(merkle.SUM, leaf, index, size, [...path, leaf]);
      assert.notDeepEqual(more && hex(more), root);
    });
  }
});

test("a log of three has the peaks and the root of Rust", () => {
  const { peaks, root } = vectors.log_of_three;
  const bagged = merkle.bag(
    merkle.SUM,
    peaks.map((peak: { hash: string; sum: string }) => ({ hash: hexToBytes(peak.hash), sum: BigInt(peak.sum) })),
  );
  assert.deepEqual(hex(bagged), root);
});
