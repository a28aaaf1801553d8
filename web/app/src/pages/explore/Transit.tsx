/** Money between chains: routes and payouts of all accounts. */
import { useTranslation } from "react-i18next";

import { Address, Amount, Empty, Loaded, Pill, Short, Table } from "../../components/ui";
import { units } from "../../lib/amount";
import { gateway, pages, PAGE } from "../../lib/chain";
import { config } from "../../lib/config";
import { useQuery } from "../../lib/hooks";
import { labelOf, routes } from "../../lib/payout";

/** Milliseconds between two looks. */
const PULSE = 6_000;

async function transit() {
  if (!(await config()).contracts.ibc_gateway) return null;
  const client = await gateway();
  const [known, list] = await Promise.all([
    routes(),
    pages(
      async (startAfter) => (await client.payouts({ startAfter: startAfter!, limit: PAGE })).payouts,
      (payout) => payout.payout_id,
    ),
  ]);
  return { routes: known, payouts: list.reverse() };
}

/** The section; nothing where the deployment has no gateway. */
export function Transit() {
  const { t } = useTranslation();
  const found = useQuery("transit", transit, PULSE);
  if (found.data === null) return null;
  return (
    <section className="card">
      <h2>{t("explore.transit")}</h2>
      <Loaded query={found}>
        {(data) => (
          <>
            {!data || data.routes.length === 0 ? (
              <Empty>{t("payouts.no_routes")}</Empty>
            ) : (
              <ul>
                {data.routes.map((route) => (
                  <li key={route.name}>
                    {route.name} · {route.channel_id}{" "}
                    <Pill kind={route.enabled ? "good" : "wait"}>{route.enabled ? t("explore.open") : t("explore.closed")}</Pill>
                  </li>
                ))}
              </ul>
            )}
            {data && data.payouts.length > 0 && (
              <Table
                caption={t("payouts.title")}
                head={["#", t("explore.owner"), t("ask.amount"), t("payouts.address"), t("payouts.packet"), t("explore.state")]}
              >
                {data.payouts.slice(0, 100).map((payout) => (
                  <tr key={payout.payout_id}>
                    <td>{payout.payout_id}</td>
                    <td>
                      <Address value={payout.account} />
                    </td>
                    <td className="number">
                      <Amount value={units(payout.amount.amount)} denom={payout.amount.denom} />
                    </td>
                    <td>
                      <Short text={payout.remote_addr} />
                    </td>
                    <td>
                      {payout.channel_id} {payout.sequence ?? "–"}
                    </td>
                    <td>
                      <Pill kind={payout.state === "settled" ? "good" : "wait"}>{t(`payouts.${labelOf(payout)}`)}</Pill>
                    </td>
                  </tr>
                ))}
              </Table>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
