// What goes wrong: refusal in the wallet, no wallet, wrong chain, a node that goes away in the middle of an
// answer, a page that is loaded again in the middle, a receipt that was tampered with.
import { readFileSync } from "node:fs";

import { button, claim, context, settle } from "./kit.mjs";
import { install } from "./wallet.mjs";

const PROMPT = "pub struct ";

/** Everything that a node serves; the chain's paths begin otherwise. */
const NODE = /^http:\/\/127\.0\.0\.1:\d+\/v1\//;

async function opened(browser, url, key) {
  const { made, problems } = await context(browser);
  const wallet = await install(made, key("user"));
  const page = await made.newPage();
  await page.goto(`${url}#/ask/model/1:1`);
  await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
  await page.getByLabel(/^Deposit/).fill("0.5");
  return { made, problems, wallet, page };
}

export const tests = {
  async "without a wallet the page says so and stays readable"({ browser, url }) {
    const { made } = await context(browser);
    const page = await made.newPage();
    await page.goto(`${url}#/ask`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
    await page.getByText("There is no Keplr in this browser").first().waitFor();
    await page.goto(`${url}#/data`);
    await page.getByRole("main").getByRole("heading", { level: 2 }).first().waitFor();
    await made.close();
  },

  async "a refusal in the wallet sends nothing and can be repeated"({ browser, url, key }) {
    const { made, wallet, page } = await opened(browser, url, key);
    wallet.refuse = true;
    await page.getByRole("button", { name: "Open the session" }).click();
    await page.getByText("You refused in the wallet").waitFor({ timeout: 60_000 });
    wallet.refuse = false;
    claim(wallet.signed === 0, "nothing was signed");
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    await made.close();
  },

  async "an account of another chain is refused"({ browser, url, key }) {
    const { made } = await context(browser);
    await install(made, key("user"));
    await made.addInitScript(() => {
      window.keplr.getKey = async () => ({ name: "other", bech32Address: "cosmos1other", isNanoLedger: false });
    });
    const page = await made.newPage();
    await page.goto(url);
    await page.getByRole("button", { name: "Connect Keplr" }).click();
    await page.getByText("another chain").first().waitFor();
    await made.close();
  },

  async "a node that goes away in the middle of an answer is paid once"({ browser, url, key }) {
    const { made, page } = await opened(browser, url, key);
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    // The paid request is taken by the node; what comes back is cut off on the way.
    let cut = 0;
    await page.route("**/v1/completions", async (route) => {
      if (cut > 0 || !route.request().headers()["payment-signature"]) return route.continue();
      cut += 1;
      const response = await route.fetch();
      const body = await response.text();
      return route.fulfill({ response, body: body.slice(0, Math.floor(body.length / 3)) });
    });
    await page.getByLabel("Your text").fill(PROMPT);
    await button(page, "Send").click();
    await page.getByText("The answer broke off").waitFor({ timeout: 60_000 });
    await page.reload();
    await page.getByRole("button", { name: "Fetch the answer" }).click();
    await page.getByText(/checks hold/).waitFor({ timeout: 60_000 });
    claim((await page.getByRole("article").count()) === 1, "there is one answer");
    await made.close();
  },

  async "a node that goes away in the middle of an answer costs nothing: it is fetched when the node is back"({ browser, url, key }) {
    const { made, page } = await opened(browser, url, key);
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    let down = false;
    await page.route(NODE, async (route) => {
      if (down) return route.abort("connectionrefused");
      if (!route.request().headers()["payment-signature"]) return route.continue();
      down = true;
      // The node has taken the request; its connection dies before an answer.
      await route.fetch();
      return route.abort("connectionreset");
    });
    await page.getByLabel("Your text").fill(PROMPT);
    await button(page, "Send").click();
    const fetchIt = page.getByRole("button", { name: "Fetch the answer" });
    await fetchIt.waitFor({ timeout: 60_000 });
    await fetchIt.click();
    await page.getByText("The node does not answer").first().waitFor({ timeout: 60_000 });
    await page.unroute(NODE);
    await fetchIt.click();
    await page.getByText(/checks hold/).waitFor({ timeout: 60_000 });
    claim((await page.getByRole("article").count()) === 1, "there is one answer");
    await made.close();
  },

  async "a node that stays away after it took a question keeps nobody's deposit"({ browser, url, key }) {
    const { made, page } = await opened(browser, url, key);
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    let down = false;
    await page.route(NODE, async (route) => {
      if (!down && !route.request().headers()["payment-signature"]) return route.continue();
      down = true;
      return route.abort("connectionrefused");
    });
    await page.getByLabel("Your text").fill(PROMPT);
    await button(page, "Send").click();
    await page.getByRole("button", { name: "Fetch the answer" }).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Close and refund" }).click();
    await page.locator(".pill", { hasText: "closed" }).waitFor({ timeout: 120_000 });
    await made.close();
  },

  async "a session whose life is over says so, takes no question and gives the rest back"({ browser, url, key }) {
    const { made, page } = await opened(browser, url, key);
    await page.getByLabel("Life in blocks").fill("12");
    await page.getByRole("button", { name: "Open the session" }).click();
    await page.getByText(/over since block/).waitFor({ timeout: 120_000 });
    claim((await button(page, "Send").count()) === 0, "nothing can be asked");
    await page.getByRole("button", { name: "Close and refund" }).click();
    await page.locator(".pill", { hasText: "closed" }).waitFor({ timeout: 120_000 });
    await made.close();
  },

  async "a page that is loaded again in the middle fetches the same answer"({ browser, url, key }) {
    const { made, page } = await opened(browser, url, key);
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    await page.getByLabel("Your text").fill(PROMPT);
    const sent = page.waitForRequest((request) => request.headers()["payment-signature"] !== undefined);
    await button(page, "Send").click();
    await sent;
    await page.reload();
    const resume = page.getByRole("button", { name: "Fetch the answer" });
    await resume.waitFor({ timeout: 60_000 });
    await resume.click();
    await page.getByText(/checks hold/).waitFor({ timeout: 60_000 });
    await page.getByLabel("Your text").fill(PROMPT);
    await page.keyboard.press("Enter");
    await page.getByRole("article", { name: "Answer 2" }).waitFor({ timeout: 60_000 });
    await made.close();
  },

  async "a receipt that was tampered with does not hold"({ browser, url, summary, demo }) {
    const { made } = await context(browser);
    const page = await made.newPage();
    const bundles = summary.answers.map(({ receipt_id: id }) =>
      JSON.parse(readFileSync(`${demo}home/answers/${id}.json`, "utf8")),
    );
    // An answer is drawn and may repeat nobody: then a piece is made up instead of bent.
    const bundle = bundles.find(({ evidence }) => evidence.length > 0) ?? bundles[0];
    await page.goto(`${url}#/verify`);
    await settle(page);
    const check = async (changed) => {
      await page.getByLabel("Receipt's number or an answer as JSON").fill(JSON.stringify(changed));
      await button(page, "Check").click();
    };
    await check(bundle);
    await page.getByText("Everything that was checked holds.").waitFor({ timeout: 60_000 });
    await check({ ...bundle, answer: `${bundle.answer}!` });
    await page.getByText("This receipt does not hold.").waitFor({ timeout: 60_000 });
    const [first, ...rest] = bundle.evidence;
    const bent = first
      ? { ...first, source_start: first.source_start + 1 }
      : { answer_start: 0, len: 3, contribution_id: 1, source_start: 0 };
    await check({ ...bundle, evidence: [bent, ...rest] });
    await page.getByText("This receipt does not hold.").waitFor({ timeout: 60_000 });
    await made.close();
  },
};
