//! A member's node in this process: its home, keys and loops, but with tricks of its own.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Result;
use openledger::network::job;
use openledger::network::Member;
use openledger_client::{keyfile, Chain, Key, Signer};
use openledger_node::audit::{ArbiterView, Defender, Responder};
use openledger_node::config::{Config, Home};
use openledger_node::corpus::Identities;
use openledger_node::fault::Result as NodeResult;
use openledger_node::journal::Journal;
use openledger_node::serve::{self, ChainView, ClientChain, Loaded, Node, Settings, SigningKeys, Watch};
use openledger_node::stores;
use openledger_types::msg::arbiter::{ExecuteMsg as Move, Turn};

use super::lab::{Lab, PATIENCE};
use super::tricks::{Trick, Tricky};

/// What a cheater does otherwise than a node does.
#[derive(Default)]
pub struct Ways {
    /// How it answers; as the model does when empty.
    pub tricks: Vec<Trick>,
    /// Gives every dispute to the votes instead of playing it.
    pub contests: bool,
    /// Puts something between the node and the chain: given the node's own view and the account of its hot key.
    pub bends: Option<Bend>,
}

/// See [`Ways::bends`].
pub type Bend = Box<dyn FnOnce(Arc<ClientChain>, Signer) -> Arc<dyn ChainView> + Send>;

/// A member's node, run by the test.
pub struct Cheater {
    member: Member,
    /// The key that signs its receipts and sends its messages.
    pub key: Key,
    node: Weak<Node>,
    stop: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<NodeResult<()>>,
}

impl Cheater {
    /// Ends the member's process and takes its place.
    pub async fn take_over(lab: &Lab, member: &Member, scratch: &Path, ways: Ways) -> Result<Self> {
        lab.restore(member).await?;
        member.kill().await?;
        let home = Home(member.home.clone());
        let config = Config::load(&home.config())?;
        let key = keyfile::load(&home.node_key(), None)?;
        let age = std::fs::read_to_string(home.age_key())?.trim().parse();
        let age = age.map_err(|_| anyhow::anyhow!("{} is no age identity", home.age_key().display()))?;
        let chain = Chain::connect(config.chain.clone()).await?;
        let reader = config.contracts.on(&chain);
        let registered = reader.node(config.node_id).await?;
        let signer = chain.signer(key.clone())?;
        let view = Arc::new(ClientChain::new(reader, signer.clone(), config.node_id));
        let seen: Arc<dyn ChainView> = match ways.bends {
            Some(bend) => bend(view.clone(), signer),
            None => view.clone(),
        };
        let node = Node::new(
            seen,
            Journal::open(
                &home.journal(),
                &config.chain.chain_id,
                &config.contracts.payable_escrow,
                config.node_id,
            )?,
            stores::open(&config, &home)?,
            key.public_key(),
            SigningKeys::open(key.clone(), &home.signing())?,
            config.node_id,
            Identities { node: Some((config.node_id, age)), ..Identities::default() },
            Settings { roles: registered.roles, ..config.serve.settings() },
        );
        let responder = Some(Responder::new(node.clone(), view.clone()));
        let watch = match ways.contests {
            false => {
                let defender = Some(Defender::new(node.clone(), view));
                Watch { responder, defender, ..Watch::default() }
            }
            true => {
                tokio::spawn(contest(view, config.node_id));
                Watch { responder, ..Watch::default() }
            }
        };
        let listener = serve::listen(config.listen).await?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve::run(node.clone(), watch, listener, home.models(), stopped));
        job::wait_model(&lab.http, &member.url, lab.model, PATIENCE).await?;
        if !ways.tricks.is_empty() {
            let honest = node.models.ready(lab.model.0, lab.model.1)?;
            let (info, manifest) = (honest.info.clone(), honest.manifest.clone());
            let (folder, scratch) = (lab.folder(member), scratch.to_path_buf());
            let tricky = move || Tricky::new(&folder, &scratch, &ways.tricks, honest);
            let answerer = Box::new(tokio::task::spawn_blocking(tricky).await??);
            node.models.insert(Loaded { info, manifest, answerer });
        }
        Ok(Cheater { member: member.clone(), key, node: Arc::downgrade(&node), stop, serving })
    }

    /// Gives the place back to the member's own process.
    pub async fn leave(self, lab: &Lab) -> Result<()> {
        let _ = self.stop.send(());
        self.serving.await??;
        // Its files are free once the last task has let go of them.
        while self.node.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.member.start(&lab.net.node_binary, &lab.http).await
    }
}

/// Gives every dispute about a node's answers to the votes.
async fn contest(arbiter: Arc<ClientChain>, node_id: u64) {
    loop {
        let disputes = arbiter.disputes(None).await.unwrap_or_default();
        for found in disputes.iter().filter(|found| found.node_id == node_id && found.turn == Turn::Answer) {
            let _ = arbiter.play(&Move::Contest { case_id: found.case_id }).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
