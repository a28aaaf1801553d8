/** Models: browse by domain, price, node and work record; the card of one version; registering one's own. */
import type { Datanet, ModelRegistry, NodeRegistry } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Empty, Facts, Field, Loaded } from "../components/ui";
import { percent, units } from "../lib/amount";
import { pages, PAGE, queries } from "../lib/chain";
import { useQuery } from "../lib/hooks";
import { servedModels, type ServedModel } from "../lib/node";
import { Card } from "./ModelCard";
import { Register } from "./Register";

/** A model with what people choose it by. */
interface Entry {
  model: ModelRegistry.ModelResponse;
  version: ModelRegistry.ModelVersionResponse;
  /** Names of the datanets that it rests on: its domain. */
  domains: string[];
  /** Nodes that serve it now. */
  nodes: NodeRegistry.NodeResponse[];
  /** Answers of those nodes under final roots. */
  answers: number;
}

const ORDERS = ["newest", "price", "work"] as const;
type Order = (typeof ORDERS)[number];

/** Compares two models by an order. */
export function compare(order: Order, a: Entry, b: Entry): number {
  if (order === "price") {
    const [x, y] = [units(a.version.price_out), units(b.version.price_out)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
  return order === "work" ? b.answers - a.answers : b.model.model_id - a.model.model_id;
}

async function entries(): Promise<Entry[]> {
  const { datanet, models, nodes } = await queries();
  const [all, registry] = await Promise.all([
    pages(
      async (startAfter) => (await models.models({ startAfter: startAfter!, limit: PAGE })).models,
      (model) => model.model_id,
    ),
    nodes.nodes({ limit: PAGE }),
  ]);
  const serving = registry.nodes.filter((node) => node.roles.includes("inference") && node.endpoint !== "");
  // A node that does not answer serves nothing.
  const served = await Promise.all(
    serving.map(async (node) => ({
      node,
      ready: await servedModels(node.endpoint.replace(/\/$/, "")).catch((): ServedModel[] => []),
    })),
  );
  const names = new Map<number, Promise<Datanet.DatanetResponse>>();
  const nameOf = (datanetId: number) => {
    const known = names.get(datanetId) ?? datanet.datanet({ datanetId });
    names.set(datanetId, known);
    return known;
  };
  const works = new Map<number, Promise<number>>();
  const workOf = (nodeId: number) => {
    const known = works.get(nodeId) ?? nodes.work({ nodeId }).then(({ recorded }) => recorded.answers);
    works.set(nodeId, known);
    return known;
  };
  return Promise.all(
    all
      .filter((model) => model.latest_version > 0)
      .map(async (model): Promise<Entry> => {
        const where = { modelId: model.model_id, version: model.latest_version };
        const version = await models.version(where);
        const offering = served
          .filter(({ ready }) => ready.some((s) => s.model_id === where.modelId && s.version === where.version))
          .map(({ node }) => node);
        const domains = await Promise.all(version.datanets.map(async (ref) => (await nameOf(ref.datanet_id)).name));
        const counts = await Promise.all(offering.map((node) => workOf(node.node_id)));
        return { model, version, domains, nodes: offering, answers: counts.reduce((sum, count) => sum + count, 0) };
      }),
  );
}

function List() {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const [domain, setDomain] = useState("");
  const [node, setNode] = useState("");
  const [order, setOrder] = useState<Order>("newest");
  const found = useQuery("models", entries);
  return (
    <Loaded query={found}>
      {(all) => {
        const word = search.trim().toLowerCase();
        const matching = all
          .filter(({ model }) => `${model.name} ${model.description} ${model.developer}`.toLowerCase().includes(word))
          .filter(({ domains }) => domain === "" || domains.includes(domain))
          .filter(({ nodes }) => node === "" || nodes.some(({ node_id }) => `${node_id}` === node))
          .sort((a, b) => compare(order, a, b));
        const domains = [...new Set(all.flatMap((entry) => entry.domains))].sort();
        const nodes = new Map(all.flatMap((entry) => entry.nodes).map(({ node_id, moniker }) => [node_id, moniker]));
        return (
          <>
            <div className="row">
              <Field label={t("data.search")}>
                {(id) => <input id={id} type="search" value={search} onChange={(event) => setSearch(event.target.value)} />}
              </Field>
              <Field label={t("models.domain")}>
                {(id) => (
                  <select id={id} value={domain} onChange={(event) => setDomain(event.target.value)}>
                    <option value="">{t("models.all")}</option>
                    {domains.map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label={t("explore.node")}>
                {(id) => (
                  <select id={id} value={node} onChange={(event) => setNode(event.target.value)}>
                    <option value="">{t("models.all")}</option>
                    {[...nodes].map(([number, moniker]) => (
                      <option key={number} value={number}>
                        {number} {moniker}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label={t("models.order")}>
                {(id) => (
                  <select id={id} value={order} onChange={(event) => setOrder(event.target.value as Order)}>
                    {ORDERS.map((name) => (
                      <option key={name} value={name}>
                        {t(`models.order_${name}`)}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            </div>
            {all.length === 0 && <Empty>{t("models.none")}</Empty>}
            {all.length > 0 && matching.length === 0 && <Empty>{t("data.nothing_found", { text: search })}</Empty>}
            <div className="columns">
              {matching.map((entry) => (
                <Tile key={entry.model.model_id} entry={entry} />
              ))}
            </div>
          </>
        );
      }}
    </Loaded>
  );
}

function Tile({ entry: { model, version, domains, nodes, answers } }: { entry: Entry }) {
  const { t } = useTranslation();
  return (
    <article className="card">
      <h2>
        <a href={`#/models/${model.model_id}/${version.version}`}>{model.name}</a>
      </h2>
      <p className="soft">{model.description}</p>
      <Facts
        rows={[
          [t("data.version"), version.version],
          [t("models.domain"), domains.join(", ")],
          [t("models.developer"), <Address key="d" value={model.developer} />],
          [
            t("models.prices"),
            <span key="p">
              <Amount value={units(version.price_in)} denom={version.denom} /> ·{" "}
              <Amount value={units(version.price_out)} denom={version.denom} />
            </span>,
          ],
          [t("explore.data"), percent(version.split.data)],
          [t("models.served_by"), nodes.map(({ node_id, moniker }) => `${node_id} ${moniker}`).join(", ") || "–"],
          [t("models.work"), answers.toLocaleString()],
        ]}
      />
    </article>
  );
}

/** The page. */
export default function Models({ args }: PageProps) {
  const { t } = useTranslation();
  if (args[0] === "register") return <Register />;
  if (args[0]) return <Card modelId={Number(args[0])} version={Number(args[1] ?? 1)} />;
  return (
    <>
      <div className="title">
        <h1>{t("models.title")}</h1>
        <a className="button" href="#/models/register">
          {t("models.register")}
        </a>
      </div>
      <p className="lead">{t("models.lead")}</p>
      <List />
    </>
  );
}
