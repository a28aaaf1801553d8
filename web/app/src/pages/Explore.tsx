/** Explore: sessions, epochs, nodes, audits, cuts, money between chains, and whether every coin is accounted for. */
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Audits } from "./explore/Audits";
import { Conservation } from "./explore/Conservation";
import { Epochs } from "./explore/Epochs";
import { NodeCard, Nodes } from "./explore/Nodes";
import { Sessions } from "./explore/Sessions";
import { Transit } from "./explore/Transit";

/** The page. */
export default function Explore({ args }: PageProps) {
  const { t } = useTranslation();
  if (args[0] === "node") return <NodeCard id={Number(args[1])} />;
  const audits = args[0] === "audits";
  return (
    <>
      <h1>{t("explore.title")}</h1>
      <p className="lead">{t("explore.lead")}</p>
      <nav aria-label={t("explore.title")} className="actions">
        <a href="#/explore" aria-current={audits ? undefined : "page"}>
          {t("explore.money")}
        </a>
        <a href="#/explore/audits" aria-current={audits ? "page" : undefined}>
          {t("explore.audits")}
        </a>
      </nav>
      {audits ? (
        <Audits />
      ) : (
        <>
          <Conservation />
          <Epochs />
          <Sessions />
          <Nodes />
          <Transit />
        </>
      )}
    </>
  );
}
