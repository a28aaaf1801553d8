//! Storage: a datanet's deposit, and its blobs kept by many nodes (docs/storage.md).

use std::collections::BTreeSet;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::contracts::Reader;
use openledger_client::{Coin, Signer};
use openledger_store::{fragment_root, fragments};
use openledger_types::msg::datanet::{ContributionResponse, ContributionStatus};
use openledger_types::msg::storage::{
    AccountResponse, ConfigResponse, ExecuteMsg, ObjectResponse, QueryMsg, StorerResponse, MAX_PACK,
    MAX_PACK_BYTES,
};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::{node_http, progress};

/// Coins added to a deposit.
#[derive(Clone, Debug, Serialize)]
pub struct Funded {
    /// Datanet.
    pub datanet_id: u64,
    /// Base units.
    pub amount: Uint128,
    /// Transaction.
    pub tx: String,
}

/// Adds to a datanet's deposit. What is not used up can be taken back, after notice.
///
/// # Errors
/// When the chain refuses, or the deployment has no storage contract.
pub async fn fund(ctx: &Context, signer: &Signer, datanet_id: u64, amount: u128) -> Result<Funded> {
    let reader = ctx.reader().await?;
    let config: ConfigResponse = reader.ask_storage(QueryMsg::Config {}).await?;
    let amount = Uint128::new(amount);
    let msg = ExecuteMsg::Fund { parts: vec![(datanet_id, amount)] };
    let funds = [Coin::new(amount.u128(), &config.params.denom)];
    let done = signer.execute(reader.storage()?, &msg, &funds).await?;
    Ok(Funded { datanet_id, amount, tx: done.hash })
}

/// What was placed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Placed {
    /// Datanet.
    pub datanet_id: u64,
    /// Objects made.
    pub objects: u64,
    /// Contributions in them.
    pub contributions: u64,
    /// Bytes of their blobs.
    pub bytes: u64,
    /// Transactions.
    pub txs: Vec<String>,
}

/// Places all contributions of a datanet that are accepted and kept by nobody yet. Their blobs come from
/// `node`; they are cut into fragments here, and the nodes that are to keep them fetch and check them.
///
/// # Errors
/// `E-CLI-070` without nodes that offer space; when a blob cannot be had, or the chain refuses: the
/// deposit must last through the notice.
pub async fn place(ctx: &Context, signer: &Signer, datanet_id: u64, node: &str) -> Result<Placed> {
    let reader = ctx.reader().await?;
    let contract = reader.storage()?.to_string();
    let mut placed = Placed { datanet_id, ..Placed::default() };
    let packs = packs(&reader, datanet_id).await?;
    let bar = progress::bar(ctx, packs.len() as u64, "placing");
    for pack in packs {
        let mut bytes = Vec::new();
        for part in &pack {
            bytes.extend(node_http::get_blob(&ctx.http, node, &part.facts.blob.root.to_hex()).await?);
        }
        let config: ConfigResponse = reader.ask_storage(QueryMsg::Config {}).await?;
        let coding = config.coding.ok_or_else(|| {
            CliError::new(
                Class::Refused,
                "E-CLI-070",
                "no node offers space",
                "run a node with the role storage, and wait until it has enrolled",
            )
        })?;
        placed.bytes += bytes.len() as u64;
        let roots = tokio::task::spawn_blocking(move || -> Result<Vec<HexBinary>> {
            let made = fragments(&bytes, coding).map_err(|error| {
                CliError::new(Class::Refused, error.code(), error.to_string(), error.advice())
            })?;
            Ok(made.iter().map(|fragment| HexBinary::from(&fragment_root(fragment))).collect())
        })
        .await
        .map_err(|error| CliError::usage(error.to_string()))??;
        let contributions: Vec<u64> = pack.iter().map(|part| part.facts.contribution_id).collect();
        placed.contributions += contributions.len() as u64;
        let msg = ExecuteMsg::Place { datanet_id, contributions, roots };
        let done = signer.execute(&contract, &msg, &[]).await?;
        placed.objects += 1;
        placed.txs.push(done.hash);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(placed)
}

/// Contributions that are to be placed, in packs: at most 30 within 30 neighbours, at most 64 MiB.
async fn packs(reader: &Reader, datanet_id: u64) -> Result<Vec<Vec<ContributionResponse>>> {
    let kept: BTreeSet<u64> = reader
        .objects()
        .await?
        .into_iter()
        .filter(|object| object.datanet_id == datanet_id && object.retired_at.is_none())
        .flat_map(|object| object.contributions)
        .collect();
    let mut packs: Vec<Vec<ContributionResponse>> = Vec::new();
    let (mut start, mut bytes) = (0, 0u64);
    for (at, one) in reader.contributions(datanet_id).await?.into_iter().enumerate() {
        let accepted = matches!(one.status, ContributionStatus::Accepted | ContributionStatus::Sealed);
        if !accepted || one.withdrawn_at.is_some() || kept.contains(&one.facts.contribution_id) {
            continue;
        }
        let len = one.facts.blob.len;
        let fits = at < start + MAX_PACK && bytes.saturating_add(len) <= MAX_PACK_BYTES;
        match packs.last_mut().filter(|_| fits) {
            Some(pack) => {
                pack.push(one);
                bytes = bytes.saturating_add(len);
            }
            None => {
                packs.push(vec![one]);
                (start, bytes) = (at, len);
            }
        }
    }
    Ok(packs)
}

/// How a datanet is kept.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// Its deposit.
    pub account: AccountResponse,
    /// Its objects that have not ended.
    pub objects: Vec<ObjectResponse>,
    /// Bytes of their packs.
    pub bytes: u64,
    /// Fragments that are to be kept.
    pub slots: u64,
    /// Fragments that have a holder.
    pub held: u64,
    /// Nodes that offer space.
    pub storers: Vec<StorerResponse>,
}

/// Shows how a datanet is kept.
///
/// # Errors
/// When the chain does not answer, or the deployment has no storage contract.
pub async fn show(ctx: &Context, datanet_id: u64) -> Result<Kept> {
    let reader = ctx.reader().await?;
    let account = reader.ask_storage(QueryMsg::Account { datanet_id }).await?;
    let mut objects = reader.objects().await?;
    objects.retain(|object| object.datanet_id == datanet_id && object.retired_at.is_none());
    let slots = objects.iter().map(|object| object.slots.len() as u64).sum();
    let held = objects.iter().flat_map(|o| &o.slots).filter(|slot| slot.holder.is_some()).count() as u64;
    let bytes = objects.iter().map(|object| object.len).sum();
    Ok(Kept { account, objects, bytes, slots, held, storers: reader.storers().await? })
}
