/** What pages say beyond the first visit. */
import { build } from "./build";
import { use } from "./use";

/** All of it. */
export const pages = { ...use, ...build };
