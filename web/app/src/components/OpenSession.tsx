/** Opening a session: which model at which node, how much, and paid from which chain. */
import type { PayableEscrow } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { coinOf, decimal, parseDecimal, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { queries } from "../lib/chain";
import { useAction, useQuery } from "../lib/hooks";
import { servedModels } from "../lib/node";
import { held } from "../lib/payout";
import { openFrom, payRoutes, type PayInStep, type PayRoute } from "../lib/remote";
import * as sessions from "../lib/session";
import { connect, type Account } from "../lib/wallet";
import { Amount, AmountField, Empty, Facts, Failure, Field, Loaded } from "./ui";

/** A model version that a node offers. */
interface Offered {
  modelId: number;
  version: number;
  name: string;
  context: number;
  nodeId: number;
  moniker: string;
  denom: string;
  priceIn: string;
  priceOut: string;
}

/** What can be asked now: models that bonded inference nodes have ready, at the prices of the chain. */
async function offered(): Promise<{ offers: Offered[]; params: PayableEscrow.Params }> {
  const { nodes, models, escrow } = await queries();
  const [{ nodes: all }, { params }] = await Promise.all([nodes.nodes({ limit: 30 }), escrow.config()]);
  const serving = all.filter((node) => node.roles.includes("inference") && node.status === "bonded");
  const offers = await Promise.all(
    serving.map(async (node) => {
      // A node that does not answer has nothing to offer.
      const ready = await servedModels(node.endpoint.replace(/\/$/, "")).catch(() => []);
      return Promise.all(
        ready.map(async ({ model_id: modelId, version, name, context }): Promise<Offered> => {
          const [{ offer }, registered] = await Promise.all([
            nodes.offer({ nodeId: node.node_id, modelId, version }),
            models.version({ modelId, version }),
          ]);
          return {
            modelId,
            version,
            name,
            context,
            nodeId: node.node_id,
            moniker: node.moniker,
            denom: registered.denom,
            priceIn: offer?.price_in ?? registered.price_in,
            priceOut: offer?.price_out ?? registered.price_out,
          };
        }),
      );
    }),
  );
  return { offers: offers.flat(), params };
}

/** The account on another chain that pays, once the wallet gave it. */
function Payer({ from, denom, payer, onPayer }: {
  from: PayRoute;
  denom: string;
  payer: Account | undefined;
  onPayer: (payer: Account) => void;
}) {
  const { t } = useTranslation();
  const { busy, error, run } = useAction();
  const { chain } = from.remote;
  const purse = useQuery(`purse ${payer?.address ?? ""} ${denom}`, async () =>
    payer ? held(from.remote, payer.address, denom) : null,
  );
  return (
    <div className="notice">
      <p>{t("ask.remote_hint", { chain: chain.chainName })}</p>
      {payer ? (
        <p>
          <code>{payer.address}</code>{" "}
          {purse.data !== undefined && purse.data !== null && <Amount value={purse.data} denom={denom} />}
        </p>
      ) : (
        <button type="button" disabled={busy} onClick={() => void run(async () => onPayer(await connect(chain)))}>
          {t("ask.remote_connect", { chain: chain.chainName })}
        </button>
      )}
      {(error ?? purse.error) && <Failure error={(error ?? purse.error)!} retry={purse.reload} />}
    </div>
  );
}

/** The form. */
export function OpenSession({ account, wanted, onOpened }: {
  account: Account;
  wanted: string;
  onOpened: (id: number) => void;
}) {
  const { t } = useTranslation();
  const { config } = useApp();
  const found = useQuery("offers", offered);
  const { busy, error, run } = useAction();
  const [choice, setChoice] = useState("");
  const [deposit, setDeposit] = useState("1");
  const [blocks, setBlocks] = useState("");
  const [chainId, setChainId] = useState("");
  const [payers, setPayers] = useState<Record<string, Account>>({});
  const [step, setStep] = useState<PayInStep>();
  const coinDenom = config?.chain.stakeCurrency.coinMinimalDenom ?? "";
  const ways = useQuery(`ways ${coinDenom}`, async () => (coinDenom ? payRoutes(coinDenom) : []));
  const from = ways.data?.find((way) => way.remote.chain.chainId === chainId);
  const payer = payers[chainId];
  return (
    <section className="card">
      <h2>{t("ask.open")}</h2>
      <Loaded query={found}>
        {({ offers, params }) => {
          const keyOf = (o: Offered) => `${o.modelId}:${o.version}@${o.nodeId}`;
          const offer =
            offers.find((o) => keyOf(o) === choice) ?? offers.find((o) => keyOf(o).startsWith(`${wanted}@`)) ?? offers[0];
          const denom = params.denoms.find((d) => d.denom === offer?.denom);
          if (!offer || !denom || !config) return <Empty>{t("ask.no_models")}</Empty>;
          const coin = coinOf(config.chain, offer.denom);
          const amount = parseDecimal(deposit, coin.decimals);
          const enough = amount !== null && amount >= units(denom.min_deposit);
          const life = blocks.trim() === "" ? null : Number(blocks);
          const lives = life === null || (Number.isInteger(life) && life >= 1 && life <= params.max_session_blocks);
          const show = (value: string) => `${decimal(units(value), coin.decimals)} ${coin.name}`;
          return (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                if (!enough || !lives) return;
                void run(async () => {
                  const opening = { ...offer, deposit: amount, openFee: units(denom.open_fee), blocks: life };
                  try {
                    const opened =
                      from && payer
                        ? await openFrom(from, account, payer, opening, setStep)
                        : await sessions.open(account, opening);
                    onOpened(opened.session_id);
                  } finally {
                    setStep(undefined);
                  }
                });
              }}
            >
              <Field label={t("ask.model")}>
                {(id) => (
                  <select id={id} value={keyOf(offer)} onChange={(event) => setChoice(event.target.value)}>
                    {offers.map((o) => (
                      <option key={keyOf(o)} value={keyOf(o)}>
                        {o.name} {o.modelId}:{o.version} · {t("ask.node")} {o.nodeId} {o.moniker}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              <AmountField
                label={`${t("ask.deposit")} (${coin.name})`}
                hint={t("ask.deposit_hint", { min: show(denom.min_deposit), fee: show(denom.open_fee) })}
                value={deposit}
                invalid={!enough}
                onChange={setDeposit}
              />
              <Field label={t("ask.blocks")} hint={t("ask.life", { blocks: params.max_session_blocks })}>
                {(id, hint) => (
                  <input
                    id={id}
                    aria-describedby={hint}
                    aria-invalid={!lives}
                    inputMode="numeric"
                    placeholder={`${params.max_session_blocks}`}
                    value={blocks}
                    onChange={(event) => setBlocks(event.target.value)}
                  />
                )}
              </Field>
              {ways.data && ways.data.length > 0 && (
                <Field label={t("ask.pay_from")}>
                  {(id) => (
                    <select id={id} value={chainId} onChange={(event) => setChainId(event.target.value)}>
                      <option value="">{config.chain.chainName}</option>
                      {ways.data?.map(({ route, remote }) => (
                        <option key={route.name} value={remote.chain.chainId}>
                          {remote.chain.chainName} · {route.channel_id}
                        </option>
                      ))}
                    </select>
                  )}
                </Field>
              )}
              {from && (
                <Payer
                  from={from}
                  denom={offer.denom}
                  payer={payer}
                  onPayer={(connected) => setPayers({ ...payers, [chainId]: connected })}
                />
              )}
              <Facts
                rows={[
                  [
                    t("models.prices"),
                    <span key="p">
                      <Amount value={units(offer.priceIn)} denom={offer.denom} /> ·{" "}
                      <Amount value={units(offer.priceOut)} denom={offer.denom} />
                    </span>,
                  ],
                ]}
              />
              <p className="soft">
                {t("ask.key")}
              </p>
              {error && <Failure error={error} />}
              <button type="submit" className="main" disabled={busy || !enough || !lives || (from !== undefined && !payer)}>
                {step === "travelling" ? t("ask.remote_travelling") : busy ? t("ask.opening") : t("ask.open")}
              </button>
            </form>
          );
        }}
      </Loaded>
    </section>
  );
}
