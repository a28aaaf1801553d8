//! A disk that fills: what was confirmed stays, what was refused is asked for again.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

use openledger_node::journal::Journal;
use openledger_types::api::AnswerBundle;
use redb::{Database, StorageBackend};

use crate::support::*;

/// A disk that outlives the process which writes on it.
#[derive(Clone, Debug)]
struct Disk(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    room: u64,
}

impl Disk {
    fn new() -> Self {
        Disk(Arc::new(Mutex::new(Held { bytes: Vec::new(), room: u64::MAX })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap()
    }

    /// No byte more than there are.
    fn fill(&self) {
        let mut held = self.held();
        held.room = held.bytes.len() as u64;
    }

    fn free(&self) {
        self.held().room = u64::MAX;
    }

    fn journal(&self) -> Journal {
        let database = Database::builder().create_with_backend(self.clone()).unwrap();
        Journal::with_database(database, CHAIN, ESCROW, NODE).unwrap()
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.held().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let held = self.held();
        let start = offset as usize;
        let part = held.bytes.get(start..start + out.len()).ok_or(Error::other("out of range"))?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        let mut held = self.held();
        if len > held.room {
            return Err(ErrorKind::StorageFull.into());
        }
        held.bytes.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut held = self.held();
        let start = offset as usize;
        let part = held.bytes.get_mut(start..start + data.len()).ok_or(Error::other("out of range"))?;
        part.copy_from_slice(data);
        Ok(())
    }
}

async fn start(home: &std::path::Path, chain: &Arc<FakeChain>, disk: &Disk) -> World {
    let rote = Box::new(Rote::default());
    World::start_on(home, disk.journal(), chain.clone(), NODE, manifest(), rote, settings()).await
}

#[tokio::test]
async fn a_disk_that_fills_loses_no_receipt_and_no_voucher() {
    let home = tempfile::tempdir().unwrap();
    let (chain, disk) = (new_chain(), Disk::new());
    let world = start(home.path(), &chain, &disk).await;
    let mut user = User::open(&chain, 7);
    world.ask(&mut user, "before").await;
    disk.fill();
    let word = "x".repeat(30_000);
    let mut answered: Vec<AnswerBundle> = Vec::new();
    let (body, payment, refused) = loop {
        assert!(answered.len() < 500, "the disk does not fill");
        let (body, payment) = user.request(&word, 3);
        let response = world.send("/v1/completions", &body, Some(&payment)).await;
        if response.status() != 200 {
            break (body, payment, code(response).await);
        }
        let json: serde_json::Value = response.json().await.unwrap();
        let bundle: AnswerBundle = serde_json::from_value(json["openledger"].clone()).unwrap();
        user.take(&bundle);
        answered.push(bundle);
    };
    assert_eq!(refused, (503, "E-NODE-040".into()));
    // Full is full: nothing is promised that could not be kept, however often it is asked.
    let again = world.send("/v1/completions", &body, Some(&payment)).await;
    assert_eq!(code(again).await, (503, "E-NODE-040".into()));
    world.kill().await;

    // The operator frees space and starts it.
    disk.free();
    let world = start(home.path(), &chain, &disk).await;
    for bundle in &answered {
        let sequence = bundle.receipt.receipt.sequence;
        assert_eq!(world.node.journal.answer(7, sequence).unwrap().as_ref(), Some(bundle));
    }
    let response = world.send("/v1/completions", &body, Some(&payment)).await;
    assert_eq!(response.status(), 200);
    let json: serde_json::Value = response.json().await.unwrap();
    user.take(&serde_json::from_value(json["openledger"].clone()).unwrap());
    world.ask(&mut user, "after").await;
    let state = world.session(7).await;
    let fees: u128 = state.receipts.iter().map(|signed| signed.receipt.fee.u128()).sum();
    assert_eq!(state.receipts.len(), answered.len() + 3);
    assert_eq!((state.log.count, state.log.sum.u128()), (answered.len() as u64 + 3, fees));
    assert_eq!(state.log, user.acknowledged(), "the client's log is the node's");
}
