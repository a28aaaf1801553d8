// Writes src/generated from the contracts' committed schemas. Nothing in it is edited by hand and
// nothing of it is committed: the schemas are the source.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import codegenModule from "@cosmwasm/ts-codegen";

const codegen = codegenModule.default ?? codegenModule;
const client = fileURLToPath(new URL("..", import.meta.url));
const contracts = join(client, "../../contracts");
const schemas = join(client, "build/schemas");
const generated = join(client, "src/generated");

/** `payable-escrow` becomes `PayableEscrow`. */
const pascal = (name) => name.replace(/(?:^|-)(.)/g, (_, letter) => letter.toUpperCase());

/** The generator takes a pair of numbers among a message's arguments for a list of lists: a list of two. */
function widenPairs(messages) {
  const bodies = (messages.oneOf ?? []).flatMap((message) => Object.values(message.properties ?? {}));
  for (const argument of bodies.flatMap((body) => Object.values(body.properties ?? {}))) {
    if (Array.isArray(argument.items) && argument.items.every((item) => item.type === "integer")) {
      argument.items = { type: "integer" };
    }
  }
}

rmSync(schemas, { recursive: true, force: true });
rmSync(generated, { recursive: true, force: true });

// Only the committed file of each contract: the schema generator may have left others beside it.
const found = readdirSync(contracts)
  .sort()
  .filter((contract) => existsSync(join(contracts, contract, "schema", `${contract}.json`)))
  .map((contract) => {
    const dir = join(schemas, contract);
    mkdirSync(dir, { recursive: true });
    const schema = JSON.parse(readFileSync(join(contracts, contract, "schema", `${contract}.json`), "utf8"));
    widenPairs(schema.execute);
    widenPairs(schema.query);
    writeFileSync(join(dir, `${contract}.json`), JSON.stringify(schema));
    return { name: pascal(contract), dir };
  });

await codegen({
  contracts: found,
  outPath: generated,
  options: {
    bundle: { enabled: false },
    types: { enabled: true },
    // Apart, because a message and a question may have the same name: `Commit`.
    client: { enabled: true, execExtendsQuery: false },
    messageComposer: { enabled: true },
    messageBuilder: { enabled: true },
    useShorthandCtor: true,
    reactQuery: { enabled: false },
    recoil: { enabled: false },
  },
});

// Modules of the web and of node name the file they import.
for (const file of readdirSync(generated)) {
  const path = join(generated, file);
  writeFileSync(path, readFileSync(path, "utf8").replace(/ from "(\.\/[^"]+)"/g, ' from "$1.js"'));
}

// One namespace a contract, because many names (ExecuteMsg, Params, …) are every contract's.
const parts = ["types", "client", "message-composer", "message-builder"];
for (const { name } of found) {
  const lines = parts.map((part) => `export * from "./${name}.${part}.js";\n`);
  writeFileSync(join(generated, `${name}.ts`), lines.join(""));
}
const index = found.map(({ name }) => `export * as ${name} from "./${name}.js";\n`);
writeFileSync(join(generated, "index.ts"), index.join(""));
console.log(`generated the clients of ${found.map(({ name }) => name).join(", ")}`);
