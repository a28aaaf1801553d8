/** Verify: any receipt re-checked in the browser. */
import { useCallback, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { CitedAnswer, SharesTable } from "../components/AnswerView";
import { Checks } from "../components/Checks";
import { PartsBar } from "../components/Plot";
import { Replay } from "../components/Replay";
import { Empty, Facts, Failure, Field, Loaded, Short } from "../components/ui";
import { coinOf, decimal, units } from "../lib/amount";
import { useApp } from "../lib/app";
import { queries } from "../lib/chain";
import { receiptId } from "../lib/check";
import { go, useAction, useQuery } from "../lib/hooks";
import { loadAnswer } from "../lib/store";
import { epochBlobs, findBundle, verify, type Verified } from "../lib/verify";

/** Ids of receipts that nodes settled last. */
async function latest(): Promise<string[]> {
  const { nodes, escrow } = await queries();
  const [{ nodes: all }, { params }] = await Promise.all([nodes.nodes({ limit: 30 }), escrow.config()]);
  const found: string[] = [];
  for (const { node_id: nodeId } of all) {
    for (const { denom } of params.denoms) {
      const { epoch } = await escrow.ledger({ nodeId, denom });
      if (epoch === 0) continue;
      const blobs = await epochBlobs(nodeId, await escrow.epoch({ nodeId, denom, epoch })).catch(() => null);
      found.push(...(blobs?.receipts ?? []).map(({ receipt }) => receiptId(receipt)));
    }
  }
  return found.slice(0, 10);
}

function Result({ found }: { found: Verified }) {
  const { t } = useTranslation();
  const { config } = useApp();
  const { bundle, checks, pins, epoch, id } = found;
  const { receipt } = bundle.receipt;
  const { split, denom } = pins.session;
  const holds = checks.every((check) => check.holds);
  const coin = config ? coinOf(config.chain, denom) : { name: denom, decimals: 0 };
  const fee = units(receipt.fee);
  const floor = (bps: number) => (fee * BigInt(bps)) / 10_000n;
  const [protocol, developer, node] = [floor(split.protocol), floor(split.developer), floor(split.node)];
  return (
    <>
      <div className={`notice ${holds ? "good" : "bad"}`} role="status">
        <p>
          <strong>{holds ? t("verify.holds") : t("verify.fails")}</strong>
        </p>
        <p>
          {epoch
            ? t("verify.settled_in", {
                epoch: epoch.commit.epoch,
                node: epoch.commit.node_id,
                status: t(`status.${epoch.status}`),
              })
            : t("verify.not_settled")}
        </p>
      </div>
      <section className="card">
        <h2>{t("ask.answer")}</h2>
        <CitedAnswer bundle={bundle} />
      </section>
      <div className="columns">
        <section className="card">
          <h2>{t("verify.checks")}</h2>
          <Checks list={checks} />
        </section>
        <section className="card">
          <h2>{t("ask.receipt")}</h2>
          <Facts
            rows={[
              [t("verify.id"), <Short key="i" text={id} />],
              [t("ask.model"), `${receipt.model_id}:${receipt.model_version}`],
              [t("ask.session", { id: "" }), receipt.session_id],
              [t("ask.node"), receipt.node_id],
              [t("tx.height"), receipt.height],
              [t("verify.tokens"), `${receipt.tokens_in} + ${receipt.tokens_out}`],
              [t("verify.answer_root"), <Short key="a" text={receipt.answer_root} />],
              [t("verify.evidence_root"), <Short key="e" text={receipt.evidence_root} />],
              [t("verify.commitment"), <Short key="c" text={receipt.commit_root} />],
              [t("verify.seed"), <Short key="s" text={receipt.seed} />],
            ]}
          />
          <h3>{t("verify.parts")}</h3>
          <PartsBar
            label={t("verify.parts")}
            parts={[
              { name: t("explore.data"), value: fee - protocol - developer - node },
              { name: t("models.developer"), value: developer },
              { name: t("explore.node"), value: node },
              { name: t("explore.protocol"), value: protocol },
            ]}
            format={(value) => `${decimal(value, coin.decimals)} ${coin.name}`}
          />
        </section>
      </div>
      <Replay key={id} found={found} />
      <section className="card">
        <h2>{t("ask.paid_to")}</h2>
        <SharesTable bundle={bundle} split={split} denom={denom} />
      </section>
    </>
  );
}

function Form({ wanted }: { wanted: string }) {
  const { t } = useTranslation();
  const { config } = useApp();
  const [input, setInput] = useState(wanted);
  const [found, setFound] = useState<Verified>();
  const { busy, error, run } = useAction();
  const recent = useQuery(`latest ${config ? 1 : 0}`, latest);
  const check = useCallback(
    (text: string) =>
      run(async () => {
        setFound(undefined);
        const own = await loadAnswer(text.trim().toLowerCase()).catch(() => undefined);
        setFound(await verify(own?.bundle ?? (await findBundle(text))));
      }),
    [run],
  );
  useEffect(() => {
    if (wanted !== "") void check(wanted);
  }, [wanted, check]);
  return (
    <>
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          if (/^[0-9a-f]{64}$/i.test(input.trim()) && input.trim() !== wanted) go(`/verify/${input.trim()}`);
          else void check(input);
        }}
      >
        <Field label={t("verify.input")}>
          {(id) => <textarea id={id} className="mono" rows={2} value={input} onChange={(event) => setInput(event.target.value)} />}
        </Field>
        <Field label={t("verify.file")}>
          {(id) => (
            <input
              id={id}
              type="file"
              accept="application/json,.json"
              onChange={(event) => {
                const [file] = event.target.files ?? [];
                if (file) void file.text().then((text) => check(text));
              }}
            />
          )}
        </Field>
        <button type="submit" className="main" disabled={busy || input.trim() === ""}>
          {busy ? t("verify.checking") : t("verify.check")}
        </button>
      </form>
      {error && <Failure error={error} />}
      {found && <Result found={found} />}
      {!found && !busy && (
        <section className="card">
          <h2>{t("verify.latest")}</h2>
          <Loaded query={recent}>
            {(ids) =>
              ids.length === 0 ? (
                <Empty>{t("verify.none")}</Empty>
              ) : (
                <ul>
                  {ids.map((id) => (
                    <li key={id}>
                      <a href={`#/verify/${id}`}>
                        <code>{id.slice(0, 24)}…</code>
                      </a>
                    </li>
                  ))}
                </ul>
              )
            }
          </Loaded>
        </section>
      )}
    </>
  );
}

/** The page. */
export default function Verify({ args }: PageProps) {
  const { t } = useTranslation();
  const wanted = args[0] ?? "";
  return (
    <>
      <h1>{t("verify.title")}</h1>
      <p className="lead">{t("verify.lead")}</p>
      <Form key={wanted} wanted={wanted} />
    </>
  );
}
