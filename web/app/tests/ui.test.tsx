import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { Columns, Curve, PartsBar } from "../src/components/Plot";
import { Amount, Failure, Table } from "../src/components/ui";
import { VirtualList } from "../src/components/VirtualList";
import { first as enFirst } from "../src/i18n/en/first";
import { pages as enPages } from "../src/i18n/en/pages";
import { first as frFirst } from "../src/i18n/fr/first";
import { pages as frPages } from "../src/i18n/fr/pages";
import { AppProvider } from "../src/lib/app";
import { setConfig, type Config } from "../src/lib/config";
import { csv, type HistoryLine } from "../src/lib/earnings";
import { AppError } from "../src/lib/errors";

const en: Record<string, Record<string, string>> = { ...enFirst, ...enPages };
const fr: Record<string, Record<string, string>> = { ...frFirst, ...frPages };
const currency = { coinDenom: "OPEN", coinMinimalDenom: "uopen", coinDecimals: 6 };
setConfig({
  chain: { chainId: "t", currencies: [currency], stakeCurrency: currency, feeCurrencies: [], rest: "http://127.0.0.1:9" },
  contracts: {},
} as unknown as Config);

test("an amount shows the coin and has the exact base units on hover", async () => {
  render(
    <AppProvider>
      <Amount value={1_234_567n} denom="uopen" />
    </AppProvider>,
  );
  expect(await screen.findByText(/1\.234567/)).toHaveProperty("title", "1234567 uopen");
});

test("an error says what to do, and offers another try only where that may help", () => {
  const retry = vi.fn();
  const { rerender } = render(<Failure error={new AppError("E-WEB-004", "timeout")} retry={retry} />);
  expect(screen.getByRole("alert").textContent).toContain("E-WEB-004");
  fireEvent.click(screen.getByRole("button"));
  expect(retry).toHaveBeenCalledOnce();
  rerender(<Failure error={new AppError("E-WEB-020")} retry={retry} />);
  expect(screen.queryByRole("button")).toBeNull();
});

test("of 10,000 rows only those in sight exist", () => {
  const rows = Array.from({ length: 10_000 }, (_, at) => at);
  render(
    <VirtualList label="rows" rows={rows} rowHeight={40} height={400} rowKey={(row) => row}>
      {(row) => <span>{row}</span>}
    </VirtualList>,
  );
  const items = screen.getAllByRole("listitem");
  expect(items.length).toBeLessThan(30);
  expect(items[0]?.getAttribute("aria-setsize")).toBe("10000");
});

test("plots and tables say what they show", () => {
  render(
    <>
      <PartsBar label="Split" parts={[{ name: "data", value: 3n }, { name: "node", value: 1n }]} format={String} />
      <Table caption="Sessions" head={["a"]}>
        {null}
      </Table>
    </>,
  );
  expect(screen.getByRole("img", { name: "Split: data 3, node 1" })).toBeTruthy();
  expect(screen.getByRole("region", { name: "Sessions" }).tabIndex).toBe(0);
});

test("French and English have the same keys, none of them empty, and nearly all of them translated", () => {
  const keys = (texts: typeof en) => Object.entries(texts).flatMap(([group, of]) => Object.keys(of).map((name) => `${group}.${name}`));
  expect(keys(fr).sort()).toEqual(keys(en).sort());
  const same = keys(en).filter((key) => {
    const [group = "", name = ""] = key.split(".");
    expect(fr[group]?.[name], key).not.toBe("");
    return fr[group]?.[name] === en[group]?.[name];
  });
  // Words that both languages share: Contribution, Version, Date, Source, …
  expect(same.length).toBeLessThan(keys(en).length / 10);
});

test("French has the words in which English has something to fill in", () => {
  const holes = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort();
  for (const [group, texts] of Object.entries(en)) {
    for (const [name, text] of Object.entries(texts)) {
      const other = fr[group]?.[name] ?? "";
      expect(holes(other), `${group}.${name}`).toEqual(holes(text));
    }
  }
});

test("a history is exported in base units, and runs nothing in a spreadsheet", () => {
  const line: HistoryLine = {
    node: 1,
    denom: '=cmd|"x"',
    epoch: 2,
    status: "final",
    receipt: "ab",
    contribution: 17,
    amount: 10n ** 30n,
    fee: null,
    bps: 6_000,
    session: 7,
  };
  const [, row] = csv([line]).split("\r\n");
  expect(row).toBe(`1,"'=cmd|""x""",2,final,7,ab,17,6000,,1000000000000000000000000000000`);
});

test("a curve and columns say in words what they show", () => {
  render(
    <>
      <Curve label="Loss" x="Steps" points={[[0, 4], [1, 3], [2, 1.5]]} />
      <Columns
        label="Fees"
        columns={[{ name: "1/1", parts: [{ name: "data", value: 3n }, { name: "node", value: 1n }] }]}
        format={String}
      />
    </>,
  );
  expect(screen.getByRole("img", { name: "Loss: 4.00 → 1.50, Steps 2" })).toBeTruthy();
  expect(screen.getByRole("img", { name: "Fees: 1/1 4" })).toBeTruthy();
});
