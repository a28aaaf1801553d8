//! Messages of the IBC gateway: payouts to accounts of other chains, and sessions paid from there.
//!
//! A payout goes through these states; each change is an event that names the payout:
//!
//! ```text
//! accrued -> in flight -> settled                     payout_sent, payout_settled
//!               |  \----> refunded (accrued again)    payout_refunded
//!               \-------> unresolved -> settled | refunded, by the owner or by a late callback
//! ```

use cosmwasm_schema::serde::{Deserialize, Serialize};
use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{Amount, InvariantsResponse, OwnershipAction, OwnershipResponse};
use super::escrow::NodeCap;

/// Most accounts that one `FlushPayouts` looks at.
pub const MAX_FLUSH: u32 = 20;
/// Most denoms of a route, of a withdrawal and of a claim of bounties.
pub const MAX_ROUTE_DENOMS: usize = 8;
/// Most routes.
pub const MAX_ROUTES: usize = 64;
/// Key of the memo under which a pay-in says what it is for.
pub const PAY_IN_KEY: &str = "openledger";

/// Bounds; every number is at least 1.
#[cw_serde]
pub struct Params {
    /// Seconds after a packet's timeout until a payout without news is unresolved.
    pub grace_seconds: u64,
    /// Blocks that an account waits after its first failed payout; each further failure doubles them.
    pub holdoff_blocks: u64,
    /// Failures in a row after which an account must set its address again or withdraw here, at most 16.
    pub max_attempts: u32,
    /// Part of a payout that the relayer who delivered it earns, in basis points, at most 500 (I4).
    pub bounty_bps: u16,
    /// Blocks of the window in which bounties are counted.
    pub bounty_window_blocks: u64,
    /// Most bounties of a denom in one window; what is above it goes to the contributors.
    pub bounties_per_window: u32,
    /// Gas that relayers reserve for the callback of a payout, at most 1,000,000.
    pub callback_gas: u64,
    /// Gas that sending one payout may take.
    pub send_gas: u64,
    /// Gas that opening or topping up a session by a pay-in may take.
    pub open_gas: u64,
}

/// What a denom costs on a route.
#[cw_serde]
pub struct RouteDenom {
    /// Denom as it exists on this chain.
    pub denom: String,
    /// Least payout, in base units: at least 20 times what both legs cost in gas.
    pub min_payout: Uint128,
    /// Most that the relayer earns of one payout, in base units.
    pub max_bounty: Uint128,
    /// Whether sessions can be paid in it over this route.
    pub pay_in: bool,
}

/// A chain that payouts go to and pay-ins come from.
#[cw_serde]
pub struct Route {
    /// Name of the chain: 1 to 32 of a-z, 0-9 and -.
    pub name: String,
    /// Channel of the transfer port on this chain: `channel-N`, one route each.
    pub channel_id: String,
    /// Prefix of its accounts.
    pub prefix: String,
    /// Denoms, 1 to 8, sorted, without repeats.
    pub denoms: Vec<RouteDenom>,
    /// Seconds until a packet that was not received times out, at least 60 and at most 604,800.
    pub timeout_seconds: u64,
    /// Whether payouts are sent and pay-ins open sessions; refunds of payers go back in any case.
    pub enabled: bool,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The escrow.
    pub escrow: String,
    /// Bounds.
    pub params: Params,
    /// First routes.
    #[serde(default)]
    pub routes: Vec<Route>,
}

/// How the owner decides a payout whose callback was lost.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Resolution {
    /// The coins arrived on the other chain.
    Settled,
    /// The coins came back.
    Refunded,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Names the account on another chain to which the sender's earnings go, and allows the gateway
    /// to draw them from the escrow for that. Ends a hold-off. Only for the sender itself.
    SetPreference {
        /// Route.
        route: String,
        /// Address there: bech32 of the route's prefix, in lower case, 20 or 32 bytes.
        remote_addr: String,
    },
    /// Takes the preference back: the gateway draws and sends nothing more for the sender.
    ClearPreference {},
    /// Sends what accounts of a route have earned in a denom. By anyone. Accounts that are not due
    /// are passed over: below the minimum, in a hold-off, with an open payout, or with another route.
    FlushPayouts {
        /// Route.
        route: String,
        /// Denom.
        denom: String,
        /// Accounts, 1 to 20; when absent the route's accounts in the order of their addresses.
        accounts: Option<Vec<String>>,
        /// Account after which to go on; the answer's attribute `next` names it.
        start_after: Option<String>,
        /// Accounts to look at, 10 unless told, at most 20.
        limit: Option<u32>,
    },
    /// Pays what the gateway holds for the sender to the sender, on this chain. Always possible.
    Withdraw {
        /// Denoms, at most 8.
        denoms: Vec<String>,
    },
    /// Records that a payout is past its timeout and grace without news. By anyone.
    MarkUnresolved {
        /// Payout.
        payout_id: u64,
    },
    /// Decides an unresolved payout. A refund must be covered by coins that nobody owns. Only by the
    /// owner.
    ResolvePayout {
        /// Payout.
        payout_id: u64,
        /// What happened to its coins.
        outcome: Resolution,
    },
    /// Books coins that came past the messages to an account, at most the surplus without what
    /// unresolved payouts may bring back. Only by the owner.
    BookSurplus {
        /// Denom.
        denom: String,
        /// Base units.
        amount: Uint128,
        /// Account of this chain, or the account that the gateway keeps for a payer of another.
        account: String,
    },
    /// Starts the end of a session that a pay-in opened. By anyone with the session key's signature
    /// over [`crate::formats::close_digest`].
    CloseSession {
        /// Session.
        session_id: u64,
        /// Signature of the session key (64 bytes).
        signature: HexBinary,
    },
    /// Pays the sender the bounties that it earned as a relayer (I4).
    ClaimBounties {
        /// Denoms, at most 8.
        denoms: Vec<String>,
    },
    /// Adds a route or replaces the one of that name. Only by the owner.
    SetRoute {
        /// The route.
        route: Route,
    },
    /// Changes the bounds. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows that pay-ins open sessions, nothing else: they are booked to their refund
    /// account instead (A1). Only by the owner.
    SetPaused {
        /// Whether to stop.
        paused: bool,
    },
    /// Changes the owner in two steps.
    UpdateOwnership(OwnershipAction),
}

/// Who gets the coins of a pay-in that buys nothing, and what a session leaves unused.
#[cw_serde]
pub enum RefundTo {
    /// An account of the chain that the coins came from; they go back over the same channel.
    Remote(
        /// Its bech32 address.
        String,
    ),
    /// An account of this chain; it owns the session.
    Local(
        /// Its address.
        String,
    ),
}

/// What a pay-in buys.
#[cw_serde]
pub enum PayInOrder {
    /// A new session; the amount less the opening fee is its deposit.
    OpenSession {
        /// Model.
        model_id: u64,
        /// Version.
        model_version: u32,
        /// Compressed secp256k1 key that signs vouchers and the close (33 bytes).
        session_key: HexBinary,
        /// 1 to 4 nodes, as in the escrow's message.
        nodes: Vec<NodeCap>,
        /// Life in blocks; the longest when absent.
        blocks: Option<u64>,
    },
    /// More for a session that is open.
    TopUp {
        /// Session.
        session_id: u64,
        /// Node whose cap rises.
        node_id: u64,
    },
}

/// What stands in the memo of a pay-in under `openledger`, beside `dest_callback`.
#[cw_serde]
pub struct PayIn {
    /// Who gets what is not used.
    pub refund: RefundTo,
    /// What to buy.
    pub order: PayInOrder,
}

/// Who is called back, see ibc-go's callbacks middleware.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct Callback {
    /// Contract.
    pub address: String,
    /// Gas that the relayer reserves, as a decimal string.
    pub gas_limit: String,
}

/// The memo of an ICS-20 transfer that pays a session, and that of a payout.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct Memo {
    /// The contract on the destination: the gateway, for a pay-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_callback: Option<Callback>,
    /// The contract on the source: the gateway, for a payout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_callback: Option<Callback>,
    /// What a pay-in is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openledger: Option<PayIn>,
}

impl Memo {
    /// The memo with which another chain pays in; transfer the coins to the gateway itself.
    pub fn pay_in(gateway: &str, gas_limit: u64, pay_in: PayIn) -> Self {
        let dest_callback = Some(Callback { address: gateway.into(), gas_limit: gas_limit.to_string() });
        Memo { dest_callback, src_callback: None, openledger: Some(pay_in) }
    }

    /// The memo of a payout.
    pub fn payout(gateway: &str, gas_limit: u64) -> Self {
        let src_callback = Some(Callback { address: gateway.into(), gas_limit: gas_limit.to_string() });
        Memo { dest_callback: None, src_callback, openledger: None }
    }
}

/// Which payouts are asked for.
#[cw_serde]
pub enum PayoutFilter {
    /// Those of an account.
    Account(
        /// Its address.
        String,
    ),
    /// Those in a state.
    State(
        /// The state.
        PayoutState,
    ),
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Escrow, bounds, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One route.
    #[returns(Route)]
    Route {
        /// Its name.
        name: String,
    },
    /// Routes by name.
    #[returns(RoutesResponse)]
    Routes {
        /// Name after which to start.
        start_after: Option<String>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Preference and money of an account.
    #[returns(AccountResponse)]
    Account {
        /// Address on this chain.
        address: String,
    },
    /// The account that the gateway keeps for a payer of another chain.
    #[returns(AccountResponse)]
    RemoteAccount {
        /// Channel on this chain.
        channel_id: String,
        /// Address on the other chain.
        address: String,
    },
    /// Accounts of a route by address.
    #[returns(AccountsResponse)]
    Accounts {
        /// Route.
        route: String,
        /// Address after which to start.
        start_after: Option<String>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// One payout.
    #[returns(PayoutResponse)]
    Payout {
        /// Its number.
        payout_id: u64,
    },
    /// The payout that a packet carries.
    #[returns(PayoutResponse)]
    PacketPayout {
        /// Channel on this chain.
        channel_id: String,
        /// Sequence of the packet.
        sequence: u64,
    },
    /// Payouts by number.
    #[returns(PayoutsResponse)]
    Payouts {
        /// Which; all when absent.
        filter: Option<PayoutFilter>,
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// What became of a pay-in.
    #[returns(PayInResponse)]
    PayIn {
        /// Channel on this chain.
        channel_id: String,
        /// Sequence of the packet.
        sequence: u64,
    },
    /// Bounties that a relayer can claim.
    #[returns(BountiesResponse)]
    Bounties {
        /// Its address on this chain.
        relayer: String,
    },
    /// The conservation equation, term by term.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// The escrow.
    pub escrow: String,
    /// Bounds.
    pub params: Params,
    /// Whether pay-ins open no sessions.
    pub paused: bool,
}

/// Answer to `Routes {}`.
#[cw_serde]
pub struct RoutesResponse {
    /// In order of their names.
    pub routes: Vec<Route>,
}

/// Where an account's money goes.
#[cw_serde]
pub struct Preference {
    /// Route.
    pub route: String,
    /// Channel on this chain, when it is fixed: that over which a payer's coins came.
    pub channel_id: Option<String>,
    /// Address on the other chain.
    pub remote_addr: String,
    /// Whether it is a payer's account, which has no key on this chain.
    pub payer: bool,
}

/// An account's money in a denom.
#[cw_serde]
pub struct AccountDenom {
    /// Denom.
    pub denom: String,
    /// Held by the gateway, in base units; can be withdrawn here at any time.
    pub accrued: Uint128,
    /// Waiting in the escrow; drawn with the next payout.
    pub in_escrow: Uint128,
    /// Least payout of the route; 1 for payers.
    pub min_payout: Uint128,
    /// What the relayer would earn of both.
    pub bounty: Uint128,
    /// Its payout that is in flight or unresolved; another one is sent after it.
    pub open_payout: Option<u64>,
}

/// Answer to `Account {}`.
#[cw_serde]
pub struct AccountResponse {
    /// Address on this chain.
    pub address: String,
    /// Where its money goes; none when it withdraws here.
    pub preference: Option<Preference>,
    /// Failed payouts in a row.
    pub failures: u32,
    /// Height from which the next payout is sent; none while the account must set its address again.
    pub next_attempt: Option<u64>,
    /// One entry for each denom of its route, and each that it has.
    pub denoms: Vec<AccountDenom>,
}

/// Answer to `Accounts {}`.
#[cw_serde]
pub struct AccountsResponse {
    /// Addresses with their preferences, in the order of addresses.
    pub accounts: Vec<(String, Preference)>,
}

/// Where a payout stands.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum PayoutState {
    /// Its packet is on the way.
    InFlight,
    /// Its coins arrived.
    Settled,
    /// Its coins came back, or never left.
    Refunded,
    /// Nobody told in time what became of it, or not in words that can be read.
    Unresolved,
}

/// A payout.
#[cw_serde]
pub struct PayoutResponse {
    /// Number.
    pub payout_id: u64,
    /// Whose.
    pub account: String,
    /// Route.
    pub route: String,
    /// Channel on this chain.
    pub channel_id: String,
    /// Sequence of its packet; none when it could not be sent.
    pub sequence: Option<u64>,
    /// Receiver on the other chain.
    pub remote_addr: String,
    /// What is sent.
    pub amount: Amount,
    /// What the relayer earns of it, in base units of the same denom.
    pub bounty: Uint128,
    /// Where it stands.
    pub state: PayoutState,
    /// Whether it is in flight past timeout and grace, so that anyone may mark it as unresolved.
    pub overdue: bool,
    /// Number of the attempt, from 1; it restarts after a success.
    pub attempt: u32,
    /// Height at which it was sent.
    pub sent_at: u64,
    /// Timeout of the packet, in nanoseconds since 1970.
    pub timeout: u64,
}

/// Answer to `Payouts {}`.
#[cw_serde]
pub struct PayoutsResponse {
    /// In order of their numbers.
    pub payouts: Vec<PayoutResponse>,
}

/// What became of a pay-in.
#[cw_serde]
pub enum PayInOutcome {
    /// It opened a session.
    Opened {
        /// Session.
        session_id: u64,
    },
    /// It topped a session up.
    ToppedUp {
        /// Session.
        session_id: u64,
    },
    /// It was booked to the refund account.
    Booked {
        /// Why, in words.
        reason: String,
    },
}

/// Answer to `PayIn {}`.
#[cw_serde]
pub struct PayInResponse {
    /// Account that owns session or refund.
    pub account: String,
    /// What came.
    pub amount: Amount,
    /// What became of it.
    pub outcome: PayInOutcome,
}

/// Answer to `Bounties {}`.
#[cw_serde]
pub struct BountiesResponse {
    /// One entry a denom, at most 64.
    pub amounts: Vec<Amount>,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
