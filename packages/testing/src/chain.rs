//! What a [`crate::World`] needs of a chain: the simulation has it built in, and whoever has a chain that
//! runs can put it there, so that the same tests drive the compiled contracts.

use cosmwasm_std::{Addr, Coin};
use cw_multi_test::AppResponse;

use crate::Result;

/// A chain that runs, with accounts whose keys the implementation holds.
pub trait Chain {
    /// Chain id.
    fn chain_id(&self) -> String;

    /// Height of the newest block, whose state queries and refusals see.
    fn height(&self) -> u64;

    /// Waits until the chain has this height.
    fn advance_to(&mut self, height: u64);

    /// The address of this name.
    fn address(&self, name: &str) -> Addr;

    /// The address of this name, which the chain can sign for from now on.
    fn account(&mut self, name: &str) -> Addr;

    /// Gives coins to an address.
    fn mint(&mut self, to: &Addr, amount: Coin);

    /// Base units that an address holds, with the transaction fees that it paid added back: the
    /// simulation has no fees.
    fn balance(&self, address: &Addr, denom: &str) -> u128;

    /// Stores the contract of this name, unless it is stored, and instantiates it with the owner as its
    /// admin; panics when either is refused.
    fn instantiate(&mut self, name: &str, owner: &Addr, msg: &[u8]) -> Addr;

    /// Sends one message in a transaction of its own and waits for its block.
    fn execute(&mut self, sender: &Addr, contract: &Addr, msg: &[u8], funds: &[Coin]) -> Result<AppResponse>;

    /// Asks a contract.
    fn query(&self, contract: &Addr, msg: &[u8]) -> Result<Vec<u8>>;

    /// Makes a validator of this account, which holds coins, with a self-delegation above the least bond
    /// of a node.
    fn add_validator(&mut self, operator: &Addr);
}
