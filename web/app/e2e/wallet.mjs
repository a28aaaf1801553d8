// A wallet for tests with Keplr's provider interface (docs.keplr.app/api), over a CosmJS amino signer. The
// key stays outside the page: what crosses is what crosses between a page and Keplr.
import { Secp256k1Wallet } from "@cosmjs/amino";

/** The bytes of a key in hexadecimal. */
export function secretOf(hex) {
  return Uint8Array.from(hex.match(/../g), (byte) => Number.parseInt(byte, 16));
}

/** Puts the wallet into every page of a context; `control` lets a test refuse and counts what was asked. */
export async function install(context, secretHex) {
  const secret = secretOf(secretHex);
  const [account] = await (await Secp256k1Wallet.fromKey(secret, "openledger")).getAccounts();
  const control = { address: account.address, refuse: false, signed: 0, suggested: 0, absent: false };
  // One key, an address with each chain's own prefix.
  const wallets = new Map();
  await context.exposeFunction("__wallet", async (method, chainId, input) => {
    if (method === "suggest") {
      control.suggested += 1;
      const prefix = input.bech32Config?.bech32PrefixAccAddr;
      if (!input.rpc || !input.rest || !prefix || input.bip44?.coinType !== 118) throw new Error("invalid chain info");
      wallets.set(chainId, await Secp256k1Wallet.fromKey(secret, prefix));
      return null;
    }
    if (control.refuse) throw new Error("Request rejected");
    const wallet = wallets.get(chainId);
    const [found] = await wallet.getAccounts();
    if (method === "account") return { ...found, pubkey: [...found.pubkey] };
    control.signed += 1;
    return wallet.signAmino(input.signer, input.doc);
  });
  await context.addInitScript(() => {
    const call = (method, chainId, input) => window.__wallet(method, chainId, input);
    const known = new Set();
    const need = (chainId) => {
      if (!known.has(chainId)) throw new Error(`There is no chain info for ${chainId}`);
    };
    window.keplr = {
      version: "0.12.0",
      mode: "extension",
      async experimentalSuggestChain(info) {
        await call("suggest", info.chainId, info);
        known.add(info.chainId);
      },
      async enable(chainId) {
        need(chainId);
        await call("account", chainId);
      },
      async getKey(chainId) {
        need(chainId);
        const found = await call("account", chainId);
        return {
          name: "test",
          algo: "secp256k1",
          pubKey: Uint8Array.from(found.pubkey),
          bech32Address: found.address,
          isNanoLedger: false,
        };
      },
      getOfflineSignerOnlyAmino(chainId) {
        need(chainId);
        return {
          async getAccounts() {
            const found = await call("account", chainId);
            return [{ ...found, pubkey: Uint8Array.from(found.pubkey) }];
          },
          signAmino: (signer, doc) => call("sign", chainId, { signer, doc }),
        };
      },
    };
  });
  return control;
}
