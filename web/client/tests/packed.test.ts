import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as packed from "../src/packed.js";

// Of the clone: the compiled test lies in dist/tests.
const path = new URL("../../../../packages/types/vectors/packed.json", import.meta.url);
const vectors = JSON.parse(readFileSync(path, "utf8"));

const hex = (base64: string) => Buffer.from(base64, "base64").toString("hex");

test("paths, claims and documents are packed as in Rust", () => {
  assert.equal(hex(packed.hashPath(vectors.hash_path.input)), vectors.hash_path.packed);
  assert.equal(hex(packed.sumPath(vectors.sum_path.input)), vectors.sum_path.packed);
  assert.equal(hex(packed.claims(vectors.claims.input)), vectors.claims.packed);
  assert.equal(hex(packed.documents(vectors.documents.input)), vectors.documents.packed);
  assert.equal(packed.sumPath([]), "");
});

test("what has no packed form is refused", () => {
  const [step] = vectors.sum_path.input;
  const [claim] = vectors.claims.input;
  for (const refused of [
    () => packed.sumPath(Array(66).fill(step)),
    () => packed.sumPath([{ ...step, hash: "01".repeat(31) }]),
    () => packed.sumPath([{ ...step, sum: (1n << 128n).toString() }]),
    () => packed.sumPath([{ ...step, sum: "-1" }]),
    () => packed.hashPath(Array(66).fill("01".repeat(32))),
    () => packed.claims([{ ...claim, node_id: 2 ** 53 }]),
    () => packed.claims([{ ...claim, node_id: -1 }]),
    () => packed.documents([{ ...vectors.documents.input[0], index: 2 ** 32 }]),
  ]) {
    assert.throws(refused, RangeError, refused.toString());
  }
});
