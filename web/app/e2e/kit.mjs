// What all end-to-end tests share: a browser, the built app behind a static server, checks of pages.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";
import { preview } from "vite";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Where pictures are written. */
export const OUT = fileURLToPath(new URL("./out/", import.meta.url));

/** The distribution's browser; null when there is none. */
export function browserPath() {
  const named = process.env["OPENLEDGER_CHROMIUM"];
  const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  return [named, ...places].find((path) => path && existsSync(path)) ?? null;
}

/** Serves dist/ on a free port of the loopback interface. */
export async function serve() {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const server = await preview({
    root,
    configFile: `${root}vite.config.ts`,
    logLevel: "error",
    preview: { host: "127.0.0.1", port: Number(process.env["OPENLEDGER_WEB_PORT"] ?? 0), strictPort: false },
  });
  return { url: server.resolvedUrls.local[0], close: () => server.close() };
}

/** Starts the browser. */
export function launch() {
  return chromium.launch({ executablePath: browserPath(), args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A context whose pages collect what went wrong in them. */
export async function context(browser, options = {}) {
  const made = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  // A machine that is busy is no failure.
  made.setDefaultTimeout(90_000);
  const problems = [];
  made.on("page", (page) => {
    page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) problems.push(`CSP: ${message.text()}`);
    });
  });
  return { made, problems };
}

/** The button of this whole name: words of an answer that rest on data are buttons too, named by what they say. */
export function button(page, name) {
  return page.getByRole("button", { name, exact: true });
}

/** Waits until a page shows what it knows. */
export async function settle(page) {
  await page.waitForFunction(() => !document.querySelector("main .loading"), null, { timeout: 60_000 });
}

/** Violations of WCAG 2.2 AA on a page, in words. */
async function violations(page) {
  // axe runs as a test's script, which the page's policy does not allow to be added as an element.
  await page.evaluate(axe);
  const found = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] },
    }),
  );
  return found.violations.map(
    (violation) => `${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).slice(0, 3).join("; ")}`,
  );
}

/** Claims that a page, once it shows what it knows, has no violations. */
export async function accessible(page, what) {
  await settle(page);
  const found = await violations(page);
  claim(found.length === 0, `axe, ${what}: ${found.join(" | ")}`);
}

/** Writes a picture of the whole page. */
export async function picture(page, name) {
  mkdirSync(OUT, { recursive: true });
  await page.screenshot({ path: `${OUT}${name}.png`, fullPage: true });
}

/** A claim that ends the test when it is false. */
export function claim(holds, what) {
  if (!holds) throw new Error(what);
}
