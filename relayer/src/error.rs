//! What can go wrong, in words an operator can act on.

use std::path::Path;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every way in which the relayer fails. [`Error::code`] is stable between releases.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be read.
    #[error("{path}: {reason}")]
    ConfigFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration has values that cannot be used.
    #[error("{path} has {} problem(s):{}", problems.len(), list(problems))]
    ConfigValues {
        /// The file.
        path: String,
        /// Each of them.
        problems: Vec<crate::config::Problem>,
    },
    /// A chain that the configuration does not name.
    #[error("no [[chains]] entry has id = {id:?}; there are: {known}")]
    NoSuchChain {
        /// Chain asked for.
        id: String,
        /// Chains configured.
        known: String,
    },
    /// Something about the chain or its endpoint.
    #[error("chain {chain_id}: {source}")]
    Chain {
        /// Chain.
        chain_id: String,
        /// What went wrong.
        source: openledger_client::Error,
    },
    /// A cursor that cannot be read or written.
    #[error("cursor {path}: {reason}")]
    Cursor {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The chain has another block at a height that was read before.
    #[error("chain {chain_id} has another block at height {height} than was read before")]
    OtherHistory {
        /// Chain.
        chain_id: String,
        /// Height.
        height: u64,
    },
    /// Blocks would be left out.
    #[error("the cursor of {chain_id} stands at height {next}: reading from {from} would leave blocks out")]
    Gap {
        /// Chain.
        chain_id: String,
        /// Next height to read.
        next: u64,
        /// Height asked for.
        from: u64,
    },
    /// A range that holds no block.
    #[error("--to {to} lies before the first height to read, {from}")]
    Range {
        /// First height.
        from: u64,
        /// Last height.
        to: u64,
    },
    /// The endpoint no longer has a block that was not read yet.
    #[error("the endpoint of {chain_id} keeps blocks from height {earliest} on; {height} was not read yet")]
    Pruned {
        /// Chain.
        chain_id: String,
        /// Height that is needed.
        height: u64,
        /// First height that it has.
        earliest: u64,
    },
    /// A packet event that cannot be read; the cursor stays before its block.
    #[error("chain {chain_id}, height {height}: {reason}")]
    Packet {
        /// Chain.
        chain_id: String,
        /// Height.
        height: u64,
        /// What is wrong.
        reason: crate::packet::PacketError,
    },
    /// A header that does not pass the light client's rules.
    #[error("chain {chain_id}: the header at {height} is not to be trusted: {reason}")]
    Header {
        /// Chain.
        chain_id: String,
        /// Height.
        height: u64,
        /// What is wrong.
        reason: String,
    },
    /// A state whose proof does not lead to a verified header.
    #[error("chain {chain_id}: the proof of {key} {reason}")]
    Proof {
        /// Chain.
        chain_id: String,
        /// Path of the state.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Clients, connection or channel cannot be made or used as asked.
    #[error("link: {0}")]
    Link(String),
    /// A path that was not linked, or whose record cannot be used.
    #[error("path {path}: {reason}")]
    Path {
        /// The two chains.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The store of packets cannot be read or written.
    #[error("store: {0}")]
    Store(String),
    /// No key is configured for a chain that something is to be sent to.
    #[error("chain {chain_id} has no key")]
    NoKey {
        /// Chain.
        chain_id: String,
    },
    /// A passphrase cannot be read.
    #[error("passphrase: {0}")]
    Passphrase(String),
    /// The address for metrics and health cannot be used.
    #[error("listen address {address}: {reason}")]
    Listen {
        /// The address.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// What was found cannot be written out.
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
}

fn list(problems: &[crate::config::Problem]) -> String {
    problems.iter().map(|p| format!("\n  {p}")).collect()
}

impl Error {
    /// Stable code of the kind of error; errors of the chain keep the client's code.
    pub fn code(&self) -> &'static str {
        match self {
            Error::ConfigFile { .. } => "E-RELAYER-001",
            Error::ConfigValues { .. } => "E-RELAYER-002",
            Error::NoSuchChain { .. } => "E-RELAYER-003",
            Error::Chain { source, .. } => source.code(),
            Error::Cursor { .. } => "E-RELAYER-020",
            Error::OtherHistory { .. } => "E-RELAYER-021",
            Error::Gap { .. } => "E-RELAYER-022",
            Error::Range { .. } => "E-RELAYER-023",
            Error::Pruned { .. } => "E-RELAYER-024",
            Error::Packet { .. } => "E-RELAYER-025",
            Error::Output(_) => "E-RELAYER-026",
            Error::Store(_) => "E-RELAYER-027",
            Error::Header { .. } => "E-RELAYER-030",
            Error::Proof { .. } => "E-RELAYER-031",
            Error::Link(_) => "E-RELAYER-032",
            Error::Path { .. } => "E-RELAYER-033",
            Error::NoKey { .. } => "E-RELAYER-034",
            Error::Passphrase(_) => "E-RELAYER-035",
            Error::Listen { .. } => "E-RELAYER-036",
        }
    }

    /// Whether the same call, repeated unchanged, may succeed.
    pub fn retryable(&self) -> bool {
        match self {
            Error::Chain { source, .. } => source.retryable(),
            Error::Header { .. } | Error::Proof { .. } => true,
            _ => false,
        }
    }

    /// What to do, in one sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Error::ConfigFile { .. } => "compare with the output of `openledger-relayer config example`",
            Error::ConfigValues { .. } => "correct each value; the example file explains all of them",
            Error::NoSuchChain { .. } => "correct --chain, or add the chain to the configuration",
            Error::Chain { source, .. } => source.advice(),
            Error::Cursor { .. } => {
                "check permissions and space; a damaged cursor may be deleted when --from names where to begin"
            }
            Error::OtherHistory { .. } => {
                "if the chain was restarted from nothing, delete its cursor file; otherwise distrust the endpoint"
            }
            Error::Gap { .. } => "leave --from away to go on at the cursor, or delete the cursor file",
            Error::Range { .. } => "give a --to that is not before the first height",
            Error::Pruned { .. } => {
                "name an endpoint that keeps older blocks, or delete the cursor and begin later with --from"
            }
            Error::Packet { .. } => {
                "check that this release knows the chain's version of ibc-go; no block was left out"
            }
            Error::Store(_) => {
                "check permissions and space of state_dir; the store may be deleted, it is filled again"
            }
            Error::Header { .. } => "add an endpoint that follows the chain; if all say the same, alarm the chain",
            Error::Proof { .. } => "add an endpoint that keeps recent states and tells the truth",
            Error::Link(_) => "read what the chain says; `link` goes on where it stopped",
            Error::Path { .. } => "run `openledger-relayer link` for the two chains",
            Error::NoKey { .. } => "make one with `openledger-relayer keys add` and name it in key_file",
            Error::Passphrase(_) => {
                "give --passphrase-fd, set OPENLEDGER_RELAYER_PASSPHRASE, or call from a terminal"
            }
            Error::Listen { .. } => "choose another address in listen, or stop what uses it",
            Error::Output(_) => "check the pipe or disk that takes the output; no block was left out",
        }
    }

    /// Exit code of the program: 2 when the call or the configuration has to change, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::ConfigFile { .. }
            | Error::ConfigValues { .. }
            | Error::NoSuchChain { .. }
            | Error::NoKey { .. }
            | Error::Path { .. }
            | Error::Passphrase(_)
            | Error::Listen { .. }
            | Error::Gap { .. }
            | Error::Range { .. } => 2,
            _ => 1,
        }
    }

    /// An error of a cursor file.
    pub(crate) fn cursor(path: &Path, reason: impl ToString) -> Self {
        Error::Cursor { path: path.display().to_string(), reason: reason.to_string() }
    }
}
