/** Earnings: what an address has earned, from which answers, and taking it. */
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Empty, Facts, Failure, Field, Loaded, NeedsWallet, Pill, TxLink } from "../components/ui";
import { Payouts } from "../components/Payouts";
import { VirtualList } from "../components/VirtualList";
import { percent } from "../lib/amount";
import { useApp } from "../lib/app";
import { canFinalize, claim, csv, earnings, finalize, history, type Earnings as Found } from "../lib/earnings";
import { save } from "../lib/download";
import { go, useAction, useQuery } from "../lib/hooks";

function Look({ address }: { address: string }) {
  const { t } = useTranslation();
  const [text, setText] = useState(address);
  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        if (text.trim() !== "") go(`/earnings/${text.trim()}`);
      }}
    >
      <h2>{t("earnings.look")}</h2>
      <Field label={t("earnings.address")}>
        {(id) => <input id={id} value={text} onChange={(event) => setText(event.target.value)} spellCheck={false} />}
      </Field>
      <button type="submit">{t("earnings.show")}</button>
    </form>
  );
}

function Sums({ found, own, reload }: { found: Found; own: boolean; reload: () => void }) {
  const { t } = useTranslation();
  const { account } = useApp();
  const { busy, error, run } = useAction();
  const [tx, setTx] = useState("");
  const due = found.ledgers.some((entry) => entry.claimable > 0n) || found.withdrawable.length > 0;
  return (
    <section className="card">
      {found.ledgers.length === 0 && <Empty>{t("earnings.none")}</Empty>}
      <div className="columns">
        {found.ledgers.map((entry) => (
          <div key={`${entry.nodeId} ${entry.denom}`}>
            <h2>
              <a href={`#/explore/node/${entry.nodeId}`}>{t("earnings.node", { id: entry.nodeId })}</a>
            </h2>
            {entry.problem && <Failure error={entry.problem} retry={reload} />}
            <Facts
              rows={[
                [t("earnings.claimable"), <strong key="c"><Amount value={entry.claimable} denom={entry.denom} /></strong>],
                [t("earnings.claimed"), <Amount key="d" value={entry.claimed} denom={entry.denom} />],
                [t("ask.answer"), t("earnings.uses", { count: entry.uses })],
                ...(entry.waiting === null || entry.waiting === 0n
                  ? []
                  : [[t("earnings.waiting"), <Amount key="w" value={entry.waiting} denom={entry.denom} />] as const]),
              ]}
            />
            {entry.pending && (
              <Pending
                text={t("earnings.final_from", {
                  epoch: entry.pending.commit.epoch,
                  height: entry.pending.final_at,
                  attested: entry.pending.attested ? t("earnings.attested") : t("earnings.unattested"),
                })}
                epoch={entry.pending}
                reload={reload}
              />
            )}
          </div>
        ))}
      </div>
      {found.withdrawable.map(({ denom, amount }) => (
        <Facts key={denom} rows={[[t("earnings.balance"), <Amount key="b" value={amount} denom={denom} />]]} />
      ))}
      {error && <Failure error={error} />}
      {tx !== "" && (
        <p className="notice good" role="status">
          {t("earnings.done")} <TxLink hash={tx} />
        </p>
      )}
      {own && account && (
        <p className="actions">
          <button
            type="button"
            className="main"
            disabled={busy || !due}
            onClick={() =>
              void run(async () => {
                setTx((await claim(account)).hash);
                reload();
              })
            }
          >
            {busy ? t("earnings.claiming") : t("earnings.claim")}
          </button>
          <span className="soft">{due ? t("earnings.payout") : t("earnings.nothing")}</span>
        </p>
      )}
    </section>
  );
}

function Pending({
  text,
  epoch,
  reload,
}: {
  text: string;
  epoch: NonNullable<Found["ledgers"][number]["pending"]>;
  reload: () => void;
}) {
  const { t } = useTranslation();
  const { account, height } = useApp();
  const { busy, error, run } = useAction();
  const ready = useQuery(`final ${epoch.hash} ${height ?? ""}`, () => canFinalize(epoch));
  return (
    <>
      <p className="soft">{text}</p>
      {error && <Failure error={error} />}
      {ready.data && account && (
        <button
          type="button"
          disabled={busy}
          onClick={() =>
            void run(async () => {
              await finalize(account, epoch.commit.node_id);
              reload();
            })
          }
        >
          {t("earnings.finalize", { epoch: epoch.commit.epoch })}
        </button>
      )}
    </>
  );
}

function History({ address }: { address: string }) {
  const { t } = useTranslation();
  const found = useQuery(`history ${address}`, () => history(address));
  return (
    <section className="card">
      <h2>{t("earnings.history")}</h2>
      <Loaded query={found}>
        {(lines) =>
          lines.length === 0 ? (
            <Empty>{t("earnings.none")}</Empty>
          ) : (
            <>
              <VirtualList
                label={t("earnings.history")}
                rows={lines}
                rowHeight={44}
                height={440}
                rowKey={(line) => `${line.node} ${line.denom} ${line.receipt} ${line.contribution}`}
              >
                {(line) => (
                  <>
                    <a className="grow" href={`#/verify/${line.receipt}`} aria-label={`${t("earnings.receipt")} ${line.receipt.slice(0, 12)}`}>
                      <code>{line.receipt.slice(0, 12)}…</code>
                    </a>
                    <a href={`#/contribution/${line.contribution}`}>
                      {t("earnings.contribution")} {line.contribution}
                    </a>
                    {line.bps !== null && <span title={t("earnings.share")}>{percent(line.bps)}</span>}
                    <Amount value={line.amount} denom={line.denom} />
                    <Pill kind={line.status === "final" ? "good" : "wait"}>{t(`status.${line.status}`)}</Pill>
                  </>
                )}
              </VirtualList>
              <p>
                <button type="button" onClick={() => save(`openledger-earnings-${address}.csv`, "text/csv", csv(lines))}>
                  {t("earnings.export")}
                </button>
              </p>
            </>
          )
        }
      </Loaded>
    </section>
  );
}

/** The page. */
export default function Earnings({ args }: PageProps) {
  const { t } = useTranslation();
  const { account, height } = useApp();
  const address = args[0] ?? account?.address ?? "";
  const found = useQuery(`earnings ${address} ${Math.floor((height ?? 0) / 10)}`, async () =>
    address === "" ? null : earnings(address),
  );
  // What was found stays in sight while it is read again.
  const [shown, setShown] = useState<{ address: string; found: Found }>();
  if (found.data && found.data !== shown?.found) setShown({ address, found: found.data });
  const current = shown?.address === address ? shown.found : undefined;
  return (
    <>
      <h1>{t("earnings.title")}</h1>
      <p className="lead">{t("earnings.lead")}</p>
      {address === "" ? (
        <NeedsWallet />
      ) : (
        <>
          <p>
            <Address value={address} />
          </p>
          {current ? (
            <Sums found={current} own={address === account?.address} reload={found.reload} />
          ) : (
            <Loaded query={found}>{() => null}</Loaded>
          )}
          <Payouts key={address} address={address} own={address === account?.address} />
          <History address={address} />
        </>
      )}
      <Look address={args[0] ?? ""} />
    </>
  );
}
