/** `packages/ingest` as WebAssembly: what the command line does to a text, the page does with the same code. */
import { AppError } from "./errors";

interface Exports {
  memory: WebAssembly.Memory;
  ol_alloc(length: number): number;
  ol_call(start: number, length: number): bigint;
  ol_free(start: number, length: number): void;
}

/** One document of a report, as `packages/ingest/src/report.rs` writes it. */
export interface DocumentReport {
  name: string;
  bytes_in: number;
  bytes_out: number;
  language: string;
  refused?: { code: string; reason: string; advice: string; line?: number };
  duplicate_of?: "chain" | { document: string };
  personal: Record<string, number>;
  quality?: { score: number; notes?: unknown[] };
}

/** What the contributor reads before signing. */
export interface Report {
  documents: DocumentReport[];
  totals: { documents: number; accepted: number; refused: number; duplicates: number; bytes_out: number };
}

/** A cleaned document. */
export interface Ready {
  name: string;
  content: string;
  content_root: string;
  content_len: number;
  match_root: string;
  match_len: number;
  match_hash: string;
  raw_hash: string;
  media: string;
}

let loading: Promise<Exports> | undefined;

/** For tests: the module's bytes. */
export function useModule(bytes: Uint8Array<ArrayBuffer>): void {
  loading = WebAssembly.instantiate(bytes).then(({ instance }) => instance.exports as unknown as Exports);
}

function load(): Promise<Exports> {
  loading ??= fetch("./ingest.wasm")
    .then((response) => {
      if (!response.ok) throw new Error(`${response.status}`);
      return response.arrayBuffer();
    })
    .then((bytes) => WebAssembly.instantiate(bytes))
    .then(({ instance }) => instance.exports as unknown as Exports)
    .catch((error: unknown) => {
      loading = undefined;
      throw new AppError("E-WEB-040", error instanceof Error ? error.message : "");
    });
  return loading;
}

async function call(request: object): Promise<Record<string, unknown>> {
  const wasm = await load();
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  const start = wasm.ol_alloc(bytes.length);
  new Uint8Array(wasm.memory.buffer, start, bytes.length).set(bytes);
  const packed = wasm.ol_call(start, bytes.length);
  // A wasm i64 is signed; addresses fill its upper half.
  const [place, length] = [Number(BigInt.asUintN(64, packed) >> 32n), Number(packed & 0xffffffffn)];
  const text = new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, place, length));
  wasm.ol_free(place, length);
  const answer = JSON.parse(text) as Record<string, unknown>;
  if (typeof answer["error"] === "string") throw new AppError("E-WEB-099", answer["error"]);
  return answer;
}

/** The match text of a text, and the byte ranges of the text behind byte ranges of its match text. */
export async function matchText(
  text: string,
  ranges: readonly (readonly [number, number])[] = [],
): Promise<{ text: string; ranges: [number, number][] }> {
  const answer = await call({ match: { text, ranges } });
  return answer["match"] as { text: string; ranges: [number, number][] };
}

/** Cleans documents (raw bytes in base64). */
export async function clean(documents: { name: string; raw: string }[]): Promise<{ report: Report; ready: Ready[] }> {
  const answer = await call({ clean: { documents } });
  return answer["clean"] as { report: Report; ready: Ready[] };
}
