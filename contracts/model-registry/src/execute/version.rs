//! `RegisterVersion` and `Deprecate`.

use cosmwasm_std::{Deps, DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::{pause, text, CommonError};
use openledger_types::formats::{hash32, VersionRef};
use openledger_types::money::Split;
use openledger_types::msg::datanet;
use openledger_types::msg::model_registry::{NewVersion, Params, MAX_DATANETS};

use crate::state::{self, Model, Version, DATANET, MANIFESTS, MODELS, PARAMS, VERSIONS};
use crate::ContractError;

/// What a set of datanet versions asks of a model.
struct Basis {
    /// The versions with their roots.
    versions: Vec<VersionRef>,
    /// The highest least part for the data, in basis points.
    min_data_bps: u16,
    /// The highest floor, in base units per answer token.
    floor_per_token: Uint128,
}

/// Adds a version after checking it against the data it rests on.
pub fn register_version(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    model_id: u64,
    new: NewVersion,
) -> Result<Response, ContractError> {
    pause::assert_running(deps.storage)?;
    let mut model = developed_by(deps.as_ref(), &info, model_id)?;
    check_form(&new)?;
    let manifest_key = (model_id, new.manifest_hash.as_slice());
    if let Some(version) = MANIFESTS.may_load(deps.storage, manifest_key)? {
        return Err(ContractError::ManifestTaken { model_id, version });
    }
    let basis = basis(deps.as_ref(), &new.datanets.iter().map(|d| (d.datanet_id, d.version)).collect::<Vec<_>>())?;
    check_terms(&PARAMS.load(deps.storage)?, &basis, &new.split, new.price_out)?;
    let version = model.latest_version.checked_add(1).ok_or(CommonError::BadField {
        field: "model_id",
        rule: "a model with less than 2^32 - 1 versions",
    })?;
    model.latest_version = version;

    MANIFESTS.save(deps.storage, manifest_key, &version)?;
    MODELS.save(deps.storage, model_id, &model)?;
    VERSIONS.save(
        deps.storage,
        (model_id, version),
        &Version {
            manifest_hash: new.manifest_hash.clone(),
            manifest: new.manifest,
            weights_root: new.weights_root,
            training_root: new.training_root,
            numeric_class: new.numeric_class,
            datanets: basis.versions,
            denom: new.denom,
            price_in: new.price_in,
            price_out: new.price_out,
            floor_per_token: basis.floor_per_token,
            split: new.split,
            registered_at: env.block.height,
            deprecated: false,
        },
    )?;
    Ok(Response::new().add_attribute("action", "register_version").add_event(
        Event::new("model_version_registered")
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("version", version.to_string())
            .add_attribute("manifest_hash", new.manifest_hash.to_hex()),
    ))
}

/// Advises against a version; sessions that pinned it go on.
pub fn deprecate(
    deps: DepsMut,
    info: MessageInfo,
    model_id: u64,
    number: u32,
) -> Result<Response, ContractError> {
    developed_by(deps.as_ref(), &info, model_id)?;
    let mut version = state::version(deps.storage, model_id, number)?;
    if version.deprecated {
        return Err(ContractError::AlreadyDeprecated { model_id, version: number });
    }
    version.deprecated = true;

    VERSIONS.save(deps.storage, (model_id, number), &version)?;
    Ok(Response::new().add_attribute("action", "deprecate").add_event(
        Event::new("model_version_deprecated")
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("version", number.to_string()),
    ))
}

/// Loads a model, refusing everyone but its developer.
fn developed_by(deps: Deps, info: &MessageInfo, model_id: u64) -> Result<Model, ContractError> {
    let model = state::model(deps.storage, model_id)?;
    match model.developer == info.sender {
        true => Ok(model),
        false => Err(CommonError::Unauthorized { role: "the model's developer" }.into()),
    }
}

/// Refuses fields of a wrong form.
fn check_form(new: &NewVersion) -> Result<(), ContractError> {
    hash32("manifest_hash", &new.manifest_hash)?;
    hash32("manifest.root", &new.manifest.root)?;
    hash32("weights_root", &new.weights_root)?;
    hash32("training_root", &new.training_root)?;
    text::denom("denom", &new.denom)?;
    if new.manifest.len == 0 {
        return Err(CommonError::BadField { field: "manifest.len", rule: "at least 1 byte" }.into());
    }
    if !(1..=MAX_DATANETS).contains(&new.datanets.len()) {
        return Err(CommonError::BadField { field: "datanets", rule: "1 to 8 sealed versions" }.into());
    }
    if new.datanets.windows(2).any(|pair| pair[0].datanet_id >= pair[1].datanet_id) {
        let rule = "sorted by datanet, each datanet once";
        return Err(CommonError::BadField { field: "datanets", rule }.into());
    }
    Ok(())
}

/// Asks the datanet contract for every version; its answers alone are believed.
fn basis(deps: Deps, datanets: &[(u64, u32)]) -> Result<Basis, ContractError> {
    let contract_addr = DATANET.load(deps.storage)?;
    let mut basis = Basis { versions: vec![], min_data_bps: 0, floor_per_token: Uint128::zero() };
    for (datanet_id, version) in datanets.iter().copied() {
        let refused = |reason: String| ContractError::DatanetVersion { datanet_id, version, reason };
        let sealed: datanet::VersionResponse = deps
            .querier
            .query_wasm_smart(&contract_addr, &datanet::QueryMsg::Version { datanet_id, version })
            .map_err(|error| refused(error.to_string()))?;
        if (sealed.version.datanet_id, sealed.version.version) != (datanet_id, version) {
            return Err(refused("the answer is about another version".into()));
        }
        hash32("datanets.root", &sealed.version.root)?;
        basis.min_data_bps = basis.min_data_bps.max(sealed.min_data_bps);
        basis.floor_per_token = basis.floor_per_token.max(sealed.floor_per_token);
        basis.versions.push(sealed.version);
    }
    Ok(basis)
}

/// Refuses a split or a price below what registry and datanets ask (D5).
fn check_terms(
    params: &Params,
    basis: &Basis,
    split: &Split,
    price_out: Uint128,
) -> Result<(), ContractError> {
    if !split.is_whole() {
        return Err(ContractError::SplitNotWhole {});
    }
    if split.protocol != params.protocol_bps {
        return Err(ContractError::ProtocolPart { expected: params.protocol_bps, actual: split.protocol });
    }
    let least = params.min_data_bps.max(basis.min_data_bps);
    if split.data < least {
        return Err(ContractError::DataPart { least, actual: split.data });
    }
    if price_out < basis.floor_per_token {
        let (floor, price) = (basis.floor_per_token.u128(), price_out.u128());
        return Err(ContractError::BelowFloor { floor, price });
    }
    Ok(())
}
