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

/** Pages read between two times that what was read is shown. */
const SHOWN_EVERY = 8;

/** A list that is shown while its further pages are still read. */
export function usePages<T>(
  key: string,
  page: (after: number | undefined) => Promise<T[]>,
  keyOf: (entry: T) => number,
  full: number,
): { rows: readonly T[]; complete: boolean; error: AppError | undefined; reload: () => void } {
  const [state, setState] = useState<{ key: string; rows: readonly T[]; complete: boolean; error?: AppError }>({
    key: "",
    rows: [],
    complete: false,
  });
  const [round, setRound] = useState(0);
  const latest = useRef({ page, keyOf });
  useEffect(() => {
    latest.current = { page, keyOf };
  });
  useEffect(() => {
    let current = true;
    const read = async () => {
      const rows: T[] = [];
      for (let number = 1; current; number += 1) {
        const last = rows.at(-1);
        const next = await latest.current.page(last === undefined ? undefined : latest.current.keyOf(last));
        rows.push(...next);
        const complete = next.length < full;
        // The first page at once; then in steps, since every one draws the list again.
        if (current && (complete || number === 1 || number % SHOWN_EVERY === 0)) {
          setState({ key, rows: [...rows], complete });
        }
        if (complete) return;
      }
    };
    read().catch((error: unknown) => {
      if (current) setState((old) => ({ ...(old.key === key ? old : { rows: [], complete: false }), key, error: asAppError(error) }));
    });
    return () => {
      current = false;
    };
  }, [key, round, full]);
  const reload = useCallback(() => setRound((value) => value + 1), []);
  const fresh = state.key === key;
  return { rows: fresh ? state.rows : [], complete: fresh && state.complete, error: fresh ? state.error : undefined, reload };
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
