//! Sets the contracts up, owned by the governance account from their first block on.

use std::path::Path;

use openledger_client::contracts::Contracts;
use openledger_client::{Chain, Signer};
use openledger_types::msg::{
    arbiter, datanet, escrow, gateway, model_registry, node_registry, referee, storage,
};
use openledger_types::profile::Profile;

use crate::context::{write_json, Context, Deployment};
use crate::error::{Class, CliError, Result};

/// Salt of all addresses: with the module's hash and the deployer it decides them, so that nobody else
/// can take one of them first.
const SALT: &[u8] = b"openledger/1";

/// A module: its code on chain and the address that its contract will have.
struct Module {
    code_id: u64,
    address: String,
}

/// Stores and instantiates the contracts found in `wasm_dir` (as `scripts/build-contracts` leaves
/// them); admin and owner of each is the governance module's account. The contracts name each other,
/// so their addresses are computed before the first of them exists. Writes the deployment file.
///
/// # Errors
/// When a module is missing, the chain refuses it, an address is not the computed one, or the file
/// cannot be written.
pub async fn deploy(
    ctx: &Context,
    chain: &Chain,
    signer: &Signer,
    wasm_dir: &Path,
    profile: Profile,
) -> Result<Deployment> {
    let owner = chain.module_address("gov").await?;
    let datanet = store(signer, wasm_dir, "datanet").await?;
    let model_registry = store(signer, wasm_dir, "model-registry").await?;
    let node_registry = store(signer, wasm_dir, "node-registry").await?;
    let payable_escrow = store(signer, wasm_dir, "payable-escrow").await?;
    let referee = store(signer, wasm_dir, "referee").await?;
    let ibc_gateway = store(signer, wasm_dir, "ibc-gateway").await?;
    let storage = store(signer, wasm_dir, "storage").await?;
    let arbiter = store(signer, wasm_dir, "arbiter").await?;
    let contracts = Contracts {
        datanet: datanet.address.clone(),
        model_registry: model_registry.address.clone(),
        node_registry: node_registry.address.clone(),
        payable_escrow: payable_escrow.address.clone(),
        referee: referee.address.clone(),
        ibc_gateway: Some(ibc_gateway.address.clone()),
        storage: Some(storage.address.clone()),
        arbiter: Some(arbiter.address.clone()),
    };
    let Profile {
        datanet: data,
        model_registry: models,
        node_registry: nodes,
        escrow,
        referee: judging,
        arbiter: disputes,
        gateway: payouts,
        storage: keeping,
    } = profile;
    let c = contracts.clone();
    let msg = datanet::InstantiateMsg {
        owner: owner.clone(),
        params: data,
        connect: Some(datanet::Connections {
            model_registry: c.model_registry.clone(),
            referee: c.referee.clone(),
            storage: c.storage.clone(),
        }),
    };
    make(signer, &datanet, &msg, "openledger datanet", &owner).await?;
    let msg =
        model_registry::InstantiateMsg { owner: owner.clone(), datanet: c.datanet.clone(), params: models };
    make(signer, &model_registry, &msg, "openledger model registry", &owner).await?;
    let msg = node_registry::InstantiateMsg {
        owner: owner.clone(),
        params: nodes,
        connect: Some(node_registry::Connections {
            model_registry: c.model_registry.clone(),
            escrow: c.payable_escrow.clone(),
            referee: c.referee.clone(),
            storage: c.storage.clone(),
        }),
    };
    make(signer, &node_registry, &msg, "openledger node registry", &owner).await?;
    let msg = escrow::InstantiateMsg {
        owner: owner.clone(),
        model_registry: c.model_registry.clone(),
        node_registry: c.node_registry.clone(),
        params: escrow,
        connect: Some(escrow::Connections {
            datanet: c.datanet.clone(),
            referee: c.referee.clone(),
            gateway: c.ibc_gateway.clone(),
        }),
    };
    make(signer, &payable_escrow, &msg, "openledger payable escrow", &owner).await?;
    let msg = referee::InstantiateMsg {
        owner: owner.clone(),
        datanet: c.datanet.clone(),
        node_registry: c.node_registry.clone(),
        escrow: c.payable_escrow.clone(),
        arbiter: c.arbiter.clone(),
        params: judging,
    };
    make(signer, &referee, &msg, "openledger referee", &owner).await?;
    let msg = arbiter::InstantiateMsg {
        owner: owner.clone(),
        referee: c.referee.clone(),
        model_registry: c.model_registry.clone(),
        params: disputes,
    };
    make(signer, &arbiter, &msg, "openledger arbiter", &owner).await?;
    // Routes come with the channels, by governance.
    let msg = gateway::InstantiateMsg {
        owner: owner.clone(),
        escrow: c.payable_escrow,
        params: payouts,
        routes: vec![],
    };
    make(signer, &ibc_gateway, &msg, "openledger ibc gateway", &owner).await?;
    let msg = storage::InstantiateMsg {
        owner: owner.clone(),
        datanet: c.datanet,
        node_registry: c.node_registry,
        params: keeping,
    };
    make(signer, &storage, &msg, "openledger storage", &owner).await?;
    let code_ids = [
        ("datanet", datanet.code_id),
        ("model_registry", model_registry.code_id),
        ("node_registry", node_registry.code_id),
        ("payable_escrow", payable_escrow.code_id),
        ("referee", referee.code_id),
        ("ibc_gateway", ibc_gateway.code_id),
        ("storage", storage.code_id),
        ("arbiter", arbiter.code_id),
    ];
    let deployment = Deployment {
        chain_id: chain.config().chain_id.clone(),
        rpc: chain.config().rpc.clone(),
        contracts,
        code_ids: code_ids.into_iter().map(|(name, code_id)| (name.to_string(), code_id)).collect(),
        owner,
    };
    check_connections(chain, &deployment).await?;
    write_json(&ctx.deployment_path(), &deployment)?;
    Ok(deployment)
}

/// Asks every contract whom it believes.
async fn check_connections(chain: &Chain, deployment: &Deployment) -> Result<()> {
    let c = &deployment.contracts;
    let believed: datanet::ConnectionsResponse =
        chain.query_smart(&c.datanet, &datanet::QueryMsg::Connections {}).await?;
    let datanet = believed.model_registry.as_ref() == Some(&c.model_registry)
        && believed.referee.as_ref() == Some(&c.referee)
        && believed.storage == c.storage;
    let believed: node_registry::ConnectionsResponse =
        chain.query_smart(&c.node_registry, &node_registry::QueryMsg::Connections {}).await?;
    let nodes = believed.model_registry.as_ref() == Some(&c.model_registry)
        && believed.escrow.as_ref() == Some(&c.payable_escrow)
        && believed.referee.as_ref() == Some(&c.referee)
        && believed.storage == c.storage;
    let believed: escrow::ConnectionsResponse =
        chain.query_smart(&c.payable_escrow, &escrow::QueryMsg::Connections {}).await?;
    let escrow = believed.datanet.as_ref() == Some(&c.datanet)
        && believed.referee.as_ref() == Some(&c.referee)
        && believed.gateway == c.ibc_gateway;
    let believed: referee::ArbiterResponse =
        chain.query_smart(&c.referee, &referee::QueryMsg::Arbiter { case_id: None }).await?;
    let referee = believed.arbiter == c.arbiter;
    let all =
        [("datanet", datanet), ("node registry", nodes), ("payable escrow", escrow), ("referee", referee)];
    for (name, connected) in all {
        if !connected {
            return Err(CliError::new(
                Class::Refused,
                "E-CLI-045",
                format!("the {name} does not believe the other contracts"),
                "use none of these contracts; deploy with contracts of the same release",
            ));
        }
    }
    Ok(())
}

/// Stores a module and computes its contract's address.
async fn store(signer: &Signer, wasm_dir: &Path, name: &str) -> Result<Module> {
    let path = wasm_dir.join(format!("{name}.wasm"));
    let wasm = std::fs::read(&path).map_err(|e| CliError {
        advice: "build the contracts: ./scripts/build-contracts".into(),
        ..CliError::file(&path, e)
    })?;
    let code_id = signer.store_code(&wasm).await?;
    Ok(Module { code_id, address: signer.predicted_address(&wasm, SALT)? })
}

/// Makes a contract and checks that it stands where the others look for it.
async fn make<T: serde::Serialize>(
    signer: &Signer,
    module: &Module,
    msg: &T,
    label: &str,
    admin: &str,
) -> Result<()> {
    let address = signer.instantiate2(module.code_id, msg, label, Some(admin), SALT).await?;
    if address != module.address {
        return Err(CliError::new(
            Class::Refused,
            "E-CLI-045",
            format!("{label} stands at {address}, not at {}, where the others look for it", module.address),
            "use none of these contracts; deploy with a program and a chain of the same release",
        ));
    }
    Ok(())
}
