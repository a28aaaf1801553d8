//! Operators' commands: join the network with a node, watch it, leave; the faucet of a development chain.

mod chain_node;
pub mod dashboard;
pub mod faucet;
pub mod fetch;
pub mod join;
pub mod leave;

pub use chain_node::{ChainArgs, ChainNode};

use std::path::{Path, PathBuf};

use crate::error::{Class, CliError};

/// The program `openledger-node`: as named, else beside this one, else from the search path.
pub fn node_binary(named: Option<&Path>) -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("openledger-node"));
    match named {
        Some(path) => path.to_path_buf(),
        None => beside().filter(|path| path.exists()).unwrap_or_else(|| "openledger-node".into()),
    }
}

/// An error of the helpers, with a code of this command; those of the command line stay as they are.
fn refused(code: &'static str, advice: &'static str) -> impl Fn(anyhow::Error) -> CliError {
    move |error| match error.downcast::<CliError>() {
        Ok(error) => error,
        Err(error) => match error.downcast::<openledger_client::Error>() {
            Ok(error) => error.into(),
            Err(error) => CliError::new(Class::Node, code, format!("{error:#}"), advice).retry(),
        },
    }
}
