/** Typed clients of the contracts, and the formats that are hashed and signed. */
export * from "./generated/index.js";
export * as formats from "./formats.js";
export * as ledger from "./ledger.js";
export * as merkle from "./merkle.js";
export * as money from "./money.js";
export * as packed from "./packed.js";
