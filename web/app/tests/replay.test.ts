/** Replay in the page's module over the vector of packages/exact, where scripts/build-web has made the module. */
import { existsSync, readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { hexToBytes } from "../src/lib/bytes";
import { asAsked, askedOf } from "../src/lib/replay";
import { replayIn, type ReplayExports } from "../src/lib/replay-call";
import type { AnswerBundle } from "../src/lib/node";

// Tests run in the app's folder.
const path = "public/replay.wasm";

interface Vector {
  files: string[];
  call: { tokens: number[]; trace: string } & Record<string, unknown>;
}

const vector = JSON.parse(readFileSync("../../packages/exact/vectors/replay.json", "utf8")) as Vector;
const files = vector.files.map((file) => hexToBytes(file));

async function load(): Promise<ReplayExports> {
  const { instance } = await WebAssembly.instantiate(new Uint8Array(readFileSync(path)));
  return instance.exports as unknown as ReplayExports;
}

describe.skipIf(!existsSync(path))("packages/exact in the page", () => {
  test("the frozen answer has the same bits as in Rust", async () => {
    const outcome = replayIn(await load(), vector.call, files);
    expect("error" in outcome ? outcome.error : outcome.checks.filter((check) => !check.holds)).toEqual([]);
  });

  test("another token, another trace and other weights do not replay", async () => {
    const wasm = await load();
    const failing = (call: object, given = files) => {
      const outcome = replayIn(wasm, call, given);
      return "error" in outcome ? outcome.error : outcome.checks.filter((check) => !check.holds).map((check) => check.name);
    };
    const tokens = vector.call.tokens.map((token, at) => (at === 5 ? token ^ 1 : token));
    expect(failing({ ...vector.call, tokens })).toContain("replay_tokens");
    const trace = `${vector.call.trace.startsWith("00") ? "01" : "00"}${vector.call.trace.slice(2)}`;
    expect(failing({ ...vector.call, trace })).toEqual(["replay_hidden"]);
    const weights = files[3]!.slice();
    weights[weights.length - 2]! ^= 0x40;
    expect(failing(vector.call, [...files.slice(0, 3), weights])).toContain("E-MODEL-007");
    expect(failing({ nonsense: true })).toContain("cannot be read");
  });
});

test("tokens must be chosen as the request asks", () => {
  const body = { model: "1:1", prompt: "a", max_tokens: 8, temperature: 0.7, stop: "x" };
  const bundle = { endpoint: "/v1/completions", body: btoa(JSON.stringify(body)) } as AnswerBundle;
  const asked = askedOf(bundle);
  expect(asked).toMatchObject({ prompt: "a", stop: ["x"], maxTokens: 8 });
  const decoding = { temperature_milli: 700, top_k: 0, top_p_milli: 1000, max_tokens: 8 };
  expect(asAsked(asked, decoding).holds).toBe(true);
  for (const change of [{ temperature_milli: 0 }, { top_k: 1 }, { top_p_milli: 999 }, { max_tokens: 9 }]) {
    expect(asAsked(asked, { ...decoding, ...change }).holds).toBe(false);
  }
  expect(() => askedOf({ ...bundle, endpoint: "/v1/chat/completions" })).toThrow("E-WEB-061");
});
