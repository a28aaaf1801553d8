/** Registering one's own model: pick its folder, read what it commits, set price and split, sign, upload. */
import type { ModelRegistry, NodeRegistry } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { PartsBar } from "../components/Plot";
import { Amount, AmountField, Facts, Failure, Field, Loaded, NeedsWallet, Pill, Short, Table } from "../components/ui";
import { coinOf, parseDecimal, percent, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { queries } from "../lib/chain";
import { go, useAction, useQuery } from "../lib/hooks";
import { modelsOf, parseParents, readFolder, register, type Folder, type RegisterStep } from "../lib/register";
import type { Account } from "../lib/wallet";

/** Bounds of the registry, and nodes that take a model's files. */
async function facts(): Promise<{ params: ModelRegistry.Params; nodes: NodeRegistry.NodeResponse[] }> {
  const { models, nodes } = await queries();
  const [{ params }, all] = await Promise.all([models.config(), nodes.nodes({ limit: 30 })]);
  const serving = all.nodes.filter(
    (node) => node.roles.includes("inference") && node.status === "bonded" && node.endpoint !== "",
  );
  return { params, nodes: serving };
}

/** Least part of a fee for the data that a model's datanets ask, and least price of an answer token. */
async function floors(folder: Folder, least: number): Promise<{ data: number; price: bigint; denom: string; cost: bigint }> {
  const { datanet } = await queries();
  const [{ params }, versions] = await Promise.all([
    datanet.config(),
    Promise.all(
      folder.manifest.datanets.map((ref) => datanet.version({ datanetId: ref.datanet_id, version: ref.version })),
    ),
  ]);
  return {
    data: Math.max(least, ...versions.map((version) => version.min_data_bps)),
    price: versions.map((version) => units(version.floor_per_token)).reduce((a, b) => (a > b ? a : b), 0n),
    denom: params.denom,
    cost: versions.reduce((sum, version) => sum + units(version.training_price ?? "0"), 0n),
  };
}

/** What a folder commits, for reading before signing. */
function Contents({ folder }: { folder: Folder }) {
  const { t } = useTranslation();
  const { manifest } = folder;
  return (
    <section className="card">
      <h2>{manifest.name}</h2>
      <p>
        <Pill kind="good">{t("register.whole")}</Pill>
      </p>
      <Facts
        rows={[
          [t("models.manifest"), <Short key="m" text={folder.manifestHash} />],
          [t("models.class"), manifest.numeric_class],
          [t("models.parameters"), manifest.parameters.toLocaleString()],
          [t("models.context"), manifest.context],
          [t("ask.evidence"), manifest.attribution],
          [t("register.weights_root"), <Short key="w" text={manifest.weights_root} />],
          [t("register.training_root"), <Short key="t" text={manifest.training_root} />],
        ]}
      />
      <Table caption={t("models.trained_on")} head={[t("data.title"), t("data.version"), t("models.training")]}>
        {folder.trainedOn.map(({ datanet_id, version, training }) => (
          <tr key={datanet_id}>
            <td>
              <a href={`#/data/${datanet_id}`}>{datanet_id}</a>
            </td>
            <td>{version}</td>
            <td>{t("models.training_text", { count: training.count, sum: training.sum })}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Form({ account, folder }: { account: Account; folder: Folder }) {
  const { t } = useTranslation();
  const { config } = useApp();
  const { busy, error, run } = useAction();
  const found = useQuery("registry", facts);
  const mine = useQuery(`models of ${account.address}`, () => modelsOf(account.address));
  const floor = useQuery(`floors ${folder.manifestHash} ${found.data?.params.min_data_bps ?? ""}`, async () =>
    found.data ? floors(folder, found.data.params.min_data_bps) : null,
  );
  const [model, setModel] = useState("new");
  const [name, setName] = useState(folder.manifest.name);
  const [description, setDescription] = useState("");
  const [priceIn, setPriceIn] = useState("0.0001");
  const [priceOut, setPriceOut] = useState("0.001");
  const [dataPercent, setDataPercent] = useState(50);
  const [nodePercent, setNodePercent] = useState(25);
  const [royalty, setRoyalty] = useState(0);
  const [parents, setParents] = useState("");
  const [node, setNode] = useState("");
  const [step, setStep] = useState<RegisterStep>();
  const denom = config?.chain.stakeCurrency.coinMinimalDenom ?? "";
  const coin = config ? coinOf(config.chain, denom) : { name: denom, decimals: 0 };
  return (
    <Loaded query={found}>
      {({ params, nodes }) => {
        const data = Math.round(dataPercent * 100);
        const serving = Math.round(nodePercent * 100);
        const developer = 10_000 - params.protocol_bps - data - serving;
        const split = { protocol: params.protocol_bps, developer, node: serving, data };
        const [wantedIn, wantedOut] = [parseDecimal(priceIn, coin.decimals), parseDecimal(priceOut, coin.decimals)];
        const made = parseParents(parents);
        const least = floor.data;
        const whole = developer >= 0 && (!least || data >= least.data);
        const priced = wantedIn !== null && wantedOut !== null && (!least || wantedOut >= least.price);
        const target = nodes.find((candidate) => `${candidate.node_id}` === node) ?? nodes[0];
        const fits = whole && priced && made !== null && target !== undefined && (model !== "new" || name.trim() !== "");
        return (
          <form
            className="card"
            onSubmit={(event) => {
              event.preventDefault();
              if (!fits || wantedIn === null || wantedOut === null) return;
              void run(async () => {
                try {
                  const { modelId, version } = await register(
                    account,
                    folder,
                    model === "new" ? { name: name.trim(), description } : Number(model),
                    { denom, priceIn: wantedIn, priceOut: wantedOut, split, royaltyBps: Math.round(royalty * 100), parents: made },
                    target.endpoint.replace(/\/$/, ""),
                    setStep,
                  );
                  go(`/models/${modelId}/${version}`);
                } finally {
                  setStep(undefined);
                  mine.reload();
                }
              });
            }}
          >
            <h2>{t("register.terms")}</h2>
            <Field label={t("register.model")} hint={t("register.model_hint")}>
              {(id, hint) => (
                <select id={id} aria-describedby={hint} value={model} onChange={(event) => setModel(event.target.value)}>
                  <option value="new">{t("register.new")}</option>
                  {mine.data?.map((entry) => (
                    <option key={entry.model_id} value={entry.model_id}>
                      {entry.model_id} {entry.name} ({t("data.version")} {entry.latest_version + 1})
                    </option>
                  ))}
                </select>
              )}
            </Field>
            {model === "new" && (
              <>
                <Field label={t("create.name")}>
                  {(id) => <input id={id} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />}
                </Field>
                <Field label={t("create.description")}>
                  {(id) => (
                    <textarea id={id} maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
                  )}
                </Field>
              </>
            )}
            <div className="row">
              <AmountField label={`${t("models.price_in")} (${coin.name})`} value={priceIn} invalid={wantedIn === null} onChange={setPriceIn} />
              <AmountField label={`${t("models.price_out")} (${coin.name})`} value={priceOut} invalid={!priced} onChange={setPriceOut} />
            </div>
            <div className="row">
              <Field label={t("register.data")} hint={least ? t("register.data_hint", { least: percent(least.data) }) : undefined}>
                {(id, hint) => (
                  <input
                    id={id}
                    aria-describedby={hint}
                    type="number"
                    min={0}
                    max={100}
                    step={0.01}
                    aria-invalid={!whole}
                    value={dataPercent}
                    onChange={(event) => setDataPercent(Number(event.target.value) || 0)}
                  />
                )}
              </Field>
              <Field label={t("register.node")}>
                {(id) => (
                  <input
                    id={id}
                    type="number"
                    min={0}
                    max={100}
                    step={0.01}
                    value={nodePercent}
                    onChange={(event) => setNodePercent(Number(event.target.value) || 0)}
                  />
                )}
              </Field>
              <Field label={t("register.royalty")} hint={t("register.royalty_hint")}>
                {(id, hint) => (
                  <input
                    id={id}
                    aria-describedby={hint}
                    type="number"
                    min={0}
                    max={100}
                    step={0.01}
                    value={royalty}
                    onChange={(event) => setRoyalty(Number(event.target.value) || 0)}
                  />
                )}
              </Field>
            </div>
            {developer >= 0 ? (
              <PartsBar
                label={t("models.split")}
                parts={[
                  { name: t("explore.data"), value: BigInt(data) },
                  { name: t("models.developer"), value: BigInt(developer) },
                  { name: t("explore.node"), value: BigInt(serving) },
                  { name: t("explore.protocol"), value: BigInt(params.protocol_bps) },
                ]}
                format={percent}
              />
            ) : (
              <p className="notice bad">{t("register.too_much")}</p>
            )}
            <Field label={t("models.parents")} hint={t("register.parents_hint")}>
              {(id, hint) => (
                <input
                  id={id}
                  aria-describedby={hint}
                  aria-invalid={made === null}
                  value={parents}
                  onChange={(event) => setParents(event.target.value)}
                />
              )}
            </Field>
            <Field label={t("register.where")}>
              {(id) => (
                <select id={id} value={target?.node_id ?? ""} onChange={(event) => setNode(event.target.value)}>
                  {nodes.map((candidate) => (
                    <option key={candidate.node_id} value={candidate.node_id}>
                      {candidate.node_id} {candidate.moniker}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <p className="soft">
              {t("models.notice", { blocks: params.price_notice })}
              {least && least.cost > 0n && (
                <>
                  {" "}
                  {t("data.training_price")}: <Amount value={least.cost} denom={least.denom} />
                </>
              )}
            </p>
            {error && <Failure error={error} />}
            <button type="submit" className="main" disabled={busy || !fits}>
              {step ? t(`register.step_${step}`) : t("register.submit")}
            </button>
          </form>
        );
      }}
    </Loaded>
  );
}

/** The page. */
export function Register() {
  const { t } = useTranslation();
  const { account } = useApp();
  const { busy, error, run } = useAction();
  const [folder, setFolder] = useState<Folder>();
  const take = (files: FileList | null) => {
    if (!files || files.length === 0) return;
    setFolder(undefined);
    void run(async () => setFolder(await readFolder(files)));
  };
  return (
    <>
      <p>
        <a href="#/models">{t("register.back")}</a>
      </p>
      <h1>{t("register.title")}</h1>
      <p className="lead">{t("register.lead")}</p>
      <section className="card">
        <Field label={t("register.files")} hint={t("register.files_hint")}>
          {(id, hint) => (
            <input id={id} aria-describedby={hint} type="file" multiple onChange={(event) => take(event.target.files)} />
          )}
        </Field>
        {busy && <p role="status">{t("register.reading")}</p>}
        {error && <Failure error={error} />}
      </section>
      {folder && <Contents folder={folder} />}
      {folder && account && <Form key={folder.manifestHash} account={account} folder={folder} />}
      {!account && <NeedsWallet />}
    </>
  );
}
