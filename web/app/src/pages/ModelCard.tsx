/** The card of a model version: lineage, training receipt and loss curve, split, nodes, files. */
import { formats, type ModelRegistry } from "@openledger/client";
import { useTranslation } from "react-i18next";

import { Curve, PartsBar } from "../components/Plot";
import { OwnVersion } from "../components/OwnVersion";
import { Address, Amount, Empty, Facts, Failure, Loaded, Pill, Short, Table } from "../components/ui";
import { percent, units } from "../lib/amount";
import { bytesToHex, utf8 } from "../lib/bytes";
import { queries } from "../lib/chain";
import { AppError } from "../lib/errors";
import { useQuery } from "../lib/hooks";
import { blobFromAny, servedModels } from "../lib/node";
import type { Manifest, TrainingReceipt } from "../lib/register";

/** The manifest of a version, compared with the hash on chain. */
async function manifest(version: ModelRegistry.ModelVersionResponse): Promise<Manifest> {
  const bytes = await blobFromAny(null, version.manifest.root);
  if (bytesToHex(formats.manifestHash(bytes)) !== version.manifest_hash) throw new AppError("E-WEB-006", "manifest");
  return JSON.parse(utf8(bytes)) as Manifest;
}

/** A file of the manifest as text, compared with its root; null when the manifest names no such file. */
async function fileText(found: Manifest, name: string): Promise<string | null> {
  const file = found.files.find((entry) => entry.name === name);
  return file ? utf8(await blobFromAny(null, file.blob.root)) : null;
}

/** What a training left: the receipt, and the loss of each step where it was published. */
async function training(found: Manifest): Promise<{ receipt: TrainingReceipt | null; curve: [number, number][] }> {
  const [receipt, csv] = await Promise.all([fileText(found, "training_receipt.json"), fileText(found, "loss_curve.csv")]);
  const rows = (csv ?? "").split("\n").slice(1).map((line) => line.split(",").map(Number));
  const curve = rows.flatMap(([step, loss]): [number, number][] =>
    step !== undefined && loss !== undefined && Number.isFinite(loss) ? [[step, loss]] : [],
  );
  return { receipt: receipt === null ? null : (JSON.parse(receipt) as TrainingReceipt), curve };
}

function Training({ document }: { document: Manifest }) {
  const { t } = useTranslation();
  const found = useQuery(`training ${document.training_root}`, () => training(document));
  return (
    <section className="card">
      <h2>{t("models.training")}</h2>
      <Loaded query={found}>
        {({ receipt, curve }) => (
          <>
            {receipt && (
              <Facts
                rows={[
                  [t("models.documents"), receipt.documents.toLocaleString()],
                  [t("models.steps"), receipt.steps.toLocaleString()],
                  [t("models.seconds"), Math.round(receipt.seconds).toLocaleString()],
                  [t("models.loss"), `${receipt.loss_first.toFixed(2)} → ${receipt.loss_last.toFixed(2)}`],
                ]}
              />
            )}
            {curve.length > 1 ? (
              <Curve label={t("models.curve")} x={t("models.steps")} points={curve} />
            ) : (
              <p className="soft">{t("models.no_curve")}</p>
            )}
          </>
        )}
      </Loaded>
    </section>
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

/** The page of one version. */
export function Card({ modelId, version: number }: { modelId: number; version: number }) {
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
                  ...version.royalties.map(
                    ({ recipient, bps }) =>
                      [
                        t("models.owes"),
                        <span key={recipient}>
                          <Address value={recipient} /> {percent(bps)}
                        </span>,
                      ] as const,
                  ),
                  ...(version.next_price
                    ? [
                        [
                          t("models.next_price", { height: version.next_price.from }),
                          <span key="n">
                            <Amount value={units(version.next_price.price_in)} denom={version.denom} /> ·{" "}
                            <Amount value={units(version.next_price.price_out)} denom={version.denom} />
                          </span>,
                        ] as const,
                      ]
                    : []),
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
                  { name: t("explore.protocol"), value: BigInt(version.split.protocol) },
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
          <OwnVersion version={version} reload={found.reload} />
          {document.data && <Training document={document.data} />}
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

