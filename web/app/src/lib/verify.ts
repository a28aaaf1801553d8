/** Re-checking a receipt from chain and public data, in the browser. */
import { merkle, formats, ledger, type PayableEscrow } from "@openledger/client";

import { units } from "./amount";
import { bytesToHex, utf8 } from "./bytes";
import { queries } from "./chain";
import { checkBundle, partsOf, receiptId, type Check, type Parts, type Pins } from "./check";
import { AppError } from "./errors";
import { matchText } from "./ingest";
import { blobFromAny, receiptBundle, type AnswerBundle } from "./node";
import { pinsOf } from "./session";
import { quote, source } from "./source";

/** Everything that was found. */
export interface Verified {
  id: string;
  bundle: AnswerBundle;
  pins: Pins;
  checks: Check[];
  parts: Parts;
  matchText: string;
  /** The epoch that settles it; null when none does yet. */
  epoch: PayableEscrow.EpochResponse | null;
}

/** A receipt from what a person gave: a bundle as JSON, or an id that every node is asked for. */
export async function findBundle(text: string): Promise<AnswerBundle> {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) {
    const id = trimmed.toLowerCase();
    const { nodes } = await (await queries()).nodes.nodes({ limit: 30 });
    let failure: unknown = new AppError("E-WEB-030", id);
    for (const node of nodes.filter((n) => n.roles.includes("inference") && n.endpoint)) {
      try {
        const bundle = await receiptBundle(node.endpoint.replace(/\/$/, ""), id);
        if (receiptId(bundle.receipt.receipt) !== id) throw new AppError("E-WEB-006", id);
        return bundle;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
  try {
    const parsed = JSON.parse(trimmed) as { bundle?: AnswerBundle } & AnswerBundle;
    const bundle = parsed.bundle ?? parsed;
    receiptId(bundle.receipt.receipt);
    return bundle;
  } catch (error) {
    throw new AppError("E-WEB-030", error instanceof Error ? error.message : "");
  }
}

/** Re-checks everything that needs no model: signatures, hashes, paths, division, spans, settlement. */
export async function verify(bundle: AnswerBundle): Promise<Verified> {
  const { receipt } = bundle.receipt;
  const pins = await pinsOf(receipt);
  const { text } = await matchText(bundle.answer);
  const checks = checkBundle(pins, bundle, text);
  const { nodes } = await queries();
  const { node_key } = await nodes.nodeKey({ nodeId: receipt.node_id, height: pins.session.opened_at });
  checks.push({ name: "key_on_record", holds: node_key === pins.node.node_key });
  checks.push({ name: "height", holds: receipt.height >= pins.session.opened_at });
  const parts = partsOf(receipt, pins.session.split.data);
  const id = receiptId(receipt);
  checks.push(await spans(bundle, text));
  const epoch = await settlement(pins, receipt, id, parts, checks);
  return { id, bundle, pins, checks, parts, matchText: text, epoch };
}

/** Every piece of evidence compared with its source, where the datanet lets anyone read it. */
async function spans(bundle: AnswerBundle, text: string): Promise<Check> {
  let [compared, sealed] = [0, 0];
  const wrong: number[] = [];
  for (const piece of bundle.evidence) {
    const quoted = await source(piece.contribution_id).then((found) => quote(found, piece, text), () => null);
    if (quoted === null) sealed += 1;
    else if (quoted.same) compared += 1;
    else wrong.push(piece.contribution_id);
  }
  const holds = wrong.length === 0;
  return { name: "spans", holds, found: holds ? `${compared}/${compared + sealed}` : wrong.join(", ") };
}

/** Looks for the receipt in its node's epochs, the newest first, and checks its path and its details. */
async function settlement(
  pins: Pins,
  receipt: PayableEscrow.Receipt,
  id: string,
  parts: Parts,
  checks: Check[],
): Promise<PayableEscrow.EpochResponse | null> {
  if (receipt.sequence > pins.node.log.count) return null;
  const { escrow, datanet } = await queries();
  const where = { nodeId: receipt.node_id, denom: pins.session.denom };
  const { epoch: newest } = await escrow.ledger(where);
  for (let number = newest; number >= 1; number -= 1) {
    const epoch = await escrow.epoch({ ...where, epoch: number });
    if (epoch.status === "replaced") continue;
    const { receipts, leaves } = await epochBlobs(receipt.node_id, epoch);
    const at = receipts.findIndex(
      ({ receipt: r }) => r.session_id === receipt.session_id && r.sequence === receipt.sequence,
    );
    const found = receipts[at];
    if (!found) continue;
    const logged = receipts.map((signed) => formats.receiptLeaf(signed.receipt));
    const path = merkle.prove(merkle.SUM, logged, at);
    const root = merkle.climb(merkle.SUM, formats.receiptLeaf(found.receipt), at, receipts.length, path);
    const proven = root !== null && bytesToHex(root.hash) === epoch.commit.receipts.hash;
    const posted = bytesToHex(ledger.epochHash(epoch.commit)) === epoch.hash;
    checks.push({ name: "settled", holds: proven && posted && receiptId(found.receipt) === id, found: `${number}` });
    // What the ledger pays for this receipt is what its shares say, to the base unit.
    const paid = new Map<string, bigint>();
    for (const { leaf, details } of leaves) {
      const kind = typeof leaf.account === "string" ? leaf.account : leaf.account.contributor;
      for (const detail of details.filter((entry) => entry.receipt_id === id)) {
        paid.set(`${kind} ${detail.contribution_id}`, units(detail.amount));
      }
    }
    const expected = new Map<string, bigint>();
    for (const share of parts.shares) {
      const { facts } = await datanet.contribution({ contributionId: share.contribution });
      expected.set(`${facts.contributor} ${share.contribution}`, share.amount);
    }
    if (parts.noEvidence.bps > 0) expected.set("commons 0", parts.noEvidence.amount);
    const differing = [...new Set([...paid.keys(), ...expected.keys()])].filter((k) => paid.get(k) !== expected.get(k));
    checks.push({ name: "division", holds: differing.length === 0, found: differing.join("; ") || undefined });
    return epoch;
  }
  checks.push({ name: "settled", holds: false });
  return null;
}

/** An epoch's receipts and leaves, each compared with the root on chain. */
export async function epochBlobs(
  nodeId: number,
  epoch: PayableEscrow.EpochResponse,
): Promise<{ receipts: PayableEscrow.SignedReceipt[]; leaves: LedgerEntry[] }> {
  const { commit } = epoch;
  const [receiptsBlob, leavesBlob] = await Promise.all([
    blobFromAny(nodeId, commit.receipts_blob.root),
    blobFromAny(nodeId, commit.leaves_blob.root),
  ]);
  const { receipts } = JSON.parse(utf8(receiptsBlob)) as { receipts: PayableEscrow.SignedReceipt[] };
  const root = merkle.root(merkle.SUM, receipts.map((signed) => formats.receiptLeaf(signed.receipt)));
  same(root, receipts.length, commit.receipts, "receipts");
  return { receipts, leaves: parseLedger(leavesBlob, commit.ledger) };
}

/** A leaf of a ledger with its details of the epoch. */
export interface LedgerEntry {
  leaf: PayableEscrow.LedgerLeaf;
  details: PayableEscrow.Detail[];
}

function same(root: merkle.SumNode, count: number, expected: PayableEscrow.SumRoot, what: string): void {
  const equal =
    bytesToHex(root.hash) === expected.hash && root.sum === units(expected.sum) && count === expected.count;
  if (!equal) throw new AppError("E-WEB-006", what);
}

/** Reads a ledger and checks it against the chain: every detail root, the order, the ledger's root. */
export function parseLedger(bytes: Uint8Array, expected: PayableEscrow.SumRoot): LedgerEntry[] {
  const { leaves } = JSON.parse(utf8(bytes)) as { leaves: LedgerEntry[] };
  for (const { leaf, details } of leaves) {
    same(merkle.root(merkle.SUM, details.map(ledger.detailLeaf)), details.length, leaf.detail, "details");
  }
  same(merkle.root(merkle.SUM, leaves.map(({ leaf }) => ledger.ledgerLeaf(leaf))), leaves.length, expected, "ledger");
  const accounts = leaves.map(({ leaf }) => JSON.stringify(leaf.account));
  if (new Set(accounts).size !== accounts.length) throw new AppError("E-WEB-006", "accounts");
  return leaves;
}

