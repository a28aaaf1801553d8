//! Sets the four contracts up, owned by the governance account.

use std::path::Path;

use openledger_client::contracts::Contracts;
use openledger_client::{Chain, Signer};
use openledger_types::msg::{datanet, escrow, model_registry, node_registry};

use crate::context::{write_json, Context, Deployment};
use crate::error::{CliError, Result};
use crate::params::Profile;

/// Stores and instantiates the contracts found in `wasm_dir` (as `scripts/build-contracts` leaves
/// them); admin and owner of each is the governance module's account. Writes the deployment file.
///
/// # Errors
/// When a module is missing, the chain refuses it or the file cannot be written.
pub async fn deploy(
    ctx: &Context,
    chain: &Chain,
    signer: &Signer,
    wasm_dir: &Path,
    profile: Profile,
) -> Result<Deployment> {
    let owner = chain.module_address("gov").await?;
    let mut code_ids = std::collections::BTreeMap::new();
    for name in ["datanet", "model-registry", "node-registry", "payable-escrow"] {
        let path = wasm_dir.join(format!("{name}.wasm"));
        let wasm = std::fs::read(&path).map_err(|e| CliError {
            advice: "build the contracts: ./scripts/build-contracts".into(),
            ..CliError::file(&path, e)
        })?;
        code_ids.insert(name.replace('-', "_"), signer.store_code(&wasm).await?);
    }
    let code = |name: &str| code_ids.get(name).copied().unwrap_or_default();
    let admin = Some(owner.as_str());
    let datanet = signer
        .instantiate(
            code("datanet"),
            &datanet::InstantiateMsg { owner: owner.clone(), params: profile.datanet() },
            "openledger datanet",
            admin,
        )
        .await?;
    let model_registry = signer
        .instantiate(
            code("model_registry"),
            &model_registry::InstantiateMsg {
                owner: owner.clone(),
                datanet: datanet.clone(),
                params: profile.model_registry(),
            },
            "openledger model registry",
            admin,
        )
        .await?;
    let node_registry = signer
        .instantiate(
            code("node_registry"),
            &node_registry::InstantiateMsg { owner: owner.clone(), params: profile.node_registry() },
            "openledger node registry",
            admin,
        )
        .await?;
    let payable_escrow = signer
        .instantiate(
            code("payable_escrow"),
            &escrow::InstantiateMsg {
                owner: owner.clone(),
                model_registry: model_registry.clone(),
                node_registry: node_registry.clone(),
                params: profile.escrow(),
            },
            "openledger payable escrow",
            admin,
        )
        .await?;
    let deployment = Deployment {
        chain_id: chain.config().chain_id.clone(),
        rpc: chain.config().rpc.clone(),
        contracts: Contracts { datanet, model_registry, node_registry, payable_escrow },
        code_ids,
        owner,
    };
    write_json(&ctx.deployment_path(), &deployment)?;
    Ok(deployment)
}
