// The main path: connect, open a session, ask, see shares, verify, close, earnings, claim.
import { accessible, button, claim, context, picture, settle } from "./kit.mjs";
import { install } from "./wallet.mjs";

/** The beginning of a text like those that the demo's model was trained on. */
const PROMPT = "use crate::string::ConstStr;\n\nimpl<const V: char> Default for crate::MustBeChar<V> {\n    fn default() -> Self {";

export const tests = {
  async "a user asks, sees who is paid, verifies and gets the rest back; a contributor is paid"({ browser, url, key }) {
    const { made, problems } = await context(browser);
    const wallet = await install(made, key("user"));
    const page = await made.newPage();
    await page.goto(url);
    await settle(page);
    claim((await page.title()).includes("OpenLedger"), "the page has its title");
    await page.getByRole("button", { name: "Connect Keplr" }).click();
    await page.getByRole("button", { name: "Disconnect" }).waitFor();
    claim(wallet.suggested > 0, "the chain was suggested");

    await page.goto(`${url}#/ask/model/1:1`);
    const before = wallet.signed;
    await page.getByLabel(/^Deposit/).fill("0.5");
    await page.getByRole("button", { name: "Open the session" }).click();
    await button(page, "Send").waitFor({ timeout: 60_000 });
    claim(wallet.signed === before + 1, "one signature opens a session");
    const id = /#\/ask\/(\d+)/.exec(page.url())?.[1];

    await page.getByLabel("Your text").fill(PROMPT);
    await button(page, "Send").click();
    await page.getByText(/checks hold/).first().waitFor({ timeout: 60_000 });
    await page.getByLabel("Your text").fill("pub fn new(");
    await page.keyboard.press("Enter");
    await page.getByRole("article", { name: "Answer 2" }).waitFor({ timeout: 60_000 });
    claim(wallet.signed === before + 1, "questions need no wallet");

    const first = await groundedAnswer(page);
    await first.locator(".cited").first().click();
    await first.getByText("The same bytes stand in the source.").first().waitFor({ timeout: 60_000 });
    // Each list of who is paid has a name of its own.
    for (const summary of await page.locator("details:not([open]) > summary").all()) await summary.click();
    await accessible(page, "chat");
    await picture(page, "ask-chat-1280-light");

    await first.getByRole("link", { name: "Verify this answer" }).click();
    await page.getByText("Everything that was checked holds.").waitFor({ timeout: 60_000 });
    await page.getByText("Not settled yet").waitFor();

    await page.goto(`${url}#/ask/${id}`);
    await page.getByRole("button", { name: "Close and refund" }).click();
    await page.locator(".pill", { hasText: "closed" }).waitFor({ timeout: 90_000 });
    claim(wallet.signed === before + 3, "closing and refund are two signatures");
    await first.getByRole("link", { name: "Verify this answer" }).click();
    await page.getByText(/Settled in epoch/).waitFor({ timeout: 60_000 });
    await page.getByText("Everything that was checked holds.").waitFor();
    await picture(page, "verify-checked-1280-light");

    await made.close();
    await earn({ browser, url, key });
    claim(problems.length === 0, problems.join("\n"));
  },
};

/**
 * The first answer that rests on somebody's data, with its details open. What is written is drawn, and a drawn answer may
 * repeat nothing that anybody contributed; then another question is asked. Of every answer the shares make a whole.
 */
async function groundedAnswer(page) {
  for (let number = 1; number <= 8; number += 1) {
    const answer = page.getByRole("article", { name: `Answer ${number}` });
    if (number > 2) {
      await page.getByLabel("Your text").fill(PROMPT);
      await button(page, "Send").click();
    }
    await answer.waitFor({ timeout: 60_000 });
    await answer.getByText(/checks hold/).first().waitFor({ timeout: 60_000 });
    await answer.locator("summary").click();
    const rows = answer.locator("tbody tr");
    await rows.first().waitFor();
    const parts = await rows.locator("td:nth-child(4)").allTextContents();
    const whole = parts.reduce((sum, part) => sum + Number.parseFloat(part), 0);
    claim(Math.round(whole * 100) === 10_000, `the shares of answer ${number} make a whole: ${parts.join(", ")}`);
    if (parts.length < 2) continue;
    // Passages are marked a moment after the shares are listed; an answer paid by influence alone has none.
    const marked = answer.locator(".cited").first().waitFor({ timeout: 5_000 });
    if (await marked.then(() => true, () => false)) return answer;
  }
  throw new Error("eight answers, and none rests on anybody's data");
}

/** A contributor of the demo who waits for money: finds the ledger's final root, claims, is paid. */
async function earn({ browser, url, key }) {
  for (let number = 1; number <= 24; number += 1) {
    const { made, problems } = await context(browser);
    const wallet = await install(made, key(`contributor-${number}`));
    const page = await made.newPage();
    await page.goto(`${url}#/earnings`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
    await page.getByText("Answer", { exact: true }).first().waitFor({ timeout: 60_000 });
    const waiting = page.getByText("Waiting for finality");
    const due = page.getByRole("button", { name: "Claim and pay out" });
    if ((await waiting.count()) === 0 && !(await due.isEnabled())) {
      await made.close();
      continue;
    }
    const final = page.getByRole("button", { name: /Make epoch/ });
    for (let tries = 0; tries < 120 && !(await due.isEnabled()); tries += 1) {
      if ((await final.count()) > 0 && (await final.isEnabled())) await final.click().catch(() => undefined);
      await page.waitForTimeout(1_000);
      if (tries % 5 === 4) await page.reload();
    }
    await due.click();
    await page.getByText("Paid out.").waitFor({ timeout: 60_000 });
    claim(wallet.signed >= 1, "the claim was signed");
    await page.getByRole("heading", { name: "From which answers" }).waitFor();
    await settle(page);
    claim((await page.locator(".virtual li").count()) > 0, "answers that paid are listed");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export as CSV" }).click()]);
    claim(download.suggestedFilename().endsWith(".csv"), "the history is exported");
    await accessible(page, "earnings");
    await picture(page, "earnings-paid-1280-light");
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
    return;
  }
  throw new Error("nobody was paid");
}
