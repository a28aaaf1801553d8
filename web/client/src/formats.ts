/**
 * What a page hashes, as docs/formats.md defines it. Rust, the contracts and this file run the same
 * vectors: packages/types/vectors/formats.json.
 */
import { concatBytes } from "@noble/hashes/utils.js";

import { amount, bigEndian, hash32, Preimage, type Integer } from "./encode.js";
import { leafHash, sumLeaf, type SumNode } from "./merkle.js";
import type { Outcome, Receipt, SumRoot, VersionRef, Voucher } from "./generated/PayableEscrow.types.js";

export type { Integer, SumNode };

/** 32 zero bytes: the request hash of a voucher that only acknowledges. */
export const ZERO_HASH = new Uint8Array(32);

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

/** `openledger/close/1`: what the key of a session that was paid from another chain signs to start its end. */
export function closeDigest(chainId: string, gateway: string, session: Integer): Uint8Array {
  return new Preimage("openledger/close/1").text(chainId).text(gateway).u64(session).hash();
}

/** `openledger/training/1`: leaf of a training receipt, worth how often training saw the contribution. */
export function trainingLeaf(contribution: Integer, timesSeen: Integer): SumNode {
  const data = new Preimage("openledger/training/1").u64(contribution).u64(timesSeen).finish();
  return sumLeaf(data, BigInt(timesSeen));
}

/** `openledger/training-root/1`: the training trees of a model, by datanet in the manifest's order. */
export function trainingRoot(trees: readonly { datanet: Integer; root: SumRoot }[]): Uint8Array {
  const preimage = new Preimage("openledger/training-root/1");
  for (const { datanet, root } of trees) {
    preimage.u64(datanet).bytes(hash32("hash", root.hash)).u128(amount(root.sum)).u64(root.count);
  }
  return preimage.hash();
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
  return sumLeaf(data, sum);
}

/** `openledger/window/1`: leaf of the commitment, at most 32 tokens with their trace. */
export function windowLeaf(
  request: Uint8Array,
  window: Integer,
  tokens: readonly number[],
  trace: Uint8Array,
): Uint8Array {
  return leafHash(
    new Preimage("openledger/window/1")
      .bytes(request)
      .u32(window)
      .bytes(concatBytes(...tokens.map((token) => bigEndian(token, 4))))
      .bytes(trace)
      .finish(),
  );
}

/** `openledger/commit/1`: leaf of a contributor's commit. */
export function commitLeaf(salt: Uint8Array, owner: string, rawHash: Uint8Array): Uint8Array {
  return leafHash(new Preimage("openledger/commit/1").bytes(salt).text(owner).bytes(rawHash).finish());
}
