/** Sessions, the newest first. */
import { useTranslation } from "react-i18next";

import { Address, Amount, Empty, Loaded, Pill, Table } from "../../components/ui";
import { units } from "../../lib/amount";
import { pages, PAGE, queries } from "../../lib/chain";
import { useQuery } from "../../lib/hooks";

/** Milliseconds between two looks. */
const PULSE = 6_000;

/** The table. */
export function Sessions() {
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
