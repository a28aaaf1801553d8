import { expect, test } from "vitest";

import { decimal, parseDecimal, percent, units } from "../src/lib/amount";

test("amounts are exact whatever their size", () => {
  expect(decimal(0n, 6)).toBe("0");
  expect(decimal(1n, 6)).toBe("0.000001");
  expect(decimal(1_500_000n, 6)).toBe("1.5");
  expect(decimal((1n << 128n) - 1n, 6).replaceAll("\u202f", "")).toBe("340282366920938463463374607431768.211455");
  expect(decimal(-5n, 1)).toBe("−0.5");
  expect(decimal(42n, 0)).toBe("42");
});

test("what a person types is read exactly or not at all", () => {
  expect(parseDecimal("1", 6)).toBe(1_000_000n);
  expect(parseDecimal("0,000001", 6)).toBe(1n);
  expect(parseDecimal("1.50", 1)).toBe(15n);
  for (const wrong of ["", "1.0000001", "-1", "1e3", "0x10", ".5", "1.2.3", "NaN"]) {
    expect(parseDecimal(wrong, 6), wrong).toBeNull();
  }
  for (let amount = 0n; amount < 3_000n; amount += 7n) {
    expect(parseDecimal(decimal(amount, 3).replaceAll("\u202f", ""), 3)).toBe(amount);
  }
});

test("amounts of the chain are digits only", () => {
  expect(units("12")).toBe(12n);
  for (const wrong of ["-1", "1.5", "", "1e3"]) expect(() => units(wrong)).toThrow(RangeError);
  expect(percent(4_242)).toBe("42.42 %");
});
