/** An answer with its cited passages, who is paid for them, and what the source says. */
import type { PayableEscrow } from "@openledger/client";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { percent } from "../lib/amount";
import { utf8, utf8ToBytes } from "../lib/bytes";
import { partsOf, type Parts } from "../lib/check";
import { useQuery } from "../lib/hooks";
import { matchText } from "../lib/ingest";
import { promptOf, type AnswerBundle, type EvidencePiece } from "../lib/node";
import { queries } from "../lib/chain";
import { quote, source } from "../lib/source";
import { Address, Amount, Failure, Loading, Pill, Table } from "./ui";

/** Sources shown of a passage before more are asked for. */
const FEW = 2;

/** Colours of marked passages. */
const MARKS = 6;

/** A stretch of the answer and the pieces that cover it. */
interface Stretch {
  text: string;
  pieces: EvidencePiece[];
}

/** Cuts the answer where a piece begins or ends. */
export function stretches(
  answer: string,
  pieces: readonly EvidencePiece[],
  ranges: readonly (readonly [number, number])[],
): Stretch[] {
  const bytes = utf8ToBytes(answer);
  const edges = new Set([0, bytes.length]);
  ranges.forEach(([start, end]) => edges.add(start).add(end));
  const sorted = [...edges].filter((edge) => edge <= bytes.length).sort((a, b) => a - b);
  const found: Stretch[] = [];
  for (let at = 0; at + 1 < sorted.length; at += 1) {
    const [from, to] = [sorted[at] ?? 0, sorted[at + 1] ?? 0];
    const covering = pieces.filter((_, index) => {
      const range = ranges[index];
      return range !== undefined && range[0] <= from && range[1] >= to;
    });
    found.push({ text: utf8(bytes.subarray(from, to)), pieces: covering });
  }
  return found;
}

function SourceView({ piece, match, onClose }: { piece: EvidencePiece; match: string; onClose: () => void }) {
  const { t } = useTranslation();
  const key = `${piece.contribution_id} ${piece.source_start} ${piece.answer_start} ${piece.len}`;
  const found = useQuery(`source ${key}`, async () => {
    const read = await source(piece.contribution_id);
    return { read, quoted: await quote(read, piece, match) };
  });
  return (
    <div className="notice" role="group" aria-label={`${t("ask.source")} ${piece.contribution_id}`}>
      {found.error && <Failure error={found.error} retry={found.reload} />}
      {found.loading && <Loading />}
      {found.data && (
        <>
          <p>
            <a href={`#/contribution/${piece.contribution_id}`}>{found.data.read.contribution.title}</a> ·{" "}
            <Address value={found.data.read.contribution.facts.contributor} /> ·{" "}
            {found.data.read.contribution.facts.license}
          </p>
          {found.data.quoted ? (
            <>
              {/* A region that scrolls has to be reachable by keyboard (WCAG 2.1.1). */}
              {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
              <pre className="quote" tabIndex={0}>
                {found.data.quoted.before}
                <mark>{found.data.quoted.piece}</mark>
                {found.data.quoted.after}
              </pre>
              <p>
                <Pill kind={found.data.quoted.same ? "good" : "bad"}>
                  {found.data.quoted.same ? t("ask.quoted") : t("ask.misquoted")}
                </Pill>
              </p>
            </>
          ) : (
            <p>{t("ask.sealed")}</p>
          )}
        </>
      )}
      <button type="button" onClick={onClose}>
        {t("app.close")}
      </button>
    </div>
  );
}

/** Prompt and answer, cited passages marked; choosing one shows its sources. */
export function CitedAnswer({ bundle }: { bundle: AnswerBundle }) {
  const { t } = useTranslation();
  const { answer, evidence } = bundle;
  const [chosen, setChosen] = useState<number>();
  const [shown, setShown] = useState(FEW);
  const found = useQuery(`match ${bundle.receipt.signature}`, () =>
    matchText(
      answer,
      evidence.map((piece) => [piece.answer_start, piece.answer_start + piece.len] as const),
    ),
  );
  const parts = useMemo(
    () => (found.data ? stretches(answer, evidence, found.data.ranges) : [{ text: answer, pieces: [] }]),
    [answer, evidence, found.data],
  );
  const selected = chosen === undefined ? undefined : parts[chosen];
  const choose = (at: number) => {
    setChosen(chosen === at ? undefined : at);
    setShown(FEW);
  };
  return (
    <>
      <div className="answer">
        <span className="given">{promptOf(bundle)}</span>
        {parts.map((part, at) => {
          const [first] = part.pieces;
          if (!first) return <span key={at}>{part.text}</span>;
          return (
            // A button would not break across lines with the text around it.
            <span
              key={at}
              role="button"
              tabIndex={0}
              className={`cited mark-${first.contribution_id % MARKS}`}
              aria-pressed={chosen === at}
              aria-label={t("ask.show_source", { text: part.text })}
              onClick={() => choose(at)}
              onKeyDown={(event) => {
                if (event.key !== "Enter" && event.key !== " ") return;
                event.preventDefault();
                choose(at);
              }}
            >
              {part.text}
            </span>
          );
        })}
      </div>
      {found.error && <Failure error={found.error} retry={found.reload} />}
      {evidence.length > 0 && <p className="soft">{t("ask.legend")}</p>}
      {selected?.pieces.slice(0, shown).map((piece) => (
        <SourceView
          key={`${piece.contribution_id} ${piece.source_start}`}
          piece={piece}
          match={found.data?.text ?? ""}
          onClose={() => setChosen(undefined)}
        />
      ))}
      {selected && selected.pieces.length > shown && (
        <p>
          <button type="button" onClick={() => setShown(selected.pieces.length)}>
            {t("ask.more_sources", { count: selected.pieces.length - shown })}
          </button>
        </p>
      )}
    </>
  );
}

/** Who is paid for an answer, down to the base unit. */
export function SharesTable({
  bundle,
  split,
  denom,
}: {
  bundle: AnswerBundle;
  split: PayableEscrow.Split;
  denom: string;
}) {
  const { t } = useTranslation();
  const { receipt } = bundle.receipt;
  // Bytes of the answer that repeat each contribution.
  const quoted = new Map<number, number>();
  for (const { contribution_id: id, len } of bundle.evidence) quoted.set(id, (quoted.get(id) ?? 0) + len);
  const parts = useMemo(() => partsOf(receipt, split.data), [receipt, split]);
  const owners = useQuery(`owners ${receipt.seed}`, async () => {
    const { datanet } = await queries();
    const found = await Promise.all(
      receipt.shares.map((share) => datanet.contribution({ contributionId: share.contribution_id })),
    );
    return new Map(found.map((contribution) => [contribution.facts.contribution_id, contribution]));
  });
  const sorted = [...parts.shares].sort((a, b) => b.bps - a.bps);
  return (
    <>
      {owners.error && <Failure error={owners.error} retry={owners.reload} />}
      <Table
        // Several may stand on a page: each has a name of its own.
        caption={t("ask.paid_to_of", { number: receipt.sequence })}
        head={[t("ask.contribution"), t("ask.contributor"), t("ask.evidence"), t("ask.share"), t("ask.amount")]}
      >
        {sorted.map((share) => {
          const found = owners.data?.get(share.contribution);
          return (
            <tr key={share.contribution}>
              <td>
                <a href={`#/contribution/${share.contribution}`}>{found?.title ?? share.contribution}</a>
              </td>
              <td>{found ? <Address value={found.facts.contributor} /> : "…"}</td>
              <td>
                {quoted.has(share.contribution)
                  ? t("ask.evidence_bytes", { bytes: quoted.get(share.contribution) ?? 0 })
                  : t("ask.evidence_influence")}
              </td>
              <td className="number">{percent(share.bps)}</td>
              <td className="number">
                <Amount value={share.amount} denom={denom} />
              </td>
            </tr>
          );
        })}
        <tr>
          <td title={t("ask.no_evidence_hint")}>{t("ask.no_evidence")}</td>
          <td />
          <td />
          <td className="number">{percent(parts.noEvidence.bps)}</td>
          <td className="number">
            <Amount value={parts.noEvidence.amount} denom={denom} />
          </td>
        </tr>
      </Table>
      <p className="soft">{t("ask.no_evidence_hint")}</p>
      <p className="soft">
        {t("ask.rounding", { fee: parts.fee.toString(), bps: split.data, data: parts.data.toString(), left: leftOver(parts).toString(), denom })}
      </p>
    </>
  );
}

/** Base units that rounding down leaves, which go one by one to the largest remainders (PROTOCOL L4). */
export function leftOver({ data, shares, noEvidence }: Parts): bigint {
  const down = (bps: number) => (data * BigInt(bps)) / 10_000n;
  return data - shares.reduce((sum, share) => sum + down(share.bps), down(noEvidence.bps));
}
