//! Writes the JSON schema of the messages to `schema/`.

use cosmwasm_schema::write_api;
use openledger_types::msg::escrow::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

fn main() {
    write_api! {
        name: "payable-escrow",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    }
}
