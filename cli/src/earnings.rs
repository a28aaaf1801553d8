//! Earnings and claims: what the ledgers of all nodes owe an account, and taking it.

use cosmwasm_std::Uint128;
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_node::ledger::{claims, parse_ledger};
use openledger_types::formats::{Account, LedgerBlob};
use openledger_types::msg::common::Amount;
use openledger_types::msg::escrow::{
    ClaimItem, EpochResponse, ExecuteMsg, LedgerResponse, RootStatus, MAX_CLAIMS,
};
use serde::Serialize;

use crate::context::Context;
use crate::error::{CliError, Result};
use crate::node_http;

/// What an account has with one node in one denom.
#[derive(Clone, Debug, Serialize)]
pub struct NodeEarnings {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Answers that paid it so far.
    pub uses: u64,
    /// Earned so far by final ledgers, in base units.
    pub cumulative: Uint128,
    /// Credited so far.
    pub claimed: Uint128,
    /// What a claim would credit now.
    pub claimable: Uint128,
    /// Height from which a newer ledger can be final, when one waits.
    pub pending_until: Option<u64>,
    /// The root that waits, or was voided.
    pub pending: Option<PendingRoot>,
    /// Whether the node was given up, and its ledger closed.
    pub closed: bool,
    /// Why the ledger could not be read, when it could not; the amounts are then 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A root that is not final.
#[derive(Clone, Debug, Serialize)]
pub struct PendingRoot {
    /// Epoch.
    pub epoch: u64,
    /// Pending or void.
    pub status: RootStatus,
    /// Whether auditors attested it.
    pub attested: bool,
    /// Open demands for its chunks.
    pub holds: u32,
    /// Height from which it can be final.
    pub final_at: u64,
    /// Why it is void.
    pub void_reason: Option<String>,
}

impl PendingRoot {
    fn of(epoch: &EpochResponse) -> Self {
        PendingRoot {
            epoch: epoch.commit.epoch,
            status: epoch.status,
            attested: epoch.attested,
            holds: epoch.holds,
            final_at: epoch.final_at,
            void_reason: epoch.void_reason.clone(),
        }
    }

    /// Where it stands, for people.
    pub fn text(&self) -> String {
        let word = if self.attested { "attested" } else { "not attested yet" };
        match (self.status, self.holds) {
            (RootStatus::Void, _) => format!(
                "epoch {} is void ({}): the node has to replace it",
                self.epoch,
                self.void_reason.as_deref().unwrap_or("not said")
            ),
            (_, 0) => format!("epoch {} is {word}, final from height {}", self.epoch, self.final_at),
            (_, holds) => format!("epoch {} is {word}, held by {holds} demands", self.epoch),
        }
    }
}

/// Everything that an account has earned.
#[derive(Clone, Debug, Serialize)]
pub struct Earnings {
    /// Address.
    pub address: String,
    /// By node and denom; those with a ledger only.
    pub ledgers: Vec<NodeEarnings>,
    /// What a withdrawal would pay now, by denom.
    pub withdrawable: Vec<Amount>,
}

/// One credit of a claim.
#[derive(Clone, Debug, Serialize)]
pub struct Credited {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Whose.
    pub account: Account,
    /// Base units.
    pub amount: Uint128,
    /// Answers that paid the account so far.
    pub uses: u64,
    /// Transaction.
    pub tx: String,
}

/// What was claimed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Claimed {
    /// Transactions, in order.
    pub txs: Vec<String>,
    /// Credits; empty when there was nothing to claim.
    pub credited: Vec<Credited>,
}

/// The newest final ledger of a node in a denom with its leaves: fetched from the node, or from whoever
/// keeps a copy, and checked against the chain. None before the first.
///
/// # Errors
/// Of the chain; of the node when it does not give the leaves; class verification when they do not
/// match the chain.
pub async fn ledger_of(
    ctx: &Context,
    node_id: u64,
    denom: &str,
) -> Result<Option<(LedgerResponse, LedgerBlob)>> {
    let reader = ctx.reader().await?;
    ledger_from(ctx, &reader, node_id, denom).await
}

async fn ledger_from(
    ctx: &Context,
    reader: &Reader,
    node_id: u64,
    denom: &str,
) -> Result<Option<(LedgerResponse, LedgerBlob)>> {
    let state = reader.ledger(node_id, denom).await?;
    let Some(blob) = state.leaves_blob.clone() else { return Ok(None) };
    let bytes = node_http::blob_of(ctx, reader, node_id, &blob).await?;
    let ledger = parse_ledger(&bytes, &blob, &state.ledger)?;
    Ok(Some((state, ledger)))
}

/// Every node and denom in which there can be a ledger.
pub(crate) async fn places(reader: &Reader) -> Result<Vec<(u64, String)>> {
    let denoms = reader.escrow_config().await?.params.denoms;
    let nodes = reader.nodes().await?;
    let each = nodes.iter().flat_map(|node| denoms.iter().map(|d| (node.node_id, d.denom.clone())));
    Ok(each.collect())
}

/// What an address has earned with every node. A node that does not answer is reported in its entry.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn earnings(ctx: &Context, address: &str) -> Result<Earnings> {
    let reader = ctx.reader().await?;
    let account = Account::Contributor(address.to_string());
    let mut ledgers = Vec::new();
    for (node_id, denom) in places(&reader).await? {
        let pending = reader.pending(node_id).await?.filter(|epoch| epoch.commit.denom == denom);
        let pending_until = pending.as_ref().map(|epoch| epoch.final_at);
        let mut entry = NodeEarnings {
            node_id,
            denom: denom.clone(),
            uses: 0,
            cumulative: Uint128::zero(),
            claimed: Uint128::zero(),
            claimable: Uint128::zero(),
            pending_until,
            pending: pending.as_ref().map(PendingRoot::of),
            closed: false,
            problem: None,
        };
        match ledger_from(ctx, &reader, node_id, &denom).await {
            Ok(None) if pending_until.is_none() => continue,
            Ok(None) => {}
            Ok(Some((state, ledger))) => {
                entry.closed = state.closed;
                entry.claimed = Uint128::new(reader.claimed(node_id, &denom, account.clone()).await?);
                if let Some(leaf) = ledger.leaves.iter().map(|e| &e.leaf).find(|leaf| leaf.account == account)
                {
                    entry.uses = leaf.uses;
                    entry.cumulative = leaf.cumulative;
                    entry.claimable = leaf.cumulative.saturating_sub(entry.claimed);
                }
            }
            Err(error) => entry.problem = Some(format!("{}: {}", error.code, error.message)),
        }
        ledgers.push(entry);
    }
    let withdrawable = reader.withdrawable(address).await?.amounts;
    Ok(Earnings { address: address.to_string(), ledgers, withdrawable })
}

/// Claims for accounts from the ledgers of all nodes; with `withdraw`, the signer's own balances are
/// paid out in the transaction of the last claim (or in one of its own when nothing is left to claim).
/// A node that does not give its ledger is passed over with a warning: what it owes stays claimable.
///
/// # Errors
/// When the chain cannot be reached or refuses.
pub async fn claim(ctx: &Context, signer: &Signer, accounts: &[Account], withdraw: bool) -> Result<Claimed> {
    let reader = ctx.reader().await?;
    let escrow = reader.contracts().payable_escrow.clone();
    let mut done = Claimed::default();
    finalize_due(&reader, signer, &escrow, &mut done).await?;
    let mut due: Vec<(ClaimItem, u128)> = Vec::new();
    for (node_id, denom) in places(&reader).await? {
        let ledger = match ledger_from(ctx, &reader, node_id, &denom).await {
            Ok(Some((_, ledger))) => ledger,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(node_id, code = error.code, "the ledger is left out: {}", error.message);
                continue;
            }
        };
        for item in claims(node_id, &denom, &ledger, accounts)? {
            let claimed = reader.claimed(node_id, &denom, item.leaf.account.clone()).await?;
            let amount = item.leaf.cumulative.u128().saturating_sub(claimed);
            if amount > 0 {
                due.push((item, amount));
            }
        }
    }
    let json = |msg: &ExecuteMsg| serde_json::to_value(msg).map_err(|e| CliError::usage(e.to_string()));
    let batches: Vec<&[(ClaimItem, u128)]> = due.chunks(MAX_CLAIMS).collect();
    for (number, batch) in batches.iter().enumerate() {
        let claims = batch.iter().map(|(item, _)| item.clone()).collect();
        let mut calls = vec![(escrow.clone(), json(&ExecuteMsg::Claim { claims })?, Vec::new())];
        let last = number + 1 == batches.len();
        let denoms = own_denoms(&reader, signer.address(), &due).await?;
        if withdraw && last && !denoms.is_empty() {
            calls.push((escrow.clone(), json(&ExecuteMsg::Withdraw { denoms })?, Vec::new()));
        }
        let tx = signer.execute_many(calls).await?.hash;
        done.credited.extend(batch.iter().map(|(item, amount)| Credited {
            node_id: item.node_id,
            denom: item.denom.clone(),
            account: item.leaf.account.clone(),
            amount: Uint128::new(*amount),
            uses: item.leaf.uses,
            tx: tx.clone(),
        }));
        done.txs.push(tx);
    }
    if withdraw && batches.is_empty() {
        let denoms = own_denoms(&reader, signer.address(), &[]).await?;
        if !denoms.is_empty() {
            done.txs.push(signer.execute(&escrow, &ExecuteMsg::Withdraw { denoms }, &[]).await?.hash);
        }
    }
    Ok(done)
}

/// Makes roots final whose windows are over. One that is still held, void or not attested is left as it
/// is.
async fn finalize_due(reader: &Reader, signer: &Signer, escrow: &str, done: &mut Claimed) -> Result<()> {
    let height = reader.chain().latest_height().await?;
    for node in reader.nodes().await? {
        let Some(epoch) = reader.pending(node.node_id).await? else { continue };
        if epoch.status != RootStatus::Pending || epoch.holds > 0 || height < epoch.final_at {
            continue;
        }
        match signer.execute(escrow, &ExecuteMsg::Finalize { node_id: node.node_id }, &[]).await {
            Ok(result) => done.txs.push(result.hash),
            // Somebody was faster, or it is not due after all.
            Err(openledger_client::Error::Contract { message, .. }) => {
                tracing::debug!(node_id = node.node_id, message, "not final");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Denoms in which the signer has a balance, or will have one by these claims.
async fn own_denoms(reader: &Reader, address: &str, due: &[(ClaimItem, u128)]) -> Result<Vec<String>> {
    let balances = reader.withdrawable(address).await?.amounts;
    let mut denoms: Vec<String> =
        balances.into_iter().filter(|a| !a.amount.is_zero()).map(|a| a.denom).collect();
    let own = due.iter().filter(|(item, _)| item.leaf.account.address() == address);
    denoms.extend(own.map(|(item, _)| item.denom.clone()));
    denoms.sort();
    denoms.dedup();
    Ok(denoms)
}
