// Models: a developer registers one from its folder and announces prices.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { accessible, claim, context, picture, settle } from "./kit.mjs";
import { install } from "./wallet.mjs";

export const tests = {
  async "a developer registers a model from its folder, and a file that differs is refused"({ browser, url, key, demo }) {
    const folder = `${demo}model`;
    if (!existsSync(`${folder}/manifest.json`)) throw new Error(`${folder} is no model`);
    const files = readdirSync(folder)
      .filter((name) => /^[\w.-]+$/.test(name) && !name.endsWith(".partial"))
      .map((name) => join(folder, name))
      .filter((path) => /\.(json|safetensors|csv|idx|bin)$/.test(path) || !/checkpoint/.test(path));
    const { made, problems } = await context(browser);
    await install(made, key("developer"));
    const page = await made.newPage();
    await page.goto(`${url}#/models/register`);
    await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();

    const broken = mkdtempSync(join(tmpdir(), "model-"));
    for (const path of files) copyFileSync(path, join(broken, path.split("/").at(-1)));
    const config = JSON.parse(readFileSync(join(broken, "config.json"), "utf8"));
    writeFileSync(join(broken, "config.json"), JSON.stringify({ ...config, rms_norm_eps: 0.001 }));
    const choose = page.getByLabel("Choose all files of the model’s folder");
    await choose.setInputFiles(files.map((path) => join(broken, path.split("/").at(-1))));
    await page.getByText("The folder is no whole model").waitFor({ timeout: 60_000 });

    await choose.setInputFiles(files);
    await page.getByText("All files are those that the manifest names.").waitFor({ timeout: 120_000 });
    const name = `Test ${Date.now() % 1_000_000}`;
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Description").fill("Registered by a test");
    await page.getByLabel("Part of a fee for the data, in percent").fill("55");
    await settle(page);
    await accessible(page, "register");
    await picture(page, "register-1280-light");
    await page.getByRole("button", { name: "Register and upload" }).click();
    await page.getByRole("heading", { name: `${name} 1` }).waitFor({ timeout: 300_000 });
    claim(page.url().includes("#/models/"), "the new version is shown");

    await page.getByLabel(/^Price of an answer token/).fill("0.002");
    await page.getByRole("button", { name: "Announce prices" }).click();
    await page.getByText(/Prices from block/).waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Advise against this version" }).click();
    await page.getByText("no longer maintained").waitFor({ timeout: 60_000 });
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },
};
