/** Explore: sessions, epochs, nodes, audits, cuts, and whether every coin is accounted for. */
import type { PayableEscrow } from "@openledger/client";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { PartsBar } from "../components/Plot";
import { Address, Amount, Empty, Facts, Loaded, Pill, Short, Table } from "../components/ui";
import { coinOf, decimal, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { pages, PAGE, queries } from "../lib/chain";
import { useQuery } from "../lib/hooks";

/** Milliseconds between two looks. */
const PULSE = 6_000;

async function invariants() {
  const { escrow, datanet, nodes, referee } = await queries();
  const [a, b, c, d] = await Promise.all([escrow.invariants(), datanet.invariants(), nodes.invariants(), referee.invariants()]);
  return [
    { name: "payable-escrow", found: a },
    { name: "datanet", found: b },
    { name: "node-registry", found: c },
    { name: "referee", found: d },
  ];
}

function Conservation() {
  const { t } = useTranslation();
  const found = useQuery("invariants", invariants, PULSE);
  return (
    <section className="card">
      <h2>{t("explore.conservation")}</h2>
      <p className="soft">{t("explore.conservation_text")}</p>
      <Loaded query={found}>
        {(contracts) => (
          <Table caption={t("explore.conservation")} head={[t("explore.contract"), t("explore.balance"), t("explore.owes"), t("explore.state")]}>
            {contracts.flatMap(({ name, found: { denoms, holds } }) =>
              denoms.length === 0
                ? [
                    <tr key={name}>
                      <td>{name}</td>
                      <td>
                        <Amount value={0n} />
                      </td>
                      <td />
                      <td>
                        <Pill kind={holds ? "good" : "bad"}>{holds ? t("explore.holds") : t("explore.broken")}</Pill>
                      </td>
                    </tr>,
                  ]
                : denoms.map((entry) => (
                    <tr key={`${name} ${entry.denom}`}>
                      <td>{name}</td>
                      <td>
                        <Amount value={units(entry.balance)} denom={entry.denom} />
                      </td>
                      <td className="wrap">
                        {entry.terms
                          .filter((term) => term.amount !== "0")
                          .map((term) => (
                            <span key={term.name}>
                              {term.name} <Amount value={units(term.amount)} denom={entry.denom} />{" "}
                            </span>
                          ))}
                      </td>
                      <td>
                        <Pill kind={entry.holds ? "good" : "bad"}>{entry.holds ? t("explore.holds") : t("explore.broken")}</Pill>
                      </td>
                    </tr>
                  )),
            )}
          </Table>
        )}
      </Loaded>
    </section>
  );
}

/** Epochs of all nodes, the newest first; at most 20 a ledger. */
async function epochs(): Promise<PayableEscrow.EpochResponse[]> {
  const { escrow, nodes } = await queries();
  const [{ nodes: all }, { params }] = await Promise.all([nodes.nodes({ limit: 30 }), escrow.config()]);
  const found: PayableEscrow.EpochResponse[] = [];
  for (const { node_id: nodeId } of all) {
    for (const { denom } of params.denoms) {
      const { epoch: newest } = await escrow.ledger({ nodeId, denom });
      for (let epoch = newest; epoch >= 1 && epoch > newest - 20; epoch -= 1) {
        found.push(await escrow.epoch({ nodeId, denom, epoch }));
      }
    }
  }
  return found.sort((a, b) => b.posted_at - a.posted_at);
}

const STATUS: Record<PayableEscrow.RootStatus, "good" | "bad" | "wait" | "plain"> = {
  final: "good",
  pending: "wait",
  void: "bad",
  replaced: "plain",
  abandoned: "bad",
};

function Epochs() {
  const { t } = useTranslation();
  const { config } = useApp();
  const found = useQuery("epochs", epochs, PULSE);
  return (
    <section className="card">
      <h2>{t("explore.ledgers")}</h2>
      <Loaded query={found}>
        {(list) =>
          list.length === 0 ? (
            <Empty>{t("explore.none")}</Empty>
          ) : (
            <>
              {list.slice(0, 5).map((epoch) => {
                const { denom } = epoch.commit;
                const coin = config ? coinOf(config.chain, denom) : { name: denom, decimals: 0 };
                const [fees, data, audit] = [units(epoch.fees), units(epoch.data), units(epoch.audit)];
                return (
                  <div key={epoch.hash}>
                    <p className="soft">
                      {t("explore.node")} {epoch.commit.node_id} · {t("explore.epoch")} {epoch.commit.epoch}
                    </p>
                    <PartsBar
                      label={t("explore.fees_plot")}
                      parts={[
                        { name: t("explore.data"), value: data },
                        { name: `${t("explore.node")} + ${t("models.developer")} + Protocol`, value: fees - data - audit },
                        { name: t("explore.audits"), value: audit },
                      ]}
                      format={(value) => `${decimal(value, coin.decimals)} ${coin.name}`}
                    />
                  </div>
                );
              })}
              <Table
                caption={t("explore.ledgers")}
                head={[t("explore.node"), t("explore.epoch"), t("explore.fees"), t("explore.data"), t("explore.status"), t("explore.attested"), t("tx.height")]}
              >
                {list.map((epoch) => (
                  <tr key={epoch.hash}>
                    <td>
                      <a href={`#/explore/node/${epoch.commit.node_id}`}>{epoch.commit.node_id}</a>
                    </td>
                    <td>{epoch.commit.epoch}</td>
                    <td className="number">
                      <Amount value={units(epoch.fees)} denom={epoch.commit.denom} />
                    </td>
                    <td className="number">
                      <Amount value={units(epoch.data)} denom={epoch.commit.denom} />
                    </td>
                    <td>
                      <Pill kind={STATUS[epoch.status]}>{t(`status.${epoch.status}`)}</Pill> {epoch.void_reason}
                    </td>
                    <td>{epoch.attested ? t("app.yes") : t("app.no")}</td>
                    <td>{epoch.posted_at}</td>
                  </tr>
                ))}
              </Table>
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function Sessions() {
  const { t } = useTranslation();
  const found = useQuery(
    "sessions",
    async () => {
      const { escrow } = await queries();
      const all = await pages(
        async (startAfter) => (await escrow.sessions({ startAfter: startAfter!, limit: PAGE })).sessions,
        (session) => session.session_id,
      );
      return all.reverse();
    },
    PULSE,
  );
  return (
    <section className="card">
      <h2>{t("explore.sessions")}</h2>
      <Loaded query={found}>
        {(all) =>
          all.length === 0 ? (
            <Empty>{t("explore.none")}</Empty>
          ) : (
            <Table
              caption={t("explore.sessions")}
              head={["#", t("explore.owner"), t("explore.model"), t("explore.deposit"), t("explore.settled"), t("explore.data"), t("explore.state")]}
            >
              {all.slice(0, 100).map((session) => {
                const settled = session.nodes.reduce((sum, node) => sum + units(node.settled), 0n);
                const state = session.closed ? "closed" : session.close_requested_at !== null ? "closing" : "open";
                return (
                  <tr key={session.session_id}>
                    <td>{session.session_id}</td>
                    <td>
                      <Address value={session.owner} />
                    </td>
                    <td>
                      <a href={`#/models/${session.model_id}/${session.model_version}`}>
                        {session.model_id}:{session.model_version}
                      </a>
                    </td>
                    <td className="number">
                      <Amount value={units(session.deposit)} denom={session.denom} />
                    </td>
                    <td className="number">
                      <Amount value={settled} denom={session.denom} />
                    </td>
                    <td className="number">
                      <Amount value={units(session.data_part)} denom={session.denom} />
                    </td>
                    <td>
                      <Pill kind={state === "open" ? "good" : state === "closing" ? "wait" : "plain"}>{t(`explore.${state}`)}</Pill>
                    </td>
                  </tr>
                );
              })}
            </Table>
          )
        }
      </Loaded>
    </section>
  );
}

function Nodes() {
  const { t } = useTranslation();
  const found = useQuery(
    "nodes",
    async () => {
      const { nodes } = await queries();
      const all = await pages(
        async (startAfter) => (await nodes.nodes({ startAfter: startAfter!, limit: PAGE })).nodes,
        (node) => node.node_id,
      );
      return Promise.all(all.map(async (node) => ({ node, work: await nodes.work({ nodeId: node.node_id }) })));
    },
    PULSE,
  );
  return (
    <section className="card">
      <h2>{t("explore.nodes")}</h2>
      <Loaded query={found}>
        {(all) =>
          all.length === 0 ? (
            <Empty>{t("explore.none")}</Empty>
          ) : (
            <Table
              caption={t("explore.nodes")}
              head={["#", t("explore.moniker"), t("explore.roles"), t("explore.bond"), t("explore.answers"), t("explore.fees"), t("explore.state")]}
            >
              {all.map(({ node, work }) => (
                <tr key={node.node_id}>
                  <td>
                    <a href={`#/explore/node/${node.node_id}`}>{node.node_id}</a>
                  </td>
                  <td>{node.moniker}</td>
                  <td>{node.roles.join(", ")}</td>
                  <td className="number">
                    <Amount value={units(node.bond)} />
                  </td>
                  <td className="number">{work.recorded.answers}</td>
                  <td className="number">
                    <Amount value={units(work.recorded.fees)} />
                  </td>
                  <td>
                    <Pill kind={node.status === "bonded" ? "good" : "wait"}>{t(`status.${node.status}`)}</Pill>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </section>
  );
}

function Disputes() {
  const { t } = useTranslation();
  const found = useQuery(
    "disputes",
    async () => {
      const { nodes, referee } = await queries();
      const [{ cuts }, { cases }, { demands }] = await Promise.all([
        nodes.cuts({ limit: PAGE }),
        referee.cases({ limit: PAGE }),
        referee.demands({ limit: PAGE }),
      ]);
      return { cuts, cases, demands };
    },
    PULSE,
  );
  return (
    <section className="card">
      <h2>{t("explore.audits")}</h2>
      <Loaded query={found}>
        {({ cuts, cases, demands }) => (
          <>
            {cases.length === 0 ? (
              <Empty>{t("explore.no_cases")}</Empty>
            ) : (
              <ul>
                {cases.map((entry) => (
                  <li key={entry.case_id}>
                    {entry.case_id}: {entry.reason} <Address value={entry.challenger} />
                  </li>
                ))}
              </ul>
            )}
            <h3>{t("explore.cuts")}</h3>
            {cuts.length === 0 ? (
              <Empty>{t("explore.no_cuts")}</Empty>
            ) : (
              <ul>
                {cuts.map((cut) => (
                  <li key={cut.cut_id}>
                    {t("explore.node")} {cut.node_id}: <Amount value={units(cut.amount)} /> {cut.reason}{" "}
                    <Pill kind={cut.status === "done" ? "bad" : "wait"}>{t(`status.${cut.status}`)}</Pill>
                  </li>
                ))}
              </ul>
            )}
            <h3>{t("explore.demands")}</h3>
            {demands.length === 0 ? (
              <Empty>{t("explore.none")}</Empty>
            ) : (
              <ul>
                {demands.map((demand) => (
                  <li key={demand.demand_id}>
                    {t("explore.node")} {demand.node_id}, {t("explore.epoch")} {demand.epoch}: {demand.status}
                  </li>
                ))}
              </ul>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}

function NodeCard({ id }: { id: number }) {
  const { t } = useTranslation();
  const found = useQuery(`node ${id}`, async () => {
    const { nodes } = await queries();
    const [node, work] = await Promise.all([nodes.node({ nodeId: id }), nodes.work({ nodeId: id })]);
    return { node, work };
  });
  return (
    <Loaded query={found}>
      {({ node, work: { recorded } }) => (
        <>
          <h1>
            {t("explore.node")} {id} · {node.moniker}
          </h1>
          <section className="card">
            <Facts
              rows={[
                [t("explore.owner"), <Address key="o" value={node.operator} />],
                ["URL", <code key="u">{node.endpoint}</code>],
                [t("explore.roles"), node.roles.join(", ")],
                [t("explore.bond"), <Amount key="b" value={units(node.bond)} />],
                [t("explore.state"), t(`status.${node.status}`)],
                ...(node.jailed_until ? [["", t("explore.jailed", { height: node.jailed_until })] as const] : []),
                [t("explore.answers"), recorded.answers],
                [t("explore.fees"), <Amount key="f" value={units(recorded.fees)} />],
                [t("explore.ledgers"), recorded.epochs],
                [t("explore.audits"), t("explore.audits_text", { audits: recorded.audits, misses: recorded.misses })],
                ["Key", <Short key="k" text={node.node_key} />],
              ]}
            />
          </section>
        </>
      )}
    </Loaded>
  );
}

/** The page. */
export default function Explore({ args }: PageProps) {
  const { t } = useTranslation();
  if (args[0] === "node") return <NodeCard id={Number(args[1])} />;
  return (
    <>
      <h1>{t("explore.title")}</h1>
      <p className="lead">{t("explore.lead")}</p>
      <Conservation />
      <Epochs />
      <Sessions />
      <Nodes />
      <Disputes />
    </>
  );
}
