import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

import { pageTexts, startTexts } from "../src/i18n";

await startTexts();
await pageTexts();
afterEach(cleanup);
