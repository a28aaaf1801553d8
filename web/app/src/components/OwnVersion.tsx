/** What a developer does with a version of their own: announce prices, advise against it. */
import type { ModelRegistry } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { coinOf, decimal, parseDecimal, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { queries } from "../lib/chain";
import { useAction, useQuery } from "../lib/hooks";
import { deprecate, setPrice } from "../lib/register";
import { AmountField, Failure, TxLink } from "./ui";

/** The section; nothing for others than the developer. */
export function OwnVersion({ version, reload }: { version: ModelRegistry.ModelVersionResponse; reload: () => void }) {
  const { t } = useTranslation();
  const { account, config } = useApp();
  const { busy, error, run } = useAction();
  const coin = config ? coinOf(config.chain, version.denom) : { name: version.denom, decimals: 0 };
  const shown = (amount: string) => decimal(units(amount), coin.decimals).replaceAll("\u202f", "");
  const [priceIn, setPriceIn] = useState(shown(version.price_in));
  const [priceOut, setPriceOut] = useState(shown(version.price_out));
  const [done, setDone] = useState("");
  const bounds = useQuery("model bounds", async () => (await (await queries()).models.config()).params);
  if (account?.address !== version.developer) return null;
  const [wantedIn, wantedOut] = [parseDecimal(priceIn, coin.decimals), parseDecimal(priceOut, coin.decimals)];
  const { model_id: modelId, version: number } = version;
  return (
    <section className="card">
      <h2>{t("models.own")}</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (wantedIn === null || wantedOut === null) return;
          void run(async () => {
            setDone((await setPrice(account, modelId, number, wantedIn, wantedOut)).hash);
            reload();
          });
        }}
      >
        <div className="row">
          <AmountField label={`${t("models.price_in")} (${coin.name})`} value={priceIn} invalid={wantedIn === null} onChange={setPriceIn} />
          <AmountField label={`${t("models.price_out")} (${coin.name})`} value={priceOut} invalid={wantedOut === null} onChange={setPriceOut} />
        </div>
        {bounds.data && <p className="soft">{t("models.notice", { blocks: bounds.data.price_notice })}</p>}
        {error && <Failure error={error} />}
        {done !== "" && (
          <p className="notice good" role="status">
            {t("models.announced")} <TxLink hash={done} />
          </p>
        )}
        <p className="actions">
          <button type="submit" className="main" disabled={busy || wantedIn === null || wantedOut === null}>
            {t("models.announce")}
          </button>
          {!version.deprecated && (
            <button
              type="button"
              disabled={busy}
              onClick={() =>
                void run(async () => {
                  setDone((await deprecate(account, modelId, number)).hash);
                  reload();
                })
              }
            >
              {t("models.deprecate")}
            </button>
          )}
        </p>
      </form>
    </section>
  );
}
