// What the app costs a visitor, measured in headless Chromium: the first visit on a slow line and a slow processor,
// the page's own part of the time to the first streamed token, and the frames of a long list that scrolls.
//
//   node scripts/measure.mjs [--json]        (npm run measure)
//
// Reads dist/ with its config.json, of a devnet that scripts/demo --keep left running; questions are paid by the
// demo's user (OPENLEDGER_DEMO, else target/demo of the clone).
import { createServer } from "node:http";
import { loadavg } from "node:os";
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { browserPath, launch } from "../e2e/kit.mjs";
import { install } from "../e2e/wallet.mjs";

/** The slow line: bytes a second, and milliseconds a round trip. */
const LINE = { bytes: 1_600_000 / 8, roundTrip: 150 };
/** How much slower the processor is made. */
const SLOWDOWN = 4;
/** Runs of each figure; the median is told. */
const RUNS = 5;
/** Rows of the long list. */
const ROWS = 10_000;
/** A frame that a person sees as a stutter, in milliseconds. */
const JANK = 50;

const json = process.argv.includes("--json");
const demo = process.env["OPENLEDGER_DEMO"] ?? fileURLToPath(new URL("../../../target/demo/", import.meta.url));
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
if (!browserPath() || !existsSync(`${dist}config.json`)) {
  console.error("needs Chromium and dist/config.json (scripts/demo --web)");
  process.exit(2);
}
const config = JSON.parse(readFileSync(`${dist}config.json`, "utf8"));

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** dist/ as a web server gives it: compressed. */
function serveCompressed() {
  const cache = new Map();
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    if (!cache.has(file)) cache.set(file, gzipSync(readFileSync(file), { level: 9 }));
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-encoding": "gzip" }).end(cache.get(file));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve({ url: `http://127.0.0.1:${server.address().port}/`, server }));
  });
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const round = (value) => Math.round(value * 10) / 10;

/** Milliseconds of processor that the main thread has taken: what a busy machine does not stretch. */
async function processor(cdp) {
  const { metrics } = await cdp.send("Performance.getMetrics");
  return 1_000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
}

/**
 * The first visit without the clock of this machine: what the line takes for document and script, and the main
 * thread's own time until a click is answered, slowed down.
 */
async function firstVisitComputed(browser, url) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(url, { waitUntil: "commit" });
  await page.locator("main h1").waitFor();
  await page.evaluate(() => new Promise((done) => requestIdleCallback(done)));
  const ms = await processor(cdp);
  await context.close();
  // One round trip for the document, one for what it names.
  const line = 2 * LINE.roundTrip + (1_000 * bytes) / LINE.bytes;
  return { line, processor: ms, interactive: line + SLOWDOWN * ms };
}

/** Milliseconds from the address to a page that shows its content and answers a click, and bytes of script. */
async function firstVisit(browser, url) {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  await cdp.send("Network.emulateNetworkConditions", {
    offline: false,
    latency: LINE.roundTrip,
    downloadThroughput: LINE.bytes,
    uploadThroughput: LINE.bytes,
  });
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: SLOWDOWN });
  let bytes = 0;
  const scripts = new Set();
  cdp.on("Network.responseReceived", ({ requestId, type }) => type === "Script" && scripts.add(requestId));
  cdp.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) bytes += encodedDataLength;
  });
  await page.addInitScript(() => {
    // When the menu is there and the main thread is free, a click is answered.
    const seen = () => {
      if (!document.querySelector("nav a") || !document.querySelector("main h1")) return requestAnimationFrame(seen);
      return requestIdleCallback(() => (window.__interactive = performance.now()));
    };
    requestAnimationFrame(seen);
  });
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForFunction(() => window.__interactive !== undefined, null, { timeout: 60_000 });
  const interactive = await page.evaluate(() => window.__interactive);
  const first = bytes;
  await page.getByRole("link", { name: "Models" }).click();
  await page.getByRole("heading", { name: "Models", level: 1 }).waitFor({ timeout: 60_000 });
  await context.close();
  return { interactive, bytes: first };
}

/** Milliseconds that the page adds between Send and the first streamed token to what the node takes itself. */
async function firstToken(browser, url) {
  const context = await browser.newContext();
  const secret = JSON.parse(readFileSync(`${demo}home/keys/user.json`, "utf8")).secret;
  await install(context, secret);
  const page = await context.newPage();
  await page.goto(`${url}#/ask/model/1:1`);
  await page.getByRole("main").getByRole("button", { name: "Connect Keplr" }).click();
  await page.getByLabel(/^Deposit/).fill("1");
  await page.getByRole("button", { name: "Open the session" }).click();
  const send = page.getByRole("button", { name: "Send" });
  await send.waitFor({ timeout: 120_000 });
  // In the page's own clock: the click, the paid request, its first bytes, the first text that is drawn.
  await page.evaluate(() => {
    const marks = (window.__marks = {});
    const original = window.fetch;
    window.fetch = async (input, init) => {
      const paid = init?.headers?.["payment-signature"] !== undefined;
      if (paid) marks.asked = performance.now();
      const response = await original(input, init);
      if (!paid || !response.body) return response;
      const [body, copy] = response.body.tee();
      void copy.getReader().read().then(() => (marks.first = performance.now()));
      return new Response(body, { status: response.status, headers: response.headers });
    };
    document.addEventListener("click", (event) => {
      if (event.target.textContent !== "Send") return;
      const sent = (marks.sent = performance.now());
      marks.shown = undefined;
      const drawn = () => {
        const stream = document.querySelector('[data-testid="stream"]');
        const given = stream?.querySelector(".given")?.textContent ?? "";
        if ((stream?.textContent ?? "").length > given.length) marks.shown = performance.now();
        else if (marks.sent === sent) requestAnimationFrame(drawn);
      };
      requestAnimationFrame(drawn);
    });
  });
  const found = [];
  for (let run = 0; run < RUNS; run += 1) {
    await page.getByLabel("Your text").fill(`pub fn number_${run}(`);
    await send.click();
    const article = page.getByRole("article", { name: `Answer ${run + 1}` });
    await article.waitFor({ timeout: 120_000 });
    // An answer that ends at once shows no token to wait for.
    const marks = await page.evaluate(() => window.__marks);
    if (marks.shown === undefined) continue;
    found.push({ added: marks.shown - marks.sent - (marks.first - marks.asked), node: marks.first - marks.asked });
  }
  await context.close();
  return found;
}

/** A contribution of the chain, of which the long list is made. */
async function firstContribution(prefix, datanetId) {
  const query = Buffer.from(JSON.stringify({ contributions: { datanet_id: datanetId, limit: 1 } })).toString("base64");
  const response = await fetch(`${config.chain.rest}${prefix}${query.replaceAll("+", "-").replaceAll("/", "_")}`);
  return (await response.json()).data.contributions[0];
}

/** Frames of a list of 10,000 contributions that a wheel scrolls. */
async function scrolling(browser, url, slowdown) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const prefix = `/cosmwasm/wasm/v1/contract/${config.contracts.datanet}/smart/`;
  await page.route(`**${prefix}**`, async (route) => {
    const query = JSON.parse(Buffer.from(route.request().url().split("/smart/")[1], "base64url").toString());
    if (!query.contributions) {
      const response = await route.fetch();
      return route.fulfill({ response });
    }
    const from = query.contributions.start_after ?? 0;
    example ??= await firstContribution(prefix, query.contributions.datanet_id);
    const count = Math.max(0, Math.min(query.contributions.limit ?? 30, ROWS - from));
    const contributions = Array.from({ length: count }, (_, at) => ({
      ...example,
      title: `document number ${from + at + 1}`,
      facts: { ...example.facts, contribution_id: from + at + 1 },
    }));
    return route.fulfill({ json: { data: { contributions } } });
  });
  let example;
  await page.goto(`${url}#/data/1`);
  await page.waitForFunction((rows) => document.querySelector(".virtual li")?.getAttribute("aria-setsize") === `${rows}`, ROWS, {
    timeout: 300_000,
  });
  const cdp = await context.newCDPSession(page);
  await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
  if (slowdown > 1) await cdp.send("Emulation.setCPUThrottlingRate", { rate: slowdown });
  await page.locator(".virtual").scrollIntoViewIfNeeded();
  await page.locator(".virtual").hover();
  await page.evaluate(() => {
    const frames = (window.__frames = []);
    let last;
    const frame = (now) => {
      if (last !== undefined) frames.push(now - last);
      last = now;
      window.__frame = requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const before = await processor(cdp);
  for (let step = 0; step < 120; step += 1) {
    await page.mouse.wheel(0, step % 40 === 39 ? 60_000 : 700);
    await page.waitForTimeout(16);
  }
  const frames = await page.evaluate(() => {
    cancelAnimationFrame(window.__frame);
    return window.__frames;
  });
  const spent = (await processor(cdp)) - before;
  const last = await page.locator(".virtual li").last().getAttribute("aria-posinset");
  await context.close();
  const sorted = [...frames].sort((a, b) => a - b);
  return {
    frames: frames.length,
    processor: spent / Math.max(1, frames.length),
    reached: Number(last),
    median: sorted[Math.floor(sorted.length / 2)],
    p95: sorted[Math.floor(sorted.length * 0.95)],
    longest: sorted.at(-1),
    janky: frames.filter((time) => time > JANK).length,
  };
}

const { url, server } = await serveCompressed();
const browser = await launch();
const computed = [];
for (let run = 0; run < RUNS; run += 1) computed.push(await firstVisitComputed(browser, url));
console.error("first visits, computed:", computed.map((visit) => round(visit.interactive)).join(" "));
const scroll = await scrolling(browser, url, 1);
console.error("scrolling:", JSON.stringify(scroll));
const visits = [];
for (let run = 0; run < RUNS; run += 1) visits.push(await firstVisit(browser, url));
console.error("first visits:", visits.map((visit) => round(visit.interactive)).join(" "));
const tokens = await firstToken(browser, url);
console.error("added to the first token:", tokens.map((token) => round(token.added)).join(" "));
const slow = await scrolling(browser, url, SLOWDOWN);
await browser.close();
server.close();

const figures = {
  load: round(loadavg()[0]),
  interactive_computed_ms: Math.round(median(computed.map((visit) => visit.interactive))),
  first_visit_processor_ms: round(median(computed.map((visit) => visit.processor))),
  interactive_ms: Math.round(median(visits.map((visit) => visit.interactive))),
  first_visit_script_bytes: median(visits.map((visit) => visit.bytes)),
  first_token_added_ms: round(median(tokens.map((token) => token.added))),
  first_token_added_least_ms: round(Math.min(...tokens.map((token) => token.added))),
  first_token_node_ms: round(median(tokens.map((token) => token.node))),
  scroll: Object.fromEntries(Object.entries(scroll).map(([name, value]) => [name, round(value)])),
  scroll_slow: Object.fromEntries(Object.entries(slow).map(([name, value]) => [name, round(value)])),
};
if (json) {
  console.log(JSON.stringify(figures));
} else {
  console.log(`interactive at 1.6 Mbit/s, 150 ms, processor 4 times slower: ${figures.interactive_ms} ms (mark 3,000)`);
  console.log(
    `the same without this machine's clock (line, and ${SLOWDOWN} times the main thread's ${figures.first_visit_processor_ms} ms): ${figures.interactive_computed_ms} ms`,
  );
  console.log(`script of the first visit, compressed: ${figures.first_visit_script_bytes} bytes (mark 102,400)`);
  console.log(`Send to first token, added to the node's ${figures.first_token_node_ms} ms: ${figures.first_token_added_ms} ms (mark 50), least ${figures.first_token_added_least_ms} ms`);
  for (const [name, of] of [["", scroll], [", processor 4 times slower", slow]]) {
    console.log(
      `10,000 rows scroll${name}: ${of.frames} frames, median ${round(of.median)} ms, 95 % below ${round(of.p95)} ms, longest ${round(of.longest)} ms, ${of.janky} above ${JANK} ms; main thread ${round(of.processor)} ms a frame`,
    );
  }
  console.log(`load of the machine: ${figures.load}`);
}
