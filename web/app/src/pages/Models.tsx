/** Models: browse, and the card of one version. */
import type { ModelRegistry } from "@openledger/client";
import { formats } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { PartsBar } from "../components/Plot";
import { Address, Amount, Empty, Facts, Failure, Field, Loaded, Pill, Short, Table } from "../components/ui";
import { percent, units } from "../lib/amount";
import { bytesToHex, utf8 } from "../lib/bytes";
import { pages, PAGE, queries } from "../lib/chain";
import { AppError } from "../lib/errors";
import { useQuery } from "../lib/hooks";
import { blobFromAny, servedModels } from "../lib/node";

/** What the page reads of a manifest. */
interface Manifest {
  name: string;
  architecture: string;
  context: number;
  parameters: number;
  attribution: string;
  sampler: string;
  files: { name: string; blob: { root: string; len: number } }[];
}

/** The manifest of a version, compared with the hash on chain. */
async function manifest(version: ModelRegistry.ModelVersionResponse): Promise<Manifest> {
  const bytes = await blobFromAny(null, version.manifest.root);
  if (bytesToHex(formats.manifestHash(bytes)) !== version.manifest_hash) throw new AppError("E-WEB-006", "manifest");
  return JSON.parse(utf8(bytes)) as Manifest;
}

function List() {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const found = useQuery("models", async () => {
    const { models } = await queries();
    const all = await pages(
      async (startAfter) => (await models.models({ startAfter: startAfter!, limit: PAGE })).models,
      (model) => model.model_id,
    );
    const newest = all.filter((model) => model.latest_version > 0);
    return Promise.all(
      newest.map(async (model) => ({
        model,
        version: await models.version({ modelId: model.model_id, version: model.latest_version }),
      })),
    );
  });
  return (
    <Loaded query={found}>
      {(all) => {
        const word = search.trim().toLowerCase();
        const matching = all.filter(({ model }) => `${model.name} ${model.description} ${model.developer}`.toLowerCase().includes(word));
        return (
          <>
            <Field label={t("data.search")}>
              {(id) => <input id={id} type="search" value={search} onChange={(event) => setSearch(event.target.value)} />}
            </Field>
            {all.length === 0 && <Empty>{t("models.none")}</Empty>}
            {all.length > 0 && matching.length === 0 && <Empty>{t("data.nothing_found", { text: search })}</Empty>}
            <div className="columns">
              {matching.map(({ model, version }) => (
                <article key={model.model_id} className="card">
                  <h2>
                    <a href={`#/models/${model.model_id}/${version.version}`}>{model.name}</a>
                  </h2>
                  <p className="soft">{model.description}</p>
                  <Facts
                    rows={[
                      [t("data.version"), version.version],
                      [t("models.developer"), <Address key="d" value={model.developer} />],
                      [
                        t("models.prices"),
                        <span key="p">
                          <Amount value={units(version.price_in)} denom={version.denom} /> ·{" "}
                          <Amount value={units(version.price_out)} denom={version.denom} />
                        </span>,
                      ],
                      [t("explore.data"), percent(version.split.data)],
                    ]}
                  />
                </article>
              ))}
            </div>
          </>
        );
      }}
    </Loaded>
  );
}

async function card(modelId: number, version: number) {
  const { models, nodes } = await queries();
  const [model, found, { nodes: all }] = await Promise.all([
    models.model({ modelId }),
    models.version({ modelId, version }),
    nodes.nodes({ limit: 30 }),
  ]);
  const serving = await Promise.all(
    all
      .filter((node) => node.roles.includes("inference") && node.endpoint)
      .map(async (node) => {
        const served = await servedModels(node.endpoint.replace(/\/$/, "")).catch(() => []);
        return served.some((s) => s.model_id === modelId && s.version === version) ? node : null;
      }),
  );
  return { model, version: found, nodes: serving.filter((node) => node !== null) };
}

function Card({ modelId, version: number }: { modelId: number; version: number }) {
  const { t } = useTranslation();
  const found = useQuery(`card ${modelId} ${number}`, () => card(modelId, number));
  const document = useQuery(`manifest ${found.data?.version.manifest_hash ?? ""}`, async () =>
    found.data ? manifest(found.data.version) : null,
  );
  return (
    <Loaded query={found}>
      {({ model, version, nodes }) => (
        <>
          <div className="title">
            <h1>
              {model.name} {version.version}
            </h1>
            <a className="button main" href={`#/ask/model/${modelId}:${version.version}`}>
              {t("models.ask")}
            </a>
          </div>
          <p className="lead">{model.description}</p>
          {version.stale && <Pill kind="bad">{t("models.stale")}</Pill>}
          {version.deprecated && <Pill kind="wait">{t("models.deprecated")}</Pill>}
          <div className="columns">
            <section className="card">
              <Facts
                rows={[
                  [t("models.developer"), <Address key="d" value={version.developer} />],
                  [
                    t("models.prices"),
                    <span key="p">
                      <Amount value={units(version.price_in)} denom={version.denom} /> ·{" "}
                      <Amount value={units(version.price_out)} denom={version.denom} />
                    </span>,
                  ],
                  [t("models.class"), version.numeric_class],
                  [t("models.registered"), version.registered_at],
                  [t("models.royalty"), percent(version.royalty_bps)],
                  [
                    t("models.parents"),
                    version.parents.length === 0
                      ? t("models.none_parent")
                      : version.parents.map((parent) => (
                          <a key={`${parent.model_id} ${parent.version}`} href={`#/models/${parent.model_id}/${parent.version}`}>
                            {parent.model_id}:{parent.version} ({parent.kind}){" "}
                          </a>
                        )),
                  ],
                ]}
              />
              <h2>{t("models.split")}</h2>
              <PartsBar
                label={t("models.split")}
                parts={[
                  { name: t("explore.data"), value: BigInt(version.split.data) },
                  { name: t("models.developer"), value: BigInt(version.split.developer) },
                  { name: t("explore.node"), value: BigInt(version.split.node) },
                  { name: "Protocol", value: BigInt(version.split.protocol) },
                ]}
                format={percent}
              />
            </section>
            <section className="card">
              <h2>{t("models.trained_on")}</h2>
              <Table
                caption={t("models.trained_on")}
                head={[t("data.title"), t("data.version"), t("data.contributions"), t("models.training")]}
              >
                {version.datanets.map((ref, at) => (
                  <tr key={ref.datanet_id}>
                    <td>
                      <a href={`#/data/${ref.datanet_id}`}>{ref.datanet_id}</a>
                    </td>
                    <td>{ref.version}</td>
                    <td>{ref.size}</td>
                    <td className="wrap">
                      {t("models.training_text", { count: version.training[at]?.count ?? 0, sum: version.training[at]?.sum ?? "0" })}
                    </td>
                  </tr>
                ))}
              </Table>
              <h3>{t("models.served_by")}</h3>
              {nodes.length === 0 ? (
                <Empty>{t("explore.none")}</Empty>
              ) : (
                <ul>
                  {nodes.map((node) => (
                    <li key={node.node_id}>
                      <a href={`#/explore/node/${node.node_id}`}>
                        {node.node_id} {node.moniker}
                      </a>
                    </li>
                  ))}
                </ul>
              )}
            </section>
          </div>
          <section className="card">
            <h2>{t("models.manifest")}</h2>
            {document.error && <Failure error={document.error} retry={document.reload} />}
            {document.data && (
              <>
                <p>
                  <Pill kind="good">{t("models.manifest_ok")}</Pill>
                </p>
                <Facts
                  rows={[
                    [t("models.parameters"), document.data.parameters.toLocaleString()],
                    [t("models.context"), document.data.context],
                    ["Architecture", document.data.architecture],
                    ["Sampler", document.data.sampler],
                    [t("ask.evidence"), document.data.attribution],
                    ["Weights root", <Short key="w" text={version.weights_root} />],
                    ["Training root", <Short key="t" text={version.training_root} />],
                  ]}
                />
                <h3>{t("models.files")}</h3>
                <Table caption={t("models.files")} head={[t("models.files"), "Bytes", "Root"]}>
                  {document.data.files.map((file) => (
                    <tr key={file.name}>
                      <td>{file.name}</td>
                      <td className="number">{file.blob.len.toLocaleString()}</td>
                      <td>
                        <Short text={file.blob.root} />
                      </td>
                    </tr>
                  ))}
                </Table>
              </>
            )}
          </section>
        </>
      )}
    </Loaded>
  );
}

/** The page. */
export default function Models({ args }: PageProps) {
  const { t } = useTranslation();
  if (args[0]) return <Card modelId={Number(args[0])} version={Number(args[1] ?? 1)} />;
  return (
    <>
      <h1>{t("models.title")}</h1>
      <p className="lead">{t("models.lead")}</p>
      <List />
    </>
  );
}
