//! What owners, contributors, curators and developers may do with data beside giving it: bonds back,
//! withdrawals, votes, training access, bounties.

use std::path::PathBuf;

use age::secrecy::ExposeSecret;
use cosmwasm_std::Uint128;
use openledger_client::{Coin, Signer};
use openledger_store::DatanetKey;
use openledger_types::msg::datanet::{Access, ExecuteMsg};
use serde::Serialize;

use crate::context::{make_private_dir, write_private, Context};
use crate::error::{Class, CliError, Result};

/// A message that was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct Acted {
    /// Transaction.
    pub tx: String,
    /// Number that the contract gave, when it gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// Sends a message to the datanet contract.
///
/// # Errors
/// When the chain refuses.
pub async fn act(ctx: &Context, signer: &Signer, msg: &ExecuteMsg, funds: &[Coin]) -> Result<Acted> {
    let contract = ctx.deployment()?.contracts.datanet;
    let done = signer.execute(&contract, msg, funds).await?;
    let number = match msg {
        ExecuteMsg::FundBounty { .. } => done.contract_number(&contract, "bounty_id"),
        _ => None,
    };
    Ok(Acted { tx: done.hash, number })
}

/// One coin of the denom that bonds, bounties and training are paid in.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn coin(ctx: &Context, amount: u128) -> Result<Vec<Coin>> {
    let denom = ctx.reader().await?.datanet_config().await?.params.denom;
    Ok(vec![Coin::new(amount, denom)])
}

/// Bonds that came back.
#[derive(Clone, Debug, Serialize)]
pub struct Released {
    /// Commit.
    pub commit_id: u64,
    /// Transactions, in order.
    pub txs: Vec<String>,
    /// Paid out to the signer, in base units.
    pub paid: Uint128,
}

/// Returns the bonds of a commit whose opened contributions are past their acceptance window, and pays
/// out what the signer is owed.
///
/// # Errors
/// `E-CLI-047` before the window is over; when the chain refuses.
pub async fn release(ctx: &Context, signer: &Signer, commit_id: u64) -> Result<Released> {
    let reader = ctx.reader().await?;
    let contract = reader.contracts().datanet.clone();
    let commit = reader.commit(commit_id).await?;
    let height = reader.chain().latest_height().await?;
    let mut txs = Vec::new();
    if !commit.released {
        match commit.bonds_from {
            Some(from) if height >= from => {}
            Some(from) => {
                return Err(too_early(format!("the bonds of commit {commit_id} are at stake"), from))
            }
            None => {
                return Err(CliError::new(
                    Class::Refused,
                    "E-CLI-047",
                    format!("no contribution of commit {commit_id} was revealed: there is no bond to return"),
                    "reveal first: openledger datanet contribute goes on with an interrupted run",
                ))
            }
        }
        txs.push(signer.execute(&contract, &ExecuteMsg::ReleaseBonds { commit_id }, &[]).await?.hash);
    }
    let paid = reader.bonds(signer.address()).await?;
    if paid > 0 {
        txs.push(signer.execute(&contract, &ExecuteMsg::WithdrawBonds {}, &[]).await?.hash);
    }
    Ok(Released { commit_id, txs, paid: Uint128::new(paid) })
}

/// Something that the chain allows from a height on.
pub(crate) fn too_early(what: String, from: u64) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-047",
        format!("{what} until height {from}"),
        format!("wait for height {from}, then run the command again"),
    )
    .retry()
}

/// Buys the right to train on a datanet; the key that the datanet's is to be wrapped for is made here and
/// kept before the chain hears of it.
///
/// # Errors
/// When the key cannot be kept or the chain refuses.
pub async fn buy_access(ctx: &Context, signer: &Signer, datanet_id: u64) -> Result<Acted> {
    let reader = ctx.reader().await?;
    let params = reader.datanet_config().await?.params;
    let price = reader.datanet(datanet_id).await?.training_price;
    let key = DatanetKey::generate();
    let recipient = key.recipient();
    write_access_key(ctx, &key)?;
    let funds = price.u128().saturating_add(params.developer_bond.u128());
    let msg = ExecuteMsg::BuyAccess { datanet_id, recipient };
    act(ctx, signer, &msg, &[Coin::new(funds, params.denom)]).await
}

fn write_access_key(ctx: &Context, key: &DatanetKey) -> Result<PathBuf> {
    let dir = ctx.home.join("access");
    make_private_dir(&dir)?;
    let path = dir.join(format!("{}.key", key.recipient()));
    write_private(&path, key.to_secret_string().expose_secret().as_bytes())?;
    Ok(path)
}

/// Hands a datanet's key to a developer who paid. Only by the owner, whose home folder holds the key.
///
/// # Errors
/// When the key is not here, nothing was bought, or the chain refuses.
pub async fn grant_access(ctx: &Context, signer: &Signer, datanet_id: u64, developer: &str) -> Result<Acted> {
    let reader = ctx.reader().await?;
    let access = reader.access(datanet_id, developer).await?.ok_or_else(|| none(datanet_id, developer))?;
    let key = crate::datanet::own_key(ctx, &reader.datanet(datanet_id).await?.recipient)?;
    let wrapped = openledger_store::wrap_key(&key, &access.recipient).map_err(|e| {
        CliError::new(
            Class::Refused,
            "E-CLI-061",
            e.to_string(),
            "the developer must buy access with a valid age recipient",
        )
    })?;
    let developer = developer.to_string();
    let msg = ExecuteMsg::GrantAccess { datanet_id, developer, wrapped: wrapped.into() };
    act(ctx, signer, &msg, &[]).await
}

fn none(datanet_id: u64, developer: &str) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-069",
        format!("{developer} has no access to datanet {datanet_id}"),
        "buy it first: openledger datanet access buy",
    )
}

/// A developer's access, and where the datanet's key was put when it has come.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The access.
    pub access: Access,
    /// File of the datanet's key, with which sealed data can be trained on.
    pub key_file: Option<PathBuf>,
}

/// Shows the signer's access to a datanet and unwraps its key when the owner has handed it over.
///
/// # Errors
/// When nothing was bought, or the key that it was wrapped for is not in this home folder.
pub async fn show_access(ctx: &Context, developer: &str, datanet_id: u64) -> Result<Held> {
    let reader = ctx.reader().await?;
    let access = reader.access(datanet_id, developer).await?.ok_or_else(|| none(datanet_id, developer))?;
    let Some(wrapped) = access.wrapped.clone() else { return Ok(Held { access, key_file: None }) };
    let path = ctx.home.join("access").join(format!("{}.key", access.recipient));
    let text = std::fs::read_to_string(&path).map_err(|e| CliError::file(&path, e))?;
    let own: DatanetKey = text.trim().parse().map_err(|e| CliError::file(&path, e))?;
    let key = openledger_store::unwrap_key(&own, &wrapped).map_err(|e| CliError::file(&path, e))?;
    let datanet = reader.datanet(datanet_id).await?;
    // A key that was handed over before a rotation is still the datanet's, of that number.
    let recipient = match access.key == datanet.key {
        true => Some(datanet.recipient),
        false => {
            let past = reader.past_keys(datanet_id).await?;
            past.into_iter().find(|past| past.key == access.key).map(|past| past.recipient)
        }
    };
    let recipient = recipient.unwrap_or_default();
    if key.recipient() != recipient {
        return Err(CliError::new(
            Class::Verification,
            "E-CLI-072",
            format!("the owner of datanet {datanet_id} handed another key over than the datanet's"),
            "ask the owner for the right one; take price and bond back with openledger datanet access leave",
        ));
    }
    let dir = ctx.home.join("datanets");
    make_private_dir(&dir)?;
    let key_file = dir.join(format!("{recipient}.key"));
    write_private(&key_file, key.to_secret_string().expose_secret().as_bytes())?;
    Ok(Held { access, key_file: Some(key_file) })
}
