/** One contribution: its facts, its text as far as it may be read, what it earned. */
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Facts, Failure, Loaded, Loading, Pill, Short } from "../components/ui";
import { units } from "../lib/amount";
import { queries } from "../lib/chain";
import { useQuery } from "../lib/hooks";
import { source } from "../lib/source";

async function facts(contributionId: number) {
  const { datanet, models, escrow } = await queries();
  const [contribution, training, usage] = await Promise.all([
    datanet.contribution({ contributionId }),
    models.usage({ contributionId }),
    escrow.usage({ contributionId }),
  ]);
  return { contribution, training, usage };
}

/** The page. */
export default function Contribution({ args }: PageProps) {
  const { t } = useTranslation();
  const id = Number(args[0]);
  const found = useQuery(`contribution ${id}`, () => facts(id));
  const text = useQuery(`text ${id}`, () => source(id));
  return (
    <Loaded query={found}>
      {({ contribution, training, usage }) => {
        const { facts: known } = contribution;
        return (
          <>
            <h1>{contribution.title}</h1>
            <div className="columns">
              <section className="card">
                <Facts
                  rows={[
                    [t("ask.contribution"), id],
                    [t("data.title"), <a key="d" href={`#/data/${known.datanet_id}`}>{known.datanet_id}</a>],
                    [t("ask.contributor"), <Address key="c" value={known.contributor} />],
                    [t("data.status"), <Pill key="s">{t(`status.${contribution.status}`)}</Pill>],
                    [t("ask.license"), known.license],
                    [t("data.bytes"), `${known.content_len} B · ${known.media}`],
                    [t("tx.height"), `${known.priority.height} / ${known.priority.tx_index}`],
                    ...(contribution.duplicate_of
                      ? [[t("status.duplicate"), <a key="u" href={`#/contribution/${contribution.duplicate_of}`}>{contribution.duplicate_of}</a>] as const]
                      : []),
                    ...(contribution.reason ? [[t("data.reason"), contribution.reason] as const] : []),
                  ]}
                />
              </section>
              <section className="card">
                <Facts
                  rows={[
                    [t("data.trained"), training.times_seen],
                    [t("data.answers"), usage.answers],
                    ...usage.earned.map(({ denom, amount }) => [t("data.earned"), <Amount key={denom} value={units(amount)} denom={denom} />] as const),
                    ["Content root", <Short key="r" text={known.content_root} />],
                    ["Match root", <Short key="m" text={known.match_root} />],
                    ["Blob", <Short key="b" text={known.blob.root} />],
                  ]}
                />
              </section>
            </div>
            <section className="card">
              <h2>{t("data.text")}</h2>
              {text.loading && <Loading />}
              {text.error && <Failure error={text.error} retry={text.reload} />}
              {text.data &&
                (text.data.content === null ? (
                  <p>{t("ask.sealed")}</p>
                ) : (
                  // A region that scrolls has to be reachable by keyboard (WCAG 2.1.1).
                  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
                  <pre className="quote" tabIndex={0}>
                    {text.data.content.slice(0, 20_000)}
                  </pre>
                ))}
            </section>
          </>
        );
      }}
    </Loaded>
  );
}
