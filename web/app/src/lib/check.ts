/**
 * Checks of an answer in the browser: what `cli/src/check.rs` checks before a client acknowledges, and what
 * anyone re-checks from the receipt. Pure but for the match text, which the wasm part makes.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { formats, ledger, merkle, money, type ModelRegistry, type PayableEscrow } from "@openledger/client";

import { units } from "./amount";
import { bytesToHex, fromBase64, hexToBytes, sameBytes, utf8ToBytes } from "./bytes";
import type { AnswerBundle } from "./node";

/** Names of the checks; their sentences stand in the texts under `check.<name>`. */
export type CheckName =
  | "form"
  | "voucher_signature"
  | "receipt_signature"
  | "places"
  | "model"
  | "request_hash"
  | "seed"
  | "answer_root"
  | "commitment"
  | "evidence_root"
  | "evidence_shares"
  | "signature_root"
  | "fee"
  | "fee_promised"
  | "streamed"
  | "key_on_record"
  | "height"
  | "settled"
  | "division"
  | "spans"
  | "replay_model"
  | "replay_prompt"
  | "replay_decoding"
  | "replay_tokens"
  | "replay_hidden"
  | "replay_commit"
  | "replay_text";

/** One check; `found` says what differs when it fails. */
export interface Check {
  name: CheckName;
  holds: boolean;
  found?: string | undefined;
}

/** What the chain says of the session, against which a bundle is checked. */
export interface Pins {
  chainId: string;
  contract: string;
  session: PayableEscrow.SessionResponse;
  node: PayableEscrow.SessionNodeResponse;
  version: ModelRegistry.ModelVersionResponse;
}

/** Tokens in a window of the commitment. */
const WINDOW = 32;

/** Bytes of a row of an influence signature: slot and values. */
const ROW = { slot: 4, bytes: 20 };

/** Bytes of the trace of a window of `tokens`, by the scheme of the commitment. */
function windowBytes(scheme: string, tokens: number): number {
  if (scheme === "hidden-q8/1") return 32;
  if (scheme === "proj32-f32/1") return 128 * tokens;
  throw new RangeError(`the scheme ${scheme} is unknown`);
}

/** Most contributions that one receipt pays. */
const MAX_SHARES = 64;

/** Whether a compact signature with `s` in the lower half of the order is this key's over a digest. */
export function verifies(signature: string, digest: Uint8Array, key: string): boolean {
  try {
    return secp256k1.verify(hexToBytes(signature), digest, hexToBytes(key), { prehash: false, lowS: true });
  } catch {
    return false;
  }
}

/** Root over the windows of tokens with their trace. */
export function commitRoot(
  scheme: string,
  request: Uint8Array,
  tokens: readonly number[],
  trace: Uint8Array,
): Uint8Array {
  const leaves: Uint8Array[] = [];
  let from = 0;
  for (let at = 0; at < tokens.length; at += WINDOW) {
    const ids = tokens.slice(at, at + WINDOW);
    const to = from + windowBytes(scheme, ids.length);
    leaves.push(formats.windowLeaf(request, leaves.length, ids, trace.subarray(from, to)));
    from = to;
  }
  if (from !== trace.length) throw new RangeError(`the trace has ${trace.length} bytes, not ${from}`);
  return merkle.root(merkle.PLAIN, leaves);
}

/** Root of an influence signature: rows of a slot and 16 signed bytes, slots rising. */
export function signatureRoot(scheme: string, rows: Uint8Array): Uint8Array {
  if (rows.length % ROW.bytes !== 0) throw new RangeError("the signature ends within a row");
  const leaves = [ledger.signatureHeaderLeaf(scheme, rows.length / ROW.bytes)];
  let last = -1;
  for (let at = 0; at < rows.length; at += ROW.bytes) {
    const slot = new DataView(rows.buffer, rows.byteOffset + at).getUint32(0);
    const values = rows.subarray(at + ROW.slot, at + ROW.bytes);
    if (slot <= last) throw new RangeError("slots do not rise");
    if (values.every((value) => value === 0) || values.includes(0x80)) throw new RangeError("a row of no form");
    leaves.push(ledger.signatureRowLeaf(slot, values));
    last = slot;
  }
  return merkle.root(merkle.PLAIN, leaves);
}

/** Root of the evidence tree over an answer's match text and the pieces. */
export function evidenceRoot(matchText: string, pieces: AnswerBundle["evidence"]): Uint8Array {
  const bytes = utf8ToBytes(matchText);
  const header = ledger.evidenceHeaderLeaf(merkle.chunkRoot(bytes, merkle.CONTENT_CHUNK), bytes.length);
  return merkle.root(merkle.PLAIN, [header, ...pieces.map(ledger.spanLeaf)]);
}

/** What is wrong with the form of a receipt; null when nothing is. */
function formOf(receipt: PayableEscrow.Receipt): string | null {
  for (const [scheme, root] of [
    [receipt.commit_scheme, receipt.commit_root],
    [receipt.signature_scheme, receipt.signature_root],
  ] as const) {
    if (scheme === "none" && root !== "00".repeat(32)) return "scheme none goes with 32 zero bytes";
  }
  const ids = receipt.shares.map((share) => share.contribution_id);
  if (ids.length > MAX_SHARES) return "more than 64 shares";
  if (ids.some((id, at) => id <= (ids[at - 1] ?? 0))) return "shares are not sorted by contribution";
  if (receipt.shares.some((share) => share.bps < 1)) return "a share of nothing";
  const total = receipt.shares.reduce((sum, share) => sum + share.bps, receipt.no_evidence);
  return total === 10_000 ? null : `shares and no_evidence are ${total} basis points together`;
}

/** Runs a check that may throw on malformed input, which then fails. */
function attempt(name: CheckName, holds: () => boolean, found?: string): Check {
  try {
    return holds() ? { name, holds: true } : { name, holds: false, found };
  } catch (error) {
    return { name, holds: false, found: error instanceof Error ? error.message : String(error) };
  }
}

/** All checks of a bundle against the session's pins. */
export function checkBundle(pins: Pins, bundle: AnswerBundle, matchText: string): Check[] {
  const { receipt } = bundle.receipt;
  const { voucher } = bundle.voucher;
  const { session, node, version } = pins;
  const request = () => formats.requestHash(fromBase64(bundle.body), hexToBytes(bundle.nonce));
  const form = formOf(receipt);
  return [
    attempt("form", () => form === null, form ?? undefined),
    attempt("voucher_signature", () =>
      verifies(bundle.voucher.signature, formats.voucherDigest(voucher), session.session_key),
    ),
    attempt("receipt_signature", () =>
      verifies(bundle.receipt.signature, formats.receiptDigest(receipt), node.node_key),
    ),
    attempt(
      "places",
      () =>
        [receipt, voucher].every(
          (signed) =>
            signed.chain_id === pins.chainId &&
            signed.contract === pins.contract &&
            signed.session_id === session.session_id &&
            signed.node_id === node.node_id,
        ) &&
        voucher.denom === session.denom &&
        voucher.sequence === receipt.sequence,
    ),
    attempt(
      "model",
      () =>
        receipt.model_id === session.model_id &&
        receipt.model_version === session.model_version &&
        receipt.datanets.length === version.datanets.length &&
        receipt.datanets.every((ref, at) => {
          const expected = version.datanets[at];
          return (
            expected !== undefined &&
            sameBytes(formats.versionHash(ref), formats.versionHash(expected))
          );
        }),
      `${receipt.model_id}:${receipt.model_version}`,
    ),
    attempt("request_hash", () => {
      const hash = bytesToHex(request());
      return receipt.request_hash === hash && voucher.request_hash === hash;
    }),
    attempt(
      "seed",
      () =>
        bytesToHex(formats.seed(request(), receipt.session_id, receipt.node_id, receipt.sequence)) === receipt.seed,
    ),
    attempt("answer_root", () => {
      const bytes = utf8ToBytes(bundle.answer);
      return (
        bytes.length === receipt.answer_len &&
        bytesToHex(merkle.chunkRoot(bytes, merkle.CONTENT_CHUNK)) === receipt.answer_root
      );
    }),
    attempt(
      "commitment",
      () =>
        receipt.tokens_out === bundle.tokens.length &&
        bytesToHex(commitRoot(receipt.commit_scheme, request(), bundle.tokens, fromBase64(bundle.trace))) ===
          receipt.commit_root,
    ),
    attempt("evidence_root", () => bytesToHex(evidenceRoot(matchText, bundle.evidence)) === receipt.evidence_root),
    attempt("evidence_shares", () => {
      const paid = new Set(receipt.shares.map((share) => share.contribution_id));
      return bundle.evidence.every((piece) => paid.has(piece.contribution_id));
    }),
    attempt("signature_root", () => {
      const rows = fromBase64(bundle.signature ?? "");
      if (receipt.signature_scheme === "none") return rows.length === 0;
      return bytesToHex(signatureRoot(receipt.signature_scheme, rows)) === receipt.signature_root;
    }),
    attempt("fee", () => {
      const [priceIn, priceOut, least] = [node.price_in, node.price_out, session.min_fee].map(units);
      const fee = money.answerFee(receipt.tokens_in, receipt.tokens_out, priceIn ?? 0n, priceOut ?? 0n, least ?? 0n);
      return fee === units(receipt.fee);
    }),
    attempt("fee_promised", () => units(receipt.fee) <= units(voucher.cumulative_max) - units(voucher.acknowledged.sum)),
  ];
}

/** How one answer's fee is divided, down to the base unit. */
export interface Parts {
  fee: bigint;
  /** The data's part: shares and commons together. */
  data: bigint;
  /** By contribution, in the order of the receipt's shares. */
  shares: { contribution: number; bps: number; amount: bigint }[];
  noEvidence: { bps: number; amount: bigint };
}

/** Divides a receipt's fee by its shares (PROTOCOL L4). */
export function partsOf(receipt: PayableEscrow.Receipt, dataBps: number): Parts {
  const fee = units(receipt.fee);
  const division = money.divideAnswer(fee, dataBps, receipt.shares, receipt.no_evidence, hexToBytes(receipt.seed));
  return {
    fee,
    data: division.data,
    shares: receipt.shares.map((share, at) => ({
      contribution: share.contribution_id,
      bps: share.bps,
      amount: division.amounts[at]?.[1] ?? 0n,
    })),
    noEvidence: { bps: receipt.no_evidence, amount: division.commons },
  };
}

/** A receipt's id: the digest that the node signed. */
export function receiptId(receipt: PayableEscrow.Receipt): string {
  return bytesToHex(formats.receiptDigest(receipt));
}
