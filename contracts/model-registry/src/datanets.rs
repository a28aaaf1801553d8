//! What the datanet contract is asked and told. Its answers alone are believed, and only about what
//! was asked.

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_std::{Addr, Deps, StdError, WasmMsg};
use openledger_types::formats::{hash32, SumRoot, VersionRef};
use openledger_types::msg::datanet;

use crate::state::DATANET;
use crate::ContractError;

/// Asks for a sealed version.
pub fn sealed(
    deps: Deps,
    datanet_addr: &Addr,
    datanet_id: u64,
    version: u32,
) -> Result<datanet::VersionResponse, ContractError> {
    let question = datanet::QueryMsg::Version { datanet_id, version };
    let sealed: datanet::VersionResponse = ask(deps, datanet_addr, (datanet_id, version), &question)?;
    if (sealed.version.datanet_id, sealed.version.version) != (datanet_id, version) {
        let reason = "the answer is about another version".into();
        return Err(ContractError::DatanetVersion { datanet_id, version, reason });
    }
    hash32("datanets.root", &sealed.version.root)?;
    Ok(sealed)
}

/// Asks how many contributions of these versions are gone: (datanet, how many), where any is.
pub fn lost(deps: Deps, versions: &[VersionRef]) -> Result<Vec<(u64, u64)>, ContractError> {
    let datanet_addr = DATANET.load(deps.storage)?;
    let mut lost = vec![];
    for VersionRef { datanet_id, version, .. } in versions {
        let (datanet_id, version) = (*datanet_id, *version);
        let question = datanet::QueryMsg::VersionHealth { datanet_id, version };
        let health: datanet::VersionHealthResponse =
            ask(deps, &datanet_addr, (datanet_id, version), &question)?;
        if health.lost > 0 {
            lost.push((datanet_id, health.lost));
        }
    }
    Ok(lost)
}

/// The message that turns a developer's paid access into a pot that the training receipt shares.
pub fn use_access(
    datanet_addr: &Addr,
    trained_on: &VersionRef,
    training: &SumRoot,
    developer: &Addr,
    (model_id, model_version): (u64, u32),
) -> Result<WasmMsg, StdError> {
    let msg = datanet::ExecuteMsg::UseAccess {
        datanet_id: trained_on.datanet_id,
        version: trained_on.version,
        developer: developer.to_string(),
        model_id,
        model_version,
        training: training.clone(),
    };
    let msg = cosmwasm_std::to_json_binary(&msg)?;
    Ok(WasmMsg::Execute { contract_addr: datanet_addr.to_string(), msg, funds: vec![] })
}

/// Asks the datanet contract about one of its versions.
fn ask<T: DeserializeOwned>(
    deps: Deps,
    datanet_addr: &Addr,
    (datanet_id, version): (u64, u32),
    question: &datanet::QueryMsg,
) -> Result<T, ContractError> {
    deps.querier.query_wasm_smart(datanet_addr, question).map_err(|error| ContractError::DatanetVersion {
        datanet_id,
        version,
        reason: error.to_string(),
    })
}
