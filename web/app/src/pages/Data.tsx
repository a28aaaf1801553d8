/** Datanets: browse, search, one of them, create, contribute. */
import type { Datanet } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Empty, Facts, Failure, Field, Loaded, NeedsWallet, Pill, Table, TxLink } from "../components/ui";
import { VirtualList } from "../components/VirtualList";
import { percent, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { pages, PAGE, queries } from "../lib/chain";
import { createDatanet } from "../lib/datanet";
import { go, useAction, useQuery } from "../lib/hooks";
import { execute } from "../lib/wallet";
import { Contribute } from "./Contribute";

function List() {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const found = useQuery("datanets", async () => {
    const { datanet } = await queries();
    return pages(
      async (startAfter) => (await datanet.datanets({ startAfter: startAfter!, limit: PAGE })).datanets,
      (entry) => entry.datanet_id,
    );
  });
  return (
    <Loaded query={found}>
      {(all) => {
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

function Create() {
  const { t } = useTranslation();
  const { account } = useApp();
  const { busy, error, run } = useAction();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [license, setLicense] = useState("CC-BY-4.0");
  const [least, setLeast] = useState(30);
  if (!account) return <NeedsWallet />;
  return (
    <form
      className="card"
      onSubmit={(event) => {
        event.preventDefault();
        void run(async () => {
          const id = await createDatanet(account, { name, description, license, minDataBps: Math.round(least * 100) });
          go(`/data/${id}`);
        });
      }}
    >
      <h2>{t("create.title")}</h2>
      <Field label={t("create.name")}>
        {(id) => <input id={id} required maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={t("create.description")}>
        {(id) => <textarea id={id} maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <Field label={t("create.license")}>
        {(id) => <input id={id} required value={license} onChange={(event) => setLicense(event.target.value)} />}
      </Field>
      <Field label={t("create.least")} hint={t("create.public_hint")}>
        {(id, hint) => (
          <input
            id={id}
            aria-describedby={hint}
            type="number"
            min={0}
            max={100}
            value={least}
            onChange={(event) => setLeast(Math.min(100, Math.max(0, Number(event.target.value) || 0)))}
          />
        )}
      </Field>
      {error && <Failure error={error} />}
      <button type="submit" className="main" disabled={busy}>
        {t("create.submit")}
      </button>
    </form>
  );
}

async function one(datanetId: number) {
  const { datanet: client } = await queries();
  const [datanet, contributions] = await Promise.all([
    client.datanet({ datanetId }),
    pages(
      async (startAfter) => (await client.contributions({ datanetId, startAfter: startAfter!, limit: PAGE })).contributions,
      (entry) => entry.facts.contribution_id,
    ),
  ]);
  const numbers = Array.from({ length: datanet.latest_version }, (_, at) => datanet.latest_version - at).slice(0, 20);
  const versions = await Promise.all(numbers.map((version) => client.version({ datanetId, version })));
  return { datanet, contributions, versions };
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

function Contributions({ found, reload }: { found: Awaited<ReturnType<typeof one>>; reload: () => void }) {
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
      {rows.length === 0 ? (
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
      {error && <Failure error={error} />}
      {done !== "" && (
        <p className="notice good" role="status">
          <TxLink hash={done} />
        </p>
      )}
      {ids.length > 0 && (
        <div className="actions">
          <span>{t("data.selected", { count: ids.length })}</span>
          <button type="button" disabled={busy} onClick={() => send({ withdraw: { contribution_ids: ids } })}>
            {t("data.withdraw")}
          </button>
          {curator && (
            <>
              <label>
                {t("data.reason")} <input value={reason} onChange={(event) => setReason(event.target.value)} />
              </label>
              {[true, false].map((approve) => (
                <button
                  key={String(approve)}
                  type="button"
                  disabled={busy || (!approve && reason.trim() === "")}
                  onClick={() => send({ curate: { contribution_ids: ids, approve, reason, slash: false } })}
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
  const found = useQuery(`datanet ${id}`, () => one(id));
  const { busy, error, run } = useAction();
  return (
    <Loaded query={found}>
      {(data) => {
        const { datanet, contributions, versions } = data;
        const people = new Map<string, number>();
        for (const { facts } of contributions) people.set(facts.contributor, (people.get(facts.contributor) ?? 0) + 1);
        const licenses = [...new Set(contributions.map(({ facts }) => facts.license))];
        const { uses } = datanet;
        const allowed = [uses.train && t("data.use_train"), uses.answer && t("data.use_answer"), uses.commercial && t("data.use_commercial")];
        if (contribute) return <Contribute datanet={datanet} contributions={contributions.length} />;
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
                  ]}
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
            <Contributions found={data} reload={found.reload} />
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
      {args[0] === "create" ? <Create /> : <List />}
    </>
  );
}
