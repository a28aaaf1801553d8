/** A node's HTTP interface (docs/api.md): questions, receipts, blobs. */
import { merkle, type PayableEscrow } from "@openledger/client";

import { bytesToHex, fromBase64, jsonBytes, toBase64, utf8, utf8ToBytes } from "./bytes";
import { queries } from "./chain";
import { AppError, asAppError } from "./errors";

/** Longest line of a stream, in characters. */
const MAX_LINE = 64 << 20;

/** Milliseconds that a node may take to learn of a session that its chain has: nodes follow chain nodes of their own. */
const CATCH_UP = 15_000;

/** A piece of evidence as it travels. */
export interface EvidencePiece {
  answer_start: number;
  len: number;
  contribution_id: number;
  source_start: number;
}

/** Everything from which an answer is verified; the answer to `GET /v1/receipts/{id}`. */
export interface AnswerBundle {
  receipt: PayableEscrow.SignedReceipt;
  voucher: PayableEscrow.SignedVoucher;
  endpoint: string;
  body: string;
  nonce: string;
  answer: string;
  tokens: number[];
  trace: string;
  /** The influence signature (base64); empty or absent with the scheme `none`. */
  signature?: string;
  evidence: EvidencePiece[];
}

/** Header of a paid request. */
export interface PaymentSignature {
  voucher: PayableEscrow.SignedVoucher;
  nonce: string;
}

/** One way to pay, out of the header of a 402 answer. */
export interface PaymentOption {
  escrow: string;
  node_id: number;
  denom: string;
  price_in: string;
  price_out: string;
  min_fee: string;
  max_fee: string | null;
}

/** A model as a node lists it. */
export interface ServedModel {
  id: string;
  name: string;
  model_id: number;
  version: number;
  context: number;
  parameters: number;
}

/** Answer to a settlement asked for. */
export interface SettleResponse {
  posted: boolean;
  epoch: number | null;
  tx: string | null;
  final_at: number | null;
  note: string;
}

async function request(url: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url, { ...init, referrerPolicy: "no-referrer", credentials: "omit" });
  } catch (error) {
    throw new AppError("E-WEB-004", `${url}: ${error instanceof Error ? error.message : ""}`);
  }
}

/** The code of a node's refusal; the response can still be read. */
/** What a node says with a refusal. */
interface Refusal {
  message?: string;
  code?: string;
  retryable?: boolean;
}

/** The refusal, empty when it is not in the form of all errors. The body can be read again. */
async function refusal(response: Response): Promise<Refusal> {
  const body = (await response.clone().json().catch(() => null)) as { error?: Refusal } | null;
  return body?.error ?? {};
}

async function accepted(response: Response): Promise<Response> {
  if (response.ok) return response;
  const { message, code, retryable } = await refusal(response);
  const said = message ? `${message} (${code ?? ""})` : `HTTP ${response.status}`;
  throw new AppError(response.status >= 500 || retryable ? "E-WEB-004" : "E-WEB-005", said);
}

async function getJson<T>(url: string): Promise<T> {
  const response = await accepted(await request(url, { signal: AbortSignal.timeout(20_000) }));
  return (await response.json()) as T;
}

/** Models that a node has ready. */
export async function servedModels(node: string): Promise<ServedModel[]> {
  return (await getJson<{ data: ServedModel[] }>(`${node}/v1/models`)).data;
}

/** Everything of an answer, by its receipt's id. */
export function receiptBundle(node: string, id: string): Promise<AnswerBundle> {
  return getJson(`${node}/v1/receipts/${id}`);
}

/** Requests that a node has taken in a session. */
export async function taken(node: string, sessionId: number): Promise<number> {
  return (await getJson<{ taken: number }>(`${node}/v1/sessions/${sessionId}`)).taken;
}

/** Hands a voucher over that only acknowledges. */
export async function acknowledge(node: string, voucher: PayableEscrow.SignedVoucher): Promise<void> {
  const url = `${node}/v1/sessions/${voucher.voucher.session_id}/acknowledge`;
  const headers = { "content-type": "application/json" };
  await accepted(await request(url, { method: "POST", headers, body: JSON.stringify(voucher) }));
}

/** What a node says that computed an answer again. */
export interface NodeVerdict {
  holds: boolean;
  /** What is not as the receipt says, in the node's words. */
  failures: string[];
}

/** Asks a node to compute an answer again. */
export async function askReplay(node: string, bundle: AnswerBundle): Promise<NodeVerdict> {
  const headers = { "content-type": "application/json" };
  const response = await request(`${node}/v1/replay`, { method: "POST", headers, body: JSON.stringify(bundle) });
  return (await (await accepted(response)).json()) as NodeVerdict;
}

/** Asks a node to settle a session. */
export async function settle(node: string, sessionId: number): Promise<SettleResponse> {
  const response = await request(`${node}/v1/sessions/${sessionId}/settle`, { method: "POST" });
  return (await (await accepted(response)).json()) as SettleResponse;
}

/** What a node asks for a request, from its answer to the unpaid one. */
export async function offer(
  node: string,
  endpoint: string,
  body: Uint8Array<ArrayBuffer>,
  sessionId: number,
): Promise<PaymentOption[]> {
  const headers = { "content-type": "application/json", "openledger-session": `${sessionId}` };
  const until = Date.now() + CATCH_UP;
  let response = await request(`${node}${endpoint}`, { method: "POST", headers, body });
  while (response.status === 404 && Date.now() < until && (await refusal(response)).code === "E-PAY-004") {
    await new Promise((resolve) => setTimeout(resolve, 500));
    response = await request(`${node}${endpoint}`, { method: "POST", headers, body });
  }
  if (response.status !== 402) await accepted(response);
  const header = response.headers.get("payment-required");
  if (response.status !== 402 || !header) throw new AppError("E-WEB-005", "402");
  const required = JSON.parse(utf8(fromBase64(header))) as { accepts: PaymentOption[] };
  return required.accepts;
}

/** Sends a paid request and reads the answer as it comes: the text, and the bundle of the last event. */
export async function answer(
  node: string,
  endpoint: string,
  body: Uint8Array<ArrayBuffer>,
  payment: PaymentSignature,
  onText: (piece: string) => void,
  signal: AbortSignal | null = null,
): Promise<{ text: string; bundle: AnswerBundle }> {
  const headers = { "content-type": "application/json", "payment-signature": toBase64(jsonBytes(payment)) };
  const response = await accepted(await request(`${node}${endpoint}`, { method: "POST", headers, body, signal }));
  if (!response.body) throw new AppError("E-WEB-023");
  try {
    return await readStream(response.body, onText);
  } catch (error) {
    const known = asAppError(error);
    throw known.code === "E-WEB-099" ? new AppError("E-WEB-023", known.detail) : known;
  }
}

async function readStream(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onText: (piece: string) => void,
): Promise<{ text: string; bundle: AnswerBundle }> {
  let [text, pending, bundle] = ["", "", null as AnswerBundle | null];
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new AppError("E-WEB-023");
    pending += value;
    const lines = pending.split("\n");
    pending = lines.pop() ?? "";
    if (pending.length > MAX_LINE) throw new AppError("E-WEB-023", "a line is too long");
    for (const line of lines) {
      if (!line.startsWith("data:")) continue;
      const data = line.slice(5).trim();
      if (data === "[DONE]") {
        if (!bundle) throw new AppError("E-WEB-023", "no receipt");
        return { text, bundle };
      }
      type Event = {
        object?: string;
        bundle?: AnswerBundle;
        error?: { message?: string };
        choices?: { text?: string }[];
      };
      const event = JSON.parse(data) as Event;
      if (event.object === "openledger.receipt" && event.bundle) bundle = event.bundle;
      else if (event.error) throw new AppError("E-WEB-023", event.error.message);
      else if (event.choices?.[0]?.text) {
        text += event.choices[0].text;
        onText(event.choices[0].text);
      }
    }
  }
}

/** A blob by its root, checked. */
export async function blob(node: string, root: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await accepted(await request(`${node}/v1/blobs/${root}`));
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytesToHex(merkle.chunkRoot(bytes, merkle.BLOB_CHUNK)) !== root) throw new AppError("E-WEB-006", root);
  return bytes;
}

/** Hands a blob over that the chain references. */
export async function putBlob(node: string, root: string, reference: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const url = `${node}/v1/blobs/${root}?ref=${reference}`;
  await accepted(await request(url, { method: "PUT", body: bytes }));
}

/** Base URL of a node, as the chain has it. */
export async function endpoint(nodeId: number): Promise<string> {
  const node = await (await queries()).nodes.node({ nodeId });
  return node.endpoint.replace(/\/$/, "");
}

/** A blob from whichever node has it: the one named first, then every other. */
export async function blobFromAny(first: number | null, root: string): Promise<Uint8Array<ArrayBuffer>> {
  const { nodes } = await (await queries()).nodes.nodes({ limit: 30 });
  const order = [...nodes].sort((a, b) => Number(b.node_id === first) - Number(a.node_id === first));
  let failure: unknown = new AppError("E-WEB-004", root);
  for (const node of order.filter((candidate) => candidate.endpoint)) {
    try {
      return await blob(node.endpoint.replace(/\/$/, ""), root);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** The prompt of a bundle's request. */
export function promptOf(bundle: AnswerBundle): string {
  try {
    const body = JSON.parse(utf8(fromBase64(bundle.body))) as { prompt?: unknown; messages?: { content?: string }[] };
    if (typeof body.prompt === "string") return body.prompt;
    return (body.messages ?? []).map((message) => message.content ?? "").join("\n");
  } catch {
    return "";
  }
}

/** Bytes of a text, for requests. */
export function bodyOf(value: object): Uint8Array<ArrayBuffer> {
  return utf8ToBytes(JSON.stringify(value));
}
