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
