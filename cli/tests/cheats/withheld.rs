//! A node that shows nothing of a root that it posted, and a flood of demands against one that shows everything.

use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use openledger::context::DENOM;
use openledger_client::contracts::Reader;
use openledger_client::{Coin, Signer};
use openledger_types::formats::BlobRef;
use openledger_types::merkle::BLOB_CHUNK;
use openledger_types::msg::escrow::{EpochResponse, RootStatus};
use openledger_types::msg::referee::{BlobKind, DemandStatus, ExecuteMsg};

use super::lab::{force, gain, rewards, say, Lab, PATIENCE};

/// What is asked.
const PROMPTS: [&str; 2] = ["pub fn new(", "use std::"];

/// The node vanishes once its root stands: a demand that it does not answer voids the root and cuts the bond. Once it
/// is back and posts again, every chunk is demanded of it.
pub async fn node_attack_11_withheld_leaves_cost_the_root_and_a_part_of_the_bond(lab: &Lab) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let member = &lab.net.nodes[4];
    lab.restore(member).await?;
    let (job, done, _) = lab.job("cheats-user-6", member.node_id, &PROMPTS).await?;
    let root = lab.root(&reader, member.node_id).await?;
    member.kill().await?;
    let (bond, bounty) =
        (reader.node(member.node_id).await?.bond.u128(), rewards(&reader, job.user.address()).await?);
    let demand_id = demand(&reader, &job.user, &root, BlobKind::Receipts, 0).await?;
    let until = reader.demand(demand_id).await?.until;
    reader.chain().wait_for_height(until + 2, PATIENCE).await?;
    let referee = &reader.contracts().referee;
    job.user.execute(referee, &ExecuteMsg::ExpireDemand { demand_id }, &[]).await?;
    job.user.execute(referee, &ExecuteMsg::Withdraw {}, &[]).await?;
    let void = reader.epoch(member.node_id, DENOM, root.commit.epoch).await?;
    ensure!(void.status == RootStatus::Void, "{void:?}");
    let cut = gain(bond, reader.node(member.node_id).await?.bond.u128())?;
    let part = gain(bounty, rewards(&reader, job.user.address()).await?)?;
    println!("leaves withheld: root {} void, bond cut {}, finder's part {part}", root.commit.epoch, -cut);
    // Nothing of the fees is the node's before another root is final; at most all of them.
    let profit = i128::try_from(done.fees)? + cut;
    say(11, "the leaves of a root withheld", 1, 1, profit);
    ensure!(profit < 0 && part > 0, "withholding paid: {profit}");

    member.start(&lab.net.node_binary, &lab.http).await?;
    let since = Instant::now();
    let next = loop {
        let found = lab.root(&reader, member.node_id).await?;
        if found.status == RootStatus::Pending {
            break found;
        }
        ensure!(since.elapsed() < PATIENCE, "the void root was not replaced: {found:?}");
        reader.chain().wait_for_next_block().await?;
    };
    node_attack_18_a_flood_of_demands_pays_who_answers(lab, &reader, &next).await
}

/// Every chunk of a root, each twice, and one that is none.
async fn node_attack_18_a_flood_of_demands_pays_who_answers(
    lab: &Lab,
    reader: &Reader,
    root: &EpochResponse,
) -> Result<()> {
    let flooder = lab.net.signer(0, "cheats-user-7").await?;
    let node_id = root.commit.node_id;
    let bond = reader.node(node_id).await?.bond;
    let before = lab.wealth(reader, flooder.address()).await?;
    let (mut tried, mut demands) = (0, Vec::new());
    for (blob, of) in
        [(BlobKind::Leaves, &root.commit.leaves_blob), (BlobKind::Receipts, &root.commit.receipts_blob)]
    {
        for index in 0..chunks(of) {
            demands.push(demand(reader, &flooder, root, blob, index).await?);
            tried += 1;
        }
        // Refused: demanded already, or no chunk of the blob.
        for index in [0, chunks(of)] {
            let (msg, funds) = demanded(reader, root, blob, index).await?;
            let said = force(&flooder, &reader.contracts().referee, &msg, &funds).await?;
            ensure!(said.is_err(), "chunk {index} was demanded twice, or is none");
            tried += 1;
        }
    }
    let since = Instant::now();
    for demand_id in &demands {
        loop {
            let found = reader.demand(*demand_id).await?;
            match found.status {
                DemandStatus::Answered => break,
                DemandStatus::Open => tokio::time::sleep(Duration::from_millis(500)).await,
                DemandStatus::Expired | DemandStatus::Moot => {
                    anyhow::bail!("an honest node was late: {found:?}")
                }
            }
            ensure!(since.elapsed() < PATIENCE, "not answered: {found:?}");
        }
    }
    ensure!(reader.node(node_id).await?.bond == bond, "who answers lost a part of its bond");
    let profit = gain(before, lab.wealth(reader, flooder.address()).await?)?;
    println!("a flood of demands: {} of {tried} taken, each bond is the answerer's", demands.len());
    say(18, "every chunk of a root demanded, and again", tried, tried, profit);
    ensure!(profit < 0 && !demands.is_empty(), "a flood paid: {profit}");
    Ok(())
}

fn chunks(blob: &BlobRef) -> u64 {
    blob.len.div_ceil(BLOB_CHUNK as u64)
}

/// The demand for a chunk, with its bond.
async fn demanded(
    reader: &Reader,
    root: &EpochResponse,
    blob: BlobKind,
    index: u64,
) -> Result<(ExecuteMsg, Vec<Coin>)> {
    let params = reader.referee_config().await?.params;
    let (node_id, epoch) = (root.commit.node_id, root.commit.epoch);
    let msg = ExecuteMsg::DemandChunk { node_id, denom: DENOM.into(), epoch, blob, index };
    Ok((msg, vec![Coin::new(params.demand_bond.u128(), &params.denom)]))
}

async fn demand(
    reader: &Reader,
    signer: &Signer,
    root: &EpochResponse,
    blob: BlobKind,
    index: u64,
) -> Result<u64> {
    let (msg, funds) = demanded(reader, root, blob, index).await?;
    let sent = signer.execute(&reader.contracts().referee, &msg, &funds).await?;
    let number = sent.contract_number(&reader.contracts().referee, "demand_id");
    number.context("the referee told no demand")
}
