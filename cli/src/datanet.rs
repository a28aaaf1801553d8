//! Datanets: make, seal, show.

use std::path::PathBuf;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use cosmwasm_std::Uint128;
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_store::DatanetKey;
use openledger_types::formats::Uses;
use openledger_types::msg::datanet::{
    ContributionStatus, DatanetResponse, ExecuteMsg, Policy, VersionResponse, Visibility,
};
use serde::Serialize;

use crate::context::{make_private_dir, write_private, Context};
use crate::data_rights::too_early;
use crate::error::{Class, CliError, Result};
use crate::progress;

/// What a new datanet is like.
#[derive(Clone, Debug)]
pub struct CreateArgs {
    /// Name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Who sees the text.
    pub visibility: Visibility,
    /// SPDX expression for contributions that name none.
    pub license: String,
    /// Least part of every fee for the data, in basis points.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units.
    pub floor_per_token: u128,
    /// Who decides what a version takes.
    pub policy: Policy,
    /// What may be done with contributions that say nothing themselves.
    pub uses: Uses,
    /// What a model version that trains on it pays, in base units.
    pub training_price: u128,
}

/// A datanet that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Created {
    /// Number.
    pub datanet_id: u64,
    /// Transaction.
    pub tx: String,
    /// Where its key is kept.
    pub key_file: PathBuf,
}

/// A sealed version.
#[derive(Clone, Debug, Serialize)]
pub struct Sealed {
    /// Datanet.
    pub datanet_id: u64,
    /// Version.
    pub version: u32,
    /// Root.
    pub root: String,
    /// Contributions in it.
    pub size: u64,
    /// Transactions.
    pub txs: Vec<String>,
}

/// Makes a datanet with a fresh key pair; its key is kept in the home folder before the chain hears
/// of it.
///
/// # Errors
/// When the key cannot be kept or the chain refuses.
pub async fn create(ctx: &Context, signer: &Signer, args: CreateArgs) -> Result<Created> {
    let contract = ctx.deployment()?.contracts.datanet;
    let key = DatanetKey::generate();
    let dir = ctx.home.join("datanets");
    make_private_dir(&dir)?;
    let recipient = key.recipient();
    let key_file = dir.join(format!("{recipient}.key"));
    let secret = key.to_secret_string();
    write_private(&key_file, secret.expose_secret().as_bytes())?;
    let msg = ExecuteMsg::CreateDatanet {
        name: args.name,
        description: args.description,
        visibility: args.visibility,
        license: args.license,
        recipient,
        public_identity: (args.visibility == Visibility::Public).then(|| secret.expose_secret().to_string()),
        min_data_bps: args.min_data_bps,
        floor_per_token: Uint128::new(args.floor_per_token),
        policy: Some(args.policy),
        uses: Some(args.uses),
        training_price: Some(Uint128::new(args.training_price)),
    };
    let result = signer.execute(&contract, &msg, &[]).await?;
    let datanet_id = result.contract_number(&contract, "datanet_id").ok_or_else(|| silent("datanet_id"))?;
    Ok(Created { datanet_id, tx: result.hash, key_file })
}

/// Gives a node the datanet's key, wrapped for the node's age recipient on record. Only the owner,
/// whose home folder holds the key.
///
/// # Errors
/// When the key is not here or the chain refuses.
pub async fn grant(ctx: &Context, signer: &Signer, datanet_id: u64, node_id: u64) -> Result<String> {
    let reader = ctx.reader().await?;
    let datanet = reader.datanet(datanet_id).await?;
    let node = reader.node(node_id).await?;
    let key = own_key(ctx, &datanet.recipient)?;
    let wrapped = openledger_store::wrap_key(&key, &node.age_recipient).map_err(|e| {
        CliError::new(
            Class::Refused,
            "E-CLI-061",
            e.to_string(),
            "the node must register a valid age recipient",
        )
    })?;
    let msg = ExecuteMsg::GrantKey { datanet_id, node_id, wrapped: wrapped.into() };
    Ok(signer.execute(&reader.contracts().datanet, &msg, &[]).await?.hash)
}

/// The key of a datanet that was made in this home folder.
///
/// # Errors
/// When it is not here.
pub(crate) fn own_key(ctx: &Context, recipient: &str) -> Result<DatanetKey> {
    let path = ctx.home.join("datanets").join(format!("{recipient}.key"));
    let text = std::fs::read_to_string(&path).map_err(|e| CliError {
        advice: "run this where the datanet was made: its key is kept there alone".into(),
        ..CliError::file(&path, e)
    })?;
    text.trim().parse().map_err(|e| CliError::file(&path, e))
}

/// Height from which a version takes everything that was committed up to `up_to` and waits: until then
/// it can be challenged. None when nothing is in its acceptance window.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn acceptable_from(
    reader: &Reader,
    datanet_id: u64,
    up_to: Option<u64>,
) -> Result<Option<(u64, usize)>> {
    let height = reader.chain().latest_height().await?;
    let waiting: Vec<u64> = reader
        .contributions(datanet_id)
        .await?
        .into_iter()
        .filter(|c| c.status == ContributionStatus::Accepted && c.accepted_at > height)
        .filter(|c| up_to.is_none_or(|up_to| c.facts.priority.height <= up_to))
        .map(|c| c.accepted_at)
        .collect();
    Ok(waiting.iter().max().map(|last| (*last, waiting.len())))
}

/// Seals the next version, in as many transactions as it takes. With `wait`, it first waits until the
/// contributions that can still be challenged are accepted.
///
/// # Errors
/// `E-CLI-047` while contributions can be challenged; when the chain refuses, for example while an
/// unexpired commit is open (rule D1).
pub async fn seal(
    ctx: &Context,
    signer: &Signer,
    datanet_id: u64,
    up_to: Option<u64>,
    wait: bool,
) -> Result<Sealed> {
    let reader = ctx.reader().await?;
    let contract = reader.contracts().datanet.clone();
    let before = reader.datanet(datanet_id).await?;
    if let Some((from, count)) = acceptable_from(&reader, datanet_id, up_to).await? {
        if !wait {
            let error = too_early(format!("{count} contributions can be challenged"), from);
            let advice =
                format!("wait for height {from} (--wait does it), or seal what is older with --up-to HEIGHT");
            return Err(CliError { advice, ..error });
        }
        let blocks = from.saturating_sub(reader.chain().latest_height().await?);
        tracing::info!(blocks, from, count, "waiting until contributions are past their challenge window");
        // A block is known a moment before its state can be asked; the next one is past that moment.
        let next = from.saturating_add(1);
        reader.chain().wait_for_height(next, Duration::from_secs(60 + 20 * blocks)).await?;
    }
    let bar = progress::bar(ctx, before.contributions.saturating_sub(before.leaves), "sealing");
    let mut txs = Vec::new();
    loop {
        let msg = ExecuteMsg::Seal {
            datanet_id,
            up_to: if txs.is_empty() { up_to } else { None },
            limit: Some(256),
        };
        let result = signer.execute(&contract, &msg, &[]).await?;
        txs.push(result.hash.clone());
        bar.inc(result.contract_number(&contract, "taken").unwrap_or(0));
        if result.contract_attribute(&contract, "complete") == Some("true") {
            break;
        }
    }
    bar.finish_and_clear();
    let version = reader.datanet(datanet_id).await?.latest_version;
    let sealed = reader.version(datanet_id, version).await?.version;
    Ok(Sealed { datanet_id, version, root: sealed.root.to_hex(), size: sealed.size, txs })
}

/// A datanet with its newest version.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The datanet.
    pub datanet: DatanetResponse,
    /// Its newest version.
    pub latest: Option<VersionResponse>,
}

/// Shows a datanet.
///
/// # Errors
/// When there is none of this number.
pub async fn show(ctx: &Context, datanet_id: u64) -> Result<Shown> {
    let reader = ctx.reader().await?;
    let datanet = reader.datanet(datanet_id).await?;
    let latest = match datanet.latest_version {
        0 => None,
        version => Some(reader.version(datanet_id, version).await?),
    };
    Ok(Shown { datanet, latest })
}

/// An answer of the chain without the fact that it should carry.
pub(crate) fn silent(fact: &str) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-041",
        format!("the contract did not say {fact}"),
        "check that contracts and this program are of the same release",
    )
}
