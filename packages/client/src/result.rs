//! What a transaction in a block has done.

use serde::{Deserialize, Serialize};

/// Key that x/wasm itself puts on every event of a contract; no contract can write keys that start
/// with an underscore.
const CONTRACT: &str = "_contract_address";

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Key.
    pub key: String,
    /// Value.
    pub value: String,
}

/// An event of a transaction or a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Attributes in their order.
    pub attributes: Vec<Attribute>,
}

impl Event {
    /// The first value under `key`.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.key == key).map(|a| a.value.as_str())
    }

    /// Whether x/wasm says that the contract at `address` emitted this event. Types and other keys
    /// say nothing about it: any contract may choose them.
    pub fn is_from(&self, address: &str) -> bool {
        self.kind.starts_with("wasm") && self.attribute(CONTRACT) == Some(address)
    }
}

impl From<tendermint::abci::Event> for Event {
    fn from(event: tendermint::abci::Event) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let attributes = event
            .attributes
            .iter()
            .map(|a| Attribute { key: text(a.key_bytes()), value: text(a.value_bytes()) })
            .collect();
        Event { kind: event.kind, attributes }
    }
}

/// A transaction that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxResult {
    /// SHA-256 of its bytes, in upper-case hexadecimal.
    pub hash: String,
    /// Height of its block.
    pub height: u64,
    /// Gas that it used.
    pub gas_used: u64,
    /// Gas that it asked and paid for.
    pub gas_wanted: u64,
    /// Events in their order.
    pub events: Vec<Event>,
    /// Encoded `cosmos.base.abci.v1beta1.TxMsgData`: the answers to its messages.
    pub data: Vec<u8>,
}

impl TxResult {
    /// The first value under `key` of an event of type `event_type`; the payment of the fee comes
    /// before everything else, as a `transfer` too. For what contracts say use
    /// [`TxResult::contract_attribute`]: another contract may emit events of the same type.
    pub fn attribute(&self, event_type: &str, key: &str) -> Option<&str> {
        self.events.iter().filter(|e| e.kind == event_type).find_map(|e| e.attribute(key))
    }

    /// All values under `key` that the contract at `contract` has emitted, in order.
    pub fn attributes(&self, contract: &str, key: &str) -> Vec<&str> {
        self.events
            .iter()
            .filter(|e| e.is_from(contract))
            .flat_map(|e| e.attributes.iter().filter(|a| a.key == key).map(|a| a.value.as_str()))
            .collect()
    }

    /// The first value under `key` that the contract at `contract` has emitted.
    pub fn contract_attribute(&self, contract: &str, key: &str) -> Option<&str> {
        self.attributes(contract, key).into_iter().next()
    }

    /// The same as a number: ids that contracts give.
    pub fn contract_number(&self, contract: &str, key: &str) -> Option<u64> {
        self.contract_attribute(contract, key)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes =
            attributes.iter().map(|(k, v)| Attribute { key: (*k).into(), value: (*v).into() }).collect();
        Event { kind: kind.into(), attributes }
    }

    #[test]
    fn finding_p18_only_the_contract_itself_speaks_for_a_contract() {
        let result = TxResult {
            hash: String::new(),
            height: 1,
            gas_used: 1,
            gas_wanted: 1,
            data: vec![],
            events: vec![
                event("wasm", &[("_contract_address", "evil"), ("session_id", "666")]),
                event("message", &[("_contract_address", "escrow"), ("session_id", "667")]),
                event(
                    "wasm",
                    &[("_contract_address", "escrow"), ("action", "open_session"), ("session_id", "7")],
                ),
                event("wasm-session_opened", &[("_contract_address", "escrow"), ("session_id", "7")]),
            ],
        };
        assert_eq!(result.contract_attribute("escrow", "session_id"), Some("7"));
        assert_eq!(result.contract_number("escrow", "session_id"), Some(7));
        assert_eq!(result.contract_number("escrow", "action"), None);
        assert_eq!(result.attributes("escrow", "session_id"), vec!["7", "7"]);
        assert_eq!(result.attribute("wasm", "session_id"), Some("666"));
        assert_eq!(result.contract_attribute("nobody", "session_id"), None);
    }
}
