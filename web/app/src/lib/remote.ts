/**
 * Sessions paid from another chain (PROTOCOL P1): one ICS-20 transfer to the gateway, whose memo orders the
 * session. The sender's account stays on the other chain; what is left goes back there.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js";
import type { IbcGateway } from "@openledger/client";

import { bytesToHex } from "./bytes";
import { gateway } from "./chain";
import { config, gatewayOf, type Remote } from "./config";
import { AppError, asAppError } from "./errors";
import { remoteOf, routes, voucher } from "./payout";
import * as store from "./store";
import { NEVER_SENT, adopt, type Opening } from "./session";
import { transfer, type Account, type Sent } from "./wallet";

/** Gas that the relayer reserves for the callback: the most that stock wasmd allows. */
const CALLBACK_GAS = 1_000_000;

/** Milliseconds between two looks for the pay-in, and for how many looks. */
const LOOK = { every: 1_000, times: 180 };

/** A way to pay from another chain. */
export interface PayRoute {
  route: IbcGateway.Route;
  remote: Remote;
}

/** Chains from which a session can be paid in a denom. */
export async function payRoutes(denom: string): Promise<PayRoute[]> {
  const known = await config();
  if (!known.contracts.ibc_gateway || !known.remotes?.length) return [];
  const all = await routes();
  return all.flatMap((route) => {
    const remote = remoteOf(known, route);
    const paysIn = route.enabled && route.denoms.some((entry) => entry.denom === denom && entry.pay_in);
    return remote && paysIn ? [{ route, remote }] : [];
  });
}

/** The memo that orders a session, as `packages/types/src/msg/gateway.rs` reads it. */
export function memoOf(gatewayAddress: string, refund: string, sessionKey: string, opening: Opening): string {
  return JSON.stringify({
    dest_callback: { address: gatewayAddress, gas_limit: `${CALLBACK_GAS}` },
    openledger: {
      refund: { remote: refund },
      order: {
        open_session: {
          model_id: opening.modelId,
          model_version: opening.version,
          session_key: sessionKey,
          nodes: [{ node_id: opening.nodeId, cap: opening.deposit.toString() }],
          blocks: opening.blocks,
        },
      },
    },
  });
}

/** Where a payment from another chain stands. */
export type PayInStep = "signing" | "travelling" | "opened";

/**
 * Opens a session by one transfer signed on the other chain, and waits until it has arrived. `home` is the
 * account of this chain whose list shows the session; it pays nothing.
 */
export async function openFrom(
  { route, remote }: PayRoute,
  home: Account,
  payer: Account,
  opening: Opening,
  onStep: (step: PayInStep) => void,
): Promise<store.Session> {
  const contract = gatewayOf(await config());
  const { secretKey, publicKey } = secp256k1.keygen();
  const sessionKey = bytesToHex(publicKey);
  // Kept before any chain hears of it: the session would only come back as a refund.
  await store.saveSecret(sessionKey, home.address, secretKey);
  onStep("signing");
  let sent: Sent;
  try {
    sent = await transfer(remote.chain, payer, {
      channel: remote.remote_channel,
      denom: await voucher(remote.remote_channel, opening.denom),
      amount: opening.deposit + opening.openFee,
      receiver: contract,
      memo: memoOf(contract, payer.address, sessionKey, opening),
      timeout: route.timeout_seconds,
    });
  } catch (error) {
    if (NEVER_SENT.has(asAppError(error).code)) await store.dropSecret(sessionKey);
    throw error;
  }
  onStep("travelling");
  const sequence = sequenceOf(sent);
  if (sequence === null) throw new AppError("E-WEB-012", sent.hash);
  const outcome = await arrival(route.channel_id, sequence);
  if (!("opened" in outcome)) {
    await store.dropSecret(sessionKey);
    throw new AppError("E-WEB-071", "booked" in outcome ? outcome.booked.reason : "");
  }
  onStep("opened");
  return adopt(outcome.opened.session_id, home, {});
}

/** Sequence of the packet that a transfer sent. */
export function sequenceOf(sent: Sent): number | null {
  const event = sent.events.find(({ type }) => type === "send_packet");
  const found = event?.attributes.find(({ key }) => key === "packet_sequence");
  return found ? Number(found.value) : null;
}

/** What became of a pay-in, once the gateway has heard of it. */
async function arrival(channelId: string, sequence: number): Promise<IbcGateway.PayInOutcome> {
  const client = await gateway();
  for (let look = 0; look < LOOK.times; look += 1) {
    try {
      return (await client.payIn({ channelId, sequence })).outcome;
    } catch (error) {
      if (asAppError(error).code !== "E-WEB-003" && asAppError(error).code !== "E-WEB-002") throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK.every));
  }
  throw new AppError("E-WEB-072", `${channelId} ${sequence}`);
}
