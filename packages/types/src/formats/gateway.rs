//! What the IBC gateway hashes (PROTOCOL P1).

use openledger_merkle::Hash;

use crate::encode::Preimage;

/// `openledger/close/1`: chain id text, gateway's address text, session u64. What the key of a session
/// that was paid from another chain signs to start its end.
pub fn close_digest(chain_id: &str, gateway: &str, session_id: u64) -> Hash {
    Preimage::new("openledger/close/1").text(chain_id).text(gateway).u64(session_id).hash()
}

/// `openledger/payer/1`: gateway's address text, channel on this chain text, address on the other chain
/// text. The 32 bytes of the account that the gateway keeps for a payer of another chain; no key and
/// no contract has this address, since those are hashed otherwise.
pub fn payer_account(gateway: &str, channel_id: &str, remote_addr: &str) -> Hash {
    Preimage::new("openledger/payer/1").text(gateway).text(channel_id).text(remote_addr).hash()
}
