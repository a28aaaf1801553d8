/** Errors that say what to do: a stable code, whose sentence stands in the texts under `error.<code>`. */

/** Codes, each with whether trying again may help. */
const CODES = {
  /** config.json is missing or unreadable. */
  "E-WEB-001": false,
  /** The chain does not answer. */
  "E-WEB-002": true,
  /** The chain refuses a query. */
  "E-WEB-003": false,
  /** A node does not answer. */
  "E-WEB-004": true,
  /** A node refuses. */
  "E-WEB-005": false,
  /** What a node gives does not match the chain. */
  "E-WEB-006": false,
  /** There is no wallet. */
  "E-WEB-010": true,
  /** The wallet's owner refused. */
  "E-WEB-011": true,
  /** The chain refused the transaction. */
  "E-WEB-012": false,
  /** The account cannot pay. */
  "E-WEB-013": false,
  /** The wallet is on another chain, or does not know this one. */
  "E-WEB-014": true,
  /** The session is over. */
  "E-WEB-020": false,
  /** The answer could cost more than the session has left. */
  "E-WEB-021": false,
  /** The node asks other prices than the session pinned. */
  "E-WEB-022": false,
  /** The stream broke off. */
  "E-WEB-023": true,
  /** An answer failed a check and is not acknowledged. */
  "E-WEB-024": false,
  /** Another answer of the session is under way. */
  "E-WEB-025": true,
  /** This browser does not hold the session's key. */
  "E-WEB-026": false,
  /** The text given is no receipt. */
  "E-WEB-030": false,
  /** The wasm part could not be loaded. */
  "E-WEB-040": true,
  /** The source cannot be shown. */
  "E-WEB-041": false,
  /** The deployment has no gateway to other chains, or it has no such account. */
  "E-WEB-070": false,
  /** A payment from another chain opened no session. */
  "E-WEB-071": false,
  /** A payment from another chain has not arrived. */
  "E-WEB-072": true,
  /** The folder is no model. */
  "E-WEB-060": false,
  /** The model cannot be replayed in the page. */
  "E-WEB-061": false,
  /** Anything else. */
  "E-WEB-099": true,
} as const;

/** A stable code. */
export type Code = keyof typeof CODES;

/** An error with a stable code; `detail` is what the other side said. */
export class AppError extends Error {
  readonly code: Code;
  readonly detail: string;

  constructor(code: Code, detail = "") {
    super(detail ? `${code}: ${detail}` : code);
    this.name = "AppError";
    this.code = code;
    this.detail = detail;
  }

  /** Whether the same step may succeed later. */
  get retryable(): boolean {
    return CODES[this.code];
  }
}

/** Whatever was thrown, as an error with a code. */
export function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("E-WEB-099", error instanceof Error ? error.message : String(error));
}
