/** The call into `packages/replay-wasm`, for the worker and for tests. */
import type { Outcome } from "./replay";

/** What the module exports. */
export interface ReplayExports {
  memory: WebAssembly.Memory;
  ol_alloc(length: number): number;
  ol_call(start: number, length: number): bigint;
  ol_free(start: number, length: number): void;
}

/** Runs one replay; `files` are manifest, configuration, tokenizer and weights. */
export function replayIn(wasm: ReplayExports, call: object, files: readonly Uint8Array[]): Outcome {
  const document = new TextEncoder().encode(JSON.stringify({ ...call, lengths: files.map((file) => file.length) }));
  const length = 4 + document.length + files.reduce((sum, file) => sum + file.length, 0);
  const start = wasm.ol_alloc(length);
  const memory = new Uint8Array(wasm.memory.buffer, start, length);
  new DataView(wasm.memory.buffer).setUint32(start, document.length);
  memory.set(document, 4);
  let at = 4 + document.length;
  for (const file of files) {
    memory.set(file, at);
    at += file.length;
  }
  const since = performance.now();
  const packed = wasm.ol_call(start, length);
  const ms = performance.now() - since;
  // A wasm i64 is signed; addresses fill its upper half.
  const [place, size] = [Number(BigInt.asUintN(64, packed) >> 32n), Number(packed & 0xffffffffn)];
  const text = new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, place, size));
  wasm.ol_free(place, size);
  const answer = JSON.parse(text) as Outcome;
  return "error" in answer ? answer : { ...answer, ms };
}
