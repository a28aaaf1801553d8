// What a first visit may load: at most 100 KB of script, compressed, without wallet and CosmJS.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** Bytes. */
const LIMIT = 100 * 1024;

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const size = (name) => gzipSync(readFileSync(`${dist}assets/${name}`), { level: 9 }).length;
// The entry and everything that it imports at once; what is loaded when needed is not counted.
const entry = /src="\.\/assets\/([^"]+\.js)"/.exec(readFileSync(`${dist}index.html`, "utf8"))?.[1];
if (!entry) throw new Error("dist/index.html names no script");
const first = new Set();
const visit = (name) => {
  if (first.has(name)) return;
  first.add(name);
  const code = readFileSync(`${dist}assets/${name}`, "utf8");
  for (const [, imported] of code.matchAll(/(?:from|^import|[;}]import)\s*"\.\/([^"]+\.js)"/g)) visit(imported);
};
visit(entry);
const total = [...first].reduce((sum, name) => sum + size(name), 0);
for (const name of readdirSync(`${dist}assets`).filter((file) => file.endsWith(".js"))) {
  console.log(`${first.has(name) ? "first" : "later"} ${size(name).toString().padStart(8)} ${name}`);
}
console.log(`first visit: ${total} bytes of script, limit ${LIMIT}`);
process.exit(total <= LIMIT ? 0 : 1);
