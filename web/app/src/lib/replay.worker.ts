/** The worker behind `replay.ts`: loads the module, runs one replay, ends. */
import type { Order, Outcome } from "./replay";
import { replayIn, type ReplayExports } from "./replay-call";

addEventListener("message", ({ data }: MessageEvent<Order>) => {
  void run(data).then((outcome) => postMessage(outcome));
});

async function run({ call, files, wasm }: Order): Promise<Outcome> {
  try {
    const response = await fetch(wasm);
    if (!response.ok) return { error: `${response.status} ${wasm}` };
    const { instance } = await WebAssembly.instantiate(await response.arrayBuffer());
    return replayIn(instance.exports as unknown as ReplayExports, call, files);
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
