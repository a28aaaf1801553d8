//! What can go wrong between a program and the chain, in words an operator can act on.

use std::time::Duration;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every way in which a call of this crate fails. [`Error::code`] is stable between releases.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting has no usable value.
    #[error("setting {field}: {reason}")]
    Config {
        /// Name of the setting.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Bytes or words that are no key.
    #[error("key refused: {0}")]
    Key(String),
    /// A key file that cannot be read or written.
    #[error("key file {path}: {reason}")]
    KeyFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is no address, amount or message for this chain; nothing was sent.
    #[error("{what} refused: {reason}")]
    Input {
        /// What it was meant to be.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing answers at the endpoint.
    #[error("chain {chain_id} does not answer at {rpc}: {reason}")]
    Unreachable {
        /// Chain that was looked for.
        chain_id: String,
        /// Endpoint, without credentials.
        rpc: String,
        /// What the connection said.
        reason: String,
    },
    /// Another chain answers.
    #[error("the chain at {rpc} is {actual}, not {expected}")]
    WrongChain {
        /// Endpoint.
        rpc: String,
        /// Chain id asked for.
        expected: String,
        /// Chain id found.
        actual: String,
    },
    /// The endpoint answered with an error of its own.
    #[error("the node refused the call: {0}")]
    Rpc(String),
    /// An answer that does not have the form it must have.
    #[error("{what} could not be read: {reason}")]
    Malformed {
        /// What was asked for.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// Something asked for does not exist on the chain.
    #[error("not found on the chain: {0}")]
    NotFound(String),
    /// A module refused a query.
    #[error("query {path} failed (codespace {codespace}, code {code}): {log}")]
    Query {
        /// Path of the query.
        path: String,
        /// Name space of the code.
        codespace: String,
        /// Code of the module.
        code: u32,
        /// What the module said.
        log: String,
    },
    /// A contract refused a query, a simulation or a transaction. Without a hash nothing was sent
    /// and nothing paid.
    #[error("the contract refused: {message}")]
    Contract {
        /// What the contract said.
        message: String,
        /// Transaction that failed on chain, in upper-case hexadecimal; its fee was paid.
        hash: Option<String>,
    },
    /// The account cannot pay what the transaction sends or costs.
    #[error("not enough coins: {log}")]
    InsufficientFunds {
        /// What the chain said.
        log: String,
    },
    /// The fee is under what the node asks.
    #[error("the fee is too low for this node: {log}")]
    InsufficientFee {
        /// What the chain said.
        log: String,
    },
    /// The transaction used all its gas, on the second attempt too.
    #[error("transaction {hash} ran out of gas at height {height}: used {gas_used} of {gas_wanted}")]
    OutOfGas {
        /// Transaction, in upper-case hexadecimal.
        hash: String,
        /// Height.
        height: u64,
        /// Gas used.
        gas_used: u64,
        /// Gas asked for.
        gas_wanted: u64,
    },
    /// The node holds as many waiting transactions as it may.
    #[error("the node's mempool is full: {log}")]
    MempoolFull {
        /// What the node said.
        log: String,
    },
    /// The transaction has more bytes than the node takes.
    #[error("the transaction is too large: {log}")]
    TooLarge {
        /// What the node said.
        log: String,
    },
    /// Another program uses the same account at the same time.
    #[error("account sequence mismatch: {log}")]
    Sequence {
        /// Sequence that the chain expects, when it said so.
        expected: Option<u64>,
        /// What the chain said.
        log: String,
    },
    /// The node refused the transaction before it reached a block; nothing was paid.
    #[error("transaction refused (codespace {codespace}, code {code}): {log}")]
    TxRejected {
        /// Name space of the code.
        codespace: String,
        /// Code of the module.
        code: u32,
        /// What the module said.
        log: String,
    },
    /// The chain node has started and not made or seen a block since: it takes no transactions yet.
    #[error("the chain node takes no transactions before its first block: {log}")]
    Starting {
        /// What the node said.
        log: String,
    },
    /// The transaction stands in a block and failed there; its fee was paid.
    #[error("transaction {hash} failed at height {height} (codespace {codespace}, code {code}): {log}")]
    TxFailed {
        /// Transaction, in upper-case hexadecimal.
        hash: String,
        /// Height.
        height: u64,
        /// Name space of the code.
        codespace: String,
        /// Code of the module.
        code: u32,
        /// What the module said.
        log: String,
    },
    /// The transaction was sent, but no block with it was seen in time: it may still land, up to
    /// `timeout_height`. Sending the same coins again before that height has passed could pay twice.
    #[error("transaction {hash} was sent but not seen in a block: {reason}; it may land up to height {timeout_height}")]
    Unconfirmed {
        /// Transaction, in upper-case hexadecimal.
        hash: String,
        /// Last height at which it can land.
        timeout_height: u64,
        /// Why the wait ended.
        reason: String,
    },
    /// The transaction was sent and its last height has passed without it: it can never land.
    #[error(
        "transaction {hash} did not make it into a block up to height {timeout_height} and can not any more"
    )]
    Expired {
        /// Transaction, in upper-case hexadecimal.
        hash: String,
        /// Last height at which it could land.
        timeout_height: u64,
    },
    /// Something waited for did not happen in time.
    #[error("no {what} within {} s", waited.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
}

impl Error {
    /// Stable code of the kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Config { .. } => "E-CLIENT-001",
            Error::Key(_) => "E-CLIENT-002",
            Error::KeyFile { .. } => "E-CLIENT-003",
            Error::Input { .. } => "E-CLIENT-004",
            Error::Unreachable { .. } => "E-CLIENT-010",
            Error::WrongChain { .. } => "E-CLIENT-011",
            Error::Rpc(_) => "E-CLIENT-012",
            Error::Malformed { .. } => "E-CLIENT-013",
            Error::Timeout { .. } => "E-CLIENT-014",
            Error::NotFound(_) => "E-CLIENT-020",
            Error::Query { .. } => "E-CLIENT-021",
            Error::Contract { .. } => "E-CLIENT-022",
            Error::InsufficientFunds { .. } => "E-CLIENT-030",
            Error::InsufficientFee { .. } => "E-CLIENT-031",
            Error::OutOfGas { .. } => "E-CLIENT-032",
            Error::MempoolFull { .. } => "E-CLIENT-033",
            Error::TooLarge { .. } => "E-CLIENT-034",
            Error::Sequence { .. } => "E-CLIENT-035",
            Error::TxRejected { .. } => "E-CLIENT-036",
            Error::TxFailed { .. } => "E-CLIENT-037",
            Error::Unconfirmed { .. } => "E-CLIENT-038",
            Error::Expired { .. } => "E-CLIENT-039",
            Error::Starting { .. } => "E-CLIENT-040",
        }
    }

    /// Whether the same call, repeated unchanged, may succeed without harm. An unconfirmed
    /// transaction is not: it may land beside its repetition.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            Error::Unreachable { .. }
                | Error::Timeout { .. }
                | Error::MempoolFull { .. }
                | Error::Sequence { .. }
                | Error::Expired { .. }
                | Error::Starting { .. }
        )
    }

    /// What to do, in one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Error::Config { .. } => "correct the setting",
            Error::Key(_) => "give 24 words of an English BIP-39 mnemonic, or 64 hexadecimal digits",
            Error::KeyFile { .. } => "check the path, the passphrase and that the file has mode 0600",
            Error::Input { .. } => "correct the input; nothing was sent",
            Error::Unreachable { .. } => "start the chain or correct the RPC address, then try again",
            Error::WrongChain { .. } => "correct the chain id or the RPC address",
            Error::Rpc(_) => "read the node's message; another RPC endpoint may serve this call",
            Error::Malformed { .. } => {
                "check that chain and contracts are of the same release as this program"
            }
            Error::NotFound(_) => {
                "check the number or the address; a new account exists from its first coins on"
            }
            Error::Query { .. } => "check the arguments against the chain's version",
            Error::Contract { .. } => "correct the message as the contract says",
            Error::InsufficientFunds { .. } => "send coins to the account, then try again",
            Error::InsufficientFee { .. } => "raise gas_price to the node's minimum",
            Error::OutOfGas { .. } => "raise gas_multiplier, or split the transaction",
            Error::MempoolFull { .. } => "wait a few blocks and try again, or use another node",
            Error::TooLarge { .. } => "split the transaction",
            Error::Sequence { .. } => "let one program at a time use this account, then try again",
            Error::TxRejected { .. } => "correct the transaction as the chain says; nothing was paid",
            Error::Starting { .. } => "wait for the node's next block and try again, or use another node",
            Error::TxFailed { .. } => "correct the transaction as the chain says; its fee was paid",
            Error::Unconfirmed { .. } => "look the transaction up by its hash before sending anything again",
            Error::Expired { .. } => "send again: this one can not land any more",
            Error::Timeout { .. } => "check that the chain makes blocks, then try again",
        }
    }
}

/// Longest part of a chain's log that is kept: logs may carry Go stack traces.
const MAX_LOG: usize = 2_000;

/// A log, cut to a readable length at a character boundary.
pub(crate) fn shorten(log: &str) -> String {
    match log.char_indices().nth(MAX_LOG) {
        Some((at, _)) => format!("{} …", log.get(..at).unwrap_or_default()),
        None => log.to_string(),
    }
}

/// What a contract said, out of the chain's log of a failed message or query: the text between
/// what the modules put before it and `: execute wasm contract failed`.
pub(crate) fn contract_message(log: &str) -> Option<String> {
    const MARKS: [&str; 6] = [
        ": execute wasm contract failed",
        ": query wasm contract failed",
        ": instantiate wasm contract failed",
        ": migrate wasm contract failed",
        ": sudo wasm contract failed",
        ": reply to wasm contract failed",
    ];
    let end = MARKS.iter().filter_map(|mark| log.find(mark)).min()?;
    let mut text = log.get(..end)?;
    if let Some(rest) = text.strip_prefix("rpc error: code = Unknown desc = ") {
        text = rest;
    }
    if let Some(rest) = text.strip_prefix("failed to execute message; message index: ") {
        text = rest.split_once(": ").map_or(rest, |(_, after)| after);
    }
    Some(shorten(text))
}

/// The sequence that the chain expects, out of its refusal.
pub(crate) fn expected_sequence(log: &str) -> Option<u64> {
    let rest = log.split_once("account sequence mismatch, expected ")?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Names the refusal of a transaction that no block holds: by the SDK's codes in a check, by the
/// words in a simulation, where the codes are lost.
pub(crate) fn refusal(codespace: &str, code: u32, log: &str) -> Error {
    let sdk = codespace == "sdk";
    if (sdk && code == 32) || log.contains("account sequence mismatch") {
        return Error::Sequence { expected: expected_sequence(log), log: shorten(log) };
    }
    // wasmd checks against the header of the last block, which a node has from its first block on.
    if log.contains("Block (unix) time must never be empty") {
        return Error::Starting { log: shorten(log) };
    }
    if let Some(message) = contract_message(log) {
        return Error::Contract { message, hash: None };
    }
    let text = shorten(log);
    if (sdk && code == 13) || log.contains("insufficient fee") {
        return Error::InsufficientFee { log: text };
    }
    if (sdk && code == 5) || log.contains("insufficient funds") {
        return Error::InsufficientFunds { log: text };
    }
    if (sdk && code == 20) || log.contains("mempool is full") {
        return Error::MempoolFull { log: text };
    }
    if (sdk && code == 21) || log.contains("tx too large") || log.contains("Tx too large") {
        return Error::TooLarge { log: text };
    }
    Error::TxRejected { codespace: codespace.to_string(), code, log: text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_contract_said_is_found_in_the_log() {
        let log =
            "failed to execute message; message index: 3: commit 7: not found: execute wasm contract failed \
                   [CosmWasm/wasmd/x/wasm/keeper/keeper.go:437] with gas used: '1': unknown request";
        assert_eq!(contract_message(log).as_deref(), Some("commit 7: not found"));
        let log = "Generic error: no such session: query wasm contract failed";
        assert_eq!(contract_message(log).as_deref(), Some("Generic error: no such session"));
        assert_eq!(contract_message("out of gas in location: ReadFlat"), None);
        assert_eq!(contract_message(""), None);
    }

    #[test]
    fn the_expected_sequence_is_read() {
        let log = "account sequence mismatch, expected 12, got 9: incorrect account sequence";
        assert_eq!(expected_sequence(log), Some(12));
        assert!(refusal("sdk", 32, log).retryable());
        assert_eq!(expected_sequence("account sequence mismatch, expected , got"), None);
        assert!(matches!(refusal("sdk", 32, "?"), Error::Sequence { expected: None, .. }));
    }

    #[test]
    fn refusals_are_named_by_code_and_by_words() {
        assert!(matches!(refusal("sdk", 5, "x"), Error::InsufficientFunds { .. }));
        assert!(matches!(
            refusal("sdk", 18, "spendable balance 1uopen is smaller than 2uopen: insufficient funds"),
            Error::InsufficientFunds { .. }
        ));
        assert!(matches!(
            refusal("sdk", 13, "insufficient fees; got: 1uopen"),
            Error::InsufficientFee { .. }
        ));
        assert!(matches!(refusal("sdk", 20, "x"), Error::MempoolFull { .. }));
        assert!(matches!(refusal("wasm", 5, "strange"), Error::TxRejected { code: 5, .. }));
        assert!(!refusal("wasm", 5, "strange").retryable());
        let starting = refusal("sdk", 1, "Block (unix) time must never be empty or negative : panic");
        assert!(matches!(starting, Error::Starting { .. }) && starting.retryable(), "{starting}");
    }

    #[test]
    fn errors_stay_small_enough_to_be_passed_about() {
        assert!(std::mem::size_of::<Error>() < 128, "{}", std::mem::size_of::<Error>());
    }

    #[test]
    fn a_long_log_is_cut_between_characters() {
        let cut = shorten(&"ä".repeat(5_000));
        assert_eq!(cut.chars().count(), MAX_LOG + 2);
    }
}
