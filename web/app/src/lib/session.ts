/**
 * Sessions from the page: opened by one signature of the wallet, then a voucher for every question signed
 * by a key that the page made. The promise is on disk before it leaves; an answer is acknowledged only when
 * its checks hold; one question at a time, also across tabs.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { formats, merkle, type PayableEscrow } from "@openledger/client";

import { units } from "./amount";
import { bytesToHex, fromBase64, hexToBytes, toBase64 } from "./bytes";
import { gateway, height, pages, PAGE, queries, waitForHeight } from "./chain";
import { checkBundle, receiptId, type Check, type Pins } from "./check";
import { config, gatewayOf } from "./config";
import { AppError, asAppError, type Code } from "./errors";
import { matchText } from "./ingest";
import * as http from "./node";
import { flushCall } from "./payout";
import * as store from "./store";
import { attribute, execute, type Account, type Call, type Sent } from "./wallet";

const ENDPOINT = "/v1/completions";

/** Blocks for which a node is asked to settle before the session is closed without it. */
const PATIENCE = 12;

/** Milliseconds for which an answer under way is waited for before its session is closed without it. */
const LAST_CALL = 15_000;

/** Failures after which a transaction is not on the chain. */
export const NEVER_SENT: ReadonlySet<Code> = new Set(["E-WEB-010", "E-WEB-011", "E-WEB-012", "E-WEB-013", "E-WEB-014"]);

/** What a question asks for. */
export interface Question {
  prompt: string;
  maxTokens: number;
  temperature: number;
}

/** What to open. */
export interface Opening {
  modelId: number;
  version: number;
  nodeId: number;
  denom: string;
  deposit: bigint;
  openFee: bigint;
  blocks: number | null;
}

/** One step of a session at a time, in all tabs of this browser. */
async function alone<T>(session: store.Session, step: () => Promise<T>): Promise<T> {
  const name = `openledger ${session.chain_id} ${session.contract} ${session.session_id}`;
  return navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (!lock) throw new AppError("E-WEB-025");
    return step();
  });
}

/** Opens a session with one signature of the wallet. */
export async function open(account: Account, opening: Opening): Promise<store.Session> {
  const { contracts } = await config();
  const { secretKey, publicKey } = secp256k1.keygen();
  const sessionKey = bytesToHex(publicKey);
  // Kept before the chain hears of it: a session whose key is lost would only come back as a refund.
  await store.saveSecret(sessionKey, account.address, secretKey);
  const msg = {
    open_session: {
      model_id: opening.modelId,
      model_version: opening.version,
      session_key: sessionKey,
      nodes: [{ node_id: opening.nodeId, cap: opening.deposit.toString() }],
      ...(opening.blocks === null ? {} : { blocks: opening.blocks }),
    },
  };
  const funds = { denom: opening.denom, amount: opening.deposit + opening.openFee };
  let sent: Sent;
  try {
    sent = await execute(account, [{ contract: contracts.payable_escrow, msg, funds }]);
  } catch (error) {
    // Refused by owner or chain: there is no session. After anything else there may be one, and the key stays.
    if (NEVER_SENT.has(asAppError(error).code)) await store.dropSecret(sessionKey);
    throw error;
  }
  const id = attribute(sent, contracts.payable_escrow, "wasm", "session_id");
  if (!id) throw new AppError("E-WEB-012", sent.hash);
  return adopt(Number(id), account, { open: sent.hash });
}

/**
 * Makes the local state of a session that is on chain and whose key this browser holds. `home` is the account
 * under which it is listed; one that was paid from another chain belongs to the gateway's account of the payer.
 */
export async function adopt(id: number, home: Account, txs: Record<string, string>): Promise<store.Session> {
  const { chain, contracts } = await config();
  const { escrow } = await queries();
  const found = await escrow.session({ sessionId: id });
  const [node] = found.nodes;
  if (!node) throw new AppError("E-WEB-003", `session ${id}`);
  const session: store.Session = {
    session_id: id,
    chain_id: chain.chainId,
    contract: contracts.payable_escrow,
    owner: home.address,
    node_id: node.node_id,
    node_url: await http.endpoint(node.node_id),
    denom: found.denom,
    session_key: found.session_key,
    model_id: found.model_id,
    model_version: found.model_version,
    count: 0,
    peaks: [],
    outstanding: null,
    txs,
  };
  await store.saveSession(session);
  return session;
}

/** This browser's sessions of an account, the newest first; one whose opening was cut off is taken up. */
export async function mine(account: Account): Promise<store.Session[]> {
  const { chain, contracts } = await config();
  const known = await store.sessionsOf(account.address, chain.chainId, contracts.payable_escrow);
  const keys = new Set(await store.sessionKeys(account.address));
  known.forEach((session) => keys.delete(session.session_key));
  if (keys.size === 0) return known;
  const { escrow } = await queries();
  const all = await pages(
    async (startAfter) => (await escrow.sessions({ startAfter: startAfter!, limit: PAGE })).sessions,
    (session) => session.session_id,
  );
  const lost = all.filter((session) => keys.has(session.session_key));
  const adopted = await Promise.all(lost.map((session) => adopt(session.session_id, account, {})));
  return [...adopted, ...known].sort((a, b) => b.session_id - a.session_id);
}

function peaksOf(session: store.Session): merkle.SumNode[] {
  return session.peaks.map(({ hash, sum }) => ({ hash: hexToBytes(hash), sum: units(sum) }));
}

/** Root, sum and number of the receipts that were received and checked. */
export function acknowledged(session: store.Session): PayableEscrow.SumRoot {
  const root = merkle.bag(merkle.SUM, peaksOf(session));
  return { hash: bytesToHex(root.hash), sum: root.sum.toString(), count: session.count };
}

/** The session after a checked receipt. */
export function pushed(session: store.Session, receipt: PayableEscrow.Receipt): store.Session {
  const peaks = merkle.push(merkle.SUM, peaksOf(session), session.count, formats.receiptLeaf(receipt));
  return {
    ...session,
    count: session.count + 1,
    peaks: peaks.map(({ hash, sum }) => ({ hash: bytesToHex(hash), sum: sum.toString() })),
    outstanding: null,
  };
}

/** A signed voucher for a request (zeros to only acknowledge) that promises at most `maxFee` for it. */
async function sign(
  session: store.Session,
  request: Uint8Array,
  maxFee: bigint,
  cap: bigint,
): Promise<PayableEscrow.SignedVoucher> {
  const log = acknowledged(session);
  const cumulative = units(log.sum) + maxFee;
  if (cumulative > cap) throw new AppError("E-WEB-021", `${maxFee} > ${cap - units(log.sum)} ${session.denom}`);
  const secret = await store.loadSecret(session.session_key);
  if (!secret) throw new AppError("E-WEB-026");
  const voucher: PayableEscrow.Voucher = {
    chain_id: session.chain_id,
    contract: session.contract,
    session_id: session.session_id,
    node_id: session.node_id,
    sequence: session.count + 1,
    denom: session.denom,
    request_hash: bytesToHex(request),
    cumulative_max: cumulative.toString(),
    acknowledged: log,
  };
  const signature = secp256k1.sign(formats.voucherDigest(voucher), secret, { prehash: false, lowS: true });
  return { voucher, signature: bytesToHex(signature) };
}

/** Versions of models as first read: what an answer is checked against never changes. Price and standing do. */
const versions = new Map<string, Promise<Pins["version"]>>();

async function versionOf(modelId: number, version: number): Promise<Pins["version"]> {
  const key = `${modelId}:${version}`;
  const known = versions.get(key);
  if (known) return known;
  const asked = queries().then(({ models }) => models.version({ modelId, version }));
  versions.set(key, asked);
  void asked.catch(() => versions.delete(key));
  return asked;
}

type OfSession = Pick<store.Session, "session_id" | "node_id" | "model_id" | "model_version">;

/** What the chain pinned for a session, out of `found` or of a fresh read. */
export async function pinsOf(session: OfSession, found?: PayableEscrow.SessionResponse): Promise<Pins> {
  const [{ chain, contracts }, { escrow }] = await Promise.all([config(), queries()]);
  const [read, version] = await Promise.all([
    found ?? escrow.session({ sessionId: session.session_id }),
    versionOf(session.model_id, session.model_version),
  ]);
  const node = read.nodes.find((candidate) => candidate.node_id === session.node_id);
  if (!node) throw new AppError("E-WEB-006", `node ${session.node_id}`);
  return { chainId: chain.chainId, contract: contracts.payable_escrow, session: read, node, version };
}

/** Pins by session as the page last read them, so that a question does not wait for the chain. */
const lastRead = new Map<number, Pins>();
let warm = false;

/**
 * Makes a session ready for its next question, out of what the chain said of it. Prices, split and keys of a session
 * are fixed when it opens; its caps and its end are not, and `ask` reads again before it refuses for either.
 */
export async function prepare(session: store.Session, found: PayableEscrow.SessionResponse): Promise<void> {
  lastRead.set(session.session_id, await pinsOf(session, found));
  if (!warm) secp256k1.keygen(); // The first use of the curve makes its tables.
  warm = true;
}

/** A paid answer with its checks. */
export interface Answered {
  session: store.Session;
  answer: store.Answer;
  checks: Check[];
}

/** Asks and pays, without the wallet; `onText` sees the answer as it comes. */
export function ask(id: number, question: Question, onText: (piece: string) => void): Promise<Answered> {
  return locked(id, async (session) => {
    if (session.outstanding) throw new AppError("E-WEB-025");
    const body = http.bodyOf({
      model: `${session.model_id}:${session.model_version}`,
      prompt: question.prompt,
      max_tokens: question.maxTokens,
      temperature: question.temperature,
      stream: true,
    });
    let pins: Pins;
    let options: http.PaymentOption[];
    try {
      [pins, options] = await Promise.all([
        lastRead.get(id) ?? pinsOf(session),
        http.offer(session.node_url, ENDPOINT, body, session.session_id),
      ]);
    } catch (error) {
      throw await overOr(session, error);
    }
    const option = options.find((o) => o.node_id === session.node_id && o.escrow === session.contract);
    if (!option?.max_fee) throw new AppError("E-WEB-005", "max_fee");
    // The node's word on its price is compared with what the chain pinned for it.
    const { node } = pins;
    if (
      option.price_in !== node.price_in ||
      option.price_out !== node.price_out ||
      units(option.min_fee) > units(pins.session.min_fee)
    ) {
      throw new AppError("E-WEB-022");
    }
    if (pins.session.close_requested_at !== null) throw new AppError("E-WEB-020");
    const nonce = crypto.getRandomValues(new Uint8Array(32));
    const request = formats.requestHash(body, nonce);
    const maxFee = units(option.max_fee);
    if (units(acknowledged(session).sum) + maxFee > units(pins.node.cap)) pins = await pinsOf(session);
    const voucher = await sign(session, request, maxFee, units(pins.node.cap));
    const payment = { voucher, nonce: bytesToHex(nonce) };
    const outstanding = { payment, endpoint: ENDPOINT, body: toBase64(body) };
    const promised: store.Session = { ...session, outstanding };
    await store.saveSession(promised);
    try {
      return await finish(promised, outstanding, pins, onText);
    } catch (error) {
      throw await overOr(session, error);
    }
  });
}

/** A node's refusal, told as the end of the session where the chain says that it has ended. */
async function overOr(session: store.Session, error: unknown): Promise<unknown> {
  if (asAppError(error).code !== "E-WEB-005") return error;
  const pins = await pinsOf(session).catch(() => null);
  return pins?.session.close_requested_at != null ? new AppError("E-WEB-020") : error;
}

/** Fetches the answer of a request that was cut off, by the same voucher: it costs nothing more. */
export function resume(id: number, onText: (piece: string) => void): Promise<Answered> {
  return locked(id, async (session) => {
    if (!session.outstanding) throw new AppError("E-WEB-025");
    return finish(session, session.outstanding, await pinsOf(session), onText);
  });
}

async function locked<T>(id: number, step: (session: store.Session) => Promise<T>): Promise<T> {
  const known = await store.loadSession(id);
  if (!known) throw new AppError("E-WEB-026");
  return alone(known, async () => {
    // What another tab did meanwhile counts.
    const session = await store.loadSession(id);
    if (!session) throw new AppError("E-WEB-026");
    return step(session);
  });
}

async function finish(
  session: store.Session,
  sent: store.Outstanding,
  pins: Pins,
  onText: (piece: string) => void,
  signal: AbortSignal | null = null,
): Promise<Answered> {
  const body = fromBase64(sent.body) as Uint8Array<ArrayBuffer>;
  let exchanged: Awaited<ReturnType<typeof http.answer>>;
  try {
    exchanged = await http.answer(session.node_url, sent.endpoint, body, sent.payment, onText, signal);
  } catch (error) {
    // A refusal before anything was taken leaves the sequence free; the node's log decides.
    const refused = asAppError(error).code === "E-WEB-005";
    if (refused && (await http.taken(session.node_url, session.session_id)) <= session.count) {
      await store.saveSession({ ...session, outstanding: null });
    }
    throw error;
  }
  const { text, bundle } = exchanged;
  const match = await matchText(bundle.answer);
  const checks = checkBundle(pins, bundle, match.text);
  const streamed =
    text === bundle.answer &&
    bundle.body === sent.body &&
    bundle.voucher.signature === sent.payment.voucher.signature &&
    bundle.nonce === sent.payment.nonce;
  checks.push({ name: "streamed", holds: streamed });
  const failed = checks.filter((check) => !check.holds).map((check) => check.name);
  const { receipt } = bundle.receipt;
  const answer: store.Answer = {
    receipt_id: receiptId(receipt),
    session_id: session.session_id,
    sequence: receipt.sequence,
    prompt: http.promptOf(bundle),
    bundle,
    held: checks.length - failed.length,
    failed,
  };
  const next = failed.length === 0 ? pushed(session, receipt) : session;
  await store.saveAnswer(answer, next);
  if (failed.length > 0) throw new AppError("E-WEB-024", failed.join(", "));
  return { session: next, answer, checks };
}

/** Where the end of a session stands. */
export type ClosingStep = "settling" | "closing" | "waiting" | "refunding" | "done";

/**
 * Settles with the node, closes, waits for the grace and takes the refund. Every step can be repeated; a
 * node that does not answer does not stop it: its time to settle is the grace, and what it can settle is what it made
 * of the promises.
 */
export function close(account: Account, id: number, onStep: (step: ClosingStep) => void): Promise<store.Session> {
  return locked(id, (session) => closeAlone(account, session, onStep));
}

async function closeAlone(
  account: Account,
  opened: store.Session,
  onStep: (step: ClosingStep) => void,
): Promise<store.Session> {
  const { contracts } = await config();
  const { escrow } = await queries();
  const contract = contracts.payable_escrow;
  let session = opened;
  const id = session.session_id;
  onStep("settling");
  if (session.outstanding) {
    // What was promised may be charged, so its answer is wanted; a node that is gone keeps nobody's deposit.
    try {
      const pins = await pinsOf(session);
      ({ session } = await finish(session, session.outstanding, pins, () => undefined, AbortSignal.timeout(LAST_CALL)));
    } catch {
      session = (await store.loadSession(id)) ?? session;
    }
  }
  const owed = units(acknowledged(session).sum);
  const nodeId = session.node_id;
  const settled = (s: PayableEscrow.SessionResponse) =>
    s.nodes.some((node) => node.node_id === nodeId && units(node.settled) >= owed);
  let found = await escrow.session({ sessionId: id });
  for (let tries = 0; tries < PATIENCE && found.close_requested_at === null && !settled(found); tries += 1) {
    try {
      if (session.count > 0 && !session.outstanding) {
        const cap = found.nodes.find((node) => node.node_id === nodeId)?.cap ?? "0";
        await http.acknowledge(session.node_url, await sign(session, formats.ZERO_HASH, 0n, units(cap)));
      }
      await http.settle(session.node_url, id);
    } catch (error) {
      if (asAppError(error).code === "E-WEB-026") throw error;
    }
    await waitForHeight((await height()) + 1);
    found = await escrow.session({ sessionId: id });
  }
  if (found.close_requested_at === null) {
    onStep("closing");
    const sent = await execute(account, [await closing(account, session, found)]);
    session = await noted(session, "close", sent.hash);
    found = await escrow.session({ sessionId: id });
  }
  if (!found.closed) {
    onStep("waiting");
    const { params } = await escrow.config();
    await waitForHeight((found.close_requested_at ?? 0) + params.grace_blocks + 1);
    onStep("refunding");
    const sent = await execute(account, [
      { contract, msg: { refund: { session_id: id } } },
      await returning(account, found),
    ]);
    session = await noted(session, "refund", sent.hash);
  }
  onStep("done");
  return session;
}

/** The message that ends a session: the owner's, or for a payer of another chain the session key's (P1). */
async function closing(account: Account, session: store.Session, found: PayableEscrow.SessionResponse): Promise<Call> {
  const known = await config();
  const id = session.session_id;
  if (found.owner === account.address) {
    return { contract: known.contracts.payable_escrow, msg: { request_close: { session_id: id } } };
  }
  const contract = gatewayOf(known);
  const secret = await store.loadSecret(session.session_key);
  if (!secret) throw new AppError("E-WEB-026");
  const digest = formats.closeDigest(session.chain_id, contract, id);
  const signature = bytesToHex(secp256k1.sign(digest, secret, { prehash: false, lowS: true }));
  return { contract, msg: { close_session: { session_id: id, signature } } };
}

/** The message that pays the rest out: here, or over the channel that the payer's coins came by. */
async function returning(account: Account, found: PayableEscrow.SessionResponse): Promise<Call> {
  const known = await config();
  if (found.owner === account.address) {
    return { contract: known.contracts.payable_escrow, msg: { withdraw: { denoms: [found.denom] } } };
  }
  const { preference } = await (await gateway()).account({ address: found.owner });
  if (!preference) throw new AppError("E-WEB-070", found.owner);
  return flushCall(gatewayOf(known), preference.route, found.denom, found.owner);
}

async function noted(session: store.Session, what: string, hash: string): Promise<store.Session> {
  const next = { ...session, txs: { ...session.txs, [what]: hash } };
  await store.saveSession(next);
  return next;
}
