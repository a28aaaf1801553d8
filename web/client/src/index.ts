/** Typed clients of the contracts, and the formats that are hashed and signed. */
export * from "./generated/index.js";
export * as formats from "./formats.js";
export * as packed from "./packed.js";
