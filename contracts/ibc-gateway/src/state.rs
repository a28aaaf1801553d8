//! Everything the gateway stores.

use cosmwasm_std::{Addr, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_contract::lean::Lean;
use openledger_contract::stored;
use openledger_types::msg::gateway::{Params, PayInResponse, PayoutState, Preference, Route};

stored! {
    /// Money of one denom, in base units.
    #[derive(Default)]
    pub struct Counters {
        /// Ever drawn, paid in and booked.
        pub paid_in: Uint128,
        /// Ever arrived elsewhere, withdrawn, claimed and paid to the escrow.
        pub paid_out: Uint128,
        /// Balances of accounts.
        pub accrued: Uint128,
        /// In packets on the way.
        pub in_flight: Uint128,
        /// In packets of which no news came.
        pub unresolved: Uint128,
        /// Reserved for relayers by open payouts, and earned by them.
        pub bounties: Uint128,
    }
}

stored! {
    /// A payout.
    pub struct Payout {
        /// Whose.
        pub account: Addr,
        /// Route; empty for a payer whose channel has none.
        pub route: String,
        /// Channel on this chain.
        pub channel_id: String,
        /// Sequence of its packet, once sent.
        pub sequence: Option<u64>,
        /// Receiver on the other chain.
        pub remote_addr: String,
        /// Denom.
        pub denom: String,
        /// What is sent, in base units.
        pub amount: Uint128,
        /// What is set aside for the relayer.
        pub bounty: Uint128,
        /// Where it stands.
        pub state: PayoutState,
        /// Number of the attempt, from 1.
        pub attempt: u32,
        /// Height at which it was sent.
        pub sent_at: u64,
        /// Timeout of its packet, in nanoseconds since 1970.
        pub timeout: u64,
    }
}

stored! {
    /// Failures of an account's payouts since the last one that arrived.
    #[derive(Default)]
    pub struct Attempts {
        /// In a row.
        pub failures: u32,
        /// Height from which the next payout is sent.
        pub next_at: u64,
    }
}

stored! {
    /// Bounties of a denom that were paid in the running window.
    #[derive(Default)]
    pub struct Window {
        /// Height at which it began.
        pub start: u64,
        /// Bounties in it.
        pub paid: u32,
    }
}

/// The escrow.
pub const ESCROW: Item<Addr> = Item::new("escrow");
/// Bounds.
pub const PARAMS: Item<Lean<Params>> = Item::new("params");
/// Route name to route.
pub const ROUTES: Map<&str, Lean<Route>> = Map::new("routes");
/// Channel to the name of its route.
pub const CHANNELS: Map<&str, String> = Map::new("channels");
/// Denom to its counters.
pub const COUNTERS: Map<&str, Counters> = Map::new("counters");
/// Denoms that a route ever listed; those of the query `Invariants`.
pub const DENOMS: Map<&str, bool> = Map::new("denoms");
/// Account to where its money goes.
pub const PREFERENCES: Map<&Addr, Lean<Preference>> = Map::new("preferences");
/// (route, account) of every preference.
pub const ON_ROUTE: Map<(&str, &Addr), bool> = Map::new("on_route");
/// (account, denom) to what it can withdraw, in base units.
pub const BALANCES: Map<(&Addr, &str), Uint128> = Map::new("balances");
/// Account to its failures since the last success.
pub const ATTEMPTS: Map<&Addr, Attempts> = Map::new("attempts");
/// Number of the newest payout.
pub const LAST_PAYOUT: Item<u64> = Item::new("last_payout");
/// Payout number to payout.
pub const PAYOUTS: Map<u64, Payout> = Map::new("payouts");
/// (account, payout number) of every payout.
pub const OF_ACCOUNT: Map<(&Addr, u64), bool> = Map::new("of_account");
/// (state, payout number) of every payout, see [`crate::payout::state_code`].
pub const IN_STATE: Map<(u8, u64), bool> = Map::new("in_state");
/// (channel, sequence) of an open payout's packet to its number.
pub const PACKETS: Map<(&str, u64), u64> = Map::new("packets");
/// (account, denom) to the payout that is in flight or unresolved.
pub const OPEN: Map<(&Addr, &str), u64> = Map::new("open");
/// (relayer, denom) to its bounties, in base units.
pub const BOUNTIES: Map<(&Addr, &str), Uint128> = Map::new("bounties");
/// Denom to its window of bounties.
pub const WINDOWS: Map<&str, Window> = Map::new("windows");
/// (channel, sequence) of a packet that paid in to what became of it.
pub const PAY_INS: Map<(&str, u64), Lean<PayInResponse>> = Map::new("pay_ins");
