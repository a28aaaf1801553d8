//! Contracts that see the index of their transaction, which cw-multi-test leaves at 0.

use std::cell::Cell;
use std::rc::Rc;

use cosmwasm_std::{
    Binary, Checksum, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Reply, Response, StdResult,
};
use cw_multi_test::Contract;

/// A contract and the index of the transaction that is being carried out.
pub(crate) struct Indexed {
    inner: Box<dyn Contract<cosmwasm_std::Empty>>,
    index: Rc<Cell<u32>>,
}

impl Indexed {
    pub(crate) fn wrap(
        inner: Box<dyn Contract<cosmwasm_std::Empty>>,
        index: &Rc<Cell<u32>>,
    ) -> Box<dyn Contract<cosmwasm_std::Empty>> {
        Box::new(Indexed { inner, index: index.clone() })
    }

    fn env(&self, mut env: Env) -> Env {
        if let Some(transaction) = env.transaction.as_mut() {
            transaction.index = self.index.get();
        }
        env
    }
}

impl Contract<cosmwasm_std::Empty> for Indexed {
    fn instantiate(&self, deps: DepsMut, env: Env, info: MessageInfo, msg: Vec<u8>) -> StdResult<Response> {
        self.inner.instantiate(deps, self.env(env), info, msg)
    }

    fn execute(&self, deps: DepsMut, env: Env, info: MessageInfo, msg: Vec<u8>) -> StdResult<Response> {
        self.inner.execute(deps, self.env(env), info, msg)
    }

    fn query(&self, deps: Deps, env: Env, msg: Vec<u8>) -> StdResult<Binary> {
        self.inner.query(deps, self.env(env), msg)
    }

    fn reply(&self, deps: DepsMut, env: Env, msg: Reply) -> StdResult<Response> {
        self.inner.reply(deps, self.env(env), msg)
    }

    fn sudo(&self, deps: DepsMut, env: Env, msg: Vec<u8>) -> StdResult<Response> {
        self.inner.sudo(deps, self.env(env), msg)
    }

    fn migrate(&self, deps: DepsMut, env: Env, msg: Vec<u8>, info: MigrateInfo) -> StdResult<Response> {
        self.inner.migrate(deps, self.env(env), msg, info)
    }

    fn checksum(&self) -> Option<Checksum> {
        self.inner.checksum()
    }
}
