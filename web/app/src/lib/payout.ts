/**
 * Earnings to accounts of other chains (docs/formats.md, `packages/types/src/msg/gateway.rs`): where they go,
 * what became of each payout, and what their owner or anyone can do about it.
 */
import type { IbcGateway } from "@openledger/client";

import { units } from "./amount";
import { balance, gateway, PAGE, pages } from "./chain";
import { config, gatewayOf, type Config, type Remote } from "./config";
import { connect, execute, type Account, type Call, type Sent } from "./wallet";

/** Everything that the gateway knows of an account. */
export interface Payouts {
  account: IbcGateway.AccountResponse;
  routes: IbcGateway.Route[];
  /** The newest first. */
  payouts: IbcGateway.PayoutResponse[];
}

/** How a payout is called to people: the gateway's state, and whether news of it are overdue. */
export type PayoutLabel = IbcGateway.PayoutState | "overdue";

/** The state of a payout. */
export function labelOf({ state, overdue }: IbcGateway.PayoutResponse): PayoutLabel {
  return state === "in_flight" && overdue ? "overdue" : state;
}

/** All routes, in the order of their names. */
export async function routes(): Promise<IbcGateway.Route[]> {
  const found = await (await gateway()).routes({ limit: PAGE });
  return found.routes;
}

/** Preference, money and payouts of an account; null where there is no gateway. */
export async function payouts(address: string): Promise<Payouts | null> {
  if (!(await config()).contracts.ibc_gateway) return null;
  const client = await gateway();
  const [account, known, list] = await Promise.all([
    client.account({ address }),
    routes(),
    pages(
      async (startAfter) => {
        const page = await client.payouts({ filter: { account: address }, startAfter: startAfter!, limit: PAGE });
        return page.payouts;
      },
      (payout) => payout.payout_id,
    ),
  ]);
  return { account, routes: known, payouts: list.reverse() };
}

/** The chain behind a route, when the app was told of it. */
export function remoteOf({ remotes }: Config, route: IbcGateway.Route): Remote | undefined {
  return remotes?.find((remote) => remote.channel === route.channel_id);
}

/** The wallet's own account on the chain behind a route. */
export async function ownAddress(route: IbcGateway.Route): Promise<string | null> {
  const remote = remoteOf(await config(), route);
  return remote ? (await connect(remote.chain)).address : null;
}

/** What an account of another chain holds of this chain's coin. */
export async function held(remote: Remote, address: string, denom: string): Promise<bigint> {
  return balance(address, await voucher(remote.remote_channel, denom), remote.chain);
}

/** What a denom of this chain is called on the other one (ICS-20): `ibc/` and the SHA-256 of its path. */
export async function voucher(remoteChannel: string, denom: string): Promise<string> {
  const path = new TextEncoder().encode(`transfer/${remoteChannel}/${denom}`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", path));
  return `ibc/${[...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("").toUpperCase()}`;
}

async function send(account: Account, msg: IbcGateway.ExecuteMsg): Promise<Sent> {
  return execute(account, [{ contract: gatewayOf(await config()), msg }]);
}

/** Names the account of another chain that earnings go to. */
export function prefer(account: Account, route: string, remoteAddr: string): Promise<Sent> {
  return send(account, { set_preference: { route, remote_addr: remoteAddr } });
}

/** Keeps earnings on this chain again. */
export function stay(account: Account): Promise<Sent> {
  return send(account, { clear_preference: {} });
}

/** Sends what an account has earned; by anyone. */
export function flushCall(gatewayAddress: string, route: string, denom: string, owner: string): Call {
  const msg: IbcGateway.ExecuteMsg = { flush_payouts: { route, denom, accounts: [owner] } };
  return { contract: gatewayAddress, msg };
}

/** What a flush did with an account. */
export interface Flushed {
  sent: Sent;
  /** Number of the payout on its way. */
  payout: number | null;
  /** Why nothing was sent, in the contract's words. */
  skipped: string | null;
}

/** Sends what waits for an account on a route: the first try, and every other one after it came back. */
export async function flush(account: Account, route: string, denom: string, owner: string): Promise<Flushed> {
  const contract = gatewayOf(await config());
  return outcome(contract, await execute(account, [flushCall(contract, route, denom, owner)]));
}

/** Reads what the gateway's events say. */
export function outcome(contract: string, sent: Sent): Flushed {
  const of = (type: string, key: string) =>
    sent.events
      .filter((event) => event.type === `wasm-${type}`)
      .map(({ attributes }) => new Map(attributes.map(({ key: name, value }) => [name, value])))
      .find((attributes) => attributes.get("_contract_address") === contract)
      ?.get(key);
  const payout = of("payout_sent", "payout_id");
  return {
    sent,
    payout: payout === undefined ? null : Number(payout),
    skipped: of("payout_skipped", "reason") ?? of("payout_refunded", "reason") ?? null,
  };
}

/** Takes what the gateway holds for the sender on this chain. */
export function withdrawHere(account: Account, denoms: string[]): Promise<Sent> {
  return send(account, { withdraw: { denoms } });
}

/** Records that a payout is past its time without news; by anyone. */
export function markUnresolved(account: Account, payoutId: number): Promise<Sent> {
  return send(account, { mark_unresolved: { payout_id: payoutId } });
}

/** Payouts as CSV (RFC 4180), amounts in base units. */
export function payoutsCsv(list: readonly IbcGateway.PayoutResponse[]): string {
  const head = "payout,route,channel,sequence,receiver,denom,amount,bounty,state,attempt,height";
  const rows = list.map((payout) =>
    [
      payout.payout_id,
      payout.route,
      payout.channel_id,
      payout.sequence ?? "",
      payout.remote_addr,
      payout.amount.denom,
      units(payout.amount.amount),
      units(payout.bounty),
      labelOf(payout),
      payout.attempt,
      payout.sent_at,
    ].join(","),
  );
  return [head, ...rows, ""].join("\r\n");
}
