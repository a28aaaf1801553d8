/** Datanets: browse, search, one of them, create, contribute. */
import type { Datanet } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Empty, Facts, Failure, Field, Loaded, Loading, Pill, Table, TxLink } from "../components/ui";
import { PartsBar } from "../components/Plot";
import { VirtualList } from "../components/VirtualList";
import { percent, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { pages, PAGE, queries } from "../lib/chain";
import { useAction, usePages, useQuery } from "../lib/hooks";
import { usesOfAll } from "../lib/datanet";
import { execute } from "../lib/wallet";
import { Contribute } from "./Contribute";
import { CreateDatanet } from "./CreateDatanet";

function List() {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const found = useQuery("datanets", async () => {
    const { datanet } = await queries();
    const [all, uses] = await Promise.all([
      pages(
        async (startAfter) => (await datanet.datanets({ startAfter: startAfter!, limit: PAGE })).datanets,
        (entry) => entry.datanet_id,
      ),
      usesOfAll(),
    ]);
    return { all, uses };
  });
  return (
    <Loaded query={found}>
      {({ all, uses }) => {
        const word = search.trim().toLowerCase();
        const matching = all.filter((d) => `${d.name} ${d.description} ${d.license} ${d.owner}`.toLowerCase().includes(word));
        return (
          <>
            <Field label={t("data.search")}>
              {(id) => <input id={id} type="search" value={search} onChange={(event) => setSearch(event.target.value)} />}
            </Field>
            {all.length === 0 && <Empty>{t("data.none")}</Empty>}
            {all.length > 0 && matching.length === 0 && <Empty>{t("data.nothing_found", { text: search })}</Empty>}
            <div className="columns">
              {matching.map((datanet) => (
                <article key={datanet.datanet_id} className="card">
                  <h2>
                    <a href={`#/data/${datanet.datanet_id}`}>{datanet.name}</a>
                  </h2>
                  <p className="soft">{datanet.description}</p>
                  <Facts
                    rows={[
                      [t("data.contributions"), datanet.contributions],
                      [t("data.bytes"), `${(datanet.bytes / 1024).toFixed(0)} KiB`],
                      [t("data.version"), datanet.latest_version],
                      [t("data.license"), datanet.license],
                      [t("data.models"), uses.get(datanet.datanet_id)?.models ?? 0],
                      [t("data.earned"), <Amount key="e" value={uses.get(datanet.datanet_id)?.paid ?? 0n} />],
                    ]}
                  />
                </article>
              ))}
            </div>
          </>
        );
      }}
    </Loaded>
  );
}

async function one(datanetId: number) {
  const { datanet: client } = await queries();
  const datanet = await client.datanet({ datanetId });
  const uses = (await usesOfAll()).get(datanetId);
  const numbers = Array.from({ length: datanet.latest_version }, (_, at) => datanet.latest_version - at).slice(0, 20);
  const versions = await Promise.all(numbers.map((version) => client.version({ datanetId, version })));
  return { datanet, versions, used: uses };
}

const KINDS: Partial<Record<Datanet.ContributionStatus, "good" | "bad" | "wait">> = {
  sealed: "good",
  accepted: "good",
  proposed: "wait",
  challenged: "wait",
  rejected: "bad",
  withdrawn: "bad",
  duplicate: "bad",
};

/** Most contributions that one message names. */
const MOST = 64;

function Contributions({ found, reload }: {
  found: { datanet: Datanet.DatanetResponse; contributions: readonly Datanet.ContributionResponse[]; complete: boolean };
  reload: () => void;
}) {
  const { t } = useTranslation();
  const { account, config } = useApp();
  const { busy, error, run } = useAction();
  const [search, setSearch] = useState("");
  const [mine, setMine] = useState(false);
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const [reason, setReason] = useState("");
  const [done, setDone] = useState("");
  const { datanet } = found;
  const policy = datanet.policy;
  const curator = account !== undefined && "curated" in policy && policy.curated.curators.includes(account.address);
  const [slash, setSlash] = useState(false);
  const word = search.trim().toLowerCase();
  const rows = found.contributions.filter(
    ({ facts, title }) =>
      (!mine || facts.contributor === account?.address) &&
      `${title} ${facts.contributor} ${facts.license} ${facts.contribution_id}`.toLowerCase().includes(word),
  );
  const selectable = (row: (typeof rows)[number]) =>
    (curator && row.status === "proposed") ||
    (row.facts.contributor === account?.address && ["proposed", "accepted", "sealed"].includes(row.status));
  const send = (msg: Datanet.ExecuteMsg) =>
    void run(async () => {
      if (!account || !config) return;
      setDone((await execute(account, [{ contract: config.contracts.datanet, msg }])).hash);
      setSelected(new Set());
      reload();
    });
  const ids = [...selected].sort((a, b) => a - b);
  const own = new Set(found.contributions.filter((c) => c.facts.contributor === account?.address).map((c) => c.facts.contribution_id));
  const proposed = new Set(found.contributions.filter((c) => c.status === "proposed").map((c) => c.facts.contribution_id));
  return (
    <section className="card">
      <h2>{t("data.contributions")}</h2>
      <Field label={t("data.search")}>
        {(id) => <input id={id} type="search" value={search} onChange={(event) => setSearch(event.target.value)} />}
      </Field>
      {account && (
        <p>
          <label>
            <input type="checkbox" checked={mine} onChange={(event) => setMine(event.target.checked)} /> {t("data.mine")}
          </label>
        </p>
      )}
      {!found.complete && (
        <Loading label={t("data.reading", { count: found.contributions.length, all: datanet.contributions })} />
      )}
      {rows.length === 0 && !found.complete ? null : rows.length === 0 ? (
        <Empty>{search ? t("data.nothing_found", { text: search }) : t("explore.none")}</Empty>
      ) : (
        <VirtualList label={t("data.contributions")} rows={rows} rowHeight={44} height={528} rowKey={(row) => row.facts.contribution_id}>
          {(row) => (
            <>
              {selectable(row) && (
                <input
                  type="checkbox"
                  aria-label={row.title}
                  checked={selected.has(row.facts.contribution_id)}
                  onChange={(event) => {
                    const next = new Set(selected);
                    if (event.target.checked) next.add(row.facts.contribution_id);
                    else next.delete(row.facts.contribution_id);
                    setSelected(next);
                  }}
                />
              )}
              <a className="grow" href={`#/contribution/${row.facts.contribution_id}`}>
                {row.title}
              </a>
              <Address value={row.facts.contributor} />
              <Pill kind={KINDS[row.status] ?? "plain"}>{t(`status.${row.status}`)}</Pill>
            </>
          )}
        </VirtualList>
      )}
      {curator && proposed.size > 0 && (
        <p className="notice">
          {t("data.to_curate", { count: proposed.size, quorum: policy.curated.quorum })}{" "}
          <button type="button" onClick={() => setSelected(new Set([...proposed].slice(0, MOST)))}>
            {t("data.select_all")}
          </button>
        </p>
      )}
      {error && <Failure error={error} />}
      {done !== "" && (
        <p className="notice good" role="status">
          <TxLink hash={done} />
        </p>
      )}
      {ids.length > 0 && (
        <div className="actions">
          <span>{t("data.selected", { count: ids.length })}</span>
          {ids.every((id) => own.has(id)) && (
            <button type="button" disabled={busy} onClick={() => send({ withdraw: { contribution_ids: ids } })}>
              {t("data.withdraw")}
            </button>
          )}
          {curator && ids.every((id) => proposed.has(id)) && (
            <>
              <label>
                {t("data.reason")} <input value={reason} onChange={(event) => setReason(event.target.value)} />
              </label>
              <label>
                <input type="checkbox" checked={slash} onChange={(event) => setSlash(event.target.checked)} /> {t("data.slash")}
              </label>
              {[true, false].map((approve) => (
                <button
                  key={String(approve)}
                  type="button"
                  disabled={busy || (!approve && reason.trim() === "")}
                  onClick={() => send({ curate: { contribution_ids: ids, approve, reason, slash: !approve && slash } })}
                >
                  {approve ? t("data.curate_accept") : t("data.curate_reject")}
                </button>
              ))}
            </>
          )}
        </div>
      )}
    </section>
  );
}

function One({ id, contribute }: { id: number; contribute: boolean }) {
  const { t } = useTranslation();
  const { account, config } = useApp();
  // Who comes back from contributing sees what was added.
  const found = useQuery(`datanet ${id} ${contribute}`, () => one(id));
  const list = usePages(
    `contributions ${id} ${contribute}`,
    async (startAfter) => {
      if (contribute) return [];
      const { datanet } = await queries();
      return (await datanet.contributions({ datanetId: id, startAfter: startAfter!, limit: PAGE })).contributions;
    },
    (entry) => entry.facts.contribution_id,
    PAGE,
  );
  const { busy, error, run } = useAction();
  const { rows: contributions, complete } = list;
  return (
    <Loaded query={found}>
      {(data) => {
        const { datanet, versions, used } = data;
        const states = new Map<Datanet.ContributionStatus, number>();
        for (const { status } of contributions) states.set(status, (states.get(status) ?? 0) + 1);
        const people = new Map<string, number>();
        for (const { facts } of contributions) people.set(facts.contributor, (people.get(facts.contributor) ?? 0) + 1);
        const licenses = [...new Set(contributions.map(({ facts }) => facts.license))];
        const { uses } = datanet;
        const allowed = [uses.train && t("data.use_train"), uses.answer && t("data.use_answer"), uses.commercial && t("data.use_commercial")];
        if (contribute) return <Contribute datanet={datanet} contributions={datanet.contributions} />;
        return (
          <>
            <p>
              <a href="#/data">{t("data.back")}</a>
            </p>
            <div className="title">
              <h1>{datanet.name}</h1>
              <a className="button main" href={`#/data/${id}/contribute`}>
                {t("data.contribute")}
              </a>
            </div>
            <p className="lead">{datanet.description}</p>
            <div className="columns">
              <section className="card">
                <Facts
                  rows={[
                    [t("data.owner"), <Address key="o" value={datanet.owner} />],
                    [t("data.contributions"), datanet.contributions],
                    [t("data.contributors"), people.size],
                    [t("data.bytes"), `${(datanet.bytes / 1024).toFixed(0)} KiB`],
                    [t("data.visibility"), t(`data.${datanet.visibility}`)],
                    [
                      t("data.policy"),
                      "open" in datanet.policy
                        ? t("data.open")
                        : t("data.curated", { quorum: datanet.policy.curated.quorum, count: datanet.policy.curated.curators.length }),
                    ],
                    [t("data.least"), percent(datanet.min_data_bps)],
                    [t("data.uses"), allowed.filter(Boolean).join(", ")],
                    [t("data.training_price"), <Amount key="t" value={units(datanet.training_price)} />],
                    [t("data.license"), datanet.license],
                    [t("data.models"), used?.models ?? 0],
                    [t("data.sessions"), used?.sessions ?? 0],
                    [t("data.earned"), <Amount key="e" value={used?.paid ?? 0n} />],
                  ]}
                />
                <h2>{t("data.quality")}</h2>
                <PartsBar
                  label={t("data.quality")}
                  parts={[...states].map(([status, count]) => ({ name: t(`status.${status}`), value: BigInt(count) }))}
                  format={String}
                />
              </section>
              <section className="card">
                <h2>{t("data.version")}</h2>
                {versions.length === 0 ? (
                  <Empty>{t("explore.none")}</Empty>
                ) : (
                  <Table caption={t("data.version")} head={[t("data.version"), t("data.contributions"), t("tx.height"), "Root"]}>
                    {versions.map(({ version, sealed_at }) => (
                      <tr key={version.version}>
                        <td>{version.version}</td>
                        <td>{version.size}</td>
                        <td>{sealed_at}</td>
                        <td>
                          <code title={version.root}>{version.root.slice(0, 12)}…</code>
                        </td>
                      </tr>
                    ))}
                  </Table>
                )}
                {account?.address === datanet.owner && config && (
                  <p>
                    <button
                      type="button"
                      disabled={busy}
                      onClick={() =>
                        void run(async () => {
                          const msg = { seal: { datanet_id: id } };
                          await execute(account, [{ contract: config.contracts.datanet, msg }]);
                          found.reload();
                          list.reload();
                        })
                      }
                    >
                      {t("data.seal")}
                    </button>
                  </p>
                )}
                {error && <Failure error={error} />}
                <h3>{t("data.license")}</h3>
                <p className="soft">{licenses.join(" · ")}</p>
              </section>
            </div>
            {list.error && <Failure error={list.error} retry={list.reload} />}
            <Contributions
              found={{ datanet, contributions, complete }}
              reload={() => {
                found.reload();
                list.reload();
              }}
            />
            <section className="card">
              <h2>{t("data.contributors")}</h2>
              <Table caption={t("data.contributors")} head={[t("data.contributors"), t("data.contributions")]}>
                {[...people]
                  .sort((a, b) => b[1] - a[1])
                  .slice(0, 50)
                  .map(([address, count]) => (
                    <tr key={address}>
                      <td>
                        <Address value={address} />
                      </td>
                      <td>{count}</td>
                    </tr>
                  ))}
              </Table>
            </section>
          </>
        );
      }}
    </Loaded>
  );
}

/** The page. */
export default function Data({ args }: PageProps) {
  const { t } = useTranslation();
  if (args[0] !== undefined && args[0] !== "create") return <One id={Number(args[0])} contribute={args[1] === "contribute"} />;
  return (
    <>
      <div className="title">
        <h1>{t("data.title")}</h1>
        {args[0] !== "create" && (
          <a className="button" href="#/data/create">
            {t("data.create")}
          </a>
        )}
      </div>
      <p className="lead">{t("data.lead")}</p>
      {args[0] === "create" ? <CreateDatanet /> : <List />}
    </>
  );
}
