/** What all pages share: the chain's description, the account, the newest height. */
import { createContext, useContext, useMemo, useState, type ReactNode } from "react";

import { height } from "./chain";
import { config, type Config } from "./config";
import type { AppError } from "./errors";
import { useAction, useQuery } from "./hooks";
import { connect, type Account } from "./wallet";

/** Milliseconds between two looks at the chain. */
const PULSE = 3_000;

/** Where the page remembers that an account was connected. */
const KEY = "openledger.connected";

interface App {
  config: Config | undefined;
  configError: AppError | undefined;
  height: number | undefined;
  account: Account | undefined;
  connecting: boolean;
  walletError: AppError | undefined;
  connect: () => void;
  disconnect: () => void;
}

const Context = createContext<App | undefined>(undefined);

/** Gives the pages what they share. */
export function AppProvider({ children }: { children: ReactNode }) {
  const [account, setAccount] = useState<Account>();
  const { busy, error, run, clear } = useAction();
  const { data: found, error: configError } = useQuery("config", config);
  const { data: newest } = useQuery(`height ${found?.chain.rest ?? ""}`, height, PULSE);
  // An account that was connected is taken up again: Keplr asks only once for each page.
  useQuery("wallet", async () => {
    if (localStorage.getItem(KEY) === "yes") setAccount(await connect());
    return true;
  });
  const value = useMemo<App>(
    () => ({
      config: found,
      configError,
      height: newest,
      account,
      connecting: busy,
      walletError: error,
      connect: () =>
        void run(async () => {
          setAccount(await connect());
          localStorage.setItem(KEY, "yes");
        }),
      disconnect: () => {
        setAccount(undefined);
        clear();
        localStorage.removeItem(KEY);
      },
    }),
    [found, configError, newest, account, busy, error, run, clear],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

/** What all pages share. */
export function useApp(): App {
  const app = useContext(Context);
  if (!app) throw new Error("AppProvider is missing");
  return app;
}
