// End-to-end tests of the built app against a live devnet that scripts/demo --keep left running.
//
//   node e2e/run.mjs [--core] [--only NAME[,NAME]]
//
// Reads dist/config.json and the keys of the demo (OPENLEDGER_DEMO, else target/demo of the clone). With
// --core only the main path runs.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { browserPath, launch, serve } from "./kit.mjs";

const demo = process.env["OPENLEDGER_DEMO"] ?? fileURLToPath(new URL("../../../target/demo/", import.meta.url));
const core = process.argv.includes("--core");
const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1].split(",") : null;

if (!browserPath()) {
  console.log("skipped: there is no Chromium (apt-get install chromium, or OPENLEDGER_CHROMIUM=PATH)");
  process.exit(77);
}
if (!existsSync(`${demo}summary.json`)) {
  console.log("skipped: there is no devnet (scripts/demo --small --keep)");
  process.exit(77);
}
const key = (name) => JSON.parse(readFileSync(`${demo}home/keys/${name}.json`, "utf8")).secret;
const summary = JSON.parse(readFileSync(`${demo}summary.json`, "utf8"));
const config = JSON.parse(readFileSync(fileURLToPath(new URL("../dist/config.json", import.meta.url)), "utf8"));

const suites = [
  ["main", () => import("./main.mjs"), true],
  ["replay", () => import("./replay.mjs"), true],
  ["pages", () => import("./pages.mjs"), false],
  ["troubles", () => import("./troubles.mjs"), false],
  ["contribute", () => import("./contribute.mjs"), false],
  ["models", () => import("./models.mjs"), false],
  ["ibc", () => import("./ibc.mjs"), false],
];
const server = await serve();
const browser = await launch();
let failed = 0;
for (const [name, load, isCore] of suites) {
  if ((core && !isCore) || (only && !only.includes(name))) continue;
  const { tests } = await load();
  for (const [title, test] of Object.entries(tests)) {
    const since = Date.now();
    try {
      const skipped = await test({ browser, url: server.url, key, summary, config, demo });
      console.log(`${skipped ? `skip  (${skipped}) ` : "ok    "}${name}: ${title} (${((Date.now() - since) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}: ${title}\n      ${error.stack ?? error}`);
    }
  }
}
await browser.close();
await server.close();
process.exit(failed === 0 ? 0 : 1);
