// Every page: no violation of WCAG 2.2 AA, no sideways scrolling, pictures in both themes and two widths.
import { accessible, claim, context, picture, settle } from "./kit.mjs";

const WIDTHS = [390, 1280];
const THEMES = ["light", "dark"];

async function everyPage({ browser, url, summary }) {
  const shown = {
    home: "/",
    ask: "/ask",
    verify: "/verify",
    answer: `/verify/${summary.answers[0].receipt_id}`,
    earnings: "/earnings",
    earned: `/earnings/${summary.payouts[0].contributor.address}`,
    data: "/data",
    datanet: "/data/1",
    contribute: "/data/1/contribute",
    create: "/data/create",
    contribution: "/contribution/1",
    models: "/models",
    model: "/models/1/1",
    register: "/models/register",
    explore: "/explore",
    audits: "/explore/audits",
    node: "/explore/node/1",
    missing: "/nothing",
  };
  const wrong = [];
  for (const theme of THEMES) {
    for (const width of WIDTHS) {
      const { made, problems } = await context(browser, { viewport: { width, height: 844 }, colorScheme: theme });
      const page = await made.newPage();
      for (const [name, path] of Object.entries(shown)) {
        await page.goto(`${url}#${path}`);
        await settle(page);
        if (name === "answer") await page.getByText("Everything that was checked holds.").waitFor();
        await accessible(page, `${name} ${width} ${theme}`).catch((error) => wrong.push(error.message));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (wide > 0) wrong.push(`${name} ${width}: scrolls ${wide} pixels sideways`);
        await picture(page, `${name}-${width}-${theme}`);
      }
      wrong.push(...problems);
      await made.close();
    }
  }
  claim(wrong.length === 0, wrong.join("\n      "));
}

export const tests = {
  "no page has a violation of WCAG 2.2 AA or scrolls sideways": everyPage,

  async "every page speaks French"({ browser, url }) {
    const { made, problems } = await context(browser, { locale: "fr-FR" });
    const page = await made.newPage();
    await page.goto(`${url}#/explore`);
    await page.getByRole("heading", { name: "Explorer" }).waitFor();
    claim((await page.evaluate(() => document.documentElement.lang)) === "fr", "the page says its language");
    await page.getByLabel("Langue").selectOption("en");
    await page.getByRole("heading", { name: "Explore" }).waitFor();
    await made.close();
    claim(problems.length === 0, problems.join("\n"));
  },

  async "the menu is reached and used by keyboard alone"({ browser, url }) {
    const { made } = await context(browser);
    const page = await made.newPage();
    await page.goto(url);
    await settle(page);
    await page.keyboard.press("Tab");
    claim((await page.evaluate(() => document.activeElement?.className)) === "skip", "the first stop skips the menu");
    for (let stops = 0; stops < 10; stops += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement?.textContent)) === "Models") break;
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Models", level: 1 }).waitFor();
    await made.close();
  },
};
