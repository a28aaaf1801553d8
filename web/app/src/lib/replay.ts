/**
 * Replay of an answer of the class exact in the page: the engine's own code (`packages/exact`) as WebAssembly,
 * in a worker of its own so that the page stays alive. Every byte of the model is held against the chain.
 */
import { formats, type ModelRegistry, type PayableEscrow } from "@openledger/client";

import { bytesToHex, fromBase64, utf8 } from "./bytes";
import type { Check, CheckName } from "./check";
import { AppError } from "./errors";
import { blobFromAny, type AnswerBundle } from "./node";
import type { Manifest } from "./register";
import type { Verified } from "./verify";

/** Largest weights' file that a page fetches, in bytes. */
export const MOST_BYTES = 64 << 20;

/** Files that a replay needs, in the order in which the worker takes them. */
const FILES = ["config.json", "tokenizer.json", "model.safetensors"] as const;

/** What a replay would take. */
export interface Plan {
  numericClass: ModelRegistry.NumericClass;
  /** Bytes to fetch. */
  bytes: number;
  manifest: Manifest;
  manifestBytes: Uint8Array<ArrayBuffer>;
}

/** Where a replay stands. */
export type ReplayStep = "fetching" | "computing";

/** What a replay found. */
export interface Replayed {
  holds: boolean;
  checks: Check[];
  /** Milliseconds of computing. */
  ms: number;
}

/** What the worker is sent: the call, then manifest, configuration, tokenizer and weights. */
export interface Order {
  call: object;
  files: Uint8Array<ArrayBuffer>[];
  /** Address of the module. */
  wasm: string;
}

/** What the worker answers. */
export type Outcome = { checks: { name: CheckName; holds: boolean; found?: string }[]; ms: number } | { error: string };

/** Reads the manifest of an answer's model, compared with its hash on chain. */
export async function plan({ pins }: Verified): Promise<Plan> {
  const { version } = pins;
  const manifestBytes = await blobFromAny(null, version.manifest.root);
  if (bytesToHex(formats.manifestHash(manifestBytes)) !== version.manifest_hash) throw new AppError("E-WEB-006", "manifest");
  const manifest = JSON.parse(utf8(manifestBytes)) as Manifest;
  const bytes = FILES.reduce((sum, name) => sum + (manifest.files.find((file) => file.name === name)?.blob.len ?? 0), 0);
  return { numericClass: version.numeric_class, bytes, manifest, manifestBytes };
}

/** Fetches the model and computes the answer again. */
export async function replay(found: Verified, what: Plan, onStep: (step: ReplayStep) => void): Promise<Replayed> {
  const { bundle } = found;
  const { receipt } = bundle.receipt;
  onStep("fetching");
  const files = await Promise.all(
    FILES.map(async (name) => {
      const file = what.manifest.files.find((entry) => entry.name === name);
      if (!file) throw new AppError("E-WEB-061", name);
      return blobFromAny(receipt.node_id, file.blob.root);
    }),
  );
  onStep("computing");
  const asked = askedOf(bundle);
  const call = {
    prompt: asked.prompt,
    stop: asked.stop,
    decoding: receipt.decoding,
    repetition_milli: asked.repetitionMilli,
    seed: receipt.seed,
    request_hash: receipt.request_hash,
    commit_root: receipt.commit_root,
    commit_scheme: receipt.commit_scheme,
    tokens_in: receipt.tokens_in,
    tokens: bundle.tokens,
    trace: bytesToHex(fromBase64(bundle.trace)),
    outcome: receipt.outcome,
    answer: bundle.answer,
  };
  const answer = await inWorker({ call, files: [what.manifestBytes.slice(), ...files], wasm: new URL("./replay.wasm", document.baseURI).href });
  if ("error" in answer) throw new AppError("E-WEB-061", answer.error);
  const checks: Check[] = [...answer.checks, asAsked(asked, receipt.decoding)];
  return { holds: checks.every((check) => check.holds), checks, ms: Math.round(answer.ms) };
}

/** What a body asks of the sampler, as `inference-node/src/request.rs` reads it. */
interface Asked {
  prompt: string;
  stop: string[];
  temperature: number;
  topK: number;
  topP: number;
  repetitionMilli: number;
  /** Null where the body names no number. */
  maxTokens: number | null;
}

/** Reads the body of a text completion, which is what the page asks; other requests go to a node. */
export function askedOf({ endpoint, body }: AnswerBundle): Asked {
  const parsed = JSON.parse(utf8(fromBase64(body))) as Record<string, unknown>;
  const { prompt, stop = [], temperature = 1, top_k: topK = 0, top_p: topP = 1, repetition_penalty: repetition = 1, max_tokens: maxTokens = null } = parsed;
  const stops = typeof stop === "string" ? [stop] : stop;
  const numbers = [temperature, topK, topP, repetition].every((value) => typeof value === "number");
  const texts = Array.isArray(stops) && stops.every((value): value is string => typeof value === "string");
  if (endpoint !== "/v1/completions" || typeof prompt !== "string" || !numbers || !texts) {
    throw new AppError("E-WEB-061", endpoint);
  }
  return {
    prompt,
    stop: stops,
    temperature: temperature as number,
    topK: topK as number,
    topP: topP as number,
    repetitionMilli: Math.round((repetition as number) * 1000),
    maxTokens: typeof maxTokens === "number" ? maxTokens : null,
  };
}

/** Whether tokens were chosen as the request asks. */
export function asAsked(asked: Asked, decoding: PayableEscrow.Decoding): Check {
  const holds =
    decoding.temperature_milli === Math.round(asked.temperature * 1_000) &&
    decoding.top_k === asked.topK &&
    decoding.top_p_milli === Math.round(asked.topP * 1_000) &&
    (asked.maxTokens === null || decoding.max_tokens === asked.maxTokens);
  return { name: "replay_decoding", holds, found: holds ? undefined : JSON.stringify(decoding) };
}

function inWorker(order: Order): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./replay.worker.ts", import.meta.url), { type: "module" });
    const end = () => worker.terminate();
    worker.onmessage = ({ data }: MessageEvent<Outcome>) => {
      end();
      resolve(data);
    };
    worker.onerror = (event) => {
      end();
      reject(new AppError("E-WEB-040", event.message));
    };
    worker.postMessage(order, order.files.map((bytes) => bytes.buffer));
  });
}
