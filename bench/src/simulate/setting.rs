//! What a run is told, and what it counts.

use std::collections::BTreeMap;

use super::kind::Kind;

/// What is simulated. Windows are those of the contracts.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Days that are counted; as much as a root lives runs before, uncounted.
    pub days: f64,
    /// Nodes that serve.
    pub nodes: usize,
    /// Auditors, of equal weight.
    pub auditors: usize,
    /// CPU cores that an auditor spares.
    pub auditor_cores: f64,
    /// Bytes a second that an auditor spares.
    pub auditor_bandwidth: f64,
    /// Answers a day of the whole network.
    pub answers_per_day: f64,
    /// Answers of a session.
    pub answers_per_session: f64,
    /// Blocks over which a session's answers are spread.
    pub session_blocks: f64,
    /// Gas that a block may hold.
    pub block_gas: u64,
    /// Seconds between blocks.
    pub block_seconds: f64,
    /// Answers computed again by all auditors together, in basis points.
    pub rate_bps: u16,
    /// Part of the nodes that cheats.
    pub cheaters: f64,
    /// Part of its answers that a cheater makes with a cheaper model.
    pub cheated: f64,
    /// What a cheated answer saves, as part of its fee.
    pub saved: f64,
    /// Part of the audit weight that attests everything and finds nothing.
    pub coalition: f64,
    /// Part of the nodes that fails on a day.
    pub failing: f64,
    /// Hours for which a node that failed is away, on average.
    pub hours_away: f64,
    /// Blocks for which a client that wants to close waits until the node has settled.
    pub patience: u64,
    /// Fee of an answer, in base units.
    pub fee: f64,
    /// The part of a fee that is data's, and the part that pays audits.
    pub parts: [f64; 2],
    /// Least pay of an auditor for which it sends a claim, in base units.
    pub least_claim: f64,
    /// Windows.
    pub windows: Windows,
    /// Sessions that are known beforehand, in place of drawn ones: a network that was watched.
    pub watched: Option<Watched>,
}

/// What a network that was watched began with, and what its clients did. Blocks are counted from the first one.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Sessions.
    pub sessions: Vec<Planned>,
    /// Where each node stood.
    pub nodes: Vec<Standing>,
    /// Block in which the first period of seeds begins.
    pub seeds_from: u64,
    /// Last block.
    pub blocks: u64,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// Node.
    pub node: usize,
    /// Block that opens it.
    pub open: u64,
    /// First block that can settle it after its client wanted to close.
    pub close: u64,
    /// Answers.
    pub answers: u64,
}

/// How far a node is trusted ([`openledger_node::audit::rate_bps`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Roots so far.
    pub epoch: u64,
    /// What its final ledger has paid to data, in base units.
    pub paid: u128,
    /// Its bond, in base units.
    pub bond: u128,
}

/// Windows and bounds of the contracts, in blocks.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Least blocks between two roots of a node.
    pub epoch: u64,
    /// Within which auditors attest.
    pub availability: u64,
    /// Within which a root can be challenged.
    pub challenge: u64,
    /// Windows after which a root without attestations is final.
    pub unattested: u64,
    /// Within which a node settles a session that was closed.
    pub grace: u64,
    /// After which a node settles a session that goes on.
    pub settle_after: u64,
    /// Period of an auditor's seed.
    pub seed: u64,
    /// Sessions of one root.
    pub sessions: usize,
    /// Weight that attests a root and decides a case, in basis points.
    pub quorum_bps: u16,
    /// Roots in a row that an auditor may miss.
    pub missed: u32,
    /// Cut of a convicted node, in basis points of its bond.
    pub cut_bps: u16,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Blocks counted.
    pub blocks: u64,
    /// Gas of each block.
    pub gas: Vec<u64>,
    /// Transactions.
    pub transactions: u64,
    /// Transactions of each kind, and their gas.
    pub kinds: BTreeMap<Kind, (u64, u64)>,
    /// Blocks within which half and 99 of 100 transactions were taken.
    pub waits: [u64; 2],
    /// Transactions that still wait at the end.
    pub waiting: usize,
    /// Answers made.
    pub answers: f64,
    /// Answers that became part of a final root.
    pub settled: f64,
    /// Answers whose session ended before the node could settle them: work that nobody pays.
    pub unpaid: f64,
    /// Blocks from an answer to the finality of its root, one entry a session and root.
    pub delays: Vec<(f64, f64)>,
    /// Roots posted.
    pub roots: u64,
    /// Blocks from the wish to close to the settlement, one entry a session that asked for it.
    pub settling: Vec<u64>,
    /// Blocks from a root to its finality.
    pub finality: Vec<u64>,
    /// Answers computed again by all auditors together.
    pub replays: u64,
    /// Least and most rate at which the answers of a root were drawn for that, in basis points.
    pub rates: Option<(u16, u16)>,
    /// Roots that missed their quorum within the window.
    pub unattested: u64,
    /// Answers of the largest root.
    pub largest_root: f64,
    /// CPU-seconds of answers.
    pub generating: f64,
    /// CPU-seconds of audits.
    pub auditing: f64,
    /// Bytes that one auditor fetched.
    pub fetched: f64,
    /// Cheaters with at least 1,000 answers in their first root.
    pub cheaters: u64,
    /// Of these, convicted at that root.
    pub caught: u64,
    /// Of all cheaters, gain in fees, less what their bond lost, in fees of an answer.
    pub profit: f64,
    /// Honest nodes or auditors punished.
    pub punished: u64,
}
