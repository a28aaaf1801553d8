//! What an auditor sends: its word on a root, and the commitment to its seed (PROTOCOL L6, F4).

use anyhow::Result;
use cosmwasm_std::HexBinary;
use openledger_client::Key;
use openledger_types::formats::node_key_digest;
use openledger_types::msg::{escrow, node_registry, referee};

use super::contribute::RECIPIENT;
use super::serve::{Market, BOND};
use super::world::{told, World};
use super::{Size, ANSWERS};
use crate::report::Metric;

/// Measures the attestation of a root by the chain's only auditor, which takes the snapshot of the weight and reaches
/// the quorum, the finality of that root, the claim of its pay, and the commitment to a seed.
pub async fn measure(world: &World, market: &Market, size: &Size, metrics: &mut Vec<Metric>) -> Result<()> {
    let auditor = register(world).await?;
    let account = world.data_owner.address();
    let (mut attests, mut finals, mut claims) = (vec![], vec![], vec![]);
    for run in 0..size.runs {
        let mut node = market.node(world, &format!("audited node {run}"), 100, account).await?;
        let (mut sessions, _) = market.sessions(world, &node, 1, ANSWERS).await?;
        market.serve(world, &mut sessions[0], ANSWERS)?;
        let posting = node.epoch(world, &mut sessions)?;
        world.execute(&world.operator, &world.escrow, &posting, 0).await?;
        let escrow::ExecuteMsg::PostEpoch { commit, .. } = posting else { anyhow::bail!("not a posting") };
        let msg = referee::ExecuteMsg::Attest {
            auditor,
            node_id: node.id,
            denom: world.denom().into(),
            epoch: commit.epoch,
        };
        attests.push(world.execute(&world.validator, &world.referee, &msg, 0).await?.gas_used as f64);
        finals.push(node.finalize(world).await?);
        let msg = referee::ExecuteMsg::ClaimAudit {
            auditor,
            node_id: node.id,
            denom: world.denom().into(),
            epoch: commit.epoch,
        };
        claims.push(world.execute(&world.validator, &world.referee, &msg, 0).await?.gas_used as f64);
    }
    metrics.push(Metric::of("attest", "gas", attests));
    metrics.push(Metric::of("finalize_attested", "gas", finals));
    metrics.push(Metric::of("claim_audit", "gas", claims));
    let period = world.height().await? / world.profile.referee.seed_blocks + 1;
    let commitment = HexBinary::from([7u8; 32].as_slice());
    let msg = referee::ExecuteMsg::CommitSeed { auditor, period, commitment };
    let done = world.execute(&world.validator, &world.referee, &msg, 0).await?;
    metrics.push(Metric::of("commit_seed", "gas", vec![done.gas_used as f64]));
    Ok(())
}

/// Registers an auditor in the name of the chain's validator.
async fn register(world: &World) -> Result<u64> {
    let (registry, validator) = (&world.node_registry, &world.validator);
    let key = Key::from_bytes(&[9; 32])?;
    let public = key.public_key();
    let proof = node_key_digest(world.chain_id(), registry, validator.address(), &public);
    let msg = node_registry::ExecuteMsg::Register {
        moniker: "auditor".into(),
        endpoint: "http://127.0.0.1:8081".into(),
        node_key: HexBinary::from(&public),
        key_proof: HexBinary::from(&key.sign_digest(&proof)),
        hot_addr: None,
        age_recipient: RECIPIENT.into(),
        roles: vec![node_registry::Role::Audit],
    };
    let made = world.execute(validator, registry, &msg, BOND).await?;
    told(&made, registry, "node_id")
}
