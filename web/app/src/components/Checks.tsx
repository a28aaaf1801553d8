/** What was checked, one line each. */
import { useTranslation } from "react-i18next";

import type { Check } from "../lib/check";
import { Pill } from "./ui";

/** A list of checks with what was found where one does not hold. */
export function Checks({ list }: { list: readonly Check[] }) {
  const { t } = useTranslation();
  return (
    <ul className="checks">
      {list.map((check) => (
        <li key={check.name}>
          <Pill kind={check.holds ? "good" : "bad"}>{check.holds ? t("verify.ok") : t("verify.bad")}</Pill>
          <span>
            {t(`check.${check.name}`)}
            {check.found && <span className="soft"> ({check.found})</span>}
          </span>
        </li>
      ))}
    </ul>
  );
}
