/** Computing an answer again: in this page where the model is small enough, else by a node of the user's choice. */
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { queries } from "../lib/chain";
import { useAction, useQuery } from "../lib/hooks";
import { askReplay, servedModels, type NodeVerdict } from "../lib/node";
import { MOST_BYTES, plan, replay, type Replayed, type ReplayStep } from "../lib/replay";
import type { Verified } from "../lib/verify";
import { Checks } from "./Checks";
import { Failure, Field, Loaded } from "./ui";

const MEBIBYTE = 1 << 20;

function size(bytes: number): string {
  return `${(bytes / MEBIBYTE).toFixed(1)} MiB`;
}

/** Asking a node; anyone's but the one that answered is worth asking. */
function ByNode({ found }: { found: Verified }) {
  const { t } = useTranslation();
  const { busy, error, run } = useAction();
  const [said, setSaid] = useState<{ node: number; verdict: NodeVerdict }>();
  const [chosen, setChosen] = useState("");
  const { node_id: answered, model_id: modelId, model_version: version } = found.bundle.receipt.receipt;
  const nodes = useQuery(`replay nodes ${modelId}:${version}`, async () => {
    const { nodes: all } = await (await queries()).nodes.nodes({ limit: 30 });
    const able = await Promise.all(
      all
        .filter((node) => node.endpoint !== "")
        .map(async (node) => {
          // A node that does not answer cannot replay.
          const ready = await servedModels(node.endpoint.replace(/\/$/, "")).catch(() => []);
          return ready.some((model) => model.model_id === modelId && model.version === version) ? node : null;
        }),
    );
    return able
      .filter((node) => node !== null)
      .sort((a, b) => Number(a.node_id === answered) - Number(b.node_id === answered));
  });
  return (
    <Loaded query={nodes}>
      {(all) => {
        const node = all.find(({ node_id }) => `${node_id}` === chosen) ?? all[0];
        if (!node) return null;
        return (
          <>
            <Field label={t("verify.replay_node")} hint={node.node_id === answered ? t("verify.replay_own") : undefined}>
              {(id, hint) => (
                <select id={id} aria-describedby={hint} value={node.node_id} onChange={(event) => setChosen(event.target.value)}>
                  {all.map(({ node_id, moniker }) => (
                    <option key={node_id} value={node_id}>
                      {node_id} {moniker}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <p>
              <button
                type="button"
                disabled={busy}
                onClick={() =>
                  void run(async () => {
                    setSaid(undefined);
                    const verdict = await askReplay(node.endpoint.replace(/\/$/, ""), found.bundle);
                    setSaid({ node: node.node_id, verdict });
                  })
                }
              >
                {t("verify.replay_ask")}
              </button>
            </p>
            {error && <Failure error={error} />}
            {said && (
              <div className={`notice ${said.verdict.holds ? "good" : "bad"}`} role="status">
                <p>
                  {t("verify.replay_said", { node: said.node })}{" "}
                  {said.verdict.holds ? t("verify.replay_same") : t("verify.replay_fails")}
                </p>
                {said.verdict.failures.map((line) => (
                  <p key={line} lang="en" className="detail">
                    {line}
                  </p>
                ))}
              </div>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

/** The section. */
export function Replay({ found }: { found: Verified }) {
  const { t } = useTranslation();
  const { busy, error, run } = useAction();
  const [step, setStep] = useState<ReplayStep>();
  const [result, setResult] = useState<Replayed>();
  const planned = useQuery(`plan ${found.id}`, () => plan(found));
  const { receipt } = found.bundle.receipt;
  const id = found.id.slice(0, 12);
  return (
    <section className="card" aria-busy={busy}>
      <h2>{t("verify.replay_title")}</h2>
      <Loaded query={planned}>
        {(what) =>
          what.numericClass !== "exact" ? (
            <p className="soft">{t("verify.replay_class", { name: what.numericClass, id })}</p>
          ) : what.bytes > MOST_BYTES ? (
            <p className="soft">{t("verify.replay_large", { size: size(what.bytes), id })}</p>
          ) : (
            <>
              <p className="soft">{t("verify.replay_text", { size: size(what.bytes) })}</p>
              <p>
                <button
                  type="button"
                  className="main"
                  disabled={busy}
                  onClick={() =>
                    void run(async () => {
                      setResult(undefined);
                      try {
                        setResult(await replay(found, what, setStep));
                      } finally {
                        setStep(undefined);
                      }
                    })
                  }
                >
                  {step === "fetching"
                    ? t("verify.replay_fetching", { size: size(what.bytes) })
                    : step === "computing"
                      ? t("verify.replay_running", { count: receipt.tokens_in + receipt.tokens_out })
                      : t("verify.replay_page")}
                </button>
              </p>
            </>
          )
        }
      </Loaded>
      {error && <Failure error={error} />}
      {result && (
        <>
          <p className={`notice ${result.holds ? "good" : "bad"}`} role="status">
            {result.holds ? t("verify.replay_holds", { ms: result.ms }) : t("verify.replay_fails")}
          </p>
          <Checks list={result.checks} />
        </>
      )}
      <ByNode found={found} />
    </section>
  );
}
