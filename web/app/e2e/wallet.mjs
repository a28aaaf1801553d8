// A wallet for tests with Keplr's provider interface (docs.keplr.app/api), over a CosmJS amino signer. The
// key stays outside the page: what crosses is what crosses between a page and Keplr.
import { Secp256k1Wallet } from "@cosmjs/amino";

/** Puts the wallet into every page of a context; `control` lets a test refuse and counts what was asked. */
export async function install(context, secretHex) {
  const secret = Uint8Array.from(secretHex.match(/../g), (byte) => Number.parseInt(byte, 16));
  const wallet = await Secp256k1Wallet.fromKey(secret, "openledger");
  const [account] = await wallet.getAccounts();
  const control = { address: account.address, refuse: false, signed: 0, suggested: 0, absent: false };
  await context.exposeFunction("__wallet", async (method, input) => {
    if (method === "suggest") {
      control.suggested += 1;
      if (!input.rpc || !input.rest || input.bip44?.coinType !== 118) throw new Error("invalid chain info");
      return null;
    }
    if (control.refuse) throw new Error("Request rejected");
    if (method === "account") return { ...account, pubkey: [...account.pubkey] };
    control.signed += 1;
    return wallet.signAmino(input.signer, input.doc);
  });
  await context.addInitScript(() => {
    const call = (method, input) => window.__wallet(method, input);
    const known = new Set();
    const need = (chainId) => {
      if (!known.has(chainId)) throw new Error(`There is no chain info for ${chainId}`);
    };
    window.keplr = {
      version: "0.12.0",
      mode: "extension",
      async experimentalSuggestChain(info) {
        await call("suggest", info);
        known.add(info.chainId);
      },
      async enable(chainId) {
        need(chainId);
        await call("account");
      },
      async getKey(chainId) {
        need(chainId);
        const found = await call("account");
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
            const found = await call("account");
            return [{ ...found, pubkey: Uint8Array.from(found.pubkey) }];
          },
          signAmino: (signer, doc) => call("sign", { signer, doc }),
        };
      },
    };
  });
  return control;
}
