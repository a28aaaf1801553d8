/** Small parts that all pages are made of. */
import { useId, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { coinOf, decimal } from "../lib/amount";
import { useApp } from "../lib/app";
import type { AppError } from "../lib/errors";
import type { Query } from "../lib/hooks";

/** An amount in the coin's own unit; the exact base units on hover and for screen readers' titles. */
export function Amount({ value, denom }: { value: bigint; denom?: string | undefined }) {
  const { config } = useApp();
  const base = denom ?? config?.chain.stakeCurrency.coinMinimalDenom ?? "";
  const coin = config ? coinOf(config.chain, base) : { name: base, decimals: 0 };
  return (
    <span className="amount" title={`${value.toString()} ${base}`}>
      {decimal(value, coin.decimals)} <span className="unit">{coin.name}</span>
    </span>
  );
}

/** A long text with its middle left out; whole on hover, and copied by a button. */
export function Short({ text, head = 14, tail = 6 }: { text: string; head?: number; tail?: number }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const short = text.length > head + tail + 1 ? `${text.slice(0, head)}…${text.slice(-tail)}` : text;
  return (
    <span className="short">
      <code title={text}>{short}</code>
      <button
        type="button"
        className="copy"
        aria-label={`${copied ? t("app.copied") : t("app.copy")}: ${short}`}
        onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
      >
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <path d={copied ? "M3 8.5l3.2 3L13 4.5" : "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z"} />
        </svg>
      </button>
    </span>
  );
}

/** An address, by a link to what it has earned. */
export function Address({ value }: { value: string }) {
  return (
    <a className="short" href={`#/earnings/${value}`} title={value}>
      <code>{`${value.slice(0, 14)}…${value.slice(-4)}`}</code>
    </a>
  );
}

/** A link to a transaction. */
export function TxLink({ hash }: { hash: string }) {
  return (
    <a href={`#/tx/${hash}`} title={hash}>
      <code>{hash.slice(0, 8)}…</code>
    </a>
  );
}

/** An error with what to do, what the other side said, and a button where another try may help. */
export function Failure({ error, retry }: { error: AppError; retry?: (() => void) | undefined }) {
  const { t } = useTranslation();
  return (
    <div className="notice bad" role="alert">
      <p>
        {t(`error.${error.code}`)} <code className="code">{error.code}</code>
      </p>
      {error.detail !== "" && <p className="detail">{error.detail}</p>}
      {retry && error.retryable && (
        <button type="button" onClick={retry}>
          {t("app.retry")}
        </button>
      )}
    </div>
  );
}

/** Something is on its way. */
export function Loading({ label }: { label?: string }) {
  const { t } = useTranslation();
  return (
    <p className="loading" role="status">
      {label ?? t("app.loading")}
    </p>
  );
}

/** There is nothing, and what to do about it. */
export function Empty({ children }: { children: ReactNode }) {
  return <div className="notice empty">{children}</div>;
}

/** The states of a query around what shows its data. */
export function Loaded<T>({ query, children }: { query: Query<T>; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error) return <Failure error={query.error} retry={query.reload} />;
  return <Loading />;
}

/** A labelled control; `children` gets the id and the hint's id. */
export function Field(props: {
  label: string;
  hint?: ReactNode;
  children: (id: string, described: string | undefined) => ReactNode;
}) {
  const id = useId();
  const hint = props.hint ? `${id}-hint` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{props.label}</label>
      {props.children(id, hint)}
      {props.hint && (
        <p className="hint" id={hint}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

/** A field for an amount of coins. */
export function AmountField(props: {
  label: string;
  hint?: ReactNode;
  value: string;
  invalid: boolean;
  onChange: (value: string) => void;
}) {
  return (
    <Field label={props.label} hint={props.hint}>
      {(id, hint) => (
        <input
          id={id}
          aria-describedby={hint}
          aria-invalid={props.invalid}
          inputMode="decimal"
          value={props.value}
          onChange={(event) => props.onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** Names and values beside each other. */
export function Facts({ rows }: { rows: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that scrolls sideways on a narrow screen, and is reachable by keyboard there. */
export function Table({ caption, head, children }: { caption: string; head: readonly string[]; children: ReactNode }) {
  return (
    // A region that scrolls has to be reachable by keyboard (WCAG 2.1.1).
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption className="hidden">{caption}</caption>
        <thead>
          <tr>
            {head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A word in a pill. */
export function Pill({ kind = "plain", children }: { kind?: "plain" | "good" | "bad" | "wait"; children: ReactNode }) {
  return <span className={`pill ${kind}`}>{children}</span>;
}

/** Asks for an account, where a step needs one. */
export function NeedsWallet() {
  const { t } = useTranslation();
  const { connect, connecting, walletError } = useApp();
  return (
    <div className="notice">
      <p>{t("wallet.needed")}</p>
      <button type="button" className="main" onClick={connect} disabled={connecting}>
        {connecting ? t("wallet.connecting") : t("wallet.connect")}
      </button>
      {walletError && <Failure error={walletError} />}
      {walletError?.code === "E-WEB-010" && (
        <p>
          <a href="https://www.keplr.app/get" target="_blank" rel="noreferrer">
            {t("wallet.get")}
          </a>
        </p>
      )}
    </div>
  );
}
