//! `openledger node leave`: out of the network without loss. First no new work, then everything that is owed is
//! settled and paid, then the bond. What is done is read from the chain, so a call that broke off goes on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use openledger_client::contracts::Reader;
use openledger_client::{keyfile, Coin, Signer};
use openledger_node::config::{Config, Home};
use openledger_types::api::SessionState;
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::msg::node_registry::{ExecuteMsg, NodeResponse, NodeStatus, Role};
use serde::Serialize;

use super::join::{node_home, OPERATOR};
use super::{node_binary, refused};
use crate::context::{Context, DENOM};
use crate::error::{Class, CliError, Result};
use crate::network::{job, process};
use crate::{node_http, table};

/// How long the node may take to finish the answers under way.
const DRAIN: Duration = Duration::from_secs(90);
/// Base units of the node's own account that pay for sending the rest of it back.
const SWEEP_FEE: u128 = 1_000;

/// How to leave.
#[derive(Clone, Debug, clap::Args)]
pub struct LeaveArgs {
    /// Folder of the node [default: node in the home folder]
    #[arg(long, value_name = "DIR")]
    pub node_home: Option<PathBuf>,
    /// The program openledger-node [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub node_binary: Option<PathBuf>,
    /// Seconds that settling may take
    #[arg(long, default_value_t = 900)]
    pub patience: u64,
    /// Wait until the bond can be withdrawn, instead of saying when to call again
    #[arg(long)]
    pub wait: bool,
}

/// How far it is.
#[derive(Clone, Debug, Serialize)]
pub struct Leaving {
    /// Node.
    pub node_id: u64,
    /// Where it stands.
    pub status: NodeStatus,
    /// Height from which the bond can be withdrawn; none before it is unbonding and after.
    pub unbonds_at: Option<u64>,
    /// Earnings paid out by this call, in base units.
    pub earnings: u128,
    /// Bond paid out by this call.
    pub bond: u128,
    /// What came back from the node's own account.
    pub gas: u128,
}

/// Winds the node down, as far as it can be now.
///
/// # Errors
/// At the first step that fails; calling again goes on there. Nothing is lost by an error.
pub async fn leave(ctx: &Context, args: &LeaveArgs, quiet: bool) -> Result<Leaving> {
    let say = |text: String| {
        if !quiet {
            eprintln!("{text}");
        }
    };
    let home = node_home(ctx, args.node_home.as_deref());
    let config = Config::load(&Home(home.clone()).config())?;
    if config.node_id == 0 {
        return Err(CliError::usage(format!("the node in {} is not registered", home.display())));
    }
    let name = ctx.settings.key.clone().unwrap_or_else(|| OPERATOR.into());
    let operator = ctx.signer(Some(&name)).await?;
    let reader = ctx.reader().await?;
    let registry = reader.contracts().node_registry.clone();
    let node_id = config.node_id;
    let mut node = reader.node(node_id).await?;
    if node.operator != operator.address() {
        return Err(CliError::new(
            Class::Refused,
            "E-NODE-LEAVE-1",
            format!("node {node_id} is {}'s, not {}'s", node.operator, operator.address()),
            "name the operator's key with --key",
        ));
    }
    let mut out =
        Leaving { node_id, status: node.status, unbonds_at: node.unbonds_at, earnings: 0, bond: 0, gas: 0 };
    let patience = Duration::from_secs(args.patience);

    if node.status == NodeStatus::Bonded {
        let url = format!("http://{}", config.listen);
        let binary = node_binary(args.node_binary.as_deref());
        drain(&operator, &registry, &node).await?;
        // Started anew it has no role of answering: it settles what it answered, and shows auditors the blobs.
        if node.roles.contains(&Role::Inference) {
            stop(&home).await?;
        }
        if process::running_node(&home).is_none() {
            process::launch(&binary, &home).map_err(refused("E-NODE-LEAVE-2", "see the message"))?;
        }
        let alive = || process::running_node(&home).is_some();
        process::wait_healthy(&ctx.http, &url, &home, DRAIN, alive)
            .await
            .map_err(refused("E-NODE-LEAVE-2", "read node.log in the node's folder, then leave again"))?;
        say(format!("drained    node {node_id} takes no questions any more"));
        settle(ctx, &reader, node_id, &url, patience).await?;
        job::wait_final(&reader, &operator, node_id, patience)
            .await
            .map_err(refused("E-NODE-LEAVE-3", "the root waits for its windows; leave again later"))?;
        say("settled    every receipt is settled, every root final".into());
        let msg = ExecuteMsg::Unbond { node_id };
        operator.execute(&registry, &msg, &[]).await?;
        stop(&home).await?;
        node = reader.node(node_id).await?;
        say(format!("unbonding  until height {}", node.unbonds_at.unwrap_or_default()));
    }

    out.earnings = withdraw_earnings(&reader, &operator).await?;
    if out.earnings > 0 {
        say(format!("earnings   {} OPEN paid out", table::open(out.earnings)));
    }

    if node.status == NodeStatus::Unbonding {
        let due = node.unbonds_at.unwrap_or_default();
        let height = reader.chain().latest_height().await?;
        if height < due && args.wait {
            let blocks = due - height;
            reader.chain().wait_for_height(due, Duration::from_secs(60 + 20 * blocks)).await?;
        }
        if height >= due || args.wait {
            let before = node.bond.u128();
            operator.execute(&registry, &ExecuteMsg::WithdrawBond { node_id }, &[]).await?;
            out.bond = before;
            node = reader.node(node_id).await?;
            say(format!("bond       {} OPEN paid out", table::open(before)));
        } else {
            say(format!(
                "wait       {} blocks until the bond can be withdrawn: leave again then",
                due - height
            ));
        }
    }
    if node.status == NodeStatus::Left {
        out.gas = sweep(&reader, &home, &config, operator.address()).await?;
    }
    (out.status, out.unbonds_at) = (node.status, node.unbonds_at);
    Ok(out)
}

async fn stop(home: &std::path::Path) -> Result<()> {
    process::stop_node(home, "TERM", DRAIN)
        .await
        .map_err(refused("E-NODE-LEAVE-2", "stop the node's process, then leave again"))
}

/// Takes the role of answering off the record: no session pins this node any more.
async fn drain(operator: &Signer, registry: &str, node: &NodeResponse) -> Result<()> {
    if !node.roles.contains(&Role::Inference) {
        return Ok(());
    }
    let mut roles: Vec<Role> = node.roles.iter().copied().filter(|role| *role != Role::Inference).collect();
    if roles.is_empty() {
        roles.push(Role::Storage);
    }
    let msg = ExecuteMsg::UpdateNode {
        node_id: node.node_id,
        endpoint: None,
        moniker: None,
        hot_addr: None,
        age_recipient: None,
        roles: Some(roles),
    };
    operator.execute(registry, &msg, &[]).await?;
    Ok(())
}

/// Has the node settle every session until the chain has all its receipts.
async fn settle(ctx: &Context, reader: &Reader, node_id: u64, url: &str, patience: Duration) -> Result<()> {
    let since = Instant::now();
    loop {
        let mut open = Vec::new();
        for session in reader.sessions().await?.into_iter().filter(|session| !session.closed) {
            let Some(part) = session.nodes.iter().find(|part| part.node_id == node_id) else { continue };
            let asked = format!("{url}/v1/sessions/{}", session.session_id);
            // A session that never asked anything is unknown to the node.
            let Ok(state) = node_http::get_json::<SessionState>(&ctx.http, &asked).await else { continue };
            if state.log.sum > part.settled {
                open.push(session.session_id);
                // Refused while an earlier root waits: the next round asks again.
                let _ = ctx.http.post(format!("{asked}/settle")).send().await;
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        if since.elapsed() > patience {
            return Err(CliError::new(
                Class::Node,
                "E-NODE-LEAVE-3",
                format!("sessions {open:?} are not settled after {} s", patience.as_secs()),
                "read node.log: it says why the chain refuses; then leave again",
            )
            .retry());
        }
        reader.chain().wait_for_next_block().await?;
    }
}

/// Pays out what the operator has earned; base units of the chain's own denom.
async fn withdraw_earnings(reader: &Reader, operator: &Signer) -> Result<u128> {
    let amounts = reader.withdrawable(operator.address()).await?.amounts;
    let due: Vec<_> = amounts.into_iter().filter(|amount| !amount.amount.is_zero()).collect();
    if due.is_empty() {
        return Ok(0);
    }
    let own = due.iter().find(|amount| amount.denom == DENOM).map_or(0, |amount| amount.amount.u128());
    let msg = EscrowMsg::Withdraw { denoms: due.into_iter().map(|amount| amount.denom).collect() };
    operator.execute(&reader.contracts().payable_escrow, &msg, &[]).await?;
    Ok(own)
}

/// Sends what is left on the node's own account back to the operator.
async fn sweep(reader: &Reader, home: &std::path::Path, config: &Config, operator: &str) -> Result<u128> {
    let key = keyfile::load(&Home(home.to_path_buf()).node_key(), None)?;
    let hot = reader.chain().signer(key)?;
    let rest = hot.balance().await?.saturating_sub(SWEEP_FEE);
    if rest == 0 || config.chain.denom != DENOM {
        return Ok(0);
    }
    hot.bank_send(operator, &[Coin::new(rest, DENOM)]).await?;
    Ok(rest)
}
