//! What a chain says of the sessions that were watched. Pure: out of transactions that were read.

use std::collections::BTreeMap;

use openledger_client::contracts::Contracts;
use openledger_client::{Event, Mined, TxResult};

use super::kind::{first_action, Kind};

/// What happened in some blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Transactions of the kinds that are simulated, and their gas.
    pub kinds: BTreeMap<Kind, (u64, u64)>,
    /// Other transactions by their first action, and their gas.
    pub others: BTreeMap<String, (u64, u64)>,
    /// Transactions that failed.
    pub failed: u64,
    /// Height in which each session was opened.
    pub opened: BTreeMap<u64, u64>,
    /// Height in which each session was settled first, and the answers of all its settlements.
    pub settled: BTreeMap<u64, (u64, u64)>,
    /// Height in which each root, by node and epoch, was posted.
    pub posted: BTreeMap<(u64, u64), u64>,
    /// Height in which it became final.
    pub final_at: BTreeMap<(u64, u64), u64>,
    /// Roots that became void, and cases.
    pub faults: u64,
}

/// Reads transactions.
pub fn read(txs: &[Mined], contracts: &Contracts) -> Seen {
    let mut seen = Seen::default();
    for Mined { code, result } in txs {
        if *code != 0 {
            seen.failed += 1;
            continue;
        }
        let kind = Kind::of(result, contracts);
        let entry = match kind {
            Some(kind) => seen.kinds.entry(kind).or_default(),
            None => seen.others.entry(name(result)).or_default(),
        };
        (entry.0, entry.1) = (entry.0 + 1, entry.1 + result.gas_used);
        seen.note(kind, result, contracts);
    }
    seen
}

/// What a transaction of no simulated kind is called.
fn name(tx: &TxResult) -> String {
    first_action(tx).map_or_else(|| "no contract".into(), |(_, action)| action.into())
}

impl Seen {
    fn note(&mut self, kind: Option<Kind>, tx: &TxResult, contracts: &Contracts) {
        let escrow = contracts.payable_escrow.as_str();
        let number = |event: &Event, key| event.attribute(key).and_then(|text| text.parse::<u64>().ok());
        if kind == Some(Kind::Open) {
            if let Some(session) = tx.contract_number(escrow, "session_id") {
                self.opened.insert(session, tx.height);
            }
        }
        if name(tx) == "open_case" {
            self.faults += 1;
        }
        for event in tx.events.iter().filter(|event| event.is_from(escrow)) {
            let root = number(event, "node_id").zip(number(event, "epoch"));
            match (event.kind.as_str(), root) {
                ("wasm", Some(root)) if event.attribute("action") == Some(Kind::Settle.action()) => {
                    self.posted.insert(root, tx.height);
                }
                ("wasm-epoch_final", Some(root)) => {
                    self.final_at.insert(root, tx.height);
                }
                ("wasm-root_void", _) => self.faults += 1,
                ("wasm-session_settled", _) => {
                    let found = number(event, "session_id").zip(number(event, "receipts"));
                    if let Some((session, receipts)) = found {
                        let (_, sum) = self.settled.entry(session).or_insert((tx.height, 0));
                        *sum += receipts;
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use openledger_client::Attribute;

    use super::*;

    fn event(kind: &str, contract: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = [("_contract_address", contract)].into_iter().chain(attributes.iter().copied());
        let attributes =
            attributes.map(|(k, v)| Attribute { key: k.to_string(), value: v.to_string() }).collect();
        Event { kind: kind.into(), attributes }
    }

    fn mined(height: u64, code: u32, events: Vec<Event>) -> Mined {
        let result =
            TxResult { hash: String::new(), height, gas_used: 100, gas_wanted: 150, events, data: vec![] };
        Mined { code, result }
    }

    #[test]
    fn heights_and_gas_are_read_from_what_the_contracts_said() {
        let contracts = Contracts::from_json(
            r#"{"datanet":"a","model_registry":"b","node_registry":"c","payable_escrow":"e","referee":"r"}"#,
        )
        .unwrap();
        let open = vec![event("wasm", "e", &[("action", "open_session"), ("session_id", "7")])];
        let root = [("node_id", "3"), ("epoch", "2")];
        let with = |first: (&'static str, &'static str)| [&[first], &root[..]].concat();
        let post = vec![
            event("wasm", "e", &with(("action", "post_epoch"))),
            event("wasm-session_settled", "e", &[("session_id", "7"), ("node_id", "3"), ("receipts", "4")]),
            // Another contract says the same of another root.
            event("wasm-epoch_final", "evil", &[("node_id", "3"), ("epoch", "9")]),
        ];
        let last = vec![
            event("wasm", "e", &[("action", "finalize"), ("node_id", "3")]),
            event("wasm-epoch_final", "e", &root),
        ];
        let case = vec![event("wasm", "r", &[("action", "open_case")])];
        let failed = vec![event("wasm", "e", &[("action", "refund")])];
        let txs = [
            mined(10, 0, open),
            mined(15, 0, post),
            mined(36, 0, last),
            mined(37, 0, case),
            mined(38, 5, failed),
            mined(39, 0, vec![]),
        ];
        let seen = read(&txs, &contracts);
        assert_eq!(
            seen.kinds.keys().copied().collect::<Vec<_>>(),
            [Kind::Open, Kind::Settle, Kind::Finalize]
        );
        assert_eq!(seen.kinds.get(&Kind::Settle), Some(&(1, 100)));
        let others: Vec<&str> = seen.others.keys().map(String::as_str).collect();
        assert_eq!(others, ["no contract", "open_case"]);
        assert_eq!((seen.opened.get(&7), seen.settled.get(&7)), (Some(&10), Some(&(15, 4))));
        assert_eq!((seen.posted.get(&(3, 2)), seen.final_at.get(&(3, 2))), (Some(&15), Some(&36)));
        assert_eq!((seen.final_at.len(), seen.faults, seen.failed), (1, 1, 1));
    }
}
