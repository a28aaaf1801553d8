//! What the demo leaves behind for machines: `target/demo/summary.json`. Amounts are decimal strings of
//! base units.

use std::collections::BTreeMap;

use cosmwasm_std::Uint128;
use openledger_client::contracts::Contracts;
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::gateway::PayoutState;
use serde::{Deserialize, Serialize};

/// Contracts that a deployment sets up.
const CONTRACTS: usize = 8;

/// Everything the demo did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Summary {
    /// Chain id.
    pub chain_id: String,
    /// Height at the end.
    pub height: u64,
    /// Addresses.
    pub contracts: Contracts,
    /// The datanet.
    pub datanet: DatanetSummary,
    /// The model.
    pub model: ModelSummary,
    /// Sessions.
    pub sessions: Vec<SessionSummary>,
    /// Answers.
    pub answers: Vec<AnswerSummary>,
    /// What contributors were paid.
    pub payouts: Vec<Payout>,
    /// Roots that the node posted.
    pub roots: Vec<RootSummary>,
    /// Owner of each contract: contract name to address.
    pub owners: BTreeMap<String, String>,
    /// Whether the conservation equations hold, and their terms.
    pub invariants: Invariants,
    /// How the datanet's blobs are kept.
    pub storage: StorageSummary,
    /// Over IBC; none when the demo ran on one chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ibc: Option<IbcSummary>,
    /// The network it ran on; none when the demo had one chain node and one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub testnet: Option<TestnetSummary>,
    /// Seconds of each step.
    pub seconds: BTreeMap<String, f64>,
}

/// The datanet's blobs with the nodes that keep them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StorageSummary {
    /// Objects that were placed.
    pub objects: u64,
    /// Contributions in them.
    pub contributions: u64,
    /// Bytes of their blobs.
    pub bytes: u64,
    /// Fragments that are to be kept.
    pub slots: u64,
    /// Fragments that have a holder.
    pub held: u64,
    /// Nodes that keep some.
    pub keepers: Vec<KeeperSummary>,
}

/// A node that keeps fragments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeeperSummary {
    /// Node.
    pub node_id: u64,
    /// KiB that it keeps.
    pub kib: u64,
    /// Blocks that its proofs cover.
    pub proven_blocks: u64,
    /// Draws missed in a row.
    pub misses: u32,
    /// Base units that its operator was paid, with what waits to be claimed.
    pub earned: Uint128,
}

/// The network that the demo ran on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TestnetSummary {
    /// Validators.
    pub validators: u64,
    /// Nodes beside the auditors.
    pub nodes: u64,
    /// Nodes that answered, by number.
    pub served_by: Vec<u64>,
    /// Answers computed again by auditors.
    pub replayed: u64,
    /// Attestations that auditors' transactions brought to the chain, by root: (node, epoch, auditors).
    pub attestations: Vec<(u64, u64, u64)>,
}

/// Payouts to the second chain, and the session that was paid from there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IbcSummary {
    /// Channel on the first chain.
    pub channel: String,
    /// Payouts.
    pub payouts: Vec<IbcPayout>,
    /// The session.
    pub pay_in: IbcPayIn,
}

/// A payout to the second chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IbcPayout {
    /// Contributor.
    pub contributor: Contributor,
    /// Amount.
    pub amount: Uint128,
    /// Sequence of its packet.
    pub sequence: u64,
    /// Where it stands.
    pub state: PayoutState,
}

/// A session that was paid from the second chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IbcPayIn {
    /// Session.
    pub session_id: u64,
    /// What came.
    pub amount: Uint128,
    /// Its deposit.
    pub deposit: Uint128,
}

/// A contributor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contributor {
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
}

/// The datanet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatanetSummary {
    /// Number.
    pub id: u64,
    /// Sealed version.
    pub version: u32,
    /// Contributions in it.
    pub contributions: u64,
    /// Contributors.
    pub contributors: u64,
    /// Bytes of content text.
    pub bytes: u64,
}

/// The model.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelSummary {
    /// Number.
    pub id: u64,
    /// Parameters.
    pub parameters: u64,
    /// Seconds of training.
    pub train_seconds: f64,
    /// Tokens a second.
    pub train_tokens_per_second: f64,
    /// Loss at the first step, nats a token.
    pub loss_first: f64,
    /// Loss at the last step.
    pub loss_last: f64,
    /// Bits per byte of held-out documents.
    pub heldout: HeldoutSummary,
}

/// Bits per byte of held-out documents, of the model and of baselines on the same training text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldoutSummary {
    /// The model.
    pub bits_per_byte: f64,
    /// Interpolated byte trigram.
    pub trigram: f64,
    /// Interpolated byte 5-gram.
    pub five_gram: f64,
    /// `xz -9`; none where xz is not installed.
    pub xz: Option<f64>,
}

/// A session: `deposited` is the sum of all other amounts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Number.
    pub id: u64,
    /// Denom.
    pub denom: String,
    /// What the user sent.
    pub deposited: Uint128,
    /// The opening fee.
    pub open_fee: Uint128,
    /// Fees of the answers.
    pub fees: Uint128,
    /// The protocol's part.
    pub protocol: Uint128,
    /// The developer's.
    pub developer: Uint128,
    /// The node's.
    pub node: Uint128,
    /// The contributors'.
    pub data: Uint128,
    /// Without evidence.
    pub commons: Uint128,
    /// From rounding.
    pub dust: Uint128,
    /// Returned to the user.
    pub refund: Uint128,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnswerSummary {
    /// Receipt's id.
    pub receipt_id: String,
    /// What was asked.
    pub prompt: String,
    /// What was answered.
    pub answer: String,
    /// What it cost.
    pub fee: Uint128,
    /// Basis points without evidence.
    pub no_evidence_bps: u16,
    /// Shares, by contributor.
    pub shares: Vec<ShareSummary>,
    /// Whether a fresh process verified it from its receipt.
    pub verified: bool,
}

/// A contributor's share of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShareSummary {
    /// Contributor.
    pub contributor: Contributor,
    /// Basis points.
    pub bps: u16,
    /// Amount.
    pub amount: Uint128,
}

/// What a contributor was paid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payout {
    /// Contributor.
    pub contributor: Contributor,
    /// Amount.
    pub amount: Uint128,
    /// Answers that paid it.
    pub uses: u64,
    /// Transaction; none when there was nothing to claim.
    pub tx: Option<String>,
}

/// A root.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RootSummary {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
    /// What became of it.
    pub status: RootStatus,
    /// Whether auditors attested that they hold its blobs.
    pub attested: bool,
    /// Fees that it settled.
    pub fees: Uint128,
    /// The data's part of them.
    pub data: Uint128,
}

/// Conservation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invariants {
    /// Whether all hold.
    pub holds: bool,
    /// The contracts' answers.
    pub terms: serde_json::Value,
}

impl Summary {
    /// What does not add up, in words; empty when all does. The model must beat the byte trigram, except
    /// in a `small` run, which trains for seconds only.
    pub fn faults(&self, small: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let sum = |amounts: &[Uint128]| amounts.iter().map(|a| a.u128()).sum::<u128>();
        for s in &self.sessions {
            let parts =
                sum(&[s.open_fee, s.protocol, s.developer, s.node, s.data, s.commons, s.dust, s.refund]);
            if parts != s.deposited.u128() {
                faults.push(format!("session {}: deposited {} but the parts are {parts}", s.id, s.deposited));
            }
            if sum(&[s.protocol, s.developer, s.node, s.data, s.commons, s.dust]) != s.fees.u128() {
                faults.push(format!("session {}: the parts of the fees are not {}", s.id, s.fees));
            }
        }
        let data: u128 = self.sessions.iter().map(|s| s.data.u128()).sum();
        let paid: u128 = self.payouts.iter().map(|p| p.amount.u128()).sum();
        if data != paid {
            faults.push(format!("contributors earned {data} but were paid {paid}"));
        }
        for answer in &self.answers {
            let bps: u32 = answer.shares.iter().map(|s| u32::from(s.bps)).sum();
            if bps + u32::from(answer.no_evidence_bps) != 10_000 {
                faults.push(format!("answer {}: shares are not 10,000 together", answer.receipt_id));
            }
            if !answer.verified {
                faults.push(format!("answer {} was not verified", answer.receipt_id));
            }
        }
        if self.roots.is_empty() {
            faults.push("no root was posted".into());
        }
        for root in &self.roots {
            if root.status != RootStatus::Final {
                faults.push(format!("the root of epoch {} is {:?}, not final", root.epoch, root.status));
            } else if !root.attested {
                faults.push(format!("the root of epoch {} became final without attestation", root.epoch));
            }
        }
        let mut owners = self.owners.values();
        let first = owners.next();
        if self.owners.len() != CONTRACTS
            || owners.any(|owner| Some(owner) != first)
            || first.is_none_or(String::is_empty)
        {
            faults.push(format!("the {CONTRACTS} contracts are not owned by one account: {:?}", self.owners));
        }
        let kept = &self.storage;
        if kept.objects == 0 || kept.held < kept.slots {
            faults.push(format!("{} of {} fragments are held", kept.held, kept.slots));
        }
        for keeper in kept.keepers.iter().filter(|k| k.proven_blocks == 0 || k.earned.is_zero()) {
            faults.push(format!("node {} proved or earned nothing for what it keeps", keeper.node_id));
        }
        if !self.invariants.holds {
            faults.push("a contract's conservation equation does not hold".into());
        }
        if let Some(ibc) = &self.ibc {
            if ibc.payouts.is_empty() {
                faults.push("nobody was paid on the second chain".into());
            }
            // The last payout of each contributor must have arrived; one before it may have come back.
            let last: BTreeMap<&Contributor, &IbcPayout> =
                ibc.payouts.iter().map(|payout| (&payout.contributor, payout)).collect();
            for payout in last.values().filter(|p| p.state != PayoutState::Settled) {
                faults.push(format!("the payout to {} is {:?}", payout.contributor.name, payout.state));
            }
            if !ibc.payouts.iter().any(|p| p.state == PayoutState::Refunded) {
                faults.push("no payout timed out and came back".into());
            }
        }
        if let Some(testnet) = &self.testnet {
            if testnet.served_by.len() < 2 {
                faults.push("only one node answered".into());
            }
            if testnet.replayed == 0 {
                faults.push("no auditor computed an answer again".into());
            }
            let quorum = |auditors: u64| 3 * auditors >= 2 * testnet.validators;
            for (node, epoch, auditors) in testnet.attestations.iter().filter(|entry| !quorum(entry.2)) {
                faults.push(format!("epoch {epoch} of node {node} was attested by {auditors} auditors only"));
            }
        }
        let heldout = &self.model.heldout;
        if !small && heldout.bits_per_byte.partial_cmp(&heldout.trigram) != Some(std::cmp::Ordering::Less) {
            faults.push(format!(
                "held-out bits per byte {:.3} are not below the byte trigram's {:.3}",
                heldout.bits_per_byte, heldout.trigram
            ));
        }
        faults
    }
}
