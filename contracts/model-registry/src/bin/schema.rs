//! Writes the contract's messages as JSON schema into `schema/` of the current folder.

use cosmwasm_schema::write_api;
use openledger_types::msg::model_registry::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

fn main() {
    write_api! {
        name: "model-registry",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    }
}
