/** Making a datanet from the page: a public one, whose key everyone may know. */
import type { Datanet } from "@openledger/client";
import { generateIdentity, identityToRecipient } from "age-encryption";

import { config } from "./config";
import { AppError } from "./errors";
import { attribute, execute, type Account } from "./wallet";

/** What to create. */
export interface NewDatanet {
  name: string;
  description: string;
  license: string;
  minDataBps: number;
}

/** Creates a public datanet with an open policy; returns its number. */
export async function createDatanet(account: Account, wanted: NewDatanet): Promise<number> {
  const { contracts } = await config();
  const identity = await generateIdentity();
  const msg: Datanet.ExecuteMsg = {
    create_datanet: {
      name: wanted.name,
      description: wanted.description,
      visibility: "public",
      license: wanted.license,
      recipient: await identityToRecipient(identity),
      public_identity: identity,
      min_data_bps: wanted.minDataBps,
      floor_per_token: "0",
    },
  };
  const sent = await execute(account, [{ contract: contracts.datanet, msg }]);
  const id = attribute(sent, contracts.datanet, "wasm", "datanet_id") ?? attribute(sent, contracts.datanet, "", "datanet_id");
  if (!id) throw new AppError("E-WEB-012", sent.hash);
  return Number(id);
}
