//! A node that settles what it may not: vouchers and receipts used again, for more or for something else, two roots at
//! once, two receipts for one request. Each message is sent as it is, so that its refusal stands in a block and costs its
//! gas.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{ensure, Result};
use cosmwasm_std::{HexBinary, Uint128};
use k256::ecdsa::Signature;
use openledger::session::State;
use openledger::{ask, node_http};
use openledger_client::contracts::Reader;
use openledger_client::{Key, Signer};
use openledger_node::corpus::{Answer, DatanetView};
use openledger_node::serve::{ChainView, ClientChain, Posting};
use openledger_types::faults::{Fault, FiledFault, Stated};
use openledger_types::formats::{ContributionFacts, EpochCommit, SignedReceipt, SignedVoucher, Voucher};
use openledger_types::msg::datanet::{ContributionResponse, DatanetResponse, PastKey, VersionResponse};
use openledger_types::msg::escrow::{
    ConfigResponse, EpochResponse, ExecuteMsg, LedgerResponse, PendingReceipt, SessionResponse, Settlement,
};
use openledger_types::msg::model_registry::ModelVersionResponse;
use openledger_types::msg::node_registry::Offer;
use openledger_types::msg::referee;

use super::cheater::{Cheater, Ways};
use super::lab::{force, gain, say, Lab, PATIENCE};

/// What is asked.
const PROMPTS: [&str; 2] = ["pub fn new(", "use std::"];

/// What a trial needs that the node does not know.
#[derive(Clone)]
struct Means {
    /// Signs vouchers of the session: a payer who has used its key elsewhere, too.
    session: Key,
    /// Signs receipts.
    node: Key,
    /// Another session with the same node.
    other: u64,
}

/// A message that must be refused, of an attack.
type Trial = (u8, &'static str, ExecuteMsg);

/// What was tried.
#[derive(Default)]
struct Tried {
    /// (attack, name, what the contract said; none when it took the message).
    said: Vec<(u8, &'static str, Option<String>)>,
    /// Settlement and commitment of the first root.
    first: Option<(EpochCommit, Vec<Settlement>)>,
    /// What the trials of each attack cost: (attack, base units).
    costs: Vec<(u8, i128)>,
}

/// Between a node and its chain: before and after each honest posting it tries what must be refused.
struct Bent {
    inner: Arc<ClientChain>,
    hot: Signer,
    escrow: String,
    means: Arc<Mutex<Option<Means>>>,
    tried: Arc<Mutex<Tried>>,
}

impl Bent {
    async fn try_all(&self, trials: Vec<Trial>) -> Result<()> {
        for (attack, name, msg) in trials {
            let before = self.hot.balance().await?;
            let said = force(&self.hot, &self.escrow, &msg, &[]).await?;
            let cost = gain(before, self.hot.balance().await?)?;
            let mut tried = lock(&self.tried);
            tried.said.push((attack, name, said.err()));
            tried.costs.push((attack, cost));
        }
        Ok(())
    }

    /// Tries, posts honestly, tries again.
    async fn post(&self, commit: &EpochCommit, settlements: &[Settlement]) -> Result<Posting> {
        let means = lock(&self.means).clone();
        let first = lock(&self.tried).first.clone();
        let Some(means) = means else { return self.honest(commit, settlements).await };
        let trials = match &first {
            None => bent(commit, settlements, &means),
            Some(first) => again(first, commit),
        };
        self.try_all(trials).await?;
        let posted = self.honest(commit, settlements).await?;
        if first.is_none() && matches!(posted, Posting::Done { .. }) {
            self.try_all(second_roots(commit, settlements)).await?;
            lock(&self.tried).first = Some((commit.clone(), settlements.to_vec()));
        }
        Ok(posted)
    }

    async fn honest(&self, commit: &EpochCommit, settlements: &[Settlement]) -> Result<Posting> {
        Ok(self.inner.post_epoch(commit, settlements).await?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signed(key: &Key, voucher: Voucher) -> SignedVoucher {
    let signature = HexBinary::from(key.sign_digest(&voucher.digest()).as_slice());
    SignedVoucher { voucher, signature }
}

fn receipt_of(key: &Key, of: &SignedReceipt, change: impl FnOnce(&mut SignedReceipt)) -> SignedReceipt {
    let mut changed = of.clone();
    change(&mut changed);
    changed.signature = HexBinary::from(key.sign_digest(&changed.receipt.digest()).as_slice());
    changed
}

/// The other signature of the same digest by the same key, which is not the one form that is taken.
fn high(signature: &HexBinary) -> HexBinary {
    let Ok(low) = Signature::from_slice(signature) else { return signature.clone() };
    let (r, s) = low.split_scalars();
    match Signature::from_scalars(r, -s) {
        Ok(high) => HexBinary::from(&high.to_bytes()[..]),
        Err(_) => signature.clone(),
    }
}

/// Settlements that must be refused in place of an honest one with a receipt that its client has not acknowledged.
fn bent(commit: &EpochCommit, settlements: &[Settlement], means: &Means) -> Vec<Trial> {
    let Some(honest) = settlements.first().filter(|s| !s.pending.is_empty()) else { return Vec::new() };
    let mut trials = Vec::new();
    let mut add = |attack: u8, name: &'static str, change: &dyn Fn(&mut EpochCommit, &mut Settlement)| {
        let (mut commit, mut changed) = (commit.clone(), honest.clone());
        change(&mut commit, &mut changed);
        trials.push((attack, name, ExecuteMsg::PostEpoch { commit, settlements: vec![changed] }));
    };
    let resigned = |of: &SignedVoucher, change: &dyn Fn(&mut Voucher)| {
        let mut voucher = of.voucher.clone();
        change(&mut voucher);
        signed(&means.session, voucher)
    };
    // 9: signed by the right keys, for something else.
    add(9, "a voucher of another chain", &|_, s| {
        s.voucher = resigned(&s.voucher, &|v| v.chain_id = "other-1".into())
    });
    add(9, "a voucher of another escrow", &|_, s| {
        s.voucher = resigned(&s.voucher, &|v| v.contract = format!("{}x", v.contract));
    });
    add(9, "a voucher of another session", &|_, s| {
        s.voucher = resigned(&s.voucher, &|v| v.session_id = means.other);
    });
    add(9, "a voucher for another node", &|_, s| s.voucher = resigned(&s.voucher, &|v| v.node_id += 1));
    add(9, "a voucher in another denom", &|_, s| {
        s.voucher = resigned(&s.voucher, &|v| v.denom = "uother".into())
    });
    add(9, "the settlement of one session for another", &|_, s| s.session_id = means.other);
    add(9, "a receipt of another chain", &|_, s| {
        s.pending[0].receipt =
            receipt_of(&means.node, &s.pending[0].receipt, |r| r.receipt.chain_id = "other-1".into());
    });
    add(9, "a receipt of another session", &|_, s| {
        s.pending[0].receipt =
            receipt_of(&means.node, &s.pending[0].receipt, |r| r.receipt.session_id = means.other);
    });
    add(9, "a receipt for another request", &|_, s| {
        s.pending[0].receipt = receipt_of(&means.node, &s.pending[0].receipt, |r| {
            r.receipt.request_hash = HexBinary::from(&[9u8; 32]);
        });
    });
    add(9, "a commitment for another chain", &|c, _| c.chain_id = "other-1".into());
    // 17: used again, for more, in another form.
    add(17, "a receipt twice", &|_, s| {
        let again = s.pending[0].clone();
        s.pending.push(again);
    });
    add(17, "a higher maximum than was signed", &|_, s| {
        let more = s.pending[0].voucher.voucher.cumulative_max + Uint128::new(1_000_000);
        s.pending[0].voucher.voucher.cumulative_max = more;
    });
    add(17, "fees above the voucher", &|_, s| {
        let least = s.voucher.voucher.acknowledged.sum;
        let less = resigned(&s.pending[0].voucher, &|v| v.cumulative_max = least);
        s.pending[0].voucher = less;
    });
    add(17, "a fee above the price", &|_, s| {
        s.pending[0].receipt =
            receipt_of(&means.node, &s.pending[0].receipt, |r| r.receipt.fee += Uint128::new(1_000));
    });
    add(17, "a high-S signature of the acknowledgement", &|_, s| {
        s.voucher.signature = high(&s.voucher.signature)
    });
    add(17, "a high-S signature of a request", &|_, s| {
        s.pending[0].voucher.signature = high(&s.pending[0].voucher.signature);
    });
    add(17, "a high-S signature of the receipt", &|_, s| {
        s.pending[0].receipt.signature = high(&s.pending[0].receipt.signature);
    });
    add(17, "a voucher signed by the node", &|_, s| {
        s.voucher = signed(&means.node, s.voucher.voucher.clone())
    });
    trials
}

/// Roots beside one that was just posted.
fn second_roots(commit: &EpochCommit, settlements: &[Settlement]) -> Vec<Trial> {
    let other =
        |epoch: u64| EpochCommit { epoch, receipts_blob: commit.leaves_blob.clone(), ..commit.clone() };
    let post = |commit: EpochCommit| ExecuteMsg::PostEpoch { commit, settlements: settlements.to_vec() };
    vec![
        (10, "the same root again", post(commit.clone())),
        (10, "another root of the same number", post(other(commit.epoch))),
        (10, "another root of the next number", post(other(commit.epoch + 1))),
        (10, "another root in its place", ExecuteMsg::ReplaceEpoch { commit: other(commit.epoch + 1) }),
    ]
}

/// What the first root settled, again in the next epoch.
fn again((first, settled): &(EpochCommit, Vec<Settlement>), next: &EpochCommit) -> Vec<Trial> {
    let pending: Vec<PendingReceipt> = settled.iter().flat_map(|s| s.pending.clone()).collect();
    let whole = |commit: EpochCommit| ExecuteMsg::PostEpoch { commit, settlements: settled.clone() };
    let forgotten: Vec<Settlement> = settled
        .iter()
        .map(|s| Settlement { pending: pending.clone(), consistency: Default::default(), ..s.clone() })
        .collect();
    vec![
        (9, "the receipts of one epoch in the next", whole(next.clone())),
        (9, "an epoch that was posted before", whole(first.clone())),
        (
            9,
            "its receipts with the history left out",
            ExecuteMsg::PostEpoch { commit: next.clone(), settlements: forgotten },
        ),
    ]
}

/// Replays, overspending and second roots; then two receipts for one request.
pub async fn node_attacks_09_10_and_17_nothing_is_settled_twice_or_for_more(lab: &Lab) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let member = &lab.net.nodes[3];
    let scratch = tempfile::tempdir()?;
    let (means, tried): (Arc<Mutex<Option<Means>>>, Arc<Mutex<Tried>>) = Default::default();
    let bends = {
        let (means, tried, escrow) =
            (means.clone(), tried.clone(), reader.contracts().payable_escrow.clone());
        move |inner: Arc<ClientChain>, hot: Signer| {
            Arc::new(Bent { inner, hot, escrow, means, tried }) as Arc<dyn ChainView>
        }
    };
    let ways = Ways { bends: Some(Box::new(bends)), ..Ways::default() };
    let cheater = Cheater::take_over(lab, member, scratch.path(), ways).await?;

    // Two answers, of which the client acknowledges the first by asking for the second.
    let job = lab.job_of("cheats-user-5", member.node_id, &PROMPTS).await?;
    lab.quiet(&job).await?;
    let (session_id, other) = (job.open().await?, job.open().await?);
    let mut bundles = Vec::new();
    for prompt in PROMPTS {
        bundles.push(ask::ask(&job.ctx, job.question(session_id, prompt), &mut |_| {}).await?.bundle);
    }
    let session = State::load(&job.ctx, session_id)?.key(&job.ctx)?;
    *lock(&means) = Some(Means { session, node: cheater.key.clone(), other });
    let url = format!("{}/v1/sessions/{session_id}/settle", member.url);
    let since = Instant::now();
    while lock(&tried).first.is_none() {
        ensure!(since.elapsed() < PATIENCE, "the node posts no root");
        node_http::accepted(lab.http.post(&url).send().await?).await?;
        reader.chain().wait_for_next_block().await?;
    }
    lab.quiet(&job).await?;
    ask::ask(&job.ctx, job.question(session_id, "let mut "), &mut |_| {}).await?;
    let done = job.close(session_id, 3).await?;
    job.close(other, 0).await?;

    let (said, costs) = {
        let tried = lock(&tried);
        (tried.said.clone(), tried.costs.clone())
    };
    let taken: Vec<_> = said.iter().filter(|(_, _, said)| said.is_none()).collect();
    for (attack, name, said) in &said {
        println!("    {attack} {name}: {}", said.as_deref().unwrap_or("TAKEN"));
    }
    ensure!(taken.is_empty(), "taken: {taken:?}");
    let (paid, fees) = (done.fees, bundles.iter().map(|b| b.receipt.receipt.fee.u128()).sum::<u128>());
    ensure!(paid > fees, "three answers were settled once: {paid}, two cost {fees}");
    for (attack, name) in [
        (9, "receipts and vouchers of another chain, session, epoch"),
        (10, "two roots in one epoch"),
        (17, "vouchers again, for more, with a high-S signature"),
    ] {
        let count = said.iter().filter(|(of, ..)| *of == attack).count();
        let profit: i128 = costs.iter().filter(|(of, _)| *of == attack).map(|(_, cost)| cost).sum();
        say(attack, name, count, count, profit);
        ensure!(count > 0 && profit < 0, "attack {attack}: {count} tried, {profit}");
    }
    two_receipts(&reader, &cheater, &job.user, &bundles[0].receipt).await?;
    cheater.leave(lab).await
}

/// Another receipt for a request that was settled, shown by anyone: the bond is cut at once.
async fn two_receipts(
    reader: &Reader,
    cheater: &Cheater,
    finder: &Signer,
    first: &SignedReceipt,
) -> Result<()> {
    let second = receipt_of(&cheater.key, first, |of| of.receipt.answer_root = HexBinary::from(&[8u8; 32]));
    let (node_id, session_id) = (first.receipt.node_id, first.receipt.session_id);
    let facts = reader.facts(session_id, node_id).await?;
    let before = reader.node(node_id).await?.bond.u128();
    let stated = Stated { session: Some(facts), ..Stated::default() };
    let fault = Fault::Equivocation { first: first.clone(), second };
    let msg = referee::ExecuteMsg::ProveFault { proof: FiledFault { stated, fault }.into() };
    finder.execute(&reader.contracts().referee, &msg, &[]).await?;
    let profit = gain(before, reader.node(node_id).await?.bond.u128())?;
    say(9, "two receipts for one request, shown by its payer", 1, 1, profit);
    ensure!(profit < 0, "the bond is as before");
    let twice = finder.execute(&reader.contracts().referee, &msg, &[]).await;
    ensure!(twice.is_err(), "one fault was punished twice");
    Ok(())
}

impl DatanetView for Bent {
    fn datanet(&self, datanet_id: u64) -> Answer<'_, DatanetResponse> {
        self.inner.datanet(datanet_id)
    }
    fn version(&self, datanet_id: u64, version: u32) -> Answer<'_, VersionResponse> {
        self.inner.version(datanet_id, version)
    }
    fn leaves(&self, datanet_id: u64, size: u64) -> Answer<'_, Vec<ContributionFacts>> {
        self.inner.leaves(datanet_id, size)
    }
    fn key_grant(&self, datanet_id: u64, node_id: u64) -> Answer<'_, Option<HexBinary>> {
        self.inner.key_grant(datanet_id, node_id)
    }
    fn past_keys(&self, datanet_id: u64) -> Answer<'_, Vec<PastKey>> {
        self.inner.past_keys(datanet_id)
    }
}

impl ChainView for Bent {
    fn chain_id(&self) -> &str {
        self.inner.chain_id()
    }
    fn escrow(&self) -> &str {
        self.inner.escrow()
    }
    fn height(&self) -> Answer<'_, u64> {
        self.inner.height()
    }
    fn escrow_config(&self) -> Answer<'_, ConfigResponse> {
        self.inner.escrow_config()
    }
    fn session(&self, session_id: u64) -> Answer<'_, Option<SessionResponse>> {
        self.inner.session(session_id)
    }
    fn models(&self) -> Answer<'_, Vec<(u64, u32)>> {
        self.inner.models()
    }
    fn model_version(&self, model_id: u64, version: u32) -> Answer<'_, Option<ModelVersionResponse>> {
        self.inner.model_version(model_id, version)
    }
    fn offer(&self, model_id: u64, version: u32) -> Answer<'_, Option<Offer>> {
        self.inner.offer(model_id, version)
    }
    fn contribution(&self, contribution_id: u64) -> Answer<'_, Option<ContributionResponse>> {
        self.inner.contribution(contribution_id)
    }
    fn citation_grace(&self) -> Answer<'_, u64> {
        self.inner.citation_grace()
    }
    fn ledger<'a>(&'a self, denom: &'a str) -> Answer<'a, LedgerResponse> {
        self.inner.ledger(denom)
    }
    fn epoch<'a>(&'a self, denom: &'a str, epoch: u64) -> Answer<'a, Option<EpochResponse>> {
        self.inner.epoch(denom, epoch)
    }
    fn pending(&self) -> Answer<'_, Option<EpochResponse>> {
        self.inner.pending()
    }
    fn post_epoch<'a>(
        &'a self,
        commit: &'a EpochCommit,
        settlements: &'a [Settlement],
    ) -> Answer<'a, Posting> {
        Box::pin(async move {
            Ok(self
                .post(commit, settlements)
                .await
                .unwrap_or_else(|error| Posting::Open { reason: format!("a trial failed: {error:#}") }))
        })
    }
    fn replace_epoch<'a>(&'a self, commit: &'a EpochCommit) -> Answer<'a, Posting> {
        self.inner.replace_epoch(commit)
    }
    fn convicted<'a>(&'a self, denom: &'a str) -> Answer<'a, Vec<HexBinary>> {
        self.inner.convicted(denom)
    }
    fn finalize(&self) -> Answer<'_, Posting> {
        self.inner.finalize()
    }
}
