//! The transactions that are simulated, and what they are called on a chain.

use openledger_client::contracts::Contracts;
use openledger_client::TxResult;

/// A kind of transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `OpenSession`.
    Open,
    /// `PostEpoch`.
    Settle,
    /// `Finalize`.
    Finalize,
    /// `RequestClose`.
    Close,
    /// `Refund`.
    Refund,
    /// `Withdraw` of what was refunded.
    Withdraw,
    /// `Attest`.
    Attest,
    /// `ClaimAudit`.
    Claim,
    /// `CommitSeed`.
    CommitSeed,
    /// `RevealSeed`.
    RevealSeed,
}

impl Kind {
    /// All of them, in the order of a session's life.
    pub const ALL: [Kind; 10] = [
        Kind::Open,
        Kind::Settle,
        Kind::Finalize,
        Kind::Close,
        Kind::Refund,
        Kind::Withdraw,
        Kind::Attest,
        Kind::Claim,
        Kind::CommitSeed,
        Kind::RevealSeed,
    ];

    /// The contract's word for it: the first `action` of its transaction.
    pub fn action(self) -> &'static str {
        match self {
            Kind::Open => "open_session",
            Kind::Settle => "post_epoch",
            Kind::Finalize => "finalize",
            Kind::Close => "request_close",
            Kind::Refund => "refund",
            Kind::Withdraw => "withdraw",
            Kind::Attest => "attest",
            Kind::Claim => "claim_audit",
            Kind::CommitSeed => "commit_seed",
            Kind::RevealSeed => "reveal_seed",
        }
    }

    /// Whether the referee takes it; else the escrow does.
    fn is_referees(self) -> bool {
        matches!(self, Kind::Attest | Kind::Claim | Kind::CommitSeed | Kind::RevealSeed)
    }

    /// What a transaction of a chain is. Other contracts choose the same words for other things, and a message that
    /// a contract sends to another one speaks after it.
    pub fn of(tx: &TxResult, contracts: &Contracts) -> Option<Self> {
        let (from, action) = first_action(tx)?;
        Kind::ALL.into_iter().find(|kind| {
            let contract = if kind.is_referees() { &contracts.referee } else { &contracts.payable_escrow };
            kind.action() == action && contract == from
        })
    }
}

/// The contract that a transaction called first, and its word for what it did.
pub fn first_action(tx: &TxResult) -> Option<(&str, &str)> {
    tx.events
        .iter()
        .filter(|event| event.kind == "wasm")
        .find_map(|event| Some((event.attribute("_contract_address")?, event.attribute("action")?)))
}

#[cfg(test)]
mod tests {
    use openledger_client::{Attribute, Event};

    use super::*;

    fn tx(events: &[(&str, &str, &str)]) -> TxResult {
        let events = events
            .iter()
            .map(|(kind, contract, action)| Event {
                kind: kind.to_string(),
                attributes: [("_contract_address", contract), ("action", action)]
                    .map(|(key, value)| Attribute { key: key.into(), value: value.to_string() })
                    .to_vec(),
            })
            .collect();
        TxResult { hash: String::new(), height: 1, gas_used: 1, gas_wanted: 1, events, data: vec![] }
    }

    #[test]
    fn a_transaction_is_what_the_contract_says_that_it_called() {
        let contracts = Contracts::from_json(
            r#"{"datanet":"a","model_registry":"b","node_registry":"c","payable_escrow":"e","referee":"r"}"#,
        )
        .unwrap();
        let kind = |events: &[_]| Kind::of(&tx(events), &contracts);
        // The referee tells the escrow of a quorum; both call it `attest`.
        let attest = [("message", "x", "y"), ("wasm", "r", "attest"), ("wasm", "e", "attest")];
        assert_eq!(kind(&attest), Some(Kind::Attest));
        assert_eq!(kind(&[("wasm", "e", "withdraw")]), Some(Kind::Withdraw));
        // The referee's own `withdraw`, and what a stranger calls so, are none of them.
        assert_eq!(kind(&[("wasm", "r", "withdraw")]), None);
        assert_eq!(kind(&[("wasm", "evil", "attest"), ("wasm", "r", "attest")]), None);
        assert_eq!(kind(&[("transfer", "e", "refund")]), None);
    }
}
