/** Epochs of all nodes: what was settled, for whom, and whether it is final. */
import type { PayableEscrow } from "@openledger/client";
import { useTranslation } from "react-i18next";

import { Columns, type Column } from "../../components/Plot";
import { Amount, Empty, Loaded, Pill, Table } from "../../components/ui";
import { coinOf, decimal, units } from "../../lib/amount";
import { useApp } from "../../lib/app";
import { queries } from "../../lib/chain";
import { useQuery } from "../../lib/hooks";

/** Milliseconds between two looks. */
const PULSE = 6_000;

/** Epochs of all nodes, the newest first; at most 20 a ledger. */
export async function epochs(): Promise<PayableEscrow.EpochResponse[]> {
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

/** An epoch as a column of the plot: who received its fees. */
function columnOf(epoch: PayableEscrow.EpochResponse, t: (key: string) => string): Column {
  const [fees, data, audit] = [units(epoch.fees), units(epoch.data), units(epoch.audit)];
  return {
    name: `${epoch.commit.node_id}/${epoch.commit.epoch}`,
    parts: [
      { name: t("explore.data"), value: data },
      { name: t("explore.others"), value: fees - data - audit },
      { name: t("explore.audits_part"), value: audit },
    ],
  };
}

/** What nodes settled. */
export function Epochs() {
  const { t } = useTranslation();
  const { config } = useApp();
  const found = useQuery("epochs", epochs, PULSE);
  const base = config?.chain.stakeCurrency.coinMinimalDenom ?? "";
  const coin = config ? coinOf(config.chain, base) : { name: base, decimals: 0 };
  return (
    <section className="card">
      <h2>{t("explore.ledgers")}</h2>
      <Loaded query={found}>
        {(list) =>
          list.length === 0 ? (
            <Empty>{t("explore.none")}</Empty>
          ) : (
            <>
              <Columns
                label={t("explore.fees_plot")}
                columns={[...list].slice(0, 24).reverse().map((epoch) => columnOf(epoch, t))}
                format={(value) => `${decimal(value, coin.decimals)} ${coin.name}`}
              />
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
