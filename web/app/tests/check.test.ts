/** Checks of an answer that this test signs itself: each holds, and falls when what it covers is changed. */
import { readFileSync } from "node:fs";

import { secp256k1 } from "@noble/curves/secp256k1.js";
import { formats, merkle, type PayableEscrow } from "@openledger/client";
import { describe, expect, test } from "vitest";

import { bytesToHex, toBase64, utf8ToBytes } from "../src/lib/bytes";
import { checkBundle, commitRoot, evidenceRoot, partsOf, type CheckName, type Pins } from "../src/lib/check";
import type { AnswerBundle } from "../src/lib/node";
import { acknowledged, pushed } from "../src/lib/session";
import type { Session } from "../src/lib/store";

const vectors = JSON.parse(
  readFileSync("../../packages/types/vectors/formats.json", "utf8"),
) as { receipt: { input: PayableEscrow.Receipt; leaf: { sum: string } }; divide_answer: Record<string, unknown> };

const [session, node] = [secp256k1.keygen(), secp256k1.keygen()];
const MATCH = "fn main";
const sign = (digest: Uint8Array, key: Uint8Array) =>
  bytesToHex(secp256k1.sign(digest, key, { prehash: false, lowS: true }));

function made(): { pins: Pins; bundle: AnswerBundle } {
  const body = utf8ToBytes('{"prompt":"hi"}');
  const nonce = new Uint8Array(32).fill(20);
  const request = formats.requestHash(body, nonce);
  const answer = "fn main";
  const tokens = Array.from({ length: 40 }, (_, at) => at);
  const trace = new Uint8Array(40 * 128).fill(3);
  const evidence = [
    { answer_start: 0, len: 2, contribution_id: 17, source_start: 5 },
    { answer_start: 3, len: 4, contribution_id: 21, source_start: 9 },
  ];
  const receipt: PayableEscrow.Receipt = {
    ...vectors.receipt.input,
    request_hash: bytesToHex(request),
    seed: bytesToHex(formats.seed(request, 7, 2, 4)),
    answer_root: bytesToHex(merkle.chunkRoot(utf8ToBytes(answer), merkle.CONTENT_CHUNK)),
    answer_len: answer.length,
    tokens_in: 20,
    tokens_out: 40,
    fee: "54000",
    commit_root: bytesToHex(commitRoot(vectors.receipt.input.commit_scheme, request, tokens, trace)),
    evidence_root: bytesToHex(evidenceRoot(MATCH, evidence)),
  };
  const voucher: PayableEscrow.Voucher = {
    chain_id: receipt.chain_id,
    contract: receipt.contract,
    session_id: 7,
    node_id: 2,
    sequence: 4,
    denom: "uopen",
    request_hash: receipt.request_hash,
    cumulative_max: "60000",
    acknowledged: { hash: "07".repeat(32), sum: "0", count: 3 },
  };
  const pins = {
    chainId: receipt.chain_id,
    contract: receipt.contract,
    session: {
      session_id: 7,
      session_key: bytesToHex(session.publicKey),
      denom: "uopen",
      model_id: receipt.model_id,
      model_version: receipt.model_version,
      min_fee: "10000",
    },
    node: { node_id: 2, node_key: bytesToHex(node.publicKey), price_in: "200", price_out: "1250" },
    version: { datanets: receipt.datanets },
  } as unknown as Pins;
  const bundle: AnswerBundle = {
    receipt: { receipt, signature: sign(formats.receiptDigest(receipt), node.secretKey) },
    voucher: { voucher, signature: sign(formats.voucherDigest(voucher), session.secretKey) },
    endpoint: "/v1/completions",
    body: toBase64(body),
    nonce: bytesToHex(nonce),
    answer,
    tokens,
    trace: toBase64(trace),
    evidence,
  };
  return { pins, bundle };
}

function failing(change: (bundle: AnswerBundle, pins: Pins) => void, match = MATCH): CheckName[] {
  const { pins, bundle } = structuredClone(made());
  change(bundle, pins);
  return checkBundle(pins, bundle, match)
    .filter((check) => !check.holds)
    .map((check) => check.name);
}

describe("rule_S2_a_receipt", () => {
  test("holds as it was signed", () => {
    expect(failing(() => undefined)).toEqual([]);
  });

  const attacks: [string, CheckName, (bundle: AnswerBundle, pins: Pins) => void][] = [
    ["another answer", "answer_root", (b) => (b.answer = "fn mair")],
    ["another token", "commitment", (b) => (b.tokens[39] = 1)],
    ["another trace", "commitment", (b) => (b.trace = toBase64(new Uint8Array(40 * 128)))],
    ["another body", "request_hash", (b) => (b.body = toBase64(utf8ToBytes("{}")))],
    ["another nonce", "seed", (b) => (b.nonce = "00".repeat(32))],
    ["a nonce that is too short", "request_hash", (b) => (b.nonce = "00")],
    ["a moved piece of evidence", "evidence_root", (b) => ((b.evidence[0] as { len: number }).len = 1)],
    ["evidence of nobody paid", "evidence_shares", (b) => ((b.evidence[0] as { contribution_id: number }).contribution_id = 18)],
    ["a longer trace", "commitment", (b) => (b.trace = toBase64(new Uint8Array(41 * 128).fill(3)))],
    ["an influence signature that nobody signed", "signature_root", (b) => (b.signature = toBase64(new Uint8Array(20).fill(1)))],
    ["a higher fee", "fee", (b) => (b.receipt.receipt.fee = "54001")],
    ["a fee above the promise", "fee_promised", (b) => (b.receipt.receipt.fee = "60001")],
    ["a share that was raised", "receipt_signature", (b) => (b.receipt.receipt.no_evidence = 2_499)],
    ["shares that are not whole", "form", (b) => (b.receipt.receipt.no_evidence = 2_499)],
    ["another session's key", "voucher_signature", (_, p) => (p.session.session_key = bytesToHex(node.publicKey))],
    ["another node's key", "receipt_signature", (_, p) => (p.node.node_key = bytesToHex(session.publicKey))],
    ["another chain", "places", (_, p) => (p.chainId = "openledger-2")],
    ["another model", "model", (_, p) => (p.session.model_id = 6)],
    ["a version of data that is not the model's", "model", (_, p) => (p.version.datanets = [])],
    ["a signature that is no hexadecimal", "receipt_signature", (b) => (b.receipt.signature = "zz")],
  ];
  test.each(attacks)("with %s falls", (_, name, change) => {
    expect(failing(change)).toContain(name);
  });

  test("with a match text of something else falls", () => {
    expect(failing(() => undefined, "fn mair")).toEqual(["evidence_root"]);
  });
});

test("a signature in the upper half of the order is refused", () => {
  const { pins, bundle } = made();
  const order = secp256k1.Point.Fn.ORDER;
  const s = BigInt(`0x${bundle.receipt.signature.slice(64)}`);
  const high = (order - s).toString(16).padStart(64, "0");
  const changed = { ...bundle, receipt: { ...bundle.receipt, signature: bundle.receipt.signature.slice(0, 64) + high } };
  expect(checkBundle(pins, changed, MATCH).filter((c) => !c.holds).map((c) => c.name)).toEqual(["receipt_signature"]);
});

test("rule_L4_the parts of an answer are those of Rust's vector", () => {
  const vector = vectors.divide_answer as { fee: string; data_bps: number; amounts: [number, string][]; commons: string; seed: string };
  const parts = partsOf({ ...vectors.receipt.input, fee: vector.fee, seed: vector.seed }, vector.data_bps);
  expect(parts.shares.map((share) => [share.contribution, share.amount.toString()])).toEqual(vector.amounts);
  expect(parts.noEvidence.amount.toString()).toBe(vector.commons);
});

test("rule_S1_the log of a session grows by each checked receipt", () => {
  const { bundle } = made();
  let state = { count: 0, peaks: [], outstanding: null } as unknown as Session;
  expect(acknowledged(state)).toEqual({ hash: bytesToHex(merkle.SUM.empty.hash), sum: "0", count: 0 });
  const leaves: merkle.SumNode[] = [];
  for (let sequence = 1; sequence <= 9; sequence += 1) {
    const receipt = { ...bundle.receipt.receipt, sequence };
    leaves.push(formats.receiptLeaf(receipt));
    state = pushed(state, receipt);
    const root = merkle.root(merkle.SUM, leaves);
    expect(acknowledged(state)).toEqual({ hash: bytesToHex(root.hash), sum: root.sum.toString(), count: sequence });
  }
});
