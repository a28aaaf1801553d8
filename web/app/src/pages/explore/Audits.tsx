/** Audits: who has weight, who attested which root, cases, demands for chunks, cuts of bonds. */
import type { NodeRegistry, PayableEscrow, Referee } from "@openledger/client";
import { useTranslation } from "react-i18next";

import { Address, Amount, Empty, Loaded, Pill, Table } from "../../components/ui";
import { units } from "../../lib/amount";
import { PAGE, queries } from "../../lib/chain";
import { useQuery } from "../../lib/hooks";
import { epochs } from "./Epochs";

/** Milliseconds between two looks. */
const PULSE = 6_000;

/** Epochs whose attestations are read. */
const MOST = 12;

interface Found {
  auditors: { auditor: NodeRegistry.Auditor; state: Referee.AuditorResponse }[];
  roots: { epoch: PayableEscrow.EpochResponse; attestation: Referee.AttestationResponse }[];
  cuts: NodeRegistry.CutResponse[];
  cases: Referee.CaseResponse[];
  demands: Referee.DemandResponse[];
}

async function audits(): Promise<Found> {
  const { nodes, referee } = await queries();
  const [{ auditors }, { cuts }, { cases }, { demands }, settled] = await Promise.all([
    nodes.auditors(),
    nodes.cuts({ limit: PAGE }),
    referee.cases({ limit: PAGE }),
    referee.demands({ limit: PAGE }),
    epochs(),
  ]);
  const [states, attestations] = await Promise.all([
    Promise.all(auditors.map(({ node_id: auditor }) => referee.auditor({ auditor }))),
    Promise.all(
      settled
        .slice(0, MOST)
        .map(({ commit }) => referee.attestation({ nodeId: commit.node_id, denom: commit.denom, epoch: commit.epoch })),
    ),
  ]);
  return {
    auditors: auditors.flatMap((auditor, at) => (states[at] ? [{ auditor, state: states[at] }] : [])),
    roots: settled.flatMap((epoch, at) => (attestations[at] ? [{ epoch, attestation: attestations[at] }] : [])),
    cuts,
    cases,
    demands,
  };
}

function Auditors({ list }: { list: Found["auditors"] }) {
  const { t } = useTranslation();
  if (list.length === 0) return <Empty>{t("explore.no_auditors")}</Empty>;
  return (
    <Table
      caption={t("explore.auditors")}
      head={[t("explore.node"), t("explore.owner"), t("explore.weight"), t("explore.missed"), t("explore.state")]}
    >
      {list.map(({ auditor, state }) => (
        <tr key={auditor.node_id}>
          <td>
            <a href={`#/explore/node/${auditor.node_id}`}>{auditor.node_id}</a>
          </td>
          <td>
            <Address value={auditor.operator} />
          </td>
          <td className="number">
            <Amount value={units(auditor.weight)} />
          </td>
          <td>{state.missed}</td>
          <td>
            <Pill kind={state.suspended ? "bad" : "good"}>
              {state.suspended ? t("explore.suspended") : t("status.bonded")}
            </Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Roots({ list }: { list: Found["roots"] }) {
  const { t } = useTranslation();
  if (list.length === 0) return <Empty>{t("explore.none")}</Empty>;
  return (
    <Table
      caption={t("explore.attestations")}
      head={[t("explore.node"), t("explore.epoch"), t("explore.attested_weight"), t("explore.auditors"), t("explore.paid"), t("explore.state")]}
    >
      {list.map(({ epoch, attestation }) => (
        <tr key={epoch.hash}>
          <td>{epoch.commit.node_id}</td>
          <td>{epoch.commit.epoch}</td>
          <td className="number">
            <Amount value={units(attestation.attested)} />
            {attestation.eligible !== null && attestation.eligible !== undefined && (
              <>
                {" / "}
                <Amount value={units(attestation.eligible)} />
              </>
            )}
          </td>
          <td>{attestation.auditors.map(([auditor]) => auditor).join(", ") || "–"}</td>
          <td className="number">
            <Amount value={units(epoch.audit_paid)} denom={epoch.commit.denom} />
          </td>
          <td>
            <Pill kind={epoch.attested ? "good" : "wait"}>
              {epoch.attested ? t("earnings.attested") : t("earnings.unattested")}
            </Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Cases({ list }: { list: Found["cases"] }) {
  const { t } = useTranslation();
  if (list.length === 0) return <Empty>{t("explore.no_cases")}</Empty>;
  return (
    <Table
      caption={t("explore.cases")}
      head={["#", t("data.reason"), t("explore.owner"), t("explore.bond"), t("explore.votes"), t("explore.state")]}
    >
      {list.map((entry) => (
        <tr key={entry.case_id}>
          <td>{entry.case_id}</td>
          <td className="wrap">{entry.reason}</td>
          <td>
            <Address value={entry.challenger} />
          </td>
          <td className="number">
            <Amount value={units(entry.bond)} />
          </td>
          <td className="number">
            <Amount value={units(entry.guilty)} /> : <Amount value={units(entry.not_guilty)} />
          </td>
          <td>
            <Pill kind={entry.verdict === "guilty" ? "bad" : "wait"}>{t(`explore.verdict_${entry.verdict ?? "running"}`)}</Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Cuts({ list }: { list: Found["cuts"] }) {
  const { t } = useTranslation();
  if (list.length === 0) return <Empty>{t("explore.no_cuts")}</Empty>;
  return (
    <Table
      caption={t("explore.cuts")}
      head={["#", t("explore.node"), t("ask.amount"), t("data.reason"), t("explore.from"), t("explore.state")]}
    >
      {list.map((cut) => (
        <tr key={cut.cut_id}>
          <td>{cut.cut_id}</td>
          <td>
            <a href={`#/explore/node/${cut.node_id}`}>{cut.node_id}</a>
          </td>
          <td className="number">
            <Amount value={units(cut.amount)} />
          </td>
          <td className="wrap">{cut.reason}</td>
          <td>{cut.from}</td>
          <td>
            <Pill kind={cut.status === "done" ? "bad" : "wait"}>{t(`status.${cut.status}`)}</Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Demands({ list }: { list: Found["demands"] }) {
  const { t } = useTranslation();
  if (list.length === 0) return <Empty>{t("explore.none")}</Empty>;
  return (
    <Table
      caption={t("explore.demands")}
      head={["#", t("explore.node"), t("explore.epoch"), t("explore.owner"), t("explore.until"), t("explore.state")]}
    >
      {list.map((demand) => (
        <tr key={demand.demand_id}>
          <td>{demand.demand_id}</td>
          <td>{demand.node_id}</td>
          <td>{demand.epoch}</td>
          <td>
            <Address value={demand.demander} />
          </td>
          <td>{demand.until}</td>
          <td>
            <Pill kind={demand.status === "expired" ? "bad" : "plain"}>{t(`explore.demand_${demand.status}`)}</Pill>
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** The page. */
export function Audits() {
  const { t } = useTranslation();
  const found = useQuery("audits", audits, PULSE);
  return (
    <Loaded query={found}>
      {({ auditors, roots, cuts, cases, demands }) => (
        <>
          <section className="card">
            <h2>{t("explore.auditors")}</h2>
            <p className="soft">{t("explore.auditors_text")}</p>
            <Auditors list={auditors} />
          </section>
          <section className="card">
            <h2>{t("explore.attestations")}</h2>
            <Roots list={roots} />
          </section>
          <section className="card">
            <h2>{t("explore.cases")}</h2>
            <Cases list={cases} />
            <h3>{t("explore.demands")}</h3>
            <Demands list={demands} />
          </section>
          <section className="card">
            <h2>{t("explore.cuts")}</h2>
            <Cuts list={cuts} />
          </section>
        </>
      )}
    </Loaded>
  );
}
