/** Claiming while ledgers move on. */
import { beforeEach, expect, test, vi } from "vitest";

import { claim } from "../src/lib/earnings";
import { AppError } from "../src/lib/errors";
import type { Account } from "../src/lib/wallet";

const { execute, balance } = vi.hoisted(() => ({ execute: vi.fn(), balance: vi.fn() }));
vi.mock("../src/lib/wallet", () => ({ execute }));
vi.mock("../src/lib/config", () => ({
  config: () => Promise.resolve({ contracts: { payable_escrow: "escrow" } }),
  gatewayOf: () => "",
}));
vi.mock("../src/lib/chain", () => ({
  PAGE: 30,
  pages: () => Promise.resolve([]),
  queries: () =>
    Promise.resolve({ escrow: { config: () => Promise.resolve({ params: { denoms: [] } }), balance }, nodes: {} }),
}));

const account = { address: "openledger1a" } as Account;
const outdated = new AppError("E-WEB-012", "claim 0: the leaf is not in the newest final ledger of node 1");

beforeEach(() => {
  execute.mockReset();
  balance.mockReset();
  balance.mockResolvedValue({ amounts: [{ denom: "uopen", amount: "7" }] });
});

test("where a newer ledger came in between, what is due is looked up again and claimed", async () => {
  execute.mockRejectedValueOnce(outdated).mockResolvedValueOnce({ hash: "AB", height: 1, events: [] });
  expect((await claim(account)).hash).toBe("AB");
  expect(execute).toHaveBeenCalledTimes(2);
  expect(balance).toHaveBeenCalledTimes(2);
});

test("it is not tried for ever, and any other refusal is told at once", async () => {
  execute.mockRejectedValue(outdated);
  await expect(claim(account)).rejects.toThrow("newest final ledger");
  expect(execute).toHaveBeenCalledTimes(2);
  execute.mockReset();
  execute.mockRejectedValue(new AppError("E-WEB-011", "request rejected"));
  await expect(claim(account)).rejects.toThrow("E-WEB-011");
  expect(execute).toHaveBeenCalledTimes(1);
});
