/** The wasm part, where scripts/build-web has made it. */
import { existsSync, readFileSync } from "node:fs";

import { beforeAll, describe, expect, test } from "vitest";

import { stretches } from "../src/components/AnswerView";
import { toBase64, utf8ToBytes } from "../src/lib/bytes";
import { clean, matchText, useModule } from "../src/lib/ingest";
import { openBlob, sealBlob } from "../src/lib/source";

// Tests run in the app's folder.
const path = "public/ingest.wasm";

describe.skipIf(!existsSync(path))("packages/ingest in the page", () => {
  beforeAll(() => useModule(new Uint8Array(readFileSync(path))));

  test("match text leads back to the text", async () => {
    const { text, ranges } = await matchText("Let  X = 1;", [[4, 5]]);
    expect(text).toBe("let x = 1;");
    expect(ranges).toEqual([[5, 6]]);
  });

  test("documents are cleaned, refused and found twice", async () => {
    const raw = toBase64(utf8ToBytes("A sentence that is long enough to be taken.\n"));
    const { report, ready } = await clean([
      { name: "a.txt", raw },
      { name: "b.txt", raw },
      { name: "c.txt", raw: "" },
    ]);
    expect(report.totals).toMatchObject({ documents: 3, accepted: 1, duplicates: 1, refused: 1 });
    expect(report.documents[2]?.refused?.advice).not.toBe("");
    expect(ready.map((document) => document.name)).toEqual(["a.txt"]);
  });

  test("a sealed blob opens as the contribution it was made for, and as no other", async () => {
    const { generateIdentity, identityToRecipient } = await import("age-encryption");
    const identity = await generateIdentity();
    const content = utf8ToBytes("A sentence that is long enough to be taken.\n");
    const { ready } = await clean([{ name: "a.txt", raw: toBase64(content) }]);
    const root = ready[0]?.content_root ?? "";
    const blob = await sealBlob(await identityToRecipient(identity), 3, root, content);
    expect(await openBlob(identity, 3, root, blob)).toBe("A sentence that is long enough to be taken.\n");
    await expect(openBlob(identity, 4, root, blob)).rejects.toThrow();
    await expect(openBlob(await generateIdentity(), 3, root, blob)).rejects.toThrow();
    await expect(openBlob(identity, 3, root, blob.subarray(1))).rejects.toThrow();
  });
});

test("an answer is cut where pieces begin and end", () => {
  const piece = (id: number) => ({ answer_start: 0, len: 0, contribution_id: id, source_start: 0 });
  const found = stretches("añbc", [piece(1), piece(2)], [
    [0, 3],
    [1, 4],
  ]);
  expect(found.map(({ text, pieces }) => [text, pieces.map((p) => p.contribution_id)])).toEqual([
    ["a", [1]],
    ["ñ", [1, 2]],
    ["b", [2]],
    ["c", []],
  ]);
});
