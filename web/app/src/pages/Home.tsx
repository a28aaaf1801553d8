/** The first page: what this is, and the network now. */
import { useTranslation } from "react-i18next";

import { Amount, Facts, Failure, Pill } from "../components/ui";
import { units } from "../lib/amount";
import { pages, PAGE, queries } from "../lib/chain";
import { useQuery } from "../lib/hooks";

async function network() {
  const { datanet, models, escrow } = await queries();
  const [datanets, registered, sessions, invariants] = await Promise.all([
    pages(async (startAfter) => (await datanet.datanets({ startAfter: startAfter!, limit: PAGE })).datanets, (d) => d.datanet_id),
    pages(async (startAfter) => (await models.models({ startAfter: startAfter!, limit: PAGE })).models, (m) => m.model_id),
    pages(async (startAfter) => (await escrow.sessions({ startAfter: startAfter!, limit: PAGE })).sessions, (s) => s.session_id),
    escrow.invariants(),
  ]);
  return {
    datanets: datanets.length,
    contributions: datanets.reduce((sum, d) => sum + d.contributions, 0),
    models: registered.length,
    sessions: sessions.length,
    paid: sessions.reduce((sum, s) => sum + units(s.data_part), 0n),
    denom: sessions[0]?.denom,
    holds: invariants.holds,
  };
}

/** The page. */
export function Home() {
  const { t } = useTranslation();
  const now = useQuery("network", network, 10_000);
  return (
    <>
      <section className="hero">
        <h1>{t("home.title")}</h1>
        <p className="lead">{t("home.lead")}</p>
        <p className="actions">
          <a className="button main" href="#/ask">
            {t("home.ask")}
          </a>
          <a className="button" href="#/data">
            {t("home.contribute")}
          </a>
          <a className="button" href="#/verify">
            {t("home.verify")}
          </a>
        </p>
      </section>
      <div className="columns">
        <section className="card">
          <h2>{t("home.how")}</h2>
          <ol className="steps">
            <li>{t("home.how_1")}</li>
            <li>{t("home.how_2")}</li>
            <li>{t("home.how_3")}</li>
          </ol>
        </section>
        <section className="card" aria-busy={now.loading}>
          <h2>{t("home.now")}</h2>
          {now.error && !now.data && <Failure error={now.error} retry={now.reload} />}
          <Facts
            rows={[
              [t("home.datanets"), now.data?.datanets ?? "…"],
              [t("home.contributions"), now.data?.contributions ?? "…"],
              [t("home.models"), now.data?.models ?? "…"],
              [t("home.sessions"), now.data?.sessions ?? "…"],
              [t("home.paid"), now.data ? <Amount value={now.data.paid} denom={now.data.denom} /> : "…"],
              [
                t("home.balance"),
                now.data ? (
                  <Pill kind={now.data.holds ? "good" : "bad"}>{now.data.holds ? t("app.holds") : t("app.broken")}</Pill>
                ) : (
                  "…"
                ),
              ],
            ]}
          />
        </section>
      </div>
    </>
  );
}
