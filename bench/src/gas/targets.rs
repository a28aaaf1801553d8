//! What was to be reached, and what the figures mean.

use crate::report::Metric;

/// A figure of the table.
pub struct Target {
    /// Name of the metric.
    pub metric: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// Most that it may be; none where nothing was asked.
    pub most: Option<f64>,
}

/// Least ratio of `naive_answer` to `per_answer_1000`.
pub const LEAST_RATIO: f64 = 800.0;

/// Every figure, in the order of the table.
pub const TARGETS: [Target; 47] = [
    asked("settle_session", "`PostEpoch` with one session of 1,000 answers", 200_000.0),
    asked("settle_next_session", "each further session of 1,000 answers in the same message", 40_000.0),
    asked("per_answer_1000", "the first line divided by its answers", 200.0),
    asked("per_answer_100000", "the same for a session of 100,000 answers", 2.0),
    asked("claim_1m_leaves", "`Claim` of one leaf of a ledger of 1,000,000", 190_000.0),
    asked("claim_20_nodes", "`Claim` of 20 leaves of 20 nodes' ledgers of 1,000 leaves each", 500_000.0),
    asked("contribute", "`Commit` and `Reveal` of one document, two transactions", 170_000.0),
    asked("contribute_batch", "the same for each of 64 documents under one commit", 20_000.0),
    asked("fraud_proof_span", "`ProveFault` of a false span: root voided, bond cut", 250_000.0),
    asked("wasm_kib_arbiter", "size of the contract", 600.0),
    asked("wasm_kib_datanet", "size of the contract", 600.0),
    asked("wasm_kib_ibc-gateway", "size of the contract", 600.0),
    asked("wasm_kib_model-registry", "size of the contract", 600.0),
    asked("wasm_kib_node-registry", "size of the contract", 600.0),
    asked("wasm_kib_payable-escrow", "size of the contract", 740.0),
    asked("wasm_kib_referee", "size of the contract", 600.0),
    asked("wasm_kib_storage", "size of the contract", 600.0),
    shown(
        "claim_20_nodes_16_leaves",
        "`claim_20_nodes` with ledgers of 16 leaves: 4 steps of a path in place of 10",
    ),
    shown("naive_answer", "`PostEpoch` with one session of one answer: one transaction per answer"),
    shown(
        "naive_multisend",
        "`MsgMultiSend` from one payer to four payees: the least that four parts can cost",
    ),
    shown("per_answer_1000_transfer", "`per_answer_1000` beside `naive_multisend`"),
    shown(
        "per_answer_1000_whole_life",
        "opening, settlement, finality, close and refund divided by 1,000 answers",
    ),
    shown("open_session", "`OpenSession` with one node"),
    shown("settle_session_4_pending", "settlement with the last 4 of 1,000 answers not acknowledged"),
    shown("settle_session_again", "second settlement of a session: proof that its log only grew"),
    shown("settle_session_and_finalize", "settlement that makes the previous root final too"),
    shown("finalize", "`Finalize` of a root with one session"),
    shown("attest", "`Attest` by the only auditor: snapshot of the weight, quorum"),
    shown("finalize_attested", "`Finalize` of a root with one session that is attested"),
    shown("claim_audit", "`ClaimAudit` of the pay for one root"),
    shown("commit_seed", "`CommitSeed`"),
    shown("dispute_open", "`Open` of a dispute: receipt, manifest, configuration, the prompt's 20 tokens"),
    shown("dispute_answer", "`Answer`: the answer's 100 tokens, its windows, the root of the trace"),
    shown("dispute_show", "`Show` of at most 16 hashes"),
    shown("dispute_pick", "`Pick` of one of them"),
    shown("dispute_step_product", "`Step` that ends it: 16 rows of the widest matrix of a layer"),
    shown("dispute_step_scores", "`Step`: one tile of attention's scores"),
    shown("dispute_step_logits", "`Step`: 16 rows of the output head"),
    shown("dispute_step_token", "`Step`: the draw of a token from 2,048 logits"),
    shown("dispute_whole", "case and dispute, all messages of both sides together"),
    shown("close_session", "`RequestClose` and `Refund`, two transactions"),
    shown("withdraw", "`Withdraw` of a balance"),
    shown("contribute_commit", "`Commit` of one document"),
    shown("contribute_reveal", "`Reveal` of one document"),
    shown("contribute_batch_reveal", "`Reveal` of 64 documents in one message, each"),
    shown("seal_item", "`Seal`, for each document that the version takes"),
    shown("empty_execute", "an execute that sets one flag: what any message costs"),
];

const fn asked(metric: &'static str, what: &'static str, most: f64) -> Target {
    Target { metric, what, most: Some(most) }
}

const fn shown(metric: &'static str, what: &'static str) -> Target {
    Target { metric, what, most: None }
}

impl Target {
    /// Why a figure is above its target, where it is.
    pub fn reason(&self) -> &'static str {
        match self.metric {
            "settle_session" => {
                "An execute that sets a flag costs 122,000, a byte of the message 10. The rest is what the \
                 rules keep: session and log, the pending root with whom it pays, the commitment, counters."
            }
            "per_answer_1000" => "It is `settle_session` divided by 1,000.",
            "per_answer_100000" => {
                "It is `settle_session` divided by 100,000: the work does not depend on the number of answers."
            }
            "claim_20_nodes" => {
                "A leaf with its path of 10 steps is 400 bytes, in base64 540: 108,000 gas for 20 of them \
                 before anything is looked at, beside the 122,000 of any execute. The rest reads each node's \
                 root and rewrites what its ledger has paid (L1), two reads and a write a node; what the \
                 account has had from 32 neighbouring nodes is one value. `claim_20_nodes_16_leaves` has \
                 shorter paths."
            }
            "contribute" => {
                "The commit must stand in a block before anybody sees the bytes (D1), so these are two \
                 transactions, and any two executes cost 245,000 together. `contribute_commit` and \
                 `contribute_reveal` show each."
            }
            "contribute_batch" => {
                "A document is six hashes, three lengths and a title: 300 bytes in base64, 3,000 gas. Four of \
                 the hashes are facts from which versions are made and are stored, 5,000 gas with the rest of \
                 the record; its match text is looked up and entered in the chain-wide order, 4,500 (D2). The \
                 commit is a 64th each, 2,700."
            }
            "fraud_proof_span" => {
                "Three contracts take part: the referee judges, the escrow voids the root, the node registry \
                 cuts the bond. Loading the second and the third costs 60,000 each, on top of the 122,000 of \
                 any execute: 242,000 before anything is judged. The proof carries a commitment, the \
                 session's facts, a receipt and two chunks of 1 KiB, some 4,200 bytes, in base64 5,600: 56,000. \
                 So 298,000 is the least of any proof that three contracts settle in the transaction that files \
                 it (F1). The rest reads and writes their state and burns a part of the cut (F5)."
            }
            "wasm_kib_datanet" => {
                "A datanet's key can be rotated: one message and three pages of queries about who has which key, \
                 some 20 KiB, most of it the reading and writing of their JSON. Nothing depends on the mark; the \
                 chain takes 800 KiB."
            }
            _ => "No reason is known yet.",
        }
    }

    /// Whether a figure reaches it; the ratio of the answer counts too.
    pub fn reached(&self, found: &Metric) -> bool {
        let ratio = self.metric != "per_answer_1000" || found.ratio.is_some_and(|ratio| ratio >= LEAST_RATIO);
        ratio && self.most.is_none_or(|most| found.ours <= most)
    }
}
