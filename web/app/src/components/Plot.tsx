/** Plots as SVG. Every plot says in words what it shows. */

/** Part of a whole. */
export interface Part {
  name: string;
  value: bigint;
}

/** Basis points of a width, for drawing only. */
function width(value: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number((value * 10_000n) / whole) / 100;
}

/** One bar divided into parts, with a legend. */
export function PartsBar({ label, parts, format }: { label: string; parts: readonly Part[]; format: (v: bigint) => string }) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0n);
  const said = parts.map((part) => `${part.name} ${format(part.value)}`).join(", ");
  let at = 0;
  return (
    <figure className="plot">
      <svg viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={`${label}: ${said}`}>
        {parts.map((part, index) => {
          const x = at;
          at += width(part.value, whole);
          return <rect key={part.name} className={`part-${index}`} x={x} y="0" width={at - x} height="6" />;
        })}
      </svg>
      <figcaption>
        {parts.map((part, index) => (
          <span key={part.name} className="key">
            <i className={`swatch part-${index}`} aria-hidden="true" />
            {part.name} {format(part.value)}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** One column of a plot, from the bottom up. */
export interface Column {
  name: string;
  parts: readonly Part[];
}

/** Columns beside each other on one scale, each divided into the same parts, with a legend. */
export function Columns({ label, columns, format }: {
  label: string;
  columns: readonly Column[];
  format: (v: bigint) => string;
}) {
  const whole = (column: Column) => column.parts.reduce((sum, part) => sum + part.value, 0n);
  const highest = columns.map(whole).reduce((a, b) => (a > b ? a : b), 0n);
  const names = columns[0]?.parts.map((part) => part.name) ?? [];
  const said = columns.map((column) => `${column.name} ${format(whole(column))}`).join(", ");
  const step = 100 / Math.max(1, columns.length);
  return (
    <figure className="plot columns-plot">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label={`${label}: ${said}`}>
        {columns.map((column, at) => {
          let below = 0;
          return column.parts.map((part, index) => {
            const height = width(part.value, highest) * 0.4;
            below += height;
            return (
              <rect
                key={`${column.name} ${part.name}`}
                className={`part-${index}`}
                x={at * step + step * 0.1}
                y={40 - below}
                width={Math.min(step * 0.8, 8)}
                height={height}
              >
                <title>{`${column.name}: ${part.name} ${format(part.value)}`}</title>
              </rect>
            );
          });
        })}
      </svg>
      <figcaption>
        {names.map((name, index) => (
          <span key={name} className="key">
            <i className={`swatch part-${index}`} aria-hidden="true" />
            {name}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

/** Size of a curve's drawing, in its own units. */
const CURVE = { width: 640, height: 200, left: 44, bottom: 22, top: 8 };

/** Points drawn of a curve; more are averaged. */
const DRAWN = 300;

/** A curve, its points rising in x; the lowest and highest value stand at its side. */
export function Curve({ label, x, points }: { label: string; x: string; points: readonly (readonly [number, number])[] }) {
  const every = Math.max(1, Math.ceil(points.length / DRAWN));
  const means = Array.from({ length: Math.ceil(points.length / every) }, (_, at) => {
    const part = points.slice(at * every, (at + 1) * every);
    return [part[0]?.[0] ?? 0, part.reduce((sum, [, y]) => sum + y, 0) / part.length] as const;
  });
  const values = means.map(([, y]) => y);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [means[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 1];
  const across = (value: number) => CURVE.left + ((CURVE.width - CURVE.left) * (value - first)) / Math.max(1, last - first);
  const inner = CURVE.height - CURVE.bottom - CURVE.top;
  const down = (value: number) => CURVE.top + (inner * (high - value)) / Math.max(1e-9, high - low);
  const line = means.map(([at, y]) => `${across(at).toFixed(1)},${down(y).toFixed(1)}`).join(" ");
  const said = `${label}: ${values[0]?.toFixed(2) ?? ""} → ${values.at(-1)?.toFixed(2) ?? ""}, ${x} ${last}`;
  return (
    <figure className="plot curve">
      <svg viewBox={`0 0 ${CURVE.width} ${CURVE.height}`} role="img" aria-label={said}>
        <line x1={CURVE.left} y1={CURVE.height - CURVE.bottom} x2={CURVE.width} y2={CURVE.height - CURVE.bottom} />
        <polyline points={line} />
        <text x="0" y={CURVE.top + 10}>
          {high.toFixed(2)}
        </text>
        <text x="0" y={CURVE.height - CURVE.bottom}>
          {low.toFixed(2)}
        </text>
        <text x={CURVE.left} y={CURVE.height - 4}>
          {first}
        </text>
        <text x={CURVE.width} y={CURVE.height - 4} textAnchor="end">
          {last}
        </text>
      </svg>
      <figcaption>
        {label} · {x}
      </figcaption>
    </figure>
  );
}
