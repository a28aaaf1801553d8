// Contributing: a datanet is created, files are dropped, cleaned, committed, revealed and uploaded, shown
// to everyone, and withdrawn.
import { randomBytes } from "node:crypto";

import { accessible, button, claim, context, picture, settle } from "./kit.mjs";
import { install } from "./wallet.mjs";

export const tests = {
  async "files become contributions that everyone can read, and are withdrawn"({ browser, url, key }) {
    const { made, problems } = await context(browser);
    await install(made, key("user"));
    const page = await made.newPage();
    await page.goto(`${url}#/data/create`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
    const name = `Test ${randomBytes(4).toString("hex")}`;
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Description").fill("Made by a test");
    await button(page, "Create").click();
    await page.getByRole("heading", { name, level: 1 }).waitFor({ timeout: 60_000 });

    await page.getByRole("link", { name: "Contribute", exact: true }).click();
    const text = `The mark ${randomBytes(8).toString("hex")} stands in no other document, nor does ${randomBytes(8).toString("hex")}.\n`;
    const file = (title, content) => ({ name: title, mimeType: "text/plain", buffer: Buffer.from(content) });
    await page.getByLabel("Drop text files here, or choose them").setInputFiles([
      file("first.txt", text),
      file("again.txt", text),
      file("empty.txt", ""),
      file("second.txt", `${text} And a second sentence, ${randomBytes(8).toString("hex")}.`),
    ]);
    await page.getByRole("heading", { name: "2 documents are ready" }).waitFor({ timeout: 60_000 });
    await accessible(page, "contribute");
    await picture(page, "contribute-report-1280-light");
    claim(await page.getByRole("button", { name: "Commit, reveal and upload" }).isDisabled(), "the right is asked for");
    await page.getByLabel("I may give these texts under this licence.").check();
    await page.getByRole("button", { name: "Commit, reveal and upload" }).click();
    const link = page.getByRole("status").getByRole("link").first();
    await link.waitFor({ timeout: 60_000 });
    await link.click();
    await page.getByRole("heading", { name: "first.txt" }).waitFor();
    await page.getByText(text.trim()).waitFor({ timeout: 60_000 });

    await page.goBack();
    await page.getByRole("link", { name }).click();
    await settle(page);
    await page.getByRole("checkbox", { name: "first.txt" }).check();
    await page.getByRole("button", { name: "Withdraw" }).click();
    await page.getByText("withdrawn", { exact: true }).waitFor({ timeout: 60_000 });
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },

  async "in a curated datanet curators accept and reject with a reason"({ browser, url, key }) {
    const { made, problems } = await context(browser);
    const wallet = await install(made, key("user"));
    const page = await made.newPage();
    await page.goto(`${url}#/data/create`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
    const name = `Curated ${randomBytes(4).toString("hex")}`;
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("curators accept or reject").check();
    claim((await page.getByLabel("Curators", { exact: true }).inputValue()) === wallet.address, "its maker is named first");
    await accessible(page, "create a curated datanet");
    await picture(page, "create-curated-1280-light");
    await button(page, "Create").click();
    await page.getByRole("heading", { name, level: 1 }).waitFor({ timeout: 60_000 });
    await page.getByText("1 of 1 curators").waitFor();

    await page.getByRole("link", { name: "Contribute", exact: true }).click();
    const text = () => `What ${randomBytes(8).toString("hex")} says of ${randomBytes(8).toString("hex")} is new here.\n`;
    await page.getByLabel("Drop text files here, or choose them").setInputFiles(
      ["good.txt", "bad.txt"].map((title) => ({ name: title, mimeType: "text/plain", buffer: Buffer.from(text()) })),
    );
    await page.getByLabel("I may give these texts under this licence.").check({ timeout: 60_000 });
    await page.getByRole("button", { name: "Commit, reveal and upload" }).click();
    await page.getByRole("status").getByRole("link").first().waitFor({ timeout: 120_000 });
    await page.getByRole("link", { name }).click();
    await page.getByText("2 contributions wait for votes").waitFor({ timeout: 60_000 });

    await page.getByRole("checkbox", { name: "good.txt" }).check();
    await page.getByRole("button", { name: "Accept" }).click();
    await page.locator(".virtual .pill", { hasText: "accepted" }).waitFor({ timeout: 60_000 });
    await page.getByRole("checkbox", { name: "bad.txt" }).check();
    claim(await page.getByRole("button", { name: "Reject" }).isDisabled(), "a rejection needs a reason");
    await page.getByLabel("Reason").fill("Off topic");
    await accessible(page, "curate");
    await picture(page, "curate-1280-light");
    await page.getByRole("button", { name: "Reject" }).click();
    await page.locator(".virtual .pill", { hasText: "rejected" }).waitFor({ timeout: 60_000 });
    await page.getByRole("link", { name: "bad.txt" }).click();
    await page.getByText("Off topic").waitFor({ timeout: 60_000 });
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },
};
