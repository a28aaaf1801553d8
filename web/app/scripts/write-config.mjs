// Writes the config.json that the app reads: the wallet's description of the chain (testnet/keplr.json) at
// the endpoints given, and the contracts' addresses out of a summary of the demo or a deployment.json. With a
// record of the relayer's link, also the chain at its other end.
//
//   node scripts/write-config.mjs ADDRESSES RPC REST OUT [LINK RPC REST PREFIX DENOM]
import { readFileSync, writeFileSync } from "node:fs";

const [addresses, rpc, rest, out, link, ...other] = process.argv.slice(2);
if (!out || (link && other.length !== 4)) {
  console.error("usage: node scripts/write-config.mjs ADDRESSES RPC REST OUT [LINK RPC REST PREFIX DENOM]");
  process.exit(2);
}
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const { chain_id: chainId, contracts } = read(addresses);
const keplr = read(new URL("../../../testnet/keplr.json", import.meta.url));
const chain = { ...keplr, chainId, rpc, rest };

/** The chain at the other end of a link, with our coin as it is called there among its currencies. */
function remote() {
  const { a, b } = read(link);
  const [otherRpc, otherRest, prefix, denom] = other;
  const coin = { coinDenom: denom.replace(/^u/, "").toUpperCase(), coinMinimalDenom: denom, coinDecimals: 6 };
  const [{ gasPriceStep }] = keplr.feeCurrencies;
  const parts = ["Addr", "ValAddr", "ConsAddr"].flatMap((kind) => {
    const word = { Addr: "", ValAddr: "valoper", ConsAddr: "valcons" }[kind];
    const name = { Addr: "Acc", ValAddr: "Val", ConsAddr: "Cons" }[kind];
    return [
      [`bech32Prefix${name}Addr`, `${prefix}${word}`],
      [`bech32Prefix${name}Pub`, `${prefix}${word}pub`],
    ];
  });
  return {
    chain: {
      ...keplr,
      chainId: b.chain_id,
      chainName: b.chain_id,
      rpc: otherRpc,
      rest: otherRest,
      bech32Config: Object.fromEntries(parts),
      currencies: [coin],
      feeCurrencies: [{ ...coin, gasPriceStep }],
      stakeCurrency: coin,
    },
    channel: a.channel,
    remote_channel: b.channel,
  };
}

const document = { chain, contracts, ...(link ? { remotes: [remote()] } : {}) };
writeFileSync(out, `${JSON.stringify(document, null, 2)}\n`);
