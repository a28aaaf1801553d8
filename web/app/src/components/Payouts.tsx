/** Where an address's earnings go, what became of each payout, and what can be done about it. */
import type { IbcGateway } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { units } from "../lib/amount";
import { useApp } from "../lib/app";
import { save } from "../lib/download";
import { useAction, useQuery } from "../lib/hooks";
import {
  flush,
  held,
  labelOf,
  markUnresolved,
  ownAddress,
  payouts,
  payoutsCsv,
  prefer,
  remoteOf,
  stay,
  withdrawHere,
  type PayoutLabel,
  type Payouts as Found,
} from "../lib/payout";
import { Amount, Empty, Facts, Failure, Field, Loaded, NeedsWallet, Pill, Short, Table, TxLink } from "./ui";

const KINDS: Record<PayoutLabel, "good" | "bad" | "wait"> = {
  settled: "good",
  in_flight: "wait",
  overdue: "bad",
  refunded: "bad",
  unresolved: "bad",
};

/** What the last step did. */
interface Done {
  hash: string;
  text: string;
}

/** The form that names another chain and an account there. */
function Choice({ found, onDone }: { found: Found; onDone: (done: Done) => void }) {
  const { t } = useTranslation();
  const { account, config } = useApp();
  const { busy, error, run } = useAction();
  const { preference } = found.account;
  const open = found.routes.filter((route) => route.enabled);
  const [name, setName] = useState(preference?.route ?? open[0]?.name ?? "");
  const [address, setAddress] = useState(preference?.remote_addr ?? "");
  const route = found.routes.find((candidate) => candidate.name === name);
  if (!account) return <NeedsWallet />;
  if (open.length === 0) return <Empty>{t("payouts.no_routes")}</Empty>;
  const known = config && route ? remoteOf(config, route) : undefined;
  const fits = route !== undefined && address.startsWith(`${route.prefix}1`);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!fits) return;
        void run(async () => {
          const sent = await prefer(account, name, address.trim());
          onDone({ hash: sent.hash, text: t("payouts.set") });
        });
      }}
    >
      <Field label={t("payouts.chain")}>
        {(id) => (
          <select
            id={id}
            value={name}
            onChange={(event) => {
              setName(event.target.value);
              setAddress("");
            }}
          >
            {open.map((candidate) => (
              <option key={candidate.name} value={candidate.name}>
                {candidate.name} · {candidate.channel_id}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t("payouts.address")} hint={t("payouts.address_hint", { prefix: route?.prefix ?? "" })}>
        {(id, hint) => (
          <input
            id={id}
            aria-describedby={hint}
            aria-invalid={address !== "" && !fits}
            spellCheck={false}
            value={address}
            onChange={(event) => setAddress(event.target.value)}
          />
        )}
      </Field>
      {route?.denoms.map((entry) => (
        <p key={entry.denom} className="soft">
          {t("payouts.least")} <Amount value={units(entry.min_payout)} denom={entry.denom} /> · {t("payouts.bounty")}{" "}
          <Amount value={units(entry.max_bounty)} denom={entry.denom} />
        </p>
      ))}
      {error && <Failure error={error} />}
      <p className="actions">
        <button type="submit" className="main" disabled={busy || !fits}>
          {busy ? t("earnings.claiming") : t("payouts.choose")}
        </button>
        {known && route && (
          <button
            type="button"
            disabled={busy}
            onClick={() => void run(async () => setAddress((await ownAddress(route)) ?? ""))}
          >
            {t("payouts.own", { chain: known.chain.chainName })}
          </button>
        )}
        {preference && (
          <button
            type="button"
            disabled={busy}
            onClick={() =>
              void run(async () => {
                const sent = await stay(account);
                setAddress("");
                onDone({ hash: sent.hash, text: t("payouts.stayed") });
              })
            }
          >
            {t("payouts.stay")}
          </button>
        )}
      </p>
    </form>
  );
}

/** Money that waits, and the steps that move it. */
function Waiting({ found, own, onDone }: { found: Found; own: boolean; onDone: (done: Done) => void }) {
  const { t } = useTranslation();
  const { account, config, height } = useApp();
  const { busy, error, run } = useAction();
  const { preference, denoms, failures, next_attempt: next } = found.account;
  const route = found.routes.find((candidate) => candidate.name === preference?.route);
  const remote = config && route ? remoteOf(config, route) : undefined;
  const denom = denoms[0]?.denom ?? "";
  const there = useQuery(`there ${preference?.remote_addr ?? ""} ${denom} ${Math.floor((height ?? 0) / 10)}`, async () =>
    remote && preference && denom ? held(remote, preference.remote_addr, denom) : null,
  );
  return (
    <>
      {preference && (
        <Facts
          rows={[
            [t("payouts.chain"), preference.route],
            [t("payouts.address"), <Short key="a" text={preference.remote_addr} />],
            ...(there.data !== undefined && there.data !== null
              ? [[t("payouts.there"), <Amount key="t" value={there.data} denom={denom} />] as const]
              : []),
          ]}
        />
      )}
      {failures > 0 && (
        <p className="notice bad">
          {t("payouts.failures", { count: failures })}{" "}
          {next === null || next === undefined ? t("payouts.set_again") : t("payouts.next", { height: next })}
        </p>
      )}
      {denoms.length > 0 && (
        <Table
          caption={t("payouts.waiting")}
          head={[t("payouts.in_escrow"), t("payouts.at_gateway"), t("payouts.least"), t("payouts.bounty"), t("payouts.steps")]}
        >
          {denoms.map((money) => {
            const waits = units(money.accrued) + units(money.in_escrow);
            return (
              <tr key={money.denom}>
                <td className="number">
                  <Amount value={units(money.in_escrow)} denom={money.denom} />
                </td>
                <td className="number">
                  <Amount value={units(money.accrued)} denom={money.denom} />
                </td>
                <td className="number">
                  <Amount value={units(money.min_payout)} denom={money.denom} />
                </td>
                <td className="number">
                  <Amount value={units(money.bounty)} denom={money.denom} />
                </td>
                <td>
                  {account && preference && (
                    <button
                      type="button"
                      disabled={busy || waits === 0n || (money.open_payout ?? null) !== null}
                      onClick={() =>
                        void run(async () => {
                          const flushed = await flush(account, preference.route, money.denom, found.account.address);
                          const text = flushed.skipped
                            ? t("payouts.skipped", { reason: flushed.skipped })
                            : t("payouts.sent", { id: flushed.payout ?? "" });
                          onDone({ hash: flushed.sent.hash, text });
                        })
                      }
                    >
                      {failures > 0 ? t("payouts.retry") : t("payouts.flush")}
                    </button>
                  )}{" "}
                  {own && account && units(money.accrued) > 0n && (
                    <button
                      type="button"
                      disabled={busy}
                      onClick={() =>
                        void run(async () => {
                          const sent = await withdrawHere(account, [money.denom]);
                          onDone({ hash: sent.hash, text: t("payouts.withdrawn") });
                        })
                      }
                    >
                      {t("payouts.here")}
                    </button>
                  )}
                </td>
              </tr>
            );
          })}
        </Table>
      )}
      {error && <Failure error={error} />}
    </>
  );
}

function List({ list, onDone }: { list: IbcGateway.PayoutResponse[]; onDone: (done: Done) => void }) {
  const { t } = useTranslation();
  const { account } = useApp();
  const { busy, error, run } = useAction();
  if (list.length === 0) return <Empty>{t("payouts.none")}</Empty>;
  return (
    <>
      <Table
        caption={t("payouts.title")}
        head={["#", t("ask.amount"), t("payouts.address"), t("payouts.packet"), t("tx.height"), t("explore.state")]}
      >
        {list.map((payout) => {
          const label = labelOf(payout);
          return (
            <tr key={payout.payout_id}>
              <td>{payout.payout_id}</td>
              <td className="number">
                <Amount value={units(payout.amount.amount)} denom={payout.amount.denom} />
              </td>
              <td>
                <Short text={payout.remote_addr} />
              </td>
              <td>
                {payout.channel_id} {payout.sequence ?? "–"}
                {payout.attempt > 1 && <span className="soft"> ({t("payouts.attempt", { count: payout.attempt })})</span>}
              </td>
              <td>{payout.sent_at}</td>
              <td>
                <Pill kind={KINDS[label]}>{t(`payouts.${label}`)}</Pill>{" "}
                {label === "overdue" && account && (
                  <button
                    type="button"
                    disabled={busy}
                    onClick={() =>
                      void run(async () => {
                        const sent = await markUnresolved(account, payout.payout_id);
                        onDone({ hash: sent.hash, text: t("payouts.marked") });
                      })
                    }
                  >
                    {t("payouts.mark")}
                  </button>
                )}
              </td>
            </tr>
          );
        })}
      </Table>
      {error && <Failure error={error} />}
      <p>
        <button type="button" onClick={() => save("openledger-payouts.csv", "text/csv", payoutsCsv(list))}>
          {t("payouts.export")}
        </button>
      </p>
    </>
  );
}

/** The section of the earnings page; nothing where the deployment has no gateway. */
export function Payouts({ address, own }: { address: string; own: boolean }) {
  const { t } = useTranslation();
  const { height } = useApp();
  const [done, setDone] = useState<Done>();
  const found = useQuery(`payouts ${address} ${Math.floor((height ?? 0) / 4)}`, () => payouts(address));
  // What was found stays in sight while it is read again.
  const [shown, setShown] = useState<{ address: string; found: Found | null }>();
  if (found.data !== undefined && found.data !== shown?.found) setShown({ address, found: found.data });
  const current = shown?.address === address ? shown.found : undefined;
  if (current === null) return null;
  const after = (next: Done) => {
    setDone(next);
    found.reload();
  };
  return (
    <section className="card">
      <h2>{t("payouts.title")}</h2>
      <p className="soft">{t("payouts.lead")}</p>
      {current ? (
        <>
          <Waiting found={current} own={own} onDone={after} />
          {own && <Choice key={current.account.preference?.route ?? ""} found={current} onDone={after} />}
          {done && (
            <p className="notice good" role="status">
              {done.text} <TxLink hash={done.hash} />
            </p>
          )}
          <h3>{t("payouts.history")}</h3>
          <List list={current.payouts} onDone={after} />
        </>
      ) : (
        <Loaded query={found}>{() => null}</Loaded>
      )}
    </section>
  );
}
