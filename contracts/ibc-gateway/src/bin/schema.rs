//! Writes the schema of the messages to `schema/ibc-gateway.json`.

use cosmwasm_schema::write_api;
use openledger_types::msg::gateway::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

fn main() {
    write_api! {
        name: "ibc-gateway",
        instantiate: InstantiateMsg,
        execute: ExecuteMsg,
        query: QueryMsg,
        migrate: MigrateMsg,
    }
}
