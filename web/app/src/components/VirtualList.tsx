/** A list of any length of which only the rows in sight exist; rows are of one height. */
import { useRef, useState, type ReactNode } from "react";

/** Rows drawn beyond the edge of what is seen. */
const OVERSCAN = 8;

interface Props<T> {
  label: string;
  rows: readonly T[];
  rowHeight: number;
  /** Height of the window, in pixels. */
  height: number;
  rowKey: (row: T) => string | number;
  children: (row: T) => ReactNode;
}

/** The list. */
export function VirtualList<T>({ label, rows, rowHeight, height, rowKey, children }: Props<T>) {
  const [top, setTop] = useState(0);
  const frame = useRef(0);
  const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((top + height) / rowHeight) + OVERSCAN);
  return (
    <div
      className="virtual"
      role="region"
      aria-label={label}
      // A region that scrolls has to be reachable by keyboard (WCAG 2.1.1).
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      style={{ height: Math.min(height, rows.length * rowHeight + 2) }}
      onScroll={(event) => {
        const { scrollTop } = event.currentTarget;
        cancelAnimationFrame(frame.current);
        frame.current = requestAnimationFrame(() => setTop(scrollTop));
      }}
    >
      <ul style={{ height: rows.length * rowHeight }}>
        {rows.slice(first, last).map((row, at) => (
          <li
            key={rowKey(row)}
            aria-setsize={rows.length}
            aria-posinset={first + at + 1}
            style={{ top: (first + at) * rowHeight, height: rowHeight }}
          >
            {children(row)}
          </li>
        ))}
      </ul>
    </div>
  );
}
