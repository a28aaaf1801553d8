/** Creating a datanet: terms, allowed uses, and who accepts. */
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { AmountField, Failure, Field, NeedsWallet } from "../components/ui";
import { coinOf, parseDecimal } from "../lib/amount";
import { useApp } from "../lib/app";
import { createDatanet, parseCurators } from "../lib/datanet";
import { go, useAction } from "../lib/hooks";

/** Uses that a datanet may allow. */
const USES = ["train", "answer", "commercial"] as const;

/** The form. */
export function CreateDatanet() {
  const { t } = useTranslation();
  const { account, config } = useApp();
  const { busy, error, run } = useAction();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [license, setLicense] = useState("CC-BY-4.0");
  const [least, setLeast] = useState(30);
  const [floor, setFloor] = useState("0");
  const [price, setPrice] = useState("0");
  const [uses, setUses] = useState({ train: true, answer: true, commercial: true });
  const [curated, setCurated] = useState(false);
  const [curators, setCurators] = useState("");
  const [quorum, setQuorum] = useState(1);
  if (!account || !config) return <NeedsWallet />;
  const coin = coinOf(config.chain, config.chain.stakeCurrency.coinMinimalDenom);
  const [wantedFloor, wantedPrice] = [parseDecimal(floor, coin.decimals), parseDecimal(price, coin.decimals)];
  const named = parseCurators(curators, config.chain.bech32Config.bech32PrefixAccAddr);
  const judged = !curated || (named !== null && named.length > 0 && quorum >= 1 && quorum <= named.length);
  const fits = wantedFloor !== null && wantedPrice !== null && judged;
  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        if (!fits) return;
        void run(async () => {
          const id = await createDatanet(account, {
            name,
            description,
            license,
            minDataBps: Math.round(least * 100),
            floorPerToken: wantedFloor,
            trainingPrice: wantedPrice,
            uses,
            curated: curated ? { curators: named ?? [], quorum } : null,
          });
          go(`/data/${id}`);
        });
      }}
    >
      <h2>{t("create.title")}</h2>
      <Field label={t("create.name")}>
        {(id) => <input id={id} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={t("create.description")}>
        {(id) => <textarea id={id} maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <Field label={t("create.license")}>
        {(id) => <input id={id} required value={license} onChange={(event) => setLicense(event.target.value)} />}
      </Field>
      <fieldset>
        <legend>{t("data.uses")}</legend>
        {USES.map((use) => (
          <label key={use}>
            <input
              type="checkbox"
              checked={uses[use]}
              onChange={(event) => setUses({ ...uses, [use]: event.target.checked })}
            />{" "}
            {t(`data.use_${use}`)}
          </label>
        ))}
      </fieldset>
      <div className="row">
        <Field label={t("create.least")}>
          {(id) => (
            <input
              id={id}
              type="number"
              min={0}
              max={100}
              value={least}
              onChange={(event) => setLeast(Math.min(100, Math.max(0, Number(event.target.value) || 0)))}
            />
          )}
        </Field>
        <AmountField label={`${t("create.floor")} (${coin.name})`} value={floor} invalid={wantedFloor === null} onChange={setFloor} />
        <AmountField label={`${t("data.training_price")} (${coin.name})`} value={price} invalid={wantedPrice === null} onChange={setPrice} />
      </div>
      <fieldset>
        <legend>{t("data.policy")}</legend>
        <label>
          <input type="radio" name="policy" checked={!curated} onChange={() => setCurated(false)} /> {t("data.open")}
        </label>
        <label>
          <input
            type="radio"
            name="policy"
            checked={curated}
            onChange={() => {
              setCurated(true);
              if (curators === "") setCurators(account.address);
            }}
          />{" "}
          {t("create.curated")}
        </label>
      </fieldset>
      {curated && (
        <>
          <Field label={t("create.curators")} hint={t("create.curators_hint")}>
            {(id, hint) => (
              <textarea
                id={id}
                aria-describedby={hint}
                aria-invalid={!judged}
                className="mono"
                value={curators}
                onChange={(event) => setCurators(event.target.value)}
              />
            )}
          </Field>
          <Field label={t("create.quorum")}>
            {(id) => (
              <input
                id={id}
                type="number"
                min={1}
                max={16}
                value={quorum}
                onChange={(event) => setQuorum(Math.max(1, Math.floor(Number(event.target.value) || 1)))}
              />
            )}
          </Field>
        </>
      )}
      <p className="soft">{t("create.public_hint")}</p>
      {error && <Failure error={error} />}
      <button type="submit" className="main" disabled={busy || !fits}>
        {t("create.submit")}
      </button>
    </form>
  );
}
