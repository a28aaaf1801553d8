/** Which page belongs to which address. */
import { lazy, Suspense, useEffect, type ComponentType, type LazyExoticComponent } from "react";
import { useTranslation } from "react-i18next";

import { Layout } from "./components/Layout";
import { Loading } from "./components/ui";
import { pageTexts } from "./i18n";
import { useRoute } from "./lib/hooks";
import { Home } from "./pages/Home";

/** What a page is given: the parts of its address after its name. */
export interface PageProps {
  args: string[];
}

/** A page that is loaded, with its texts, when it is first opened. */
function page(load: () => Promise<{ default: ComponentType<PageProps> }>): LazyExoticComponent<ComponentType<PageProps>> {
  return lazy(async () => (await Promise.all([load(), pageTexts()]))[0]);
}

const PAGES: Record<string, LazyExoticComponent<ComponentType<PageProps>>> = {
  ask: page(() => import("./pages/Ask")),
  verify: page(() => import("./pages/Verify")),
  earnings: page(() => import("./pages/Earnings")),
  data: page(() => import("./pages/Data")),
  contribution: page(() => import("./pages/Contribution")),
  models: page(() => import("./pages/Models")),
  explore: page(() => import("./pages/Explore")),
  tx: page(() => import("./pages/Tx")),
};

/** The menu's entry for pages that have none of their own. */
const WITHIN: Record<string, string> = { contribution: "data", tx: "explore" };

/** The app. */
export function App() {
  const { t } = useTranslation();
  const [name = "", ...args] = useRoute();
  const Page = PAGES[name];
  useEffect(() => {
    window.scrollTo(0, 0);
    const title = name in PAGES && name in { ask: 1, verify: 1, earnings: 1, data: 1, models: 1, explore: 1 };
    document.title = title ? `${t(`nav.${name}`)} · OpenLedger` : "OpenLedger";
  }, [name, t]);
  return (
    <Layout page={WITHIN[name] ?? name}>
      {name === "" ? (
        <Home />
      ) : Page ? (
        <Suspense fallback={<Loading />}>
          <Page args={args} />
        </Suspense>
      ) : (
        <h1>{t("app.not_found")}</h1>
      )}
    </Layout>
  );
}
