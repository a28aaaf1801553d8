/** Nodes: what they stake, what they did, what they say of themselves. */
import { useTranslation } from "react-i18next";

import { Address, Amount, Empty, Facts, Loaded, Pill, Short, Table } from "../../components/ui";
import { units } from "../../lib/amount";
import { pages, PAGE, queries } from "../../lib/chain";
import { useQuery } from "../../lib/hooks";
import { epochs } from "./Epochs";

/** Milliseconds between two looks. */
const PULSE = 6_000;

/** The table of all nodes. */
export function Nodes() {
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

/** The page of one node. */
export function NodeCard({ id }: { id: number }) {
  const { t } = useTranslation();
  const found = useQuery(`node ${id}`, async () => {
    const { nodes } = await queries();
    const [node, work, { weight }, { offers }, { cuts }, all] = await Promise.all([
      nodes.node({ nodeId: id }),
      nodes.work({ nodeId: id }),
      nodes.auditWeight({ nodeId: id }),
      nodes.offers({ nodeId: id, limit: PAGE }),
      nodes.cuts({ limit: PAGE }),
      epochs(),
    ]);
    const own = all.filter((epoch) => epoch.commit.node_id === id);
    return { node, work, weight, offers, cuts: cuts.filter((cut) => cut.node_id === id), epochs: own };
  });
  return (
    <Loaded query={found}>
      {({ node, work: { recorded, declared }, weight, offers, cuts, epochs: own }) => (
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
                [t("explore.faults"), recorded.faults],
                [t("explore.proven"), `${recorded.proven_bytes.toLocaleString()} B`],
                [t("explore.weight"), <Amount key="w" value={units(weight)} />],
                [t("explore.key"), <Short key="k" text={node.node_key} />],
              ]}
            />
          </section>
          <section className="card">
            <h2>{t("explore.declared")}</h2>
            <p className="soft">{t("explore.declared_text")}</p>
            <Facts
              rows={[
                [t("explore.served"), declared.served.toLocaleString()],
                [t("explore.refused"), declared.refused.toLocaleString()],
                [t("explore.failed"), declared.failed.toLocaleString()],
                [t("explore.tokens"), declared.tokens.toLocaleString()],
              ]}
            />
          </section>
          <section className="card">
            <h2>{t("explore.offers")}</h2>
            {offers.length === 0 ? (
              <Empty>{t("explore.none")}</Empty>
            ) : (
              <ul>
                {offers.map((offer) => (
                  <li key={`${offer.model_id}:${offer.version}`}>
                    <a href={`#/models/${offer.model_id}/${offer.version}`}>
                      {offer.model_id}:{offer.version}
                    </a>{" "}
                    {offer.price_out && <Amount value={units(offer.price_out)} />}
                  </li>
                ))}
              </ul>
            )}
            <h3>{t("explore.ledgers")}</h3>
            {own.length === 0 ? (
              <Empty>{t("explore.none")}</Empty>
            ) : (
              <ul>
                {own.map((epoch) => (
                  <li key={epoch.hash}>
                    {t("explore.epoch")} {epoch.commit.epoch}: <Amount value={units(epoch.fees)} denom={epoch.commit.denom} />{" "}
                    <Pill kind={epoch.status === "final" ? "good" : "wait"}>{t(`status.${epoch.status}`)}</Pill>{" "}
                    {epoch.void_reason}
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
                    <Amount value={units(cut.amount)} /> {cut.reason} <Pill>{t(`status.${cut.status}`)}</Pill>
                  </li>
                ))}
              </ul>
            )}
          </section>
        </>
      )}
    </Loaded>
  );
}
