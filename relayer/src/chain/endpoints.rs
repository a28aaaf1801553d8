//! The endpoints of a chain: one is used until it fails, then the next.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openledger_client::{Chain, ChainConfig, Error as ClientError, Key, Signer};
use tokio::sync::Mutex;

use crate::config::ChainEntry;
use crate::error::{Error, Result};

/// The endpoints of a chain in the order of the configuration.
#[derive(Debug)]
pub struct Endpoints {
    configs: Vec<ChainConfig>,
    key: Option<Key>,
    slots: Vec<Mutex<Option<Connected>>>,
    current: AtomicUsize,
    patience: Duration,
}

#[derive(Clone, Debug)]
struct Connected {
    chain: Chain,
    signer: Option<Signer>,
}

impl Endpoints {
    pub(crate) fn new(entry: &ChainEntry, key: Option<Key>) -> Self {
        let first = entry.client.clone();
        let mut configs = vec![first.clone()];
        configs.extend(
            entry.backup_rpc_addrs.iter().map(|rpc| ChainConfig { rpc: rpc.clone(), ..first.clone() }),
        );
        Endpoints {
            slots: configs.iter().map(|_| Mutex::new(None)).collect(),
            configs,
            key,
            current: AtomicUsize::new(0),
            patience: entry.rpc_timeout,
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.configs.len()
    }

    /// Asks the endpoint in use; when it fails, does not answer in time or answers nonsense, the others
    /// in turn. Errors that come from the chain itself are final.
    pub async fn call<T, F, W>(&self, call: F) -> Result<T>
    where
        F: Fn(Chain) -> W,
        W: Future<Output = openledger_client::Result<T>>,
    {
        let mut last = None;
        for _ in 0..self.count() {
            let at = self.current.load(Ordering::Relaxed) % self.count();
            match self.call_at(at, &call).await {
                Ok(answer) => return Ok(answer),
                Err(e) if moves_on(&e) => last = Some(e),
                Err(source) => return Err(self.wrap(source)),
            }
            self.leave(at);
        }
        let none = || ClientError::Config { field: "rpc_addr", reason: "there is none".into() };
        Err(self.wrap(last.unwrap_or_else(none)))
    }

    /// Asks one endpoint, by its place in the configuration.
    pub async fn call_at<T, F, W>(&self, at: usize, call: F) -> openledger_client::Result<T>
    where
        F: Fn(Chain) -> W,
        W: Future<Output = openledger_client::Result<T>>,
    {
        let work = async { call(self.connected(at).await?.chain).await };
        match tokio::time::timeout(self.patience, work).await {
            Ok(answer) => answer,
            Err(_) => Err(self.silent(at)),
        }
    }

    /// The connection in use, for reading block by block.
    pub async fn chain(&self) -> Result<Chain> {
        self.call(|chain| async move { Ok(chain) }).await
    }

    /// The account that pays, at the endpoint in use. Errors: `NoKey`.
    pub async fn signer(&self) -> Result<Signer> {
        self.chain().await?;
        let at = self.current.load(Ordering::Relaxed) % self.count();
        let connected = self.connected(at).await.map_err(|e| self.wrap(e))?;
        connected.signer.ok_or_else(|| Error::NoKey { chain_id: self.chain_id().into() })
    }

    /// Goes to the next endpoint, unless another task has done so already.
    pub fn leave(&self, at: usize) {
        let next = at.wrapping_add(1) % self.count();
        let moved = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() && next != at {
            tracing::warn!(chain = self.chain_id(), "the endpoint fails; the next one is used");
        }
    }

    /// Leaves the endpoint in use after something it said was proved wrong.
    pub fn distrust(&self) {
        self.leave(self.current.load(Ordering::Relaxed) % self.count());
    }

    /// Leaves the endpoint in use after an error that another endpoint may not have.
    pub fn leave_after(&self, error: &ClientError) {
        if moves_on(error) {
            self.distrust();
        }
    }

    async fn connected(&self, at: usize) -> openledger_client::Result<Connected> {
        let (Some(slot), Some(config)) = (self.slots.get(at), self.configs.get(at)) else {
            return Err(ClientError::Config { field: "rpc_addr", reason: "there is none".into() });
        };
        let mut slot = slot.lock().await;
        if let Some(connected) = slot.as_ref() {
            return Ok(connected.clone());
        }
        let chain = Chain::connect(config.clone()).await?;
        let signer = self.key.clone().map(|key| chain.signer(key)).transpose()?;
        let connected = Connected { chain, signer };
        *slot = Some(connected.clone());
        Ok(connected)
    }

    fn chain_id(&self) -> &str {
        self.configs.first().map_or("", |c| c.chain_id.as_str())
    }

    fn silent(&self, at: usize) -> ClientError {
        let rpc = self.configs.get(at).map_or("", |c| c.rpc.rsplit('@').next().unwrap_or_default());
        ClientError::Unreachable {
            chain_id: self.chain_id().into(),
            rpc: rpc.into(),
            reason: format!("no answer within {} s", self.patience.as_secs()),
        }
    }

    fn wrap(&self, source: ClientError) -> Error {
        Error::Chain { chain_id: self.chain_id().into(), source }
    }
}

/// Whether another endpoint may do better.
fn moves_on(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Unreachable { .. }
            | ClientError::Malformed { .. }
            | ClientError::WrongChain { .. }
            | ClientError::Rpc(_)
            | ClientError::MempoolFull { .. }
    )
}
