//! Who takes part in the demo: the devnet's accounts, and one account for each contributor, from its
//! first coins to its claim.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use cosmwasm_std::Uint128;
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_client::{Chain, Coin, Key, Signer};
use openledger_types::formats::Account;

use super::corpus::SourceDoc;
use super::ibc::{self, Second};
use super::report::Paid;
use super::summary::{Contributor, Payout};
use crate::context::{Context, DENOM};
use crate::contribute::{self, Document};
use crate::{data_rights, earnings, keys};

/// Contributors that act at the same time.
const PARALLEL: usize = 4;

/// A contributor with account and documents.
pub(super) struct Party {
    pub(super) who: Contributor,
    pub(super) signer: Signer,
    pub(super) ctx: Context,
    pub(super) docs: Vec<SourceDoc>,
    /// Commits whose bonds are at stake.
    pub(super) commits: Vec<u64>,
}

pub(super) fn account(accounts: &BTreeMap<String, Key>, name: &str) -> Result<Key> {
    accounts
        .get(name)
        .cloned()
        .with_context(|| format!("E-DEMO-008 testnet/dev-accounts.json has no account {name}"))
}

/// One account for each contributor, funded for bonds and gas.
pub(super) async fn parties(
    ctx: &Context,
    chain: &Chain,
    faucet: &Signer,
    docs: Vec<SourceDoc>,
    commit_bond: u128,
) -> Result<Vec<Party>> {
    let mut by_name: BTreeMap<String, Vec<SourceDoc>> = BTreeMap::new();
    docs.into_iter().for_each(|doc| by_name.entry(doc.contributor.clone()).or_default().push(doc));
    let (mut parties, mut sends) = (Vec::new(), Vec::new());
    for (number, (name, docs)) in by_name.into_iter().enumerate() {
        let key_name = format!("contributor-{}", number + 1);
        let address = keys::add(ctx, &key_name)?.address;
        let signer = chain.signer(ctx.key(Some(&key_name))?)?;
        let coins = 5_000_000 + (commit_bond + 3_000) * docs.len() as u128;
        sends.push((address.clone(), vec![Coin::new(coins, DENOM)]));
        parties.push(Party {
            who: Contributor { name, address },
            signer,
            ctx: ctx.clone(),
            docs,
            commits: vec![],
        });
    }
    for part in sends.chunks(50) {
        faucet.bank_multi_send(part).await?;
    }
    Ok(parties)
}

pub(super) async fn contribute_all(parties: &mut [Party], datanet_id: u64, node: &str) -> Result<(u64, u64)> {
    let (mut count, mut bytes, mut refused, mut twice) = (0, 0, 0, 0);
    let mut runs = stream::iter(parties.iter_mut().map(|party| {
        let docs = std::mem::take(&mut party.docs);
        let documents = docs.into_iter().map(|d| Document {
            name: d.name,
            bytes: d.bytes,
            license: d.license,
            uses: None,
        });
        let (ctx, signer) = (Context { progress: false, ..party.ctx.clone() }, party.signer.clone());
        async move {
            let done = contribute::contribute(&ctx, &signer, datanet_id, documents, node).await?;
            party.commits = done.bonds.iter().map(|(commit_id, _)| *commit_id).collect();
            Ok::<_, anyhow::Error>(done)
        }
    }))
    .buffer_unordered(PARALLEL);
    while let Some(done) = runs.try_next().await? {
        count += done.contributions.len() as u64;
        bytes += done.bytes;
        twice +=
            done.on_chain.len() + done.report.documents.iter().filter(|d| d.duplicate_of.is_some()).count();
        for document in done.report.documents.iter().filter(|d| d.refused.is_some()) {
            refused += 1;
            if refused <= 5 {
                if let Some(why) = &document.refused {
                    println!("    refused {}: {}", document.name, why.reason);
                }
            }
        }
    }
    println!("    refused {refused}, exact duplicates left out {twice}");
    Ok((count, bytes))
}

/// Who contributed what, by contribution, as the chain says.
pub(super) async fn owners_of(
    reader: &openledger_client::contracts::Reader,
    datanet_id: u64,
    size: u64,
    parties: &[Party],
) -> Result<BTreeMap<u64, Contributor>> {
    let names: BTreeMap<&str, &Contributor> =
        parties.iter().map(|p| (p.who.address.as_str(), &p.who)).collect();
    let leaves = reader.leaves(datanet_id, size).await?;
    Ok(leaves
        .into_iter()
        .map(|facts| {
            let who = names.get(facts.contributor.as_str()).map(|who| (*who).clone());
            let unknown = Contributor { name: "unknown".into(), address: facts.contributor };
            (facts.contribution_id, who.unwrap_or(unknown))
        })
        .collect())
}

pub(super) async fn claim_all(
    ctx: &Context,
    reader: &openledger_client::contracts::Reader,
    node_ids: &[u64],
    parties: &[Party],
    second: Option<&Second>,
) -> Result<Vec<Paid>> {
    let mut ledgers = Vec::new();
    for node_id in node_ids {
        ledgers.extend(earnings::ledger_of(ctx, *node_id, DENOM).await?);
    }
    // Amount and uses, over the ledgers of all nodes.
    let leaf_of = |address: &str| {
        let account = Account::Contributor(address.into());
        let leaves = ledgers.iter().flat_map(|(_, blob)| &blob.leaves).map(|entry| &entry.leaf);
        let own = leaves.filter(|leaf| leaf.account == account);
        own.fold((0u128, 0u64), |sum, leaf| (sum.0 + leaf.cumulative.u128(), sum.1 + leaf.uses))
    };
    let earns = |p: &Party| leaf_of(&p.who.address).0 > 0;
    let earners: Vec<String> = parties.iter().filter(|p| earns(p)).map(|p| p.who.address.clone()).collect();
    let abroad = second.map_or_else(BTreeSet::new, |_| ibc::chosen(&earners));
    let total: u128 = parties.iter().map(|p| leaf_of(&p.who.address).0).sum();
    let mut paid: Vec<Paid> = stream::iter(parties.iter().map(|party| {
        let (due, used) = leaf_of(&party.who.address);
        let second = second.filter(|_| abroad.contains(&party.who.address));
        async move {
            let chain = reader.chain();
            // Their acceptance windows were over when the version was sealed.
            for commit_id in &party.commits {
                data_rights::release(ctx, &party.signer, *commit_id).await?;
            }
            let before = chain.balance(&party.who.address, DENOM).await?;
            let (mut amount, mut uses, mut tx) = (0, 0, None);
            if due > 0 {
                let account = Account::Contributor(party.who.address.clone());
                if let Some(second) = second {
                    second.prefer(&party.signer, reader.gateway()?).await?;
                }
                // What goes to the second chain stays in the escrow until it is sent.
                let claimed = earnings::claim(ctx, &party.signer, &[account], second.is_none()).await?;
                (amount, uses, tx) = (due, used, claimed.txs.last().cloned());
            }
            let after = chain.balance(&party.who.address, DENOM).await?;
            let payout = Payout { contributor: party.who.clone(), amount: Uint128::new(amount), uses, tx };
            let share = if total == 0 { 0.0 } else { 100.0 * amount as f64 / total as f64 };
            let abroad = second.is_some();
            Ok::<_, anyhow::Error>(Paid { payout, share, before, after, abroad })
        }
    }))
    .buffer_unordered(PARALLEL)
    .try_collect()
    .await?;
    paid.sort_by(|a, b| {
        b.payout.amount.cmp(&a.payout.amount).then_with(|| a.payout.contributor.cmp(&b.payout.contributor))
    });
    println!("    {} contributors were paid", paid.iter().filter(|p| !p.payout.amount.is_zero()).count());
    Ok(paid)
}
