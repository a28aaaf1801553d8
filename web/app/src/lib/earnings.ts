/** What the ledgers of all nodes owe an account, from which answers, and taking it (PROTOCOL L10). */
import { ledger, merkle, packed, type PayableEscrow } from "@openledger/client";

import { units } from "./amount";
import { bytesToHex } from "./bytes";
import { gateway, height, pages, PAGE, queries } from "./chain";
import { config, gatewayOf } from "./config";
import { asAppError, type AppError } from "./errors";
import { blobFromAny } from "./node";
import { flushCall } from "./payout";
import { receiptId } from "./check";
import { epochBlobs, parseLedger, type LedgerEntry } from "./verify";
import { execute, type Account, type Call, type Sent } from "./wallet";

/** Most leaves of one claim. */
const MAX_CLAIMS = 32;
/** What the escrow says of a path that leads to an earlier ledger. */
const OUTDATED = "is not in the newest final ledger";

/** Where a ledger is kept. */
interface Place {
  nodeId: number;
  denom: string;
}

/** What a final ledger owes an account. */
interface Owed extends Place {
  /** Answers that paid it so far. */
  uses: number;
  /** By final ledgers, in base units. */
  cumulative: bigint;
  claimed: bigint;
  claimable: bigint;
  item: packed.ClaimItem | null;
  problem: AppError | null;
}

/** What an account has with one node in one denom. */
export interface NodeEarnings extends Owed {
  /** The root that waits, when there is one. */
  pending: PayableEscrow.EpochResponse | null;
  /** What the root that waits will add for this account; null when its leaves cannot be read. */
  waiting: bigint | null;
}

/** Everything that an account has earned. */
export interface Earnings {
  ledgers: NodeEarnings[];
  /** What a withdrawal would pay now. */
  withdrawable: { denom: string; amount: bigint }[];
}

/** One line of the history: what one contribution earned by one answer. */
export interface HistoryLine {
  node: number;
  denom: string;
  epoch: number;
  status: PayableEscrow.RootStatus;
  receipt: string;
  contribution: number;
  amount: bigint;
  /** Base units of the answer's fee; null when its receipt cannot be read. */
  fee: bigint | null;
  bps: number | null;
  session: number | null;
}

function isOf(entry: LedgerEntry, address: string): boolean {
  return typeof entry.leaf.account === "object" && entry.leaf.account.contributor === address;
}

async function places(): Promise<Place[]> {
  const { escrow, nodes } = await queries();
  const [{ params }, all] = await Promise.all([
    escrow.config(),
    pages(async (startAfter) => (await nodes.nodes({ startAfter: startAfter!, limit: PAGE })).nodes, (n) => n.node_id),
  ]);
  return all.flatMap(({ node_id: nodeId }) => params.denoms.map(({ denom }) => ({ nodeId, denom })));
}

/** What the newest final ledger of a node owes an address; null where there is none yet. */
async function owed(place: Place, address: string): Promise<Owed | null> {
  const { escrow } = await queries();
  const state = await escrow.ledger(place);
  if (state.epoch === 0) return null;
  const entry: Owed = { ...place, uses: 0, cumulative: 0n, claimed: 0n, claimable: 0n, item: null, problem: null };
  try {
    if (state.leaves_blob) {
      const leaves = parseLedger(await blobFromAny(place.nodeId, state.leaves_blob.root), state.ledger);
      const index = leaves.findIndex((candidate) => isOf(candidate, address));
      const found = leaves[index];
      if (found) {
        const { amount } = await escrow.claimed({ ...place, account: { contributor: address } });
        const path = merkle.prove(merkle.SUM, leaves.map(({ leaf }) => ledger.ledgerLeaf(leaf)), index);
        entry.uses = found.leaf.uses;
        entry.cumulative = units(found.leaf.cumulative);
        entry.claimed = units(amount);
        entry.claimable = entry.cumulative - entry.claimed;
        entry.item = {
          node_id: place.nodeId,
          denom: place.denom,
          leaf: found.leaf,
          index,
          path: path.map(({ hash, sum }) => ({ hash: bytesToHex(hash), sum: sum.toString() })),
        };
      }
    }
  } catch (error) {
    entry.problem = asAppError(error);
  }
  return entry;
}

/** The same with what the root that waits will add. */
async function ofPlace(place: Place, address: string): Promise<NodeEarnings | null> {
  const { escrow } = await queries();
  const [found, { epoch }] = await Promise.all([owed(place, address), escrow.pending({ nodeId: place.nodeId })]);
  if (!found) return null;
  const pending = epoch && epoch.commit.denom === place.denom ? epoch : null;
  const entry: NodeEarnings = { ...found, pending, waiting: pending ? null : 0n };
  if (entry.problem || pending?.status !== "pending") return entry;
  try {
    const bytes = await blobFromAny(place.nodeId, pending.commit.leaves_blob.root);
    const next = parseLedger(bytes, pending.commit.ledger).find((candidate) => isOf(candidate, address));
    entry.waiting = next ? units(next.leaf.cumulative) - entry.cumulative : 0n;
  } catch (error) {
    entry.problem = asAppError(error);
  }
  return entry;
}

/** What `look` finds with every node and denom, and what a withdrawal would pay now. */
async function withEveryNode<T>(address: string, look: (place: Place, address: string) => Promise<T | null>) {
  const { escrow } = await queries();
  const [found, { amounts }] = await Promise.all([
    places().then((all) => Promise.all(all.map((place) => look(place, address)))),
    escrow.balance({ address }),
  ]);
  return {
    ledgers: found.filter((entry) => entry !== null),
    withdrawable: amounts.map(({ denom, amount }) => ({ denom, amount: units(amount) })).filter((a) => a.amount > 0n),
  };
}

/** What an address has earned with every node. A node that does not answer is reported in its entry. */
export function earnings(address: string): Promise<Earnings> {
  return withEveryNode(address, ofPlace);
}

/** Every detail that paid an address, the newest epoch first; at most `most` epochs a ledger are read. */
export async function history(address: string, most = 50): Promise<HistoryLine[]> {
  const { escrow } = await queries();
  const lines: HistoryLine[] = [];
  for (const place of await places()) {
    const { epoch: newest } = await escrow.ledger(place);
    for (let number = newest; number >= 1 && number > newest - most; number -= 1) {
      const epoch = await escrow.epoch({ ...place, epoch: number });
      if (epoch.status === "replaced" || epoch.status === "void") continue;
      const blobs = await epochBlobs(place.nodeId, epoch).catch(() => null);
      const mine = blobs?.leaves.find((candidate) => isOf(candidate, address));
      const receipts = new Map(blobs?.receipts.map(({ receipt }) => [receiptId(receipt), receipt]));
      for (const detail of mine?.details ?? []) {
        const receipt = receipts.get(detail.receipt_id);
        lines.push({
          node: place.nodeId,
          denom: place.denom,
          epoch: number,
          status: epoch.status,
          receipt: detail.receipt_id,
          contribution: detail.contribution_id,
          amount: units(detail.amount),
          fee: receipt ? units(receipt.fee) : null,
          bps: receipt?.shares.find((share) => share.contribution_id === detail.contribution_id)?.bps ?? null,
          session: receipt?.session_id ?? null,
        });
      }
    }
  }
  return lines;
}

/**
 * Claims everything that is due and pays it out, here or to the account of another chain that the owner named:
 * then the gateway sends it in the same transaction.
 *
 * Leaves are looked up here, not taken from what a page shows: a path leads to the root of one final ledger, and the
 * next one may have come since. Where one comes in between the claim is made again.
 */
export async function claim(account: Account): Promise<Sent> {
  try {
    return await execute(account, await claimCalls(account.address));
  } catch (error) {
    if (!asAppError(error).detail.includes(OUTDATED)) throw error;
    return execute(account, await claimCalls(account.address));
  }
}

async function claimCalls(address: string): Promise<Call[]> {
  const known = await config();
  const contract = known.contracts.payable_escrow;
  const found = await withEveryNode(address, owed);
  const due = found.ledgers.filter((entry) => entry.claimable > 0n).slice(0, MAX_CLAIMS);
  const items = due.flatMap((entry) => (entry.item ? [entry.item] : []));
  const calls: Call[] = [];
  if (items.length > 0) calls.push({ contract, msg: { claim: { claims: packed.claims(items) } } });
  const denoms = [...new Set([...due.map((e) => e.denom), ...found.withdrawable.map((a) => a.denom)])].sort();
  const to = known.contracts.ibc_gateway ? (await (await gateway()).account({ address })).preference : null;
  for (const denom of to ? denoms : []) calls.push(flushCall(gatewayOf(known), to!.route, denom, address));
  if (!to && denoms.length > 0) calls.push({ contract, msg: { withdraw: { denoms } } });
  return calls;
}

/** Makes the root of a node final, when its windows are over. */
export async function finalize(account: Account, nodeId: number): Promise<Sent> {
  const { contracts } = await config();
  return execute(account, [{ contract: contracts.payable_escrow, msg: { finalize: { node_id: nodeId } } }]);
}

/** Whether a root that waits can be made final now. */
export async function canFinalize(epoch: PayableEscrow.EpochResponse): Promise<boolean> {
  return epoch.status === "pending" && epoch.holds === 0 && (await height()) >= epoch.final_at;
}

/** The history as CSV (RFC 4180), amounts in base units. */
export function csv(lines: readonly HistoryLine[]): string {
  const head = "node,denom,epoch,status,session,receipt,contribution,basis_points,answer_fee,amount";
  const rows = lines.map((line) =>
    [
      line.node,
      line.denom,
      line.epoch,
      line.status,
      line.session ?? "",
      line.receipt,
      line.contribution,
      line.bps ?? "",
      line.fee ?? "",
      line.amount,
    ]
      .map((value) => field(String(value)))
      .join(","),
  );
  return [head, ...rows, ""].join("\r\n");
}

/** A field; denoms come from the chain, so that what a spreadsheet would run is quoted as text. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
