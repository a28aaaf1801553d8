//! `RegisterVersion`.

use cosmwasm_std::{Addr, Deps, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint128, WasmMsg};
use openledger_contract::{pause, text, CommonError};
use openledger_types::formats::{hash32, training_root, SumRoot, VersionRef};
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{NewVersion, Params, TrainedOn, MAX_DATANETS};

use super::lineage;
use super::model::developed_by;
use super::notice::above_floor;
use crate::state::{Version, DATANET, MANIFESTS, MODELS, PARAMS, VERSIONS};
use crate::{datanets, ContractError};

/// What a set of datanet versions asks of a model.
struct Basis {
    /// The versions with their roots.
    versions: Vec<VersionRef>,
    /// Those that ask a price for training, by their place.
    priced: Vec<bool>,
    /// The highest least part for the data, in basis points.
    min_data_bps: u16,
    /// The highest floor, in base units per answer token.
    floor_per_token: Uint128,
}

/// Adds a version after checking it against the data and the models it rests on.
pub fn register_version(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    model_id: u64,
    new: NewVersion,
) -> Result<Response, ContractError> {
    pause::assert_running(deps.storage)?;
    let mut model = developed_by(deps.storage, &info, model_id)?;
    check_form(&new)?;
    check_training(&new)?;
    let manifest_key = (model_id, new.manifest_hash.as_slice());
    if let Some(version) = MANIFESTS.may_load(deps.storage, manifest_key)? {
        return Err(ContractError::ManifestTaken { model_id, version });
    }
    let params = PARAMS.load(deps.storage)?;
    let datanet_addr = DATANET.load(deps.storage)?;
    let basis = basis(deps.as_ref(), &datanet_addr, &new.datanets)?;
    check_terms(&params, &basis, &new)?;
    let royalties = lineage::fit(lineage::flatten(deps.storage, &new.parents)?, &new.split, &params)?;
    let number = model.latest_version.checked_add(1).ok_or(CommonError::BadField {
        field: "model_id",
        rule: "a model with less than 2^32 - 1 versions",
    })?;
    model.latest_version = number;
    let training: Vec<SumRoot> = new.datanets.into_iter().map(|trained_on| trained_on.training).collect();
    let uses = uses(&datanet_addr, &basis, &training, &model.developer, (model_id, number))?;
    let mut events = vec![Event::new("model_version_registered")
        .add_attribute("model_id", model_id.to_string())
        .add_attribute("version", number.to_string())
        .add_attribute("manifest_hash", new.manifest_hash.to_hex())];
    events.extend(royalties.iter().map(|royalty| {
        Event::new("royalty_pinned")
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("version", number.to_string())
            .add_attribute("recipient", &royalty.recipient)
            .add_attribute("bps", royalty.bps.to_string())
    }));

    MANIFESTS.save(deps.storage, manifest_key, &number)?;
    MODELS.save(deps.storage, model_id, &model)?;
    VERSIONS.save(
        deps.storage,
        (model_id, number),
        &Version {
            manifest_hash: new.manifest_hash,
            manifest: new.manifest,
            weights_root: new.weights_root,
            training_root: new.training_root,
            numeric_class: new.numeric_class,
            datanets: basis.versions,
            training,
            parents: new.parents,
            royalty_bps: new.royalty_bps,
            royalties,
            denom: new.denom,
            price_in: new.price_in,
            price_out: new.price_out,
            next_price: None,
            floor_per_token: basis.floor_per_token,
            split: new.split,
            registered_at: env.block.height,
            deprecated: false,
            stale: false,
        },
    )?;
    Ok(Response::new().add_attribute("action", "register_version").add_events(events).add_messages(uses))
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
    // None for a model made elsewhere: what it was trained on is not known here, so nobody is paid for it by
    // name, and its answers' data part goes to the commons.
    if new.datanets.len() > MAX_DATANETS {
        return Err(CommonError::BadField { field: "datanets", rule: "at most 8 sealed versions" }.into());
    }
    let neighbours = new.datanets.iter().zip(new.datanets.iter().skip(1));
    if neighbours.into_iter().any(|(a, b)| a.datanet_id >= b.datanet_id) {
        let rule = "sorted by datanet, each datanet once";
        return Err(CommonError::BadField { field: "datanets", rule }.into());
    }
    lineage::check_form(&new.parents)
}

/// Refuses training receipts of nothing, and a training root that does not follow from them.
fn check_training(new: &NewVersion) -> Result<(), ContractError> {
    for TrainedOn { training, .. } in &new.datanets {
        hash32("datanets.training.hash", &training.hash)?;
        if training.count == 0 || training.sum < Uint128::from(training.count) {
            let rule = "a tree of at least one contribution, each seen at least once";
            return Err(CommonError::BadField { field: "datanets.training", rule }.into());
        }
    }
    let trees: Vec<(u64, SumRoot)> =
        new.datanets.iter().map(|d| (d.datanet_id, d.training.clone())).collect();
    let expected = training_root(&trees);
    match new.training_root.as_slice() == expected {
        true => Ok(()),
        false => Err(ContractError::TrainingRoot { expected: HexBinary::from(&expected).to_hex() }),
    }
}

/// Asks the datanet contract for every version.
fn basis(deps: Deps, datanet_addr: &Addr, trained_on: &[TrainedOn]) -> Result<Basis, ContractError> {
    let mut basis =
        Basis { versions: vec![], priced: vec![], min_data_bps: 0, floor_per_token: Uint128::zero() };
    for TrainedOn { datanet_id, version, training } in trained_on {
        let sealed = datanets::sealed(deps, datanet_addr, *datanet_id, *version)?;
        if training.count > sealed.version.size {
            let rule = "a tree of at most as many contributions as the sealed version has";
            return Err(CommonError::BadField { field: "datanets.training", rule }.into());
        }
        basis.min_data_bps = basis.min_data_bps.max(sealed.min_data_bps);
        basis.floor_per_token = basis.floor_per_token.max(sealed.floor_per_token);
        basis.priced.push(!sealed.training_price.is_zero());
        basis.versions.push(sealed.version);
    }
    Ok(basis)
}

/// Refuses a split, a price or a royalty that registry and datanets do not allow (D5, L11).
fn check_terms(params: &Params, basis: &Basis, new: &NewVersion) -> Result<(), ContractError> {
    let Split { protocol, data, .. } = new.split;
    if !new.split.is_whole() {
        return Err(ContractError::SplitNotWhole {});
    }
    if protocol != params.protocol_bps {
        return Err(ContractError::ProtocolPart { expected: params.protocol_bps, actual: protocol });
    }
    let least = params.min_data_bps.max(basis.min_data_bps);
    if data < least {
        return Err(ContractError::DataPart { least, actual: data });
    }
    if new.royalty_bps > params.max_royalty_bps {
        let most = params.max_royalty_bps;
        return Err(ContractError::OwnRoyaltyTooHigh { most, actual: new.royalty_bps });
    }
    above_floor(basis.floor_per_token, new.price_out)
}

/// Messages that use the developer's paid access to every datanet that asks a price (D6).
fn uses(
    datanet_addr: &Addr,
    basis: &Basis,
    training: &[SumRoot],
    developer: &Addr,
    model_version: (u64, u32),
) -> Result<Vec<WasmMsg>, ContractError> {
    let datanets = basis.versions.iter().zip(training).zip(&basis.priced);
    datanets
        .filter(|(_, priced)| **priced)
        .map(|((sealed, training), _)| {
            Ok(datanets::use_access(datanet_addr, sealed, training, developer, model_version)?)
        })
        .collect()
}
