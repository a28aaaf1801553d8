//! Everything the escrow stores. What changes with every settlement is apart from what is pinned at
//! opening, so that a settlement rewrites little.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_contract::lean::Lean;
use openledger_contract::packs::Packs;
use openledger_contract::stored;
use openledger_types::formats::{BlobRef, EpochCommit, SumRoot};
use openledger_types::money::Split;
use openledger_types::msg::escrow::{Params, RootStatus};
use openledger_types::parts;

/// Whether a field has its default and need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

stored! {
    /// Contracts that are asked at the opening of a session.
    pub struct Registries {
        /// The model registry.
        pub model: Addr,
        /// The node registry.
        pub node: Addr,
    }
}

stored! {
    /// Contracts that are believed.
    pub struct Connected {
        /// The datanet contract.
        pub datanet: Addr,
        /// The referee.
        pub referee: Addr,
        /// Denom of nodes' bonds, as the node registry said when the contracts were connected.
        pub bond_denom: String,
    }
}

stored! {
    /// Terms of a session, pinned at its opening and never rewritten (S3).
    pub struct Session {
        /// Who opened it and gets the refund.
        pub owner: Addr,
        /// Key that signs vouchers (33 bytes).
        pub session_key: HexBinary,
        /// Denom.
        pub denom: String,
        /// The opening fee, in base units.
        pub open_fee: Uint128,
        /// Model.
        pub model_id: u64,
        /// Version.
        pub model_version: u32,
        /// Who earns the developer's part.
        pub developer: Addr,
        /// Price of a prompt token, in base units.
        pub price_in: Uint128,
        /// Price of an answer token, in base units.
        pub price_out: Uint128,
        /// Least fee of an answer, in base units.
        pub min_fee: Uint128,
        /// How fees are divided.
        pub split: Split,
        /// Nodes, sorted.
        pub nodes: Vec<u64>,
        /// Height of the opening.
        pub opened_at: u64,
        /// Last height of its life.
        pub expires: u64,
        /// Blocks between `RequestClose` and the refund (G).
        pub grace_blocks: u64,
        /// Most receipts without acknowledgement (k).
        pub in_flight: u32,
        /// Royalties to ancestors' developers: recipient and basis points of the fee (L11).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub royalties: Vec<(Addr, u16)>,
        /// Datanets that the model rests on.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub datanets: Vec<u64>,
        /// Hash over their versions (32 bytes); empty in sessions of the first release.
        #[serde(default, skip_serializing_if = "is_default")]
        pub datanets_hash: HexBinary,
        /// Least fee for each token of an answer (D5).
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub floor_per_token: Uint128,
        /// The gateway that opened it for its owner, and may start its end (P1).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub opener: Option<Addr>,
    }
}

stored! {
    /// Money and end of a session.
    pub struct Purse {
        /// Paid in without the opening fee, in base units.
        pub deposit: Uint128,
        /// Settled for the protocol.
        pub protocol: Uint128,
        /// Settled for the developer.
        pub developer: Uint128,
        /// Settled for the nodes.
        pub node: Uint128,
        /// Settled for the data.
        pub data: Uint128,
        /// Credited back.
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub refunded: Uint128,
        /// Height of `RequestClose`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub close_requested_at: Option<u64>,
        /// Whether the refund was credited.
        #[serde(default, skip_serializing_if = "is_default")]
        pub closed: bool,
    }
}

stored! {
    /// A node as a session pins it.
    pub struct NodePin {
        /// Key that signs receipts (33 bytes).
        pub node_key: HexBinary,
        /// Operator, who earns the node's part.
        pub operator: Addr,
        /// Address that may post beside the operator.
        pub hot: Option<Addr>,
        /// The node's own prices of a prompt and of an answer token; those of the model when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub prices: Option<(Uint128, Uint128)>,
    }
}

impl NodePin {
    /// Prices of a prompt and of an answer token in this session.
    pub fn prices(&self, session: &Session) -> (Uint128, Uint128) {
        self.prices.unwrap_or((session.price_in, session.price_out))
    }
}

stored! {
    /// What a node has settled of a session.
    pub struct SessionLog {
        /// Most that the node may be paid, in base units.
        pub cap: Uint128,
        /// The receipts settled so far; its sum is the fees settled.
        pub log: SumRoot,
        /// Height of the last settlement; that of the opening before.
        pub settled_at: u64,
        /// Receipts before the newest settlement.
        #[serde(default, skip_serializing_if = "is_default")]
        pub from: u64,
        /// Their fees.
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub before: Uint128,
        /// Epoch of the newest settlement; 0 before the first, and for settlements of the first release.
        #[serde(default, skip_serializing_if = "is_default")]
        pub epoch: u64,
    }
}

/// The ledger of a node in a denom.
#[derive(Clone, Debug, PartialEq, ::cosmwasm_schema::serde::Deserialize)]
#[serde(crate = "::cosmwasm_schema::serde", from = "OldLedger")]
pub struct Ledger {
    /// Epochs posted so far, without one that waits: a posting rewrites nothing here.
    pub epoch: u64,
    /// The newest final ledger.
    pub ledger: SumRoot,
    /// The abandoned root that closed it (L8).
    pub closed: Option<Closed>,
    /// Whether claims from it may stand in [`CLAIMED`]: it began under the first release.
    pub old: bool,
}

stored! {
    /// A ledger as the first release stored it.
    pub struct OldLedger {
        /// Epochs posted so far.
        pub epoch: u64,
        /// The newest final ledger.
        pub ledger: SumRoot,
        /// Blob with its leaves: that of the epoch's commitment.
        pub leaves_blob: Option<BlobRef>,
        /// The abandoned root that closed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub closed: Option<Closed>,
    }
}

impl From<OldLedger> for Ledger {
    fn from(OldLedger { epoch, ledger, closed, leaves_blob: _ }: OldLedger) -> Self {
        Ledger { epoch, ledger, closed, old: true }
    }
}

/// What an abandoned root left to be shared out.
#[cw_serde]
pub struct Closed {
    /// Epoch of the root.
    pub epoch: u64,
    /// Epoch in which its sessions were settled; it and those after it were void.
    pub origin: u64,
    /// Not yet paid, in base units: no leaf of the ledger is paid from it.
    pub left: Uint128,
}

impl Ledger {
    /// Before the first epoch.
    pub fn new() -> Self {
        Ledger { epoch: 0, ledger: SumRoot::empty(), closed: None, old: false }
    }

    /// Epoch whose commitment names the blob of the ledger's leaves; 0 before the first final root.
    pub fn newest(&self) -> u64 {
        self.closed.as_ref().map_or(self.epoch, |closed| closed.origin.saturating_sub(1))
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

stored! {
    /// What a ledger was paid and has paid, in base units (L1).
    #[derive(Default)]
    pub struct Funds {
        /// Paid into it by final roots.
        pub funded: Uint128,
        /// Credited from it by claims.
        pub claimed: Uint128,
        /// Returned to payers from it.
        pub refunded: Uint128,
    }
}

stored! {
    /// An epoch as the first release stored it; later ones are stored by [`crate::roots`].
    pub struct EpochRecord {
        /// The commitment.
        pub commit: EpochCommit,
        /// Height at which it was posted.
        pub posted_at: u64,
        /// Height from which it can be final without attestations.
        pub final_at: u64,
        /// Not used.
        pub attested: bool,
        /// Fees that it settled.
        pub fees: Uint128,
        /// The data's part of them.
        pub data: Uint128,
    }
}

stored! {
    /// What became of a root that waits no more. Absent for roots that became final under the first
    /// release.
    pub struct Outcome {
        /// Final, replaced or abandoned.
        pub status: RootStatus,
        /// Whether auditors attested its blobs.
        #[serde(default, skip_serializing_if = "is_default")]
        pub attested: bool,
        /// Why it is void.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub reason: Option<String>,
        /// Part of its fees that pays audits (F4).
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub audit: Uint128,
        /// Paid to auditors from it.
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub paid: Uint128,
    }
}

/// A root that is void and was not replaced.
#[cw_serde]
pub struct Voided {
    /// Height at which it became void.
    pub at: u64,
    /// Why.
    pub reason: String,
}

/// What a root's receipts of one model version are worth.
#[cw_serde]
pub struct ModelPart {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Datanets that it rests on.
    pub datanets: Vec<u64>,
    /// Fees, in base units.
    pub fees: Uint128,
    /// The data's part of them.
    pub data: Uint128,
}

/// Fees, and the data's part of them.
#[cw_serde]
#[derive(Default)]
pub struct Worth {
    /// All parts together, in base units.
    pub fees: Uint128,
    /// The data's part.
    pub data: Uint128,
}

stored! {
    /// What a root that is not final will credit (L5), and what stands in its way.
    #[derive(Default)]
    pub struct Pending {
        /// Denom.
        pub denom: String,
        /// Epoch.
        pub epoch: u64,
        /// Height from which it can be final without attestations.
        pub final_at: u64,
        /// All parts together, less what cases hold or took away.
        pub fees: Uint128,
        /// For the ledger.
        pub data: Uint128,
        /// For treasury and audits.
        pub protocol: Uint128,
        /// For developers and royalties, one entry an address.
        pub payees: Vec<(Addr, Uint128)>,
        /// For operators, one entry an address; the first release has them among the payees.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub operators: Vec<(Addr, Uint128)>,
        /// Hot address that all its sessions pinned; it may replace the root, as their one operator may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub hot: Option<Addr>,
        /// Epoch in which its sessions were settled, when it replaced a void root; else 0.
        #[serde(default, skip_serializing_if = "is_default")]
        pub origin: u64,
        /// Height at which the origin was posted; 0 for roots of the first release.
        #[serde(default, skip_serializing_if = "is_default")]
        pub posted_at: u64,
        /// Height from which it can be final once attested.
        #[serde(default, skip_serializing_if = "is_default")]
        pub early_at: u64,
        /// Whether auditors attested its blobs (L6).
        #[serde(default, skip_serializing_if = "is_default")]
        pub attested: bool,
        /// Open demands for its chunks (L6).
        #[serde(default, skip_serializing_if = "is_default")]
        pub holds: u32,
        /// Set while it is void (L7).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub void: Option<Voided>,
        /// Roots of this origin that were void.
        #[serde(default, skip_serializing_if = "is_default")]
        pub voids: u32,
        /// Open cases that hold receipts of it.
        #[serde(default, skip_serializing_if = "is_default")]
        pub cases: u32,
        /// What the commitment covers, once a case has held receipts of it: what waits, what cases hold,
        /// less what verdicts took out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub covered: Option<Worth>,
        /// Receipts that verdicts took out since the commitment.
        #[serde(default, skip_serializing_if = "is_default")]
        pub struck: u64,
        /// Fees by model version.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub models: Vec<ModelPart>,
        /// Receipts of sessions that the node's operator paid; they record no work (F3).
        #[serde(default, skip_serializing_if = "is_default")]
        pub own_receipts: u64,
        /// Fees of such sessions.
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub own_fees: Uint128,
        /// Part of the protocol's part for audits, in basis points, pinned (F4).
        #[serde(default, skip_serializing_if = "is_default")]
        pub audit_bps: u16,
        /// Part of the bond up to which it is final after one window, in basis points, pinned (F5).
        #[serde(default, skip_serializing_if = "is_default")]
        pub exposure_bps: u16,
    }
}

impl Pending {
    /// Epoch in which its sessions were settled.
    pub fn origin(&self) -> u64 {
        if self.origin == 0 {
            self.epoch
        } else {
            self.origin
        }
    }

    /// What its commitment covers.
    pub fn covered(&self) -> Worth {
        self.covered.clone().unwrap_or(Worth { fees: self.fees, data: self.data })
    }

    /// Whether an epoch is this root or one that it replaced.
    pub fn covers(&self, denom: &str, epoch: u64) -> bool {
        self.denom == denom && (self.origin()..=self.epoch).contains(&epoch)
    }
}

stored! {
    /// Fees of a session in one epoch of a node, and what cases took out of them.
    pub struct Cited {
        /// All of them, in base units.
        pub fees: Uint128,
        /// Held or taken away.
        pub out: Uint128,
        /// Worth away.
        pub away: Uint128,
    }
}

stored! {
    /// A case that held receipts.
    pub struct HeldCase {
        /// Node.
        pub node_id: u64,
        /// Denom.
        pub denom: String,
        /// Epoch in which the receipts were settled.
        pub origin: u64,
        /// (session, fee) of each receipt.
        pub receipts: Vec<(u64, Uint128)>,
        /// Hashes of their leaves (32 bytes); none in a case of an earlier release, which alone holds its receipts.
        #[serde(default, skip_serializing_if = "is_default")]
        pub leaves: Vec<HexBinary>,
        /// What it holds; nothing once decided. A receipt that several cases cite is held by the first of them.
        pub held: Worth,
        /// Whether it was decided.
        pub decided: bool,
    }
}

stored! {
    /// The cases about a receipt.
    #[derive(Default)]
    pub struct Hold {
        /// Those that are not decided: at most one of each kind of fault. The first holds the fee.
        pub cases: Vec<u64>,
        /// Whether a verdict took the fee from the node.
        pub taken: bool,
    }
}

stored! {
    /// The data's part of an abandoned epoch, by model version.
    pub struct Pot {
        /// In base units.
        pub data: Uint128,
        /// Whether nothing was trained on and the commons have it.
        #[serde(default, skip_serializing_if = "is_default")]
        pub given: bool,
    }
}

stored! {
    /// What is remembered of a node between its roots.
    #[derive(Default)]
    pub struct NodeBook {
        /// Height at which the newest finished root was posted. No rule reads it any more; stored books have it.
        pub posted: u64,
        /// Height at which it was finished.
        pub freed: u64,
        /// Answers under final roots that the node registry was not told of.
        #[serde(default, skip_serializing_if = "is_default")]
        pub answers: u64,
        /// Their fees in the bonds' denom.
        #[serde(default, skip_serializing_if = "Uint128::is_zero")]
        pub fees: Uint128,
        /// Such roots.
        #[serde(default, skip_serializing_if = "is_default")]
        pub epochs: u64,
    }
}

stored! {
    /// Where the sweep of a denom's commons stands (I1).
    #[derive(Default)]
    pub struct Sweep {
        /// Height of the newest start.
        pub at: u64,
        /// Its number; weights are gathered under the next one.
        pub round: u64,
        /// Weight gathered since.
        pub gathered: Uint128,
        /// Weight of datanets that wait for their part.
        pub waiting: Uint128,
        /// Coins of the commons that are theirs.
        pub pool: Uint128,
    }
}

stored! {
    /// Answer uses of a contribution that were proved.
    #[derive(Default)]
    pub struct Uses {
        /// Answers.
        pub answers: u64,
        /// What they paid for it, by denom; the first 8.
        pub earned: Vec<(String, Uint128)>,
    }
}

stored! {
    /// Where all coins of a denom are (DESIGN: conservation), in base units.
    #[derive(Default)]
    pub struct Counters {
        /// Deposits not settled and not refunded.
        pub escrowed: Uint128,
        /// Settled under roots that are not final.
        pub pending: Uint128,
        /// Balances that can be withdrawn.
        pub accrued: Uint128,
        /// Paid into ledgers and not claimed.
        pub ledgers: Uint128,
        /// Held by open cases (F2).
        #[serde(default)]
        pub held: Uint128,
        /// Set aside for audits of final epochs and not paid (F4).
        #[serde(default)]
        pub audits: Uint128,
        /// The commons'.
        pub commons: Uint128,
        /// The protocol's.
        pub treasury: Uint128,
        /// Ever taken by messages. Its checked growth bounds every other counter.
        pub paid_in: Uint128,
        /// Ever paid out.
        pub paid_out: Uint128,
    }
}

/// Windows and bounds for new sessions and roots.
pub const PARAMS: Item<Lean<Params>> = Item::new("params");
/// Contracts that are asked at the opening of a session.
pub const REGISTRIES: Item<Registries> = Item::new("registries");
/// Number of the newest session.
pub const LAST_SESSION: Item<u64> = Item::new("last_session");
/// Session → terms.
pub const SESSIONS: Packs<u64, Session> = Packs::new("sessions");
/// Session → money and end.
pub const PURSES: Packs<u64, Purse> = Packs::new("purses");
/// (session, node) → node as pinned.
pub const PINS: Packs<(u64, u64), NodePin> = Packs::new("pins");
/// (session, node) → cap and settled log.
pub const LOGS: Packs<(u64, u64), SessionLog> = Packs::new("logs");
/// (node, denom) → ledger.
pub const LEDGERS: Packs<(u64, &str), Ledger> = Packs::new("ledgers");
/// (node, denom) → what the ledger was paid and has paid.
pub const FUNDS: Packs<(u64, &str), Funds> = Packs::new("funds");
/// (node, denom, epoch) → epoch, as the first release stored it.
pub const OLD_EPOCHS: Map<(u64, &str, u64), EpochRecord> = Map::new("epochs");
/// (node, denom, epoch) → epoch, packed by [`crate::roots`].
pub const EPOCHS: Map<(u64, &str, u64), ()> = Map::new("roots");
/// (node, denom, epoch) → what became of it.
pub const OUTCOMES: Map<(u64, &str, u64), Outcome> = Map::new("outcomes");
/// (node, denom, epoch of the settlement) → epoch of the root that replaced it last.
pub const REPLACED: Map<(u64, &str, u64), u64> = Map::new("replaced");
/// Node → its one root that is not final (L2).
pub const PENDING: Packs<u64, Pending> = Packs::new("pending");
/// (denom, account, node / 32) → what the account had from these nodes' ledgers, by [`crate::credits`].
pub const CREDITS: Map<(&str, &str, u64), ()> = Map::new("credits");
/// (node, denom, account) → the same of a ledger that began under the first release, as decimal text;
/// read, and written no more.
pub const CLAIMED: Map<(u64, &str, &str), String> = Map::new("claimed");
/// (address, denom) → what can be withdrawn; no entry when nothing.
pub const BALANCES: Map<(&Addr, &str), Uint128> = Map::new("balances");
/// Denom → where its coins are; an entry for every denom ever allowed.
pub const COUNTERS: Packs<&str, Counters> = Packs::new("counters");

/// Contracts that are believed; none before `Connect`.
pub const CONNECTED: Item<Connected> = Item::new("connected");
/// The IBC gateway, once connected.
pub const GATEWAY: Item<Addr> = Item::new("gateway");
/// Case → receipts that it held.
pub const CASES: Map<u64, HeldCase> = Map::new("cases");
/// Hash of a receipt's leaf → the cases that hold it, or that a verdict took its fee.
pub const HOLDS: Map<&[u8], Hold> = Map::new("holds");
/// Receipt's id → true when a case of an earlier release has held it; read, and written no more.
pub const CITED_RECEIPTS: Map<&[u8], bool> = Map::new("cited_receipts");
/// (session, node, epoch of the settlement) → fees, and what cases took out of them.
pub const CITED: Map<(u64, u64, u64), Cited> = Map::new("cited");
/// (node, denom, model and version) → the data's part of an abandoned epoch.
pub const POTS: Map<(u64, &str, (u64, u32)), Pot> = Map::new("pots");
/// (node, denom, `model/version/contribution`) → whether its part of the pot was credited.
pub const POT_CLAIMS: Map<(u64, &str, &str), bool> = Map::new("pot_claims");
/// (session, node) → whether the node's part of an abandoned epoch went back.
pub const RETURNED: Map<(u64, u64), bool> = Map::new("returned");
/// (session, node) → whether the node was convicted of leaving receipts unsettled (S4).
pub const UNSETTLED: Map<(u64, u64), bool> = Map::new("unsettled");
/// Node → what is remembered between its roots.
pub const NODES: Packs<u64, NodeBook> = Packs::new("node_books");
/// Denom → sweep of its commons.
pub const SWEEPS: Packs<&str, Sweep> = Packs::new("sweeps");
/// (denom, round, datanet) → fees of answers whose model rests on it.
pub const WEIGHTS: Map<(&str, u64, u64), Uint128> = Map::new("weights");
/// Contribution → answer uses that were proved.
pub const USES: Map<u64, Uses> = Map::new("uses");
/// (contribution, node, denom) → newest epoch whose uses were proved.
pub const USES_UNTIL: Map<(u64, u64, &str), u64> = Map::new("uses_until");
/// Contributor → answer uses that claims brought.
pub const CONTRIBUTOR_USES: Map<&Addr, u64> = Map::new("contributor_uses");

parts! {
    struct Session {
        owner, session_key, denom, open_fee, model_id, model_version, developer, price_in, price_out,
        min_fee, split, nodes, opened_at, expires, grace_blocks, in_flight, royalties, datanets,
        datanets_hash, floor_per_token, opener,
    }
    struct NodePin { node_key, operator, hot, prices }
    struct Funds { funded, claimed, refunded }
    struct Counters {
        escrowed, pending, accrued, ledgers, held, audits, commons, treasury, paid_in, paid_out,
    }
    struct Purse { deposit, protocol, developer, node, data, refunded, close_requested_at, closed }
    struct SessionLog { cap, log, settled_at, from, before, epoch }
    struct Ledger { epoch, ledger, closed, old }
    struct Closed { epoch, origin, left }
    struct Voided { at, reason }
    struct ModelPart { model_id, version, datanets, fees, data }
    struct Worth { fees, data }
    struct Pending {
        denom, epoch, final_at, fees, data, protocol, payees, operators, hot, origin, posted_at, early_at,
        attested, holds, void, voids, cases, covered, struck, models, own_receipts, own_fees, audit_bps,
        exposure_bps,
    }
    struct NodeBook { posted, freed, answers, fees, epochs }
    struct Sweep { at, round, gathered, waiting, pool }
}
