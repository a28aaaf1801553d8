/** Contribute: drop files, read the cleaning report and the estimate, then sign. */
import type { Datanet } from "@openledger/client";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Amount, Failure, Field, Loaded, NeedsWallet, Pill, Table } from "../components/ui";
import { useApp } from "../lib/app";
import { toBase64 } from "../lib/bytes";
import { queries } from "../lib/chain";
import { bond, finish, onChain, prepare, unfinished, type Batch, type BatchStep } from "../lib/contribute";
import { usesOfAll } from "../lib/datanet";
import { AppError } from "../lib/errors";
import { useAction, useQuery } from "../lib/hooks";
import { clean, type Ready, type Report } from "../lib/ingest";
import { dropBatch } from "../lib/store";

/** Most documents of one commit from the page. */
const MOST = 256;

interface Cleaned {
  report: Report;
  ready: Ready[];
  known: (number | null)[];
}

/** A node that takes blobs. */
async function storageNode(): Promise<string> {
  const { nodes } = await (await queries()).nodes.nodes({ limit: 30 });
  const found = nodes.find((node) => node.roles.includes("storage") && node.status === "bonded" && node.endpoint);
  if (!found) throw new AppError("E-WEB-004");
  return found.endpoint.replace(/\/$/, "");
}

function Outcome({ found, name }: { found: Cleaned; name: string }) {
  const { t } = useTranslation();
  const entry = found.report.documents.find((document) => document.name === name);
  const at = found.ready.findIndex((document) => document.name === name);
  const known = found.known[at];
  if (entry?.refused) {
    return (
      <>
        <Pill kind="bad">{t("contribute.refused")}</Pill> {entry.refused.reason}. {entry.refused.advice}
      </>
    );
  }
  if (known) return <Pill kind="bad">{t("contribute.on_chain", { id: known })}</Pill>;
  if (entry?.duplicate_of) return <Pill kind="bad">{t("contribute.duplicate")}</Pill>;
  return <Pill kind="good">{t("contribute.accepted")}</Pill>;
}

/** The page of one datanet. */
export function Contribute({ datanet, contributions }: { datanet: Datanet.DatanetResponse; contributions: number }) {
  const { t } = useTranslation();
  const { account } = useApp();
  const { busy, error, run } = useAction();
  const [over, setOver] = useState(false);
  const [found, setFound] = useState<Cleaned>();
  const [license, setLicense] = useState("");
  const [rights, setRights] = useState(false);
  const [step, setStep] = useState<BatchStep>();
  const [done, setDone] = useState<number[]>();
  const estimate = useQuery(`paid ${datanet.datanet_id}`, async () => (await usesOfAll()).get(datanet.datanet_id)?.paid ?? 0n);
  const left = useQuery(`unfinished ${account?.address ?? ""} ${done?.length ?? 0}`, async () =>
    account ? (await unfinished(account)).filter((batch) => batch.datanet_id === datanet.datanet_id) : [],
  );
  const fresh = found?.ready.filter((_, at) => found.known[at] === null) ?? [];
  const needed = useQuery(`bond ${fresh.length}`, () => bond(fresh.length));
  const take = (files: Iterable<File>) =>
    void run(async () => {
      setDone(undefined);
      const documents = await Promise.all(
        [...files].slice(0, MOST).map(async (file) => ({
          name: file.name,
          raw: toBase64(new Uint8Array(await file.arrayBuffer())),
        })),
      );
      const cleaned = await clean(documents);
      setFound({ ...cleaned, known: await onChain(cleaned.ready) });
    });
  const go = (make: () => Promise<Batch>) =>
    void run(async () => {
      if (!account) return;
      try {
        const node = await storageNode();
        setDone(await finish(account, await make(), node, setStep));
        setFound(undefined);
      } finally {
        setStep(undefined);
        left.reload();
      }
    });
  return (
    <>
      <p>
        <a href={`#/data/${datanet.datanet_id}`}>{datanet.name}</a>
      </p>
      <h1>{t("contribute.title", { name: datanet.name })}</h1>
      <p className="lead">{t("contribute.local")}</p>
      {error && <Failure error={error} />}
      {done && (
        <p className="notice good" role="status">
          {t("contribute.done", { ids: "" })}
          {done.map((id) => (
            <a key={id} href={`#/contribution/${id}`}>
              {" "}
              {id}
            </a>
          ))}
        </p>
      )}
      {!busy &&
        left.data?.map((batch) => (
          <div key={batch.root} className="notice">
            <p>{t("contribute.unfinished", { count: batch.items.length })}</p>
            <p className="actions">
              <button type="button" className="main" onClick={() => go(() => Promise.resolve(batch))}>
                {t("contribute.finish")}
              </button>
              {batch.commit_id === null && (
                <button type="button" onClick={() => void dropBatch(batch.root).then(left.reload)}>
                  {t("contribute.discard")}
                </button>
              )}
            </p>
          </div>
        ))}
      <div
        className={`drop ${over ? "over" : ""}`}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          take(event.dataTransfer.files);
        }}
      >
        <Field label={t("contribute.drop")}>
          {(id) => (
            <input id={id} type="file" multiple onChange={(event) => event.target.files && take(event.target.files)} />
          )}
        </Field>
      </div>
      {busy && !step && <p role="status">{t("contribute.cleaning")}</p>}
      {found && (
        <section className="card">
          <h2>{t("contribute.ready", { count: fresh.length })}</h2>
          <Table
            caption={t("contribute.result")}
            head={[t("contribute.document"), t("contribute.result"), t("contribute.language"), t("contribute.quality")]}
          >
            {found.report.documents.map((document) => {
              const personal = Object.values(document.personal).reduce((sum, count) => sum + count, 0);
              return (
                <tr key={document.name}>
                  <td>{document.name}</td>
                  <td className="wrap">
                    <Outcome found={found} name={document.name} />
                    {personal > 0 && <p className="soft">{t("contribute.personal", { count: personal })}</p>}
                  </td>
                  <td>{document.language}</td>
                  <td>{document.quality?.score ?? ""}</td>
                </tr>
              );
            })}
          </Table>
          <h3>{t("contribute.estimate")}</h3>
          <Loaded query={estimate}>
            {(total) =>
              total === 0n || contributions === 0 ? (
                <p>{t("contribute.estimate_none")}</p>
              ) : (
                <p>
                  {t("contribute.estimate_text", { count: contributions, total: "{{}}", each: "{{}}" })
                    .split("{{}}")
                    .map((piece, at) => (
                      <span key={piece}>
                        {piece}
                        {at === 0 && <Amount value={total} />}
                        {at === 1 && <Amount value={total / BigInt(contributions)} />}
                      </span>
                    ))}
                </p>
              )
            }
          </Loaded>
          {account ? (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                go(() => prepare(account, datanet, fresh, license.trim() || null));
              }}
            >
              <Field label={t("contribute.license")} hint={t("contribute.license_hint", { license: datanet.license })}>
                {(id, hint) => (
                  <input id={id} aria-describedby={hint} value={license} onChange={(event) => setLicense(event.target.value)} />
                )}
              </Field>
              <p>
                {t("contribute.bond")}: {needed.data && <Amount value={needed.data.amount} denom={needed.data.denom} />}
              </p>
              <p>
                <label>
                  <input type="checkbox" checked={rights} onChange={(event) => setRights(event.target.checked)} />{" "}
                  {t("contribute.rights")}
                </label>
              </p>
              <button type="submit" className="main" disabled={busy || !rights || fresh.length === 0}>
                {step ? t(`contribute.${step}`, { ids: "" }) : t("contribute.submit")}
              </button>
            </form>
          ) : (
            <NeedsWallet />
          )}
        </section>
      )}
    </>
  );
}
