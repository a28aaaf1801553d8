/** Ask: open a session with one signature, then chat without the wallet. */
import type { PayableEscrow } from "@openledger/client";
import { memo, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { CitedAnswer, SharesTable } from "../components/AnswerView";
import { OpenSession } from "../components/OpenSession";
import { Amount, Empty, Facts, Failure, Field, Loaded, Loading, NeedsWallet, Pill, Short, TxLink } from "../components/ui";
import { units } from "../lib/amount";
import { useApp } from "../lib/app";
import { queries } from "../lib/chain";
import { save } from "../lib/download";
import { go, useAction, useQuery } from "../lib/hooks";
import * as sessions from "../lib/session";
import { answersOf, type Answer, type Session } from "../lib/store";
import type { Account } from "../lib/wallet";

/** A finished answer; not drawn again for every word of the next one. */
const Turn = memo(function Turn({ answer, split, denom }: { answer: Answer; split: PayableEscrow.Split; denom: string }) {
  const { t } = useTranslation();
  const { receipt } = answer.bundle.receipt;
  return (
    <article className="turn" aria-label={`${t("ask.answer")} ${answer.sequence}`}>
      <CitedAnswer bundle={answer.bundle} />
      <p className="actions">
        <span>
          {t("ask.fee")} <Amount value={units(receipt.fee)} denom={denom} />
        </span>
        {answer.failed.length === 0 ? (
          <Pill kind="good">{t("ask.checked", { count: answer.held })}</Pill>
        ) : (
          <Pill kind="bad">{t("ask.failed", { names: answer.failed.join(", ") })}</Pill>
        )}
        <span>
          {t("ask.receipt")} <Short text={answer.receipt_id} head={8} tail={4} />
        </span>
        <a href={`#/verify/${answer.receipt_id}`}>{t("ask.verify")}</a>
        <button type="button" className="quiet" onClick={() => save(`${answer.receipt_id.slice(0, 16)}.json`, "application/json", JSON.stringify(answer.bundle))}>
          {t("ask.download")}
        </button>
      </p>
      <details>
        <summary>{t("ask.paid_to")}</summary>
        <SharesTable bundle={answer.bundle} split={split} denom={denom} />
      </details>
    </article>
  );
});

function Chat({ account, id }: { account: Account; id: number }) {
  const { t } = useTranslation();
  const { height } = useApp();
  const found = useQuery(`session ${id} ${height ?? ""}`, async () => {
    const local = (await sessions.mine(account)).find((session) => session.session_id === id);
    if (!local) return null;
    const { escrow } = await queries();
    const [chain, answers] = await Promise.all([escrow.session({ sessionId: id }), answersOf(local)]);
    await sessions.prepare(local, chain);
    return { local, chain, answers };
  });
  // What was found stays in sight while it is read again.
  const [shown, setShown] = useState<{ local: Session; chain: PayableEscrow.SessionResponse; answers: Answer[] }>();
  if (found.data && found.data !== shown && found.data.local.session_id === id) setShown(found.data);
  const { busy, error, run } = useAction();
  const [prompt, setPrompt] = useState("");
  const [asked, setAsked] = useState("");
  const [coming, setComing] = useState("");
  const [tokens, setTokens] = useState(64);
  const [temperature, setTemperature] = useState(0.7);
  const [step, setStep] = useState<sessions.ClosingStep>();
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (coming !== "") end.current?.scrollIntoView({ block: "nearest" });
  }, [coming]);
  if (found.error && !shown) return <Failure error={found.error} retry={found.reload} />;
  if (!shown || shown.local.session_id !== id) return found.data === null ? <Empty>{t("error.E-WEB-026")}</Empty> : <Loading />;
  const { local, chain, answers } = shown;
  const spent = units(sessions.acknowledged(local).sum);
  const cap = units(chain.nodes.find((node) => node.node_id === local.node_id)?.cap ?? "0");
  const over = height !== undefined && height > chain.expires;
  const closing = chain.close_requested_at !== null;
  const answerBy = (exchange: () => Promise<sessions.Answered>) =>
    run(async () => {
      setComing("");
      try {
        await exchange();
        setPrompt("");
      } finally {
        setComing("");
        setAsked("");
        found.reload();
      }
    });
  const send = () => {
    if (busy || prompt.trim() === "") return;
    setAsked(prompt);
    const question = { prompt, maxTokens: tokens, temperature };
    void answerBy(() => sessions.ask(id, question, (piece) => setComing((text) => text + piece)));
  };
  return (
    <section className="card">
      <div className="title">
        <h2>{t("ask.session", { id })}</h2>
        <span className="soft">
          {chain.closed
            ? t("explore.closed")
            : over
              ? t("ask.expired", { height: chain.expires })
              : t("ask.expires", { height: chain.expires, left: Math.max(0, chain.expires - (height ?? chain.opened_at)) })}
        </span>
      </div>
      <Facts
        rows={[
          [t("ask.model"), <a key="m" href={`#/models/${chain.model_id}/${chain.model_version}`}>{`${chain.model_id}:${chain.model_version}`}</a>],
          [t("ask.spent"), <Amount key="s" value={spent} denom={local.denom} />],
          [t("ask.left"), <Amount key="l" value={cap - spent} denom={local.denom} />],
          ...Object.entries(local.txs).map(([what, hash]) => [t(`ask.tx_${what}`), <TxLink key={what} hash={hash} />] as const),
        ]}
      />
      <div aria-live="polite" aria-busy={busy}>
        {answers.map((answer) => (
          <Turn key={answer.receipt_id} answer={answer} split={chain.split} denom={local.denom} />
        ))}
        {(asked !== "" || coming !== "") && (
          <div className="turn">
            <div className="answer" data-testid="stream">
              <span className="given">{asked}</span>
              {coming}
            </div>
            <p className="loading">{t("ask.answering")}</p>
          </div>
        )}
        {answers.length === 0 && asked === "" && !chain.closed && <p className="soft">{t("ask.empty")}</p>}
        <div ref={end} />
      </div>
      {error && <Failure error={error} />}
      {local.outstanding && !busy && (
        <div className="notice">
          <p>{t("ask.resume_hint")}</p>
          <button
            type="button"
            className="main"
            onClick={() => void answerBy(() => sessions.resume(id, (piece) => setComing((text) => text + piece)))}
          >
            {t("ask.resume")}
          </button>
        </div>
      )}
      {!closing && !over && !local.outstanding && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            send();
          }}
        >
          <Field label={t("ask.prompt")} hint={t("ask.prompt_hint")}>
            {(field, hint) => (
              <textarea
                id={field}
                aria-describedby={hint}
                className="mono"
                value={prompt}
                onChange={(event) => setPrompt(event.target.value)}
                onKeyDown={(event) => {
                  if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
                    event.preventDefault();
                    send();
                  }
                }}
              />
            )}
          </Field>
          <div className="row">
            <Field label={t("ask.tokens")}>
              {(field) => (
                <input
                  id={field}
                  type="number"
                  min={1}
                  max={4096}
                  value={tokens}
                  onChange={(event) => setTokens(Math.max(1, Math.floor(Number(event.target.value) || 1)))}
                />
              )}
            </Field>
            <Field label={t("ask.temperature")}>
              {(field) => (
                <input
                  id={field}
                  type="number"
                  min={0}
                  max={2}
                  step={0.1}
                  value={temperature}
                  onChange={(event) => setTemperature(Math.min(2, Math.max(0, Number(event.target.value) || 0)))}
                />
              )}
            </Field>
          </div>
          <p className="actions">
            <button type="submit" className="main" disabled={busy}>
              {busy ? t("ask.answering") : t("ask.send")}
            </button>
            <span className="soft">{t("ask.cut_off")}</span>
          </p>
        </form>
      )}
      {!chain.closed && (
        <button
          type="button"
          disabled={busy}
          onClick={() =>
            void run(async () => {
              try {
                await sessions.close(account, id, setStep);
              } finally {
                setStep(undefined);
                found.reload();
              }
            })
          }
        >
          {step ? t(`ask.closing_${step}`) : t("ask.close")}
        </button>
      )}
      {chain.closed && (
        <p>
          <Pill kind="good">{t("explore.closed")}</Pill> <Amount value={units(chain.refunded)} denom={chain.denom} />
        </p>
      )}
    </section>
  );
}

function Mine({ account, args }: { account: Account } & PageProps) {
  const { t } = useTranslation();
  const id = args[0] && args[0] !== "model" ? Number(args[0]) : undefined;
  const wanted = args[0] === "model" ? (args[1] ?? "") : "";
  const found = useQuery(`mine ${account.address} ${id ?? ""}`, () => sessions.mine(account));
  return (
    <Loaded query={found}>
      {(list) => {
        const chosen = id ?? (wanted === "" ? list[0]?.session_id : undefined);
        return (
          <>
            {list.length > 0 && (
              <nav aria-label={t("ask.sessions")} className="actions">
                {list.slice(0, 12).map(({ session_id }) => (
                  <a key={session_id} href={`#/ask/${session_id}`} aria-current={session_id === chosen ? "page" : undefined}>
                    {t("ask.session", { id: session_id })}
                  </a>
                ))}
                <a href="#/ask/model/">{t("ask.new")}</a>
              </nav>
            )}
            {chosen === undefined ? (
              <OpenSession account={account} wanted={wanted} onOpened={(opened) => go(`/ask/${opened}`)} />
            ) : (
              <Chat key={chosen} account={account} id={chosen} />
            )}
          </>
        );
      }}
    </Loaded>
  );
}

/** The page. */
export default function Ask({ args }: PageProps) {
  const { t } = useTranslation();
  const { account } = useApp();
  return (
    <>
      <h1>{t("ask.title")}</h1>
      <p className="lead">{t("ask.lead")}</p>
      {account ? <Mine account={account} args={args} /> : <NeedsWallet />}
    </>
  );
}
