import assert from "node:assert/strict";
import { test } from "node:test";

import type { CosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { fromUtf8 } from "@cosmjs/encoding";
import type { EncodeObject } from "@cosmjs/proto-signing";
import { MsgExecuteContract } from "cosmjs-types/cosmwasm/wasm/v1/tx";

import { Datanet, ModelRegistry, PayableEscrow } from "../src/index.js";

const SENDER = "openledger1sender";
const CONTRACT = "openledger1contract";

/** What a chain reads out of a message: it goes through its bytes. */
function received(message: EncodeObject) {
  assert.equal(message.typeUrl, "/cosmwasm.wasm.v1.MsgExecuteContract");
  const { sender, contract, msg, funds } = MsgExecuteContract.decode(
    MsgExecuteContract.encode(message.value).finish(),
  );
  assert.deepEqual([sender, contract], [SENDER, CONTRACT]);
  return { msg: JSON.parse(fromUtf8(msg)), funds };
}

test("a model's name is registered", () => {
  const registry = new ModelRegistry.ModelRegistryMsgComposer(SENDER, CONTRACT);
  const { msg, funds } = received(registry.registerModel({ name: "small", description: "Answers" }));
  assert.deepEqual(msg, { register_model: { name: "small", description: "Answers" } });
  assert.deepEqual(funds, []);
});

test("a price and a successor are announced", () => {
  const registry = new ModelRegistry.ModelRegistryMsgComposer(SENDER, CONTRACT);
  const price = registry.setPrice({ modelId: 1, version: 2, priceIn: "60", priceOut: "340282366920938463463" });
  assert.deepEqual(received(price).msg, {
    set_price: { model_id: 1, version: 2, price_in: "60", price_out: "340282366920938463463" },
  });
  const step = registry.updateDeveloper({ modelId: 1, action: { propose: { new_owner: "openledger1next" } } });
  assert.deepEqual(received(step).msg, {
    update_developer: { model_id: 1, action: { propose: { new_owner: "openledger1next" } } },
  });
});

test("coins travel with the message", () => {
  const datanet = new Datanet.DatanetMsgComposer(SENDER, CONTRACT);
  const bond = [{ denom: "uopen", amount: "30000" }];
  const { msg, funds } = received(datanet.commit({ datanetId: 3, root: "ab".repeat(32), count: 3 }, bond));
  assert.deepEqual(msg, { commit: { datanet_id: 3, root: "ab".repeat(32), count: 3 } });
  assert.deepEqual(funds, bond);
});

test("messages are built without a sender, for a multisig or a grant", () => {
  const msg = PayableEscrow.PayableEscrowExecuteMsgBuilder.withdraw({ denoms: ["uopen"] });
  assert.deepEqual(msg, { withdraw: { denoms: ["uopen"] } });
});

test("questions reach the contract as it reads them", async () => {
  const asked: unknown[] = [];
  const chain = {
    queryContractSmart: async (contract: string, question: unknown) => {
      asked.push([contract, question]);
      return { times_seen: 3, entries: [] };
    },
  } as unknown as CosmWasmClient;
  const registry = new ModelRegistry.ModelRegistryQueryClient(chain, CONTRACT);
  const usage = await registry.usage({ contributionId: 17, startAfter: [1, 2] });
  assert.equal(usage.times_seen, 3);
  const question = { usage: { contribution_id: 17, start_after: [1, 2], limit: undefined } };
  assert.deepEqual(asked, [[CONTRACT, question]]);
});
