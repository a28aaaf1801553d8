//! The network that cheats are tried on: its members, payers with accounts of their own, and what is read of the chain
//! to say what an attempt came to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use openledger::context::DENOM;
use openledger::network::accounts;
use openledger::network::job::{self, Job};
use openledger::network::{Member, Network};
use openledger::node::fetch;
use openledger::{ask, node_http};
use openledger_client::contracts::Reader;
use openledger_client::proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use openledger_client::proto::cosmos::crypto::secp256k1::PubKey;
use openledger_client::proto::cosmos::tx::signing::v1beta1::SignMode;
use openledger_client::proto::cosmos::tx::v1beta1::{
    mode_info, AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxBody, TxRaw,
};
use openledger_client::proto::cosmwasm::wasm::v1::MsgExecuteContract;
use openledger_client::proto::prost::{Message as _, Name as _};
use openledger_client::{Account, Any, Coin, Signer};
use openledger_node::audit::{case_bond, held};
use openledger_node::config::Home;
use openledger_node::journal::Journal;
use openledger_node::ledger::parse_receipts;
use openledger_types::api::AnswerBundle;
use openledger_types::msg::escrow::{self, EpochResponse, HeldReceipt};
use openledger_types::msg::node_registry::{self, CutStatus};
use openledger_types::msg::referee::{self, CaseResponse, ReceiptFault, Subject};
use sha2::{Digest as _, Sha256};
use tendermint_rpc::Client as _;
use tokio::sync::{watch, OwnedRwLockReadGuard, RwLock};

/// Time for what takes blocks, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(300);
/// Auditors that look once those who want them asleep are done; the last one is the cheat among them.
pub const HONEST_AUDITORS: usize = 3;
/// Base units of each payer.
const PURSE: u128 = 100_000_000;
/// Gas of a message that is expected to be refused, and its fee in base units.
const TRIAL_GAS: u64 = 3_000_000;
const TRIAL_FEE: u128 = 7_500;

/// Held by who wants no auditor to look.
pub type Silence = OwnedRwLockReadGuard<()>;

/// The network under test.
pub struct Lab {
    /// Its members.
    pub net: Network,
    /// For questions to nodes.
    pub http: reqwest::Client,
    /// The model that is asked.
    pub model: (u64, u32),
    faucet: Signer,
    silence: Arc<RwLock<()>>,
    awake: watch::Sender<bool>,
}

impl Lab {
    /// The network that the environment names, with the model on all its nodes and every auditor asleep; none when it
    /// names none. `payers` get accounts.
    pub async fn open(payers: &[&str]) -> Result<Option<Arc<Self>>> {
        let Some(file) = std::env::var_os("OPENLEDGER_TEST_NETWORK").map(PathBuf::from) else {
            eprintln!("OPENLEDGER_TEST_NETWORK names no network: nothing was tested (scripts/test --full --stage network)");
            return Ok(None);
        };
        let net = Network::load(&file)?;
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(net.home.join("../summary.json"))?)?;
        let model = (summary["model"]["id"].as_u64().context("the summary has no model")?, 1);
        let http = reqwest::Client::new();
        net.start_all(&http).await?;
        let (ctx, faucet) = (net.context(0)?, net.signer(0, "deployer").await?);
        let mut sends = Vec::new();
        for payer in payers {
            let address = accounts::load_or_add(&ctx, payer)?.address(&faucet.chain().config().prefix)?;
            sends.push((address, vec![Coin::new(PURSE, DENOM)]));
        }
        faucet.bank_multi_send(&sends).await?;
        let reader = ctx.reader().await?;
        let (first, rest) = net.nodes.split_first().context("the network has no nodes")?;
        job::wait_model(&http, &first.url, model, PATIENCE).await?;
        let from = [first.url.clone()];
        for member in rest {
            fetch::model(&ctx, &reader, model, &from, &member.url).await?;
        }
        for member in rest {
            job::wait_model(&http, &member.url, model, PATIENCE).await?;
        }
        for auditor in &net.auditors {
            auditor.kill().await?;
        }
        ensure!(
            net.nodes.len() >= 6 && net.auditors.len() == HONEST_AUDITORS + 1,
            "another network than asked"
        );
        let (silence, awake) = (Arc::default(), watch::Sender::new(false));
        Ok(Some(Arc::new(Lab { net, http, model, faucet, silence, awake })))
    }

    /// Keeps the auditors asleep until it is dropped.
    pub async fn silence(&self) -> Silence {
        self.silence.clone().read_owned().await
    }

    /// Starts the honest auditors once nobody wants silence any more.
    pub async fn wake(&self) -> Result<()> {
        drop(self.silence.write().await);
        for auditor in self.net.auditors.iter().take(HONEST_AUDITORS) {
            auditor.start(&self.net.node_binary, &self.http).await?;
        }
        for auditor in self.net.auditors.iter().take(HONEST_AUDITORS) {
            job::wait_model(&self.http, &auditor.url, self.model, PATIENCE).await?;
        }
        self.awake.send_replace(true);
        Ok(())
    }

    /// Waits until the auditors look.
    pub async fn awake(&self) -> Result<()> {
        self.awake.subscribe().wait_for(|awake| *awake).await?;
        Ok(())
    }

    /// What an address holds and can withdraw.
    pub async fn wealth(&self, reader: &Reader, address: &str) -> Result<u128> {
        let contracts = reader.contracts();
        let escrow = reader.withdrawable(address).await?;
        let credited =
            escrow.amounts.iter().filter(|a| a.denom == DENOM).map(|a| a.amount.u128()).sum::<u128>();
        let query = referee::QueryMsg::Balance { address: address.into() };
        let bonds: referee::BalanceResponse = reader.chain().query_smart(&contracts.referee, &query).await?;
        let held = reader.chain().balance(address, DENOM).await?;
        Ok(held + credited + bonds.withdrawable.u128() + rewards(reader, address).await?)
    }

    /// A job of a payer of this test with a node.
    pub async fn job_of(&self, payer: &str, node_id: u64, prompts: &[&str]) -> Result<Job> {
        let user = self.net.signer(0, payer).await?;
        Ok(Job { user, ..self.net.job(0, node_id, self.model, prompts).await? })
    }

    /// Asks in one session with a node, whose earlier roots are final by then, and closes it.
    pub async fn job(
        &self,
        payer: &str,
        node_id: u64,
        prompts: &[&str],
    ) -> Result<(Job, job::Done, Vec<AnswerBundle>)> {
        let questions: Vec<(&str, u32)> = prompts.iter().map(|prompt| (*prompt, job::TOKENS)).collect();
        self.long_job(payer, node_id, &questions).await
    }

    /// The same with the most tokens of each answer.
    pub async fn long_job(
        &self,
        payer: &str,
        node_id: u64,
        questions: &[(&str, u32)],
    ) -> Result<(Job, job::Done, Vec<AnswerBundle>)> {
        let job = self.job_of(payer, node_id, &[]).await?;
        self.quiet(&job).await?;
        let session_id = job.open().await?;
        let mut bundles = Vec::new();
        for (prompt, max_tokens) in questions {
            let question = ask::AskArgs { max_tokens: *max_tokens, ..job.question(session_id, prompt) };
            bundles.push(ask::ask(&job.ctx, question, &mut |_| {}).await?.bundle);
        }
        let done = job.close(session_id, bundles.len()).await?;
        Ok((job, done, bundles))
    }

    /// Waits until no root of a node waits, whatever becomes of those that do: a session could not be settled before.
    pub async fn quiet(&self, job: &Job) -> Result<()> {
        let reader = job.ctx.reader().await?;
        let escrow = &reader.contracts().payable_escrow;
        let since = Instant::now();
        while let Some(epoch) = reader.pending(job.node_id).await? {
            if reader.chain().latest_height().await? >= epoch.final_at {
                // Refused where it is not due after all; the node asks for it as well.
                let msg = escrow::ExecuteMsg::Finalize { node_id: job.node_id };
                let _ = job.user.execute(escrow, &msg, &[]).await;
            }
            ensure!(since.elapsed() < 2 * PATIENCE, "a root waits for ever: {epoch:?}");
            reader.chain().wait_for_next_block().await?;
        }
        Ok(())
    }

    /// The root of a node that waits, once there is one.
    pub async fn root(&self, reader: &Reader, node_id: u64) -> Result<EpochResponse> {
        let since = Instant::now();
        loop {
            if let Some(epoch) = reader.pending(node_id).await? {
                return Ok(epoch);
            }
            ensure!(since.elapsed() < PATIENCE, "node {node_id} posts no root");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The epoch that holds a receipt, and the receipt with its path.
    pub async fn settled(
        &self,
        job: &Job,
        reader: &Reader,
        bundle: &AnswerBundle,
    ) -> Result<(u64, HeldReceipt)> {
        let node_id = bundle.receipt.receipt.node_id;
        let since = Instant::now();
        loop {
            for epoch in (1..=reader.ledger(node_id, DENOM).await?.epoch).rev() {
                let commit = reader.epoch(node_id, DENOM, epoch).await?.commit;
                let bytes = node_http::blob_of(&job.ctx, reader, node_id, &commit.receipts_blob).await?;
                let receipts = parse_receipts(&bytes, &commit.receipts_blob, &commit.receipts)?;
                let id = bundle.receipt.receipt.digest();
                if let Some(index) = receipts.iter().position(|signed| signed.receipt.digest() == id) {
                    return Ok((epoch, held(&receipts, index).context("there is no path")?));
                }
            }
            ensure!(since.elapsed() < PATIENCE, "the answer was not settled");
            reader.chain().wait_for_next_block().await?;
        }
    }

    /// Opens a case about an answer in the name of its payer: (case, bond).
    pub async fn accuse(&self, job: &Job, reader: &Reader, bundle: &AnswerBundle) -> Result<(u64, u128)> {
        let (epoch, held) = self.settled(job, reader, bundle).await?;
        let params = reader.referee_config().await?.params;
        let stake = case_bond(&params, DENOM, bundle.receipt.receipt.fee).u128();
        let subject = Subject::Receipts {
            node_id: job.node_id,
            denom: DENOM.into(),
            epoch,
            kind: ReceiptFault::Output,
            receipts: vec![held],
        };
        let msg =
            referee::ExecuteMsg::OpenCase { subject, reason: "an answer that is not the model's".into() };
        let address = &reader.contracts().referee;
        let opened = job.user.execute(address, &msg, &[Coin::new(stake, &params.denom)]).await?;
        Ok((opened.contract_number(address, "case_id").context("the referee told no case")?, stake))
    }

    /// The first case about an answer that `wanted` takes.
    pub async fn case_about(
        &self,
        reader: &Reader,
        bundle: &AnswerBundle,
        wanted: impl Fn(&CaseResponse) -> bool,
    ) -> Result<CaseResponse> {
        let id = bundle.receipt.receipt.digest();
        let since = Instant::now();
        loop {
            let about = |case: &CaseResponse| {
                let Subject::Receipts { receipts, .. } = &case.subject else { return false };
                receipts.iter().any(|r| r.receipt_id.as_slice() == id)
            };
            if let Some(case) = reader.cases().await?.into_iter().find(|case| about(case) && wanted(case)) {
                return Ok(case);
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "no such case about an answer of node {}",
                bundle.receipt.receipt.node_id
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// A case.
    pub async fn case(&self, reader: &Reader, case_id: u64) -> Result<CaseResponse> {
        let found = reader.cases().await?.into_iter().find(|case| case.case_id == case_id);
        found.context("there is no such case")
    }

    /// A case, once it has a verdict; whoever is asked ends it where its jury has not.
    pub async fn verdict(&self, reader: &Reader, anyone: &Signer, case_id: u64) -> Result<CaseResponse> {
        let until = self.case(reader, case_id).await?.reveal_until;
        let since = Instant::now();
        loop {
            let case = self.case(reader, case_id).await?;
            if case.verdict.is_some() {
                return Ok(case);
            }
            if reader.chain().latest_height().await? > until.saturating_add(5) {
                let msg = referee::ExecuteMsg::Conclude { case_id };
                // Refused where its jury was faster.
                let _ = anyone.execute(&reader.contracts().referee, &msg, &[]).await;
            }
            ensure!(since.elapsed() < 2 * PATIENCE, "no verdict in case {case_id}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// All cuts that verdicts planned.
    pub async fn cuts(&self, reader: &Reader) -> Result<Vec<node_registry::CutResponse>> {
        let registry = &reader.contracts().node_registry;
        let mut found: Vec<node_registry::CutResponse> = Vec::new();
        loop {
            let start_after = found.last().map(|cut| cut.cut_id);
            let query = node_registry::QueryMsg::Cuts { start_after, limit: Some(30) };
            let page: node_registry::CutsResponse = reader.chain().query_smart(registry, &query).await?;
            if page.cuts.is_empty() {
                return Ok(found);
            }
            found.extend(page.cuts);
        }
    }

    /// Carries the planned cut of a case out; what it took, and what of that its finder can withdraw. Nothing where
    /// the cap of its epoch left nothing.
    pub async fn cut(&self, anyone: &Signer, reader: &Reader, case: &CaseResponse) -> Result<(u128, u128)> {
        let registry = &reader.contracts().node_registry;
        let reason = format!("case {}:", case.case_id);
        let find = async || -> Result<Option<node_registry::CutResponse>> {
            Ok(self.cuts(reader).await?.into_iter().find(|cut| cut.reason.starts_with(&reason)))
        };
        let Some(cut) = find().await? else { return Ok((0, 0)) };
        ensure!(cut.finder.as_deref() == Some(case.challenger.as_str()), "{cut:?}");
        // Governance has its time for a veto first.
        reader.chain().wait_for_height(cut.from + 1, PATIENCE).await?;
        let (bond, before) =
            (reader.node(cut.node_id).await?.bond.u128(), rewards(reader, &case.challenger).await?);
        let msg = node_registry::ExecuteMsg::ExecuteCut { cut_id: cut.cut_id };
        anyone.execute(registry, &msg, &[]).await?;
        ensure!(
            find().await?.is_some_and(|cut| cut.status == CutStatus::Done),
            "the cut was not carried out"
        );
        // What else may have been cut meanwhile, for fragments that a cheater does not keep, is not of this case.
        let taken = cut.amount.u128().min(bond);
        ensure!(reader.node(cut.node_id).await?.bond.u128() <= bond - taken, "the bond is as before");
        Ok((taken, rewards(reader, &case.challenger).await?.saturating_sub(before)))
    }

    /// Brings a node that was cut back into service: its bond, and its operator's word after the jail.
    pub async fn restore(&self, member: &Member) -> Result<()> {
        let reader = self.net.reader(0).await?;
        let registry = &reader.contracts().node_registry;
        let params = reader.node_config().await?.params;
        let found = reader.node(member.node_id).await?;
        let missing = params.min_bond.u128().saturating_sub(found.bond.u128());
        if missing > 0 {
            let msg = node_registry::ExecuteMsg::AddBond { node_id: member.node_id };
            self.faucet.execute(registry, &msg, &[Coin::new(missing, &params.denom)]).await?;
        }
        if let Some(until) = found.jailed_until {
            reader.chain().wait_for_height(until + 1, PATIENCE).await?;
            let msg = node_registry::ExecuteMsg::Unjail { node_id: member.node_id };
            self.net.signer(0, &member.key).await?.execute(registry, &msg, &[]).await?;
        }
        Ok(())
    }

    /// Where a member has put the model together.
    pub fn folder(&self, member: &Member) -> PathBuf {
        Home(member.home.clone()).models().join(format!("{}-{}", self.model.0, self.model.1))
    }

    /// The auditor that is the test's own: its process stays asleep.
    pub fn sly_auditor(&self) -> Result<&Member> {
        self.net.auditors.get(HONEST_AUDITORS).context("there is no fourth auditor")
    }

    /// Reveals what the fourth auditor had committed when it fell asleep, each seed in its time: others report one that
    /// stays secret, and the auditor would have no weight left to vote with.
    pub async fn reveal_seeds(&self) -> Result<()> {
        let reader = self.net.reader(0).await?;
        let sly = self.sly_auditor()?;
        let operator = self.net.signer(0, &sly.key).await?;
        let contracts = reader.contracts();
        let blocks = reader.referee_config().await?.params.seed_blocks;
        let present = reader.chain().latest_height().await? / blocks;
        let drawn = {
            let journal = Home(sly.home.clone()).journal();
            let chain_id = &reader.chain().config().chain_id;
            Journal::open(&journal, chain_id, &contracts.payable_escrow, sly.node_id)?
                .seeds(present.saturating_sub(1), present + 1)?
        };
        for (period, row) in drawn {
            let known = reader.seed(sly.node_id, period).await?;
            if known.commitment.is_none() || known.seed.is_some() {
                continue;
            }
            reader.chain().wait_for_height((period + 1) * blocks, 2 * PATIENCE).await?;
            let msg = referee::ExecuteMsg::RevealSeed { auditor: sly.node_id, period, seed: row.seed };
            operator.execute(&contracts.referee, &msg, &[]).await?;
        }
        Ok(())
    }
}

/// Bounties that an address can withdraw for faults that it found.
pub async fn rewards(reader: &Reader, address: &str) -> Result<u128> {
    let query = node_registry::QueryMsg::Rewards { address: address.into() };
    let found: node_registry::RewardsResponse =
        reader.chain().query_smart(&reader.contracts().node_registry, &query).await?;
    Ok(found.withdrawable.u128())
}

/// Messages to the referee in a block, whatever became of them.
pub async fn told_referee(reader: &Reader, height: u64) -> Result<Vec<referee::ExecuteMsg>> {
    let block = reader.chain().http().block(u32::try_from(height)?).await?.block;
    let mut found = Vec::new();
    for tx in &block.data {
        let body = TxBody::decode(TxRaw::decode(tx.as_slice())?.body_bytes.as_slice())?;
        for any in body.messages.iter().filter(|any| any.type_url == MsgExecuteContract::type_url()) {
            let msg = MsgExecuteContract::decode(any.value.as_slice())?;
            if msg.contract == reader.contracts().referee {
                found.extend(serde_json::from_slice(&msg.msg).ok());
            }
        }
    }
    Ok(found)
}

/// Sends a message without asking first whether it would be taken, so that a refusal stands in a block and costs its
/// gas, as it costs whoever tries. Says what the contract said.
pub async fn force<T: serde::Serialize>(
    signer: &Signer,
    contract: &str,
    msg: &T,
    funds: &[Coin],
) -> Result<std::result::Result<u64, String>> {
    let chain = signer.chain();
    let message = signer.execute_message(contract, msg, funds)?;
    let since = Instant::now();
    let (hash, timeout_height) = loop {
        let (account, height) = (chain.account(signer.address()).await?, chain.latest_height().await?);
        let timeout_height = height.saturating_add(chain.config().timeout_blocks);
        let tx = trial(signer, message.clone(), account, timeout_height);
        let hash = hex::encode_upper(Sha256::digest(&tx));
        let answer = chain.http().broadcast_tx_sync(tx).await?;
        if answer.code.is_ok() {
            break (hash, timeout_height);
        }
        // Another message of the account may wait for its block.
        ensure!(
            answer.log.contains("sequence") && since.elapsed() < PATIENCE,
            "the chain node did not take the trial: {}",
            answer.log
        );
        chain.wait_for_next_block().await?;
    };
    match chain.confirm(&hash, timeout_height).await {
        Ok(done) => Ok(Ok(done.height)),
        Err(openledger_client::Error::Contract { message, .. }) => Ok(Err(message)),
        Err(error) => Err(error.into()),
    }
}

/// The bytes of a transaction with a fixed amount of gas.
fn trial(signer: &Signer, message: Any, account: Account, timeout_height: u64) -> Vec<u8> {
    let body = TxBody { messages: vec![message], timeout_height, ..TxBody::default() };
    let key = PubKey { key: signer.key().public_key().to_vec() };
    let single = mode_info::Single { mode: SignMode::Direct.into() };
    let info = SignerInfo {
        public_key: Some(Any { type_url: PubKey::type_url(), value: key.encode_to_vec() }),
        mode_info: Some(ModeInfo { sum: Some(mode_info::Sum::Single(single)) }),
        sequence: account.sequence,
    };
    let fee = ProtoCoin { denom: DENOM.into(), amount: TRIAL_FEE.to_string() };
    let fee = Fee { amount: vec![fee], gas_limit: TRIAL_GAS, ..Fee::default() };
    let auth = AuthInfo { signer_infos: vec![info], fee: Some(fee), ..AuthInfo::default() };
    let document = SignDoc {
        body_bytes: body.encode_to_vec(),
        auth_info_bytes: auth.encode_to_vec(),
        chain_id: signer.chain().config().chain_id.clone(),
        account_number: account.number,
    };
    let digest: [u8; 32] = Sha256::digest(document.encode_to_vec()).into();
    let SignDoc { body_bytes, auth_info_bytes, .. } = document;
    let signatures = vec![signer.key().sign_digest(&digest).to_vec()];
    TxRaw { body_bytes, auth_info_bytes, signatures }.encode_to_vec()
}

/// `after - before`, signed.
pub fn gain(before: u128, after: u128) -> Result<i128> {
    Ok(i128::try_from(after)? - i128::try_from(before)?)
}

/// One line of the table in docs/threat-model.md.
pub fn say(attack: u8, name: &str, tried: usize, found: usize, profit: i128) {
    println!("attack {attack} {name}: tried {tried}, found {found}, profit {profit} uopen");
}
