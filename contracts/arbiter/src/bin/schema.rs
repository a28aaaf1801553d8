//! Writes the contract's messages as JSON schema into `schema/` of the current folder.

use cosmwasm_schema::write_api;
use openledger_types::msg::arbiter::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

fn main() {
    write_api! {
        name: "arbiter",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    }
}
