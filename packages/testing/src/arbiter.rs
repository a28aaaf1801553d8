//! The arbiter in few words.

use cosmwasm_std::Addr;
use cw_multi_test::{AppResponse, ContractWrapper};
use openledger_types::msg::arbiter::{InstantiateMsg, Params};
use openledger_types::msg::referee;

use crate::{Result, World};

impl World {
    /// Stores and instantiates an arbiter, which the referee does not know yet.
    pub fn deploy_arbiter(&mut self, params: Params) -> Addr {
        let code = ContractWrapper::new(
            openledger_arbiter::contract::execute,
            openledger_arbiter::contract::instantiate,
            openledger_arbiter::contract::query,
        )
        .with_migrate(openledger_arbiter::contract::migrate);
        let msg = InstantiateMsg {
            owner: self.owner.to_string(),
            referee: self.referee.to_string(),
            model_registry: self.model_registry.to_string(),
            params,
        };
        self.instantiate("arbiter", Box::new(code), &msg)
    }

    /// The owner names an arbiter to the referee.
    pub fn name_arbiter(&mut self, arbiter: &Addr) -> Result<AppResponse> {
        let (owner, referee, arbiter) = (self.owner.clone(), self.referee.clone(), arbiter.to_string());
        self.execute(&owner, &referee, &referee::ExecuteMsg::SetArbiter { arbiter }, &[])
    }
}
