/** The conservation invariant of every contract that holds coins, live. */
import { useTranslation } from "react-i18next";

import { Amount, Loaded, Pill, Table } from "../../components/ui";
import { units } from "../../lib/amount";
import { gateway, queries } from "../../lib/chain";
import { config } from "../../lib/config";
import { useQuery } from "../../lib/hooks";

/** Milliseconds between two looks. */
const PULSE = 6_000;

/** The conservation equation of every contract that holds coins. */
async function invariants() {
  const { escrow, datanet, nodes, referee } = await queries();
  const { contracts } = await config();
  const asked = [
    { name: "payable-escrow", asked: escrow.invariants() },
    { name: "datanet", asked: datanet.invariants() },
    { name: "node-registry", asked: nodes.invariants() },
    { name: "referee", asked: referee.invariants() },
    ...(contracts.ibc_gateway ? [{ name: "ibc-gateway", asked: (await gateway()).invariants() }] : []),
  ];
  return Promise.all(asked.map(async ({ name, asked: found }) => ({ name, found: await found })));
}

/** Whether every coin is accounted for, term by term. */
export function Conservation() {
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
                        <Pill kind={holds ? "good" : "bad"}>{holds ? t("app.holds") : t("app.broken")}</Pill>
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
                        <Pill kind={entry.holds ? "good" : "bad"}>{entry.holds ? t("app.holds") : t("app.broken")}</Pill>
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
