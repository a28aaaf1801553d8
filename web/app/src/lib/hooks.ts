/** Reading from React: queries with their states, and the address behind the `#`. */
import { useCallback, useEffect, useRef, useState } from "react";

import { asAppError, type AppError } from "./errors";

/** What has become of a query. */
export interface Query<T> {
  data: T | undefined;
  error: AppError | undefined;
  loading: boolean;
  reload: () => void;
}

/** Runs a query when `key` changes, and again every `every` milliseconds while the page is visible. */
export function useQuery<T>(key: string, run: () => Promise<T>, every?: number): Query<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: AppError }>({ key: "" });
  const [round, setRound] = useState(0);
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    let current = true;
    latest.current().then(
      (data) => current && setState({ key, data }),
      (error: unknown) =>
        current && setState((old) => ({ ...(old.key === key ? old : {}), key, error: asAppError(error) })),
    );
    return () => {
      current = false;
    };
  }, [key, round]);
  const reload = useCallback(() => setRound((value) => value + 1), []);
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) reload();
    }, every);
    return () => clearInterval(timer);
  }, [every, reload]);
  const fresh = state.key === key;
  const data = fresh ? state.data : undefined;
  const error = fresh ? state.error : undefined;
  return { data, error, loading: !data && !error, reload };
}

/** An action that a person starts: whether it runs, and how it failed. */
export function useAction(): {
  busy: boolean;
  error: AppError | undefined;
  run: (action: () => Promise<void>) => Promise<void>;
  clear: () => void;
} {
  const [state, setState] = useState<{ busy: boolean; error?: AppError }>({ busy: false });
  const run = useCallback(async (action: () => Promise<void>) => {
    setState({ busy: true });
    try {
      await action();
      setState({ busy: false });
    } catch (error) {
      setState({ busy: false, error: asAppError(error) });
    }
  }, []);
  const clear = useCallback(() => setState({ busy: false }), []);
  return { busy: state.busy, error: state.error, run, clear };
}

/** The parts of the address behind `#/`. */
export function useRoute(): string[] {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const changed = () => setHash(window.location.hash);
    window.addEventListener("hashchange", changed);
    return () => window.removeEventListener("hashchange", changed);
  }, []);
  return hash
    .replace(/^#\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
}

/** Goes to another page of the app. */
export function go(path: string): void {
  window.location.hash = path;
}
