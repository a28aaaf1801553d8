//! What a run follows: sessions, nodes, roots, auditors, transactions, and what happens to them.

use super::kind::Kind;

#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) node: usize,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) answers: f64,
    pub(super) settled: f64,
    pub(super) since: u64,
    /// Its client waits for the settlement.
    pub(super) asked: bool,
    /// Its client has sent the close.
    pub(super) closing: bool,
    pub(super) deadline: Option<u64>,
}

impl Session {
    /// Answers given until a block.
    pub(super) fn given(&self, now: u64) -> f64 {
        let life = (self.end - self.start).max(1) as f64;
        self.answers * ((now.min(self.end).saturating_sub(self.start)) as f64 / life)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) sessions: Vec<usize>,
    pub(super) pending: bool,
    pub(super) last: Option<u64>,
    pub(super) away: bool,
    pub(super) cheats: bool,
    pub(super) judged: bool,
    pub(super) convicted: bool,
    pub(super) bond: f64,
}

#[derive(Clone, Debug)]
pub(super) struct Root {
    pub(super) node: usize,
    pub(super) posted: u64,
    /// Answers, and the block since which they were given.
    pub(super) parts: Vec<(u64, f64)>,
    pub(super) answers: f64,
    pub(super) on_chain: usize,
    pub(super) quorum_at: Option<u64>,
    pub(super) void: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Auditor {
    pub(super) free_at: f64,
    pub(super) honest: bool,
    pub(super) missed: u32,
    pub(super) suspended: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Tx {
    Open(usize),
    Close(usize),
    Refund,
    Withdraw,
    Post(usize, Vec<usize>),
    Finalize(usize),
    Attest(usize),
    Claim,
    CommitSeed,
    RevealSeed,
}

impl Tx {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Tx::Open(_) => Kind::Open,
            Tx::Close(_) => Kind::Close,
            Tx::Refund => Kind::Refund,
            Tx::Withdraw => Kind::Withdraw,
            Tx::Post(..) => Kind::Settle,
            Tx::Finalize(_) => Kind::Finalize,
            Tx::Attest(_) => Kind::Attest,
            Tx::Claim => Kind::Claim,
            Tx::CommitSeed => Kind::CommitSeed,
            Tx::RevealSeed => Kind::RevealSeed,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Arrival,
    Planned(usize),
    SessionEnds(usize),
    GivesUp(usize),
    Deadline(usize),
    TryPost(usize),
    Audited { root: usize, auditor: usize, faulty: bool },
    Missed(usize),
    WindowOver(usize),
    Final(usize),
    Fails(usize),
    Returns(usize),
    Seeds(usize),
}
