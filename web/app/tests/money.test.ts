/** Between chains, registering, curating: what is pure of it. */
import { File as NodeFile } from "node:buffer";
import { readFileSync } from "node:fs";

import type { IbcGateway, ModelRegistry } from "@openledger/client";
import { expect, test } from "vitest";

import { parseCurators } from "../src/lib/datanet";
import { labelOf, outcome, payoutsCsv, voucher } from "../src/lib/payout";
import { memoOf, sequenceOf } from "../src/lib/remote";
import { parseParents, readFolder, trainedOnOf, type Manifest, type TrainingReceipt } from "../src/lib/register";
import { compare } from "../src/pages/Models";

const payout: IbcGateway.PayoutResponse = {
  payout_id: 3,
  account: "openledger1a",
  route: "peer",
  channel_id: "channel-0",
  sequence: null,
  remote_addr: "peer1a",
  amount: { denom: "uopen", amount: "340282366920938463463374607431768211455" },
  bounty: "1",
  state: "in_flight",
  overdue: true,
  attempt: 2,
  sent_at: 70,
  timeout: 1,
};

test("rule P1: the memo of a pay-in is the one of docs/formats.md", () => {
  const text = readFileSync("../../docs/formats.md", "utf8");
  const shown = /\{"dest_callback"[\s\S]*?\}\}\}\}\n/.exec(text)?.[0] ?? "";
  const expected = JSON.parse(shown.replaceAll("...", "")) as unknown;
  const opening = { modelId: 1, version: 1, nodeId: 1, denom: "uopen", deposit: 200_000n, openFee: 5n, blocks: null };
  expect(JSON.parse(memoOf("<gateway>", "cosmos1", "02", opening))).toEqual(expected);
});

test("a coin has the name on the other chain that ICS-20 gives it", async () => {
  // The example of the IBC documentation: ATOM on Osmosis.
  expect(await voucher("channel-0", "uatom")).toBe("ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2");
});

test("the packet of a transfer is found among its events", () => {
  const attributes = [{ key: "packet_sequence", value: "17" }];
  expect(sequenceOf({ hash: "", height: 1, events: [{ type: "send_packet", attributes }] })).toBe(17);
  expect(sequenceOf({ hash: "", height: 1, events: [] })).toBeNull();
});

test("a payout without news is overdue, and stands in the CSV to the last unit", () => {
  expect(labelOf(payout)).toBe("overdue");
  expect(labelOf({ ...payout, state: "settled" })).toBe("settled");
  const [, row] = payoutsCsv([payout]).split("\r\n");
  expect(row).toBe("3,peer,channel-0,,peer1a,uopen,340282366920938463463374607431768211455,1,overdue,2,70");
});

test("only the gateway's own events say what a flush did", () => {
  const event = (contract: string) => ({
    type: "wasm-payout_skipped",
    attributes: [
      { key: "_contract_address", value: contract },
      { key: "reason", value: "below the minimum" },
    ],
  });
  const sent = (contract: string) => ({ hash: "", height: 1, events: [event(contract)] });
  expect(outcome("gateway", sent("gateway"))).toMatchObject({ payout: null, skipped: "below the minimum" });
  expect(outcome("gateway", sent("liar"))).toMatchObject({ payout: null, skipped: null });
});

test("parents and curators are read, and what is none is refused", () => {
  expect(parseParents("3:1 teacher, 1:2")).toEqual([
    { model_id: 1, version: 2, kind: "base" },
    { model_id: 3, version: 1, kind: "teacher" },
  ]);
  expect(parseParents("")).toEqual([]);
  expect(parseParents("1:2 uncle")).toBeNull();
  expect(parseCurators("openledger1b,openledger1a\nopenledger1b", "openledger")).toEqual(["openledger1a", "openledger1b"]);
  expect(parseCurators("cosmos1a", "openledger")).toBeNull();
});

test("a folder whose files differ from its manifest is no model", async () => {
  const manifest = { format: 1, files: [{ name: "config.json", blob: { root: "00".repeat(32), len: 2 } }] };
  const file = (name: string, text: string) => new NodeFile([text], name) as unknown as File;
  const files = [file("manifest.json", JSON.stringify(manifest)), file("config.json", "{}")];
  await expect(readFolder(files)).rejects.toThrow("E-WEB-060: config.json");
  await expect(readFolder(files.slice(1))).rejects.toThrow("manifest.json");
});

test("training counts must give the manifest's root", () => {
  const receipt = { training: [{ datanet_id: 3, uses: [{ contribution_id: 17, times_seen: 4 }] }] } as TrainingReceipt;
  const manifest = { training_root: "00".repeat(32), datanets: [] as ModelRegistry.VersionRef[] } as Manifest;
  expect(() => trainedOnOf(manifest, receipt)).toThrow("E-WEB-060");
});

test("models are put in order by price, by work, by age", () => {
  const entry = (id: number, price: string, answers: number) =>
    ({ model: { model_id: id }, version: { price_out: price }, domains: [], nodes: [], answers }) as unknown as Parameters<
      typeof compare
    >[1];
  const [a, b] = [entry(1, "9", 5), entry(2, "10", 3)];
  expect([b, a].sort((x, y) => compare("price", x, y))[0]).toBe(a);
  expect([b, a].sort((x, y) => compare("work", x, y))[0]).toBe(a);
  expect([a, b].sort((x, y) => compare("newest", x, y))[0]).toBe(b);
});
