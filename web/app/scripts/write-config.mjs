// Writes the config.json that the app reads: the wallet's description of the chain (testnet/keplr.json) at
// the endpoints given, and the contracts' addresses out of a summary of the demo or a deployment.json.
//
//   node scripts/write-config.mjs ADDRESSES RPC REST OUT
import { readFileSync, writeFileSync } from "node:fs";

const [addresses, rpc, rest, out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node scripts/write-config.mjs ADDRESSES RPC REST OUT");
  process.exit(2);
}
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const { chain_id: chainId, contracts } = read(addresses);
const chain = { ...read(new URL("../../../testnet/keplr.json", import.meta.url)), chainId, rpc, rest };
writeFileSync(out, `${JSON.stringify({ chain, contracts }, null, 2)}\n`);
