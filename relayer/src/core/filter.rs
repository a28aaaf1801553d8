//! Which packets this relayer serves.

use serde::Deserialize;

use super::state::IbcPacket;

/// Longest memo that is relayed by default, in bytes; ibc-go takes 32,768.
pub const MAX_MEMO: usize = 32_768;
/// Longest receiver that is relayed by default, in bytes; ibc-go takes 2,048.
pub const MAX_RECEIVER: usize = 2_048;

/// What of ICS-20's data the filter reads.
#[derive(Debug, Deserialize)]
pub struct Transfer {
    /// Denom with its path.
    pub denom: String,
    /// Whole number of base units.
    pub amount: String,
    /// Account on the sending chain.
    pub sender: String,
    /// Account on the receiving chain.
    pub receiver: String,
    /// Free text; callbacks stand here.
    #[serde(default)]
    pub memo: String,
}

impl Transfer {
    /// Reads the data of a packet of port `transfer`, ics20-1; none for anything else.
    pub fn of(packet: &IbcPacket) -> Option<Self> {
        (packet.src_port == "transfer").then(|| serde_json::from_slice(&packet.data).ok()).flatten()
    }

    /// Gas that the callback named by `key` asks for; 0 without one. Without a number of its own a
    /// callback may use what the chain allows at most, [`MAX_CALLBACK_GAS`].
    fn callback_gas(&self, key: &str) -> u64 {
        let Ok(memo) = serde_json::from_str::<serde_json::Value>(&self.memo) else { return 0 };
        let Some(callback) = memo.get(key) else { return 0 };
        let asked = match callback.get("gas_limit") {
            Some(serde_json::Value::String(text)) => text.parse().ok(),
            Some(serde_json::Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        asked.unwrap_or(MAX_CALLBACK_GAS).min(MAX_CALLBACK_GAS)
    }
}

/// Gas that stock wasmd lets a callback use.
pub const MAX_CALLBACK_GAS: u64 = 1_000_000;

/// Gas to keep for the callback on the receiving chain.
pub fn receive_callback_gas(packet: &IbcPacket) -> u64 {
    Transfer::of(packet).map_or(0, |t| t.callback_gas("dest_callback"))
}

/// Gas to keep for the callback on the sending chain.
pub fn return_callback_gas(packet: &IbcPacket) -> u64 {
    Transfer::of(packet).map_or(0, |t| t.callback_gas("src_callback"))
}

/// What is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// When not empty: only transfers from or to one of these accounts, as the chains write them.
    pub accounts: Vec<String>,
    /// Longest memo, in bytes.
    pub max_memo: usize,
    /// Longest receiver, in bytes.
    pub max_receiver: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Filter { accounts: Vec::new(), max_memo: MAX_MEMO, max_receiver: MAX_RECEIVER }
    }
}

impl Filter {
    /// Whether the relayer serves this packet.
    pub fn allows(&self, packet: &IbcPacket) -> bool {
        let Some(transfer) = Transfer::of(packet) else { return self.accounts.is_empty() };
        let known = |account: &String| *account == transfer.sender || *account == transfer.receiver;
        transfer.memo.len() <= self.max_memo
            && transfer.receiver.len() <= self.max_receiver
            && (self.accounts.is_empty() || self.accounts.iter().any(known))
    }
}
