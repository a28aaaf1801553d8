// Replay: an answer is computed again in the page, and by a node.
import { readFileSync } from "node:fs";

import { accessible, button, claim, context, picture } from "./kit.mjs";

export const tests = {
  async "an answer is computed again in the page, to the bit; a changed one is not"({ browser, url, summary, demo }) {
    const { made, problems } = await context(browser);
    const page = await made.newPage();
    const [{ receipt_id: id }] = summary.answers;
    const loaded = [];
    page.on("request", (request) => loaded.push(request.url()));
    await page.goto(`${url}#/verify/${id}`);
    await page.getByText("Everything that was checked holds.").waitFor({ timeout: 120_000 });
    const replay = page.getByRole("button", { name: "Replay in this page" });
    await replay.waitFor({ timeout: 60_000 });
    claim(!loaded.some((address) => address.endsWith("replay.wasm")), "the replay is loaded when it is needed only");
    await replay.click();
    await page.getByText(/Computed again in/).waitFor({ timeout: 180_000 });
    console.log(`      ${await page.getByText(/Computed again in/).textContent()}`);
    await accessible(page, "replay");
    await picture(page, "verify-replay-1280-light");
    const bundle = JSON.parse(readFileSync(`${demo}home/answers/${id}.json`, "utf8"));
    const tokens = bundle.tokens.map((token, at) => (at === 3 ? token ^ 1 : token));
    await page.goto(`${url}#/verify`);
    await page.getByLabel("Receipt's number or an answer as JSON").fill(JSON.stringify({ ...bundle, tokens }));
    await button(page, "Check").click();
    await page.getByText("This receipt does not hold.").waitFor({ timeout: 120_000 });
    await replay.click();
    await page.getByText("The replay does not give this answer.").waitFor({ timeout: 180_000 });
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },

  async "a node of the user's choice computes an answer again"({ browser, url, summary }) {
    const { made, problems } = await context(browser);
    const page = await made.newPage();
    await page.goto(`${url}#/verify/${summary.answers[0].receipt_id}`);
    await page.getByRole("button", { name: "Ask this node" }).click({ timeout: 120_000 });
    await page.getByText(/computed it again: tokens/).waitFor({ timeout: 120_000 });
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },
};
