//! Errors of the command line: a stable code, whether a retry helps, one sentence of advice, and an
//! exit code by class.

use std::fmt;

/// Class of an error; its number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The call is wrong.
    Usage = 2,
    /// The chain cannot be reached.
    Chain = 3,
    /// The chain or a contract refused.
    Refused = 4,
    /// The node cannot be reached or refused.
    Node = 5,
    /// A check of a receipt failed.
    Verification = 6,
    /// A file cannot be read, written or understood.
    File = 7,
}

/// An error that says what to do.
#[derive(Debug)]
pub struct CliError {
    /// Class, hence exit code.
    pub class: Class,
    /// Stable code.
    pub code: &'static str,
    /// What happened.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What to do.
    pub advice: String,
}

/// Result of the command line's functions.
pub type Result<T> = std::result::Result<T, CliError>;

impl CliError {
    /// An error of `class` that a retry does not help.
    pub fn new(
        class: Class,
        code: &'static str,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        CliError { class, code, message: message.into(), retryable: false, advice: advice.into() }
    }

    /// The same, where a retry may help.
    pub fn retry(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// A file that cannot be used.
    pub fn file(path: &std::path::Path, reason: impl fmt::Display) -> Self {
        CliError::new(
            Class::File,
            "E-CLI-070",
            format!("{}: {reason}", path.display()),
            "check the path, its permissions and the free space; nothing was lost",
        )
    }

    /// A wrong argument.
    pub fn usage(message: impl Into<String>) -> Self {
        CliError::new(Class::Usage, "E-CLI-020", message, "see the command's --help")
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)?;
        write!(f, "\n  what to do: {}", self.advice)?;
        if self.retryable {
            write!(f, " (trying again may help)")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<openledger_client::Error> for CliError {
    fn from(error: openledger_client::Error) -> Self {
        use openledger_client::Error as E;
        let class = match &error {
            E::Unreachable { .. } | E::WrongChain { .. } | E::Timeout { .. } | E::Rpc(_) => Class::Chain,
            E::KeyFile { .. } => Class::File,
            E::Config { .. } | E::Key(_) | E::Input { .. } => Class::Usage,
            _ => Class::Refused,
        };
        CliError {
            class,
            code: error.code(),
            message: error.to_string(),
            retryable: error.retryable(),
            advice: error.advice().to_string(),
        }
    }
}

/// Whether a fault of the node's library means that something is not what the chain says it is.
fn differs_from_chain(code: &str) -> bool {
    matches!(
        code,
        "E-CORPUS-001"
            | "E-CORPUS-003"
            | "E-CORPUS-004"
            | "E-CORPUS-013"
            | "E-NODE-030"
            | "E-NODE-031"
            | "E-LEDGER-001"
            | "E-LEDGER-002"
            | "E-MODEL-007"
            | "E-TRAIN-012"
    )
}

impl From<openledger_node::fault::Fault> for CliError {
    fn from(fault: openledger_node::fault::Fault) -> Self {
        let class = match fault.code {
            code if differs_from_chain(code) => Class::Verification,
            "E-CORPUS-011" | "E-TRAIN-001" | "E-TRAIN-003" => Class::Usage,
            code if code.starts_with("E-CORPUS-01") => Class::Node,
            code if code.starts_with("E-CLIENT") => Class::Chain,
            "E-CORPUS-002" => Class::Refused,
            code if code.starts_with("E-REQ") || code.starts_with("E-GEN") => Class::Usage,
            _ => Class::File,
        };
        CliError {
            class,
            code: fault.code,
            message: fault.what,
            retryable: fault.retry,
            advice: fault.advice.to_string(),
        }
    }
}

impl From<openledger_node::engine::Error> for CliError {
    fn from(error: openledger_node::engine::Error) -> Self {
        openledger_node::fault::Fault::from(error).into()
    }
}
