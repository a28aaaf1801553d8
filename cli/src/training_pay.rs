//! What model versions paid for training, credited to the contributors whose data they saw.

use cosmwasm_std::Uint128;
use openledger_client::Signer;
use openledger_node::train::RECEIPT_FILE;
use openledger_types::formats::{training_leaf, Manifest};
use openledger_types::merkle::verify_inclusion;
use openledger_types::msg::datanet::{ExecuteMsg, QueryMsg, TrainingItem, TrainingResponse};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::model::parse_training;
use crate::usage::any_blob;

/// Most leaves of one message.
const LEAVES: usize = 32;

/// Leaves of a training pot that were credited.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrainingPay {
    /// Credited now.
    pub credited: usize,
    /// Refused: credited before, as a rule.
    pub refused: usize,
    /// Transactions, in order.
    pub txs: Vec<String>,
    /// Paid out to the signer, in base units.
    pub paid: Uint128,
}

/// Credits all contributors of a datanet with their part of what a model version paid, by the public
/// training receipt, and pays out what the signer is owed.
///
/// # Errors
/// `E-CLI-074` when the version paid nothing for this datanet, `E-CLI-046` when its receipt is not the one
/// that was registered; when the receipt cannot be had or the chain cannot be reached.
pub async fn claim(
    ctx: &Context,
    signer: &Signer,
    (model_id, model_version): (u64, u32),
    datanet_id: u64,
) -> Result<TrainingPay> {
    let reader = ctx.reader().await?;
    let contract = reader.contracts().datanet.clone();
    let query = QueryMsg::Training { datanet_id, model_id, model_version };
    let pot: TrainingResponse = reader.chain().query_smart(&contract, &query).await?;
    let Some(pot) = pot.training else { return Err(nothing_paid(model_id, model_version, datanet_id)) };
    let info = reader.model_version(model_id, model_version).await?;
    let bytes = any_blob(ctx, &reader, &info.manifest).await?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|e| CliError::usage(format!("its manifest: {e}")))?;
    let file = manifest.files.iter().find(|file| file.name == RECEIPT_FILE);
    let file = file.ok_or_else(|| CliError::usage("its manifest names no training receipt"))?;
    let receipt = parse_training(&manifest, &any_blob(ctx, &reader, &file.blob).await?)?;
    let of = receipt.training.iter().find(|of| of.datanet_id == datanet_id);
    let items = of.map(|of| of.items()).transpose()?.unwrap_or_default();
    let root = pot.training.node().map_err(|e| CliError::usage(e.to_string()))?;
    let stands = |item: &TrainingItem| {
        let leaf = training_leaf(item.contribution_id, item.times_seen);
        verify_inclusion(&leaf, item.index, pot.training.count, &item.path, &root)
    };
    if !items.iter().all(stands) {
        return Err(CliError::new(
            Class::Verification,
            "E-CLI-046",
            "the training receipt has other counts than the pot that it shares",
            "use the receipt of this very model version; nothing was sent",
        ));
    }

    let message = |items: &[TrainingItem]| ExecuteMsg::ClaimTraining {
        datanet_id,
        model_id,
        model_version,
        items: items.to_vec(),
    };
    let mut done = TrainingPay::default();
    for part in items.chunks(LEAVES) {
        // One leaf that was credited before refuses the message: then they go one by one.
        match send(signer, &contract, &message(part)).await? {
            Some(tx) => {
                done.credited += part.len();
                done.txs.push(tx);
            }
            None => {
                for item in part {
                    match send(signer, &contract, &message(std::slice::from_ref(item))).await? {
                        Some(tx) => {
                            done.credited += 1;
                            done.txs.push(tx);
                        }
                        None => done.refused += 1,
                    }
                }
            }
        }
    }
    let paid = reader.bonds(signer.address()).await?;
    if paid > 0 {
        done.txs.push(signer.execute(&contract, &ExecuteMsg::WithdrawBonds {}, &[]).await?.hash);
        done.paid = Uint128::new(paid);
    }
    Ok(done)
}

/// The transaction; none when the contract refused.
async fn send(signer: &Signer, contract: &str, msg: &ExecuteMsg) -> Result<Option<String>> {
    match signer.execute(contract, msg, &[]).await {
        Ok(done) => Ok(Some(done.hash)),
        Err(openledger_client::Error::Contract { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn nothing_paid(model_id: u64, version: u32, datanet_id: u64) -> CliError {
    CliError::new(
        Class::Refused,
        "E-CLI-074",
        format!("model {model_id}:{version} paid nothing for training on datanet {datanet_id}"),
        "a version pays at its registration, and only where the datanet asked a price",
    )
}
