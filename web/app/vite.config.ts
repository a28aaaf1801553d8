import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The generated client, built by scripts/build-client.
const client = fileURLToPath(new URL("../client/dist/src/", import.meta.url));

export default defineConfig({
  // The app works from any folder of any static server.
  base: "./",
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^@openledger\/client$/, replacement: `${client}index.js` },
      { find: /^@openledger\/client\//, replacement: client },
    ],
  },
  build: {
    target: "es2022",
    // Nothing is inlined into the page: its content security policy forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"] },
});
