/** One transaction. */
import { useTranslation } from "react-i18next";

import type { PageProps } from "../App";
import { Address, Amount, Facts, Loaded, Pill, Short } from "../components/ui";
import { units } from "../lib/amount";
import { rest } from "../lib/chain";
import { useQuery } from "../lib/hooks";

interface Found {
  tx: {
    body: { messages: { "@type": string; sender?: string; contract?: string; msg?: Record<string, unknown> }[] };
    auth_info: { fee: { amount: { denom: string; amount: string }[] } };
  };
  tx_response: { height: string; code: number; raw_log: string; gas_wanted: string; gas_used: string; timestamp: string };
}

/** The page. */
export default function Tx({ args }: PageProps) {
  const { t } = useTranslation();
  const hash = (args[0] ?? "").toUpperCase();
  const found = useQuery(`tx ${hash}`, () => rest<Found>(`/cosmos/tx/v1beta1/txs/${encodeURIComponent(hash)}`));
  return (
    <>
      <h1>{t("tx.title")}</h1>
      <p>
        <Short text={hash} head={24} tail={8} />
      </p>
      <Loaded query={found}>
        {({ tx, tx_response: response }) => (
          <>
            <section className="card">
              <Facts
                rows={[
                  [t("tx.height"), response.height],
                  [
                    t("tx.result"),
                    <Pill key="r" kind={response.code === 0 ? "good" : "bad"}>
                      {response.code === 0 ? t("tx.ok") : t("tx.failed")}
                    </Pill>,
                  ],
                  ...(response.code === 0 ? [] : [["", response.raw_log] as const]),
                  ...tx.auth_info.fee.amount.map(({ denom, amount }) => [t("tx.fee"), <Amount key={denom} value={units(amount)} denom={denom} />] as const),
                  [t("tx.gas"), `${response.gas_used} / ${response.gas_wanted}`],
                ]}
              />
            </section>
            <section className="card">
              <h2>{t("tx.messages")}</h2>
              {tx.body.messages.map((message, at) => (
                <details key={at} open={at === 0}>
                  <summary>
                    <code>{Object.keys(message.msg ?? {})[0] ?? message["@type"]}</code>{" "}
                    {message.sender && <Address value={message.sender} />}
                  </summary>
                  {/* A region that scrolls has to be reachable by keyboard (WCAG 2.1.1). */}
                  {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
                  <pre className="quote" tabIndex={0}>
                    {JSON.stringify(message.msg ?? message, null, 2)}
                  </pre>
                </details>
              ))}
            </section>
          </>
        )}
      </Loaded>
    </>
  );
}
