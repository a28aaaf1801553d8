/** Head, menu and foot around every page. */
import { useEffect, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { LANGUAGES, speak, type Language } from "../i18n";
import { balance } from "../lib/chain";
import { useApp } from "../lib/app";
import { useQuery } from "../lib/hooks";
import { Amount, Failure } from "./ui";

const PAGES = ["ask", "verify", "earnings", "data", "models", "explore"] as const;
const THEMES = ["auto", "light", "dark"] as const;
const THEME_KEY = "openledger.theme";

function Wallet() {
  const { t } = useTranslation();
  const { account, connect, connecting, disconnect, config, height } = useApp();
  const denom = config?.chain.stakeCurrency.coinMinimalDenom ?? "";
  const held = useQuery(`balance ${account?.address ?? ""} ${height ?? ""}`, async () =>
    account && denom ? balance(account.address, denom) : null,
  );
  const [last, setLast] = useState<bigint>();
  if (held.data !== undefined && held.data !== null && held.data !== last) setLast(held.data);
  if (!account) {
    return (
      <button type="button" className="main" onClick={connect} disabled={connecting}>
        {connecting ? t("wallet.connecting") : t("wallet.connect")}
      </button>
    );
  }
  return (
    <div className="account">
      <a href={`#/earnings/${account.address}`} title={account.address}>
        <span className="hidden">{t("wallet.connected", { name: account.name })} </span>
        <code>{`${account.address.slice(0, 12)}…${account.address.slice(-4)}`}</code>
      </a>
      {last !== undefined && <Amount value={last} denom={denom} />}
      <button type="button" className="quiet" onClick={disconnect}>
        {t("wallet.disconnect")}
      </button>
    </div>
  );
}

function Preferences() {
  const { t, i18n } = useTranslation();
  const [theme, setTheme] = useState(localStorage.getItem(THEME_KEY) ?? "auto");
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    localStorage.setItem(THEME_KEY, theme);
  }, [theme]);
  return (
    <div className="preferences">
      <label>
        {t("app.language")}{" "}
        <select value={i18n.language} onChange={(event) => void speak(event.target.value as Language)}>
          {Object.entries(LANGUAGES).map(([code, name]) => (
            <option key={code} value={code} lang={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        {t("app.theme")}{" "}
        <select value={theme} onChange={(event) => setTheme(event.target.value)}>
          {THEMES.map((name) => (
            <option key={name} value={name}>
              {t(`app.theme_${name}`)}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

/** The frame. */
export function Layout({ page, children }: { page: string; children: ReactNode }) {
  const { t } = useTranslation();
  const { config, configError, height, walletError } = useApp();
  return (
    <>
      <a className="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        document.getElementById("main")?.focus();
      }}>
        {t("app.skip")}
      </a>
      <header>
        <a className="brand" href="#/">
          <img src="./icon.svg" alt="" width="28" height="28" /> {t("app.name")}
        </a>
        <nav aria-label={t("app.menu")}>
          {PAGES.map((name) => (
            <a key={name} href={`#/${name}`} aria-current={name === page ? "page" : undefined}>
              {t(`nav.${name}`)}
            </a>
          ))}
        </nav>
        <Wallet />
      </header>
      <main id="main" tabIndex={-1}>
        {configError && <Failure error={configError} />}
        {walletError && <Failure error={walletError} />}
        {children}
      </main>
      <footer>
        <p>
          {config && (
            <span>
              {config.chain.chainName} · <code>{config.chain.chainId}</code>
            </span>
          )}{" "}
          {height !== undefined && <span>· {t("app.height", { height })}</span>}
        </p>
        <p>{t("app.footer")}</p>
        <Preferences />
      </footer>
    </>
  );
}
