// Two chains: a contributor is paid on the other one, and a session is paid from there by one transfer.
import { SigningCosmWasmClient } from "@cosmjs/cosmwasm-stargate";
import { DirectSecp256k1Wallet } from "@cosmjs/proto-signing";

import { accessible, button, claim, context, picture, settle } from "./kit.mjs";
import { install, secretOf } from "./wallet.mjs";

/** Base units of OPEN that the payer needs on the other chain. */
const PURSE = 3_000_000;

/** Brings coins of an account to its own address on the other chain, as anyone would before paying from there. */
async function bringOver(config, secret, remote) {
  const ours = await DirectSecp256k1Wallet.fromKey(secret, config.chain.bech32Config.bech32PrefixAccAddr);
  const theirs = await DirectSecp256k1Wallet.fromKey(secret, remote.chain.bech32Config.bech32PrefixAccAddr);
  const [[from], [to]] = await Promise.all([ours.getAccounts(), theirs.getAccounts()]);
  const client = await SigningCosmWasmClient.connectWithSigner(config.chain.rpc, ours);
  const message = {
    typeUrl: "/ibc.applications.transfer.v1.MsgTransfer",
    value: {
      sourcePort: "transfer",
      sourceChannel: remote.channel,
      token: { denom: config.chain.stakeCurrency.coinMinimalDenom, amount: `${PURSE}` },
      sender: from.address,
      receiver: to.address,
      timeoutHeight: { revisionNumber: 0n, revisionHeight: 0n },
      timeoutTimestamp: BigInt(Date.now() + 600_000) * 1_000_000n,
      memo: "",
    },
  };
  const fee = { gas: "300000", amount: [{ denom: config.chain.stakeCurrency.coinMinimalDenom, amount: "3000" }] };
  const sent = await client.signAndBroadcast(from.address, [message], fee);
  client.disconnect();
  claim(sent.code === 0, `coins are brought over: ${sent.rawLog ?? ""}`);
}

export const tests = {
  async "a session is opened by one transfer from another chain, used and closed"({ browser, url, key, config }) {
    const [remote] = config.remotes ?? [];
    if (!remote) return "skipped: the demo has one chain (scripts/demo --ibc)";
    await bringOver(config, secretOf(key("user")), remote);
    const { made, problems } = await context(browser);
    const wallet = await install(made, key("user"));
    const page = await made.newPage();
    await page.goto(`${url}#/ask/model/1:1`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
    await page.getByLabel(/^Deposit/).fill("1");
    await page.getByLabel("Pay from").selectOption(remote.chain.chainId);
    await page.getByRole("button", { name: `Connect Keplr on ${remote.chain.chainName}` }).click();
    await page.getByText(new RegExp(`^${remote.chain.bech32Config.bech32PrefixAccAddr}1`)).waitFor();
    await accessible(page, "pay from another chain");
    await picture(page, "pay-in-1280-light");
    const before = wallet.signed;
    // The coins may still be on their way.
    const open = page.getByRole("button", { name: "Open the session" });
    for (let tries = 0; tries < 20; tries += 1) {
      await open.click();
      const sent = await Promise.race([
        page.getByText("The payment is on its way").waitFor({ timeout: 60_000 }).then(() => true),
        page.getByRole("alert").waitFor({ timeout: 60_000 }).then(() => false),
        button(page, "Send").waitFor({ timeout: 60_000 }).then(() => true),
      ]);
      if (sent) break;
      await page.waitForTimeout(3_000);
    }
    await button(page, "Send").waitFor({ timeout: 180_000 });
    claim(wallet.signed === before + 1, "one signature on the other chain opens the session");
    await page.getByLabel("Your text").fill("pub fn new(");
    await button(page, "Send").click();
    await page.getByText(/checks hold/).first().waitFor({ timeout: 120_000 });
    await page.getByRole("button", { name: "Close and refund" }).click();
    await page.locator(".pill", { hasText: "closed" }).waitFor({ timeout: 180_000 });
    await page.goto(`${url}#/explore`);
    await page.getByRole("heading", { name: "Between chains" }).waitFor({ timeout: 60_000 });
    await settle(page);
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
    return undefined;
  },

  async "a contributor's earnings are paid out on another chain"({ browser, url, key, config }) {
    const [remote] = config.remotes ?? [];
    if (!remote) return "skipped: the demo has one chain (scripts/demo --ibc)";
    for (let number = 1; number <= 24; number += 1) {
      const { made, problems } = await context(browser);
      await install(made, key(`contributor-${number}`));
      const page = await made.newPage();
      await page.goto(`${url}#/earnings`);
      await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
      await page.getByRole("heading", { name: "Payouts to other chains" }).waitFor({ timeout: 60_000 });
      await settle(page);
      const due = page.getByRole("button", { name: "Claim and pay out" });
      if ((await page.getByText("Waiting for finality").count()) === 0 && !(await due.isEnabled())) {
        await made.close();
        continue;
      }
      if ((await page.getByRole("button", { name: "Keep earnings on this chain" }).count()) === 0) {
        await page.getByRole("button", { name: `Use my Keplr account on ${remote.chain.chainName}` }).click();
        await page.getByRole("button", { name: "Pay me out there" }).click();
        await page.getByText("From now on earnings go there.").waitFor({ timeout: 60_000 });
      }
      const final = page.getByRole("button", { name: /Make epoch/ });
      for (let tries = 0; tries < 120 && !(await due.isEnabled()); tries += 1) {
        if ((await final.count()) > 0 && (await final.isEnabled())) await final.click().catch(() => undefined);
        await page.waitForTimeout(1_000);
        if (tries % 5 === 4) await page.reload();
      }
      await due.click();
      const table = page.getByRole("region", { name: "Payouts to other chains" });
      await table.getByText("arrived").first().waitFor({ timeout: 180_000 });
      await accessible(page, "payouts");
      await picture(page, "earnings-payouts-1280-light");
      const saved = page.waitForEvent("download");
      await page.getByRole("button", { name: "Export payouts as CSV" }).click();
      claim((await saved).suggestedFilename().endsWith(".csv"), "payouts are exported");
      await made.close();
      claim(problems.length === 0, problems.join("\n"));
      return undefined;
    }
    throw new Error("nobody waits for money");
  },
};
