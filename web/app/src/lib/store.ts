/**
 * What this browser keeps, in IndexedDB: sessions with the request under way, checked answers, and the
 * secrets of session keys.
 *
 * A secret is encrypted under an AES key that the browser does not hand out (`extractable: false`): a copy
 * of the profile's files or a script that only reads the store does not yield it. Writes are strict, so
 * that what was promised is on disk before it is sent.
 */
import type { packed } from "@openledger/client";

import type { AnswerBundle, PaymentSignature } from "./node";

/** A request whose answer has not arrived. */
export interface Outstanding {
  payment: PaymentSignature;
  endpoint: string;
  /** The body as sent (base64). */
  body: string;
}

/** What the client knows of its session with one node. */
export interface Session {
  session_id: number;
  chain_id: string;
  contract: string;
  owner: string;
  node_id: number;
  node_url: string;
  denom: string;
  /** Compressed key that signs vouchers, hexadecimal. */
  session_key: string;
  model_id: number;
  model_version: number;
  /** Receipts received and checked. */
  count: number;
  /** Peaks of their log, the tallest first. */
  peaks: packed.SumStep[];
  outstanding: Outstanding | null;
  /** Transactions by what they did. */
  txs: Record<string, string>;
}

/** A checked answer. */
export interface Answer {
  receipt_id: string;
  session_id: number;
  sequence: number;
  prompt: string;
  bundle: AnswerBundle;
  /** Checks that held. */
  held: number;
  /** Names of checks that failed; empty for an answer that was acknowledged. */
  failed: string[];
}

/** An encrypted secret of a session key. */
interface Secret {
  session_key: string;
  owner: string;
  iv: Uint8Array<ArrayBuffer>;
  data: ArrayBuffer;
}

const STORES = { sessions: "session_id", answers: "receipt_id", secrets: "session_key", keys: "name", batches: "root" };
type StoreName = keyof typeof STORES;

let opening: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("openledger", 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });
  return opening;
}

async function write(store: StoreName, value: unknown): Promise<void> {
  const transaction = (await open()).transaction(store, "readwrite", { durability: "strict" });
  transaction.objectStore(store).put(value);
  await done(transaction);
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error("IndexedDB"));
  });
}

async function read<T>(store: StoreName, key: IDBValidKey): Promise<T | undefined> {
  return result((await open()).transaction(store).objectStore(store).get(key) as IDBRequest<T | undefined>);
}

async function all<T>(store: StoreName): Promise<T[]> {
  return result((await open()).transaction(store).objectStore(store).getAll() as IDBRequest<T[]>);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });
}

/** The key that encrypts secrets; made on first use, never readable by scripts. */
async function wrappingKey(): Promise<CryptoKey> {
  const known = await read<{ key: CryptoKey }>("keys", "wrapping");
  if (known) return known.key;
  const key = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  await write("keys", { name: "wrapping", key });
  return key;
}

/** Keeps the secret of a session key. */
export async function saveSecret(sessionKey: string, owner: string, secret: Uint8Array): Promise<void> {
  const key = await wrappingKey();
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, secret.slice());
  await write("secrets", { session_key: sessionKey, owner, iv, data } satisfies Secret);
}

/** The secret of a session key, when this browser holds it. */
export async function loadSecret(sessionKey: string): Promise<Uint8Array | null> {
  const found = await read<Secret>("secrets", sessionKey);
  if (!found) return null;
  const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: found.iv }, await wrappingKey(), found.data);
  return new Uint8Array(plain);
}

/** Forgets the secret of a session key whose session was never opened. */
export async function dropSecret(sessionKey: string): Promise<void> {
  const transaction = (await open()).transaction("secrets", "readwrite");
  transaction.objectStore("secrets").delete(sessionKey);
  await done(transaction);
}

/** Session keys that were made for an owner, whether or not their session is known. */
export async function sessionKeys(owner: string): Promise<string[]> {
  return (await all<Secret>("secrets")).filter((secret) => secret.owner === owner).map((s) => s.session_key);
}

/** Keeps a session. */
export function saveSession(session: Session): Promise<void> {
  return write("sessions", session);
}

/** A session by its number, when this browser opened it. */
export function loadSession(id: number): Promise<Session | undefined> {
  return read("sessions", id);
}

/** Sessions of an owner on a chain, the newest first. */
export async function sessionsOf(owner: string, chainId: string, contract: string): Promise<Session[]> {
  const mine = (await all<Session>("sessions")).filter(
    (s) => s.owner === owner && s.chain_id === chainId && s.contract === contract,
  );
  return mine.sort((a, b) => b.session_id - a.session_id);
}

/** Keeps an answer and what it changed in its session, in one step. */
export async function saveAnswer(answer: Answer, session: Session): Promise<void> {
  const stores: StoreName[] = ["answers", "sessions"];
  const transaction = (await open()).transaction(stores, "readwrite", { durability: "strict" });
  transaction.objectStore("answers").put(answer);
  transaction.objectStore("sessions").put(session);
  await done(transaction);
}

/** Answers of a session of an escrow in order. */
export async function answersOf(session: Session): Promise<Answer[]> {
  const mine = (await all<Answer>("answers")).filter(
    ({ session_id, bundle: { receipt } }) =>
      session_id === session.session_id &&
      receipt.receipt.contract === session.contract &&
      receipt.receipt.chain_id === session.chain_id,
  );
  return mine.sort((a, b) => a.sequence - b.sequence);
}

/** An answer by its receipt's id. */
export function loadAnswer(receiptId: string): Promise<Answer | undefined> {
  return read("answers", receiptId);
}

/** Keeps a batch of contributions that is under way. */
export function saveBatch(batch: { root: string }): Promise<void> {
  return write("batches", batch);
}

/** Batches of contributions that were begun. */
export function batches<T>(): Promise<T[]> {
  return all<T>("batches");
}

/** Forgets a batch. */
export async function dropBatch(root: string): Promise<void> {
  const transaction = (await open()).transaction("batches", "readwrite");
  transaction.objectStore("batches").delete(root);
  await done(transaction);
}
