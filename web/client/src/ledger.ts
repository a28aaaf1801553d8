/** Ledgers, their details and evidence: the formats of docs/formats.md behind a contributor's earnings. */
import { amount, hash32, Preimage, type Integer } from "./encode.js";
import type { Account, Detail, EpochCommit, LedgerLeaf } from "./generated/PayableEscrow.types.js";
import { leafHash, sumLeaf, type SumNode } from "./merkle.js";

/** A piece of evidence: the same bytes in the answer's match text and in a contribution's. */
export interface Piece {
  answer_start: Integer;
  len: Integer;
  contribution_id: Integer;
  source_start: Integer;
}

/** Code and address of an account, in the order of a ledger's leaves. */
function code(account: Account): [number, string] {
  if (account === "commons") return [0, ""];
  if (account === "dust") return [1, ""];
  return [2, account.contributor];
}

/** `openledger/ledger/1`: worth the cumulative amount. */
export function ledgerLeaf(leaf: LedgerLeaf): SumNode {
  const [kind, address] = code(leaf.account);
  const cumulative = amount(leaf.cumulative);
  const data = new Preimage("openledger/ledger/1")
    .u8(kind)
    .text(address)
    .u128(cumulative)
    .u64(leaf.uses)
    .bytes(hash32("detail.hash", leaf.detail.hash))
    .u128(amount(leaf.detail.sum))
    .u64(leaf.detail.count)
    .finish();
  return sumLeaf(data, cumulative);
}

/** `openledger/detail/1`: worth the amount. */
export function detailLeaf(detail: Detail): SumNode {
  const sum = amount(detail.amount);
  const data = new Preimage("openledger/detail/1")
    .bytes(hash32("receipt_id", detail.receipt_id))
    .u64(detail.contribution_id)
    .u128(sum)
    .finish();
  return sumLeaf(data, sum);
}

/** `openledger/epoch/1`: what a node commits to with an epoch. */
export function epochHash(commit: EpochCommit): Uint8Array {
  const preimage = new Preimage("openledger/epoch/1")
    .text(commit.chain_id)
    .text(commit.contract)
    .u64(commit.node_id)
    .text(commit.denom)
    .u64(commit.epoch);
  for (const { hash, sum, count } of [commit.previous, commit.receipts, commit.ledger]) {
    preimage.bytes(hash32("root", hash)).u128(amount(sum)).u64(count);
  }
  for (const blob of [commit.leaves_blob, commit.receipts_blob]) {
    preimage.bytes(hash32("blob.root", blob.root)).u64(blob.len);
  }
  return preimage.hash();
}

/** `openledger/evidence/1`: leaf 0 of the evidence tree. */
export function evidenceHeaderLeaf(matchRoot: Uint8Array, matchLen: Integer): Uint8Array {
  return leafHash(new Preimage("openledger/evidence/1").bytes(matchRoot).u64(matchLen).finish());
}

/** `openledger/span/1`: leaf of a piece of evidence. */
export function spanLeaf(piece: Piece): Uint8Array {
  return leafHash(
    new Preimage("openledger/span/1")
      .u64(piece.answer_start)
      .u32(piece.len)
      .u64(piece.contribution_id)
      .u64(piece.source_start)
      .finish(),
  );
}

/** `openledger/signature/1`: leaf 0 of an influence signature. */
export function signatureHeaderLeaf(scheme: string, rows: Integer): Uint8Array {
  return leafHash(new Preimage("openledger/signature/1").text(scheme).u32(rows).finish());
}

/** `openledger/signature-row/1`: leaf of a signature's row, 16 signed bytes. */
export function signatureRowLeaf(slot: Integer, row: Uint8Array): Uint8Array {
  return leafHash(new Preimage("openledger/signature-row/1").u32(slot).bytes(row).finish());
}

/** `openledger/tie/1`: orders equal remainders, rising. */
export function tieKey(seed: Uint8Array, contribution: Integer): Uint8Array {
  return new Preimage("openledger/tie/1").bytes(seed).u64(contribution).hash();
}
