//! Which store a node's blobs are in: the embedded one, or a bucket, as its config says.

use std::sync::Arc;

use openledger_store::{move_all, BucketStore, Credentials, Moved, RedbStore, S3Settings};

use crate::config::{Config, Home, StoreKind};
use crate::fault::{Fault, Result};
use crate::serve::{store_fault, Store};

/// Opens the store that the config chooses. Blocks.
///
/// # Errors
/// Those of the store (`E-STORE-…`), with the file or bucket they concern.
pub fn open(config: &Config, home: &Home) -> Result<Store> {
    match config.storage.store {
        StoreKind::Embedded => embedded(home),
        StoreKind::S3 => {
            if home.blobs().exists() && !embedded(home)?.is_empty().map_err(store_fault)? {
                tracing::warn!(
                    code = "E-CONFIG-009",
                    file = %home.blobs().display(),
                    "blobs of this node are still in the embedded store; stop it and run \
                     `openledger-node move-blobs`"
                );
            }
            bucket(config)
        }
    }
}

/// Moves all blobs into the store that the config chooses, out of the other one. The node does not run.
/// Blocks.
///
/// # Errors
/// Those of either store; what is moved until then is moved. `E-CONFIG-010` when there is no other store.
pub fn move_blobs(config: &Config, home: &Home) -> Result<Moved> {
    let (from, to) = match config.storage.store {
        StoreKind::Embedded if config.storage.s3.bucket.is_empty() => {
            return Err(Fault::invalid(
                "E-CONFIG-010",
                "the embedded store is chosen and no bucket is named: there is nothing to move",
                "Write store = \"s3\" and the bucket into [storage], or keep the bucket there to move back.",
            ));
        }
        StoreKind::Embedded => (bucket(config)?, embedded(home)?),
        StoreKind::S3 => (embedded(home)?, bucket(config)?),
    };
    move_all(from.as_ref(), to.as_ref()).map_err(store_fault)
}

fn embedded(home: &Home) -> Result<Store> {
    let path = home.blobs();
    let store = RedbStore::open(&path).map_err(|error| {
        let mut fault = store_fault(error);
        fault.what = format!("{}: {}", path.display(), fault.what);
        fault
    })?;
    Ok(Arc::new(store))
}

fn bucket(config: &Config) -> Result<Store> {
    let s3 = &config.storage.s3;
    let settings = S3Settings {
        bucket: s3.bucket.clone(),
        region: s3.region.clone(),
        endpoint: Some(s3.endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
        prefix: match s3.prefix.is_empty() {
            true => format!("openledger/{}/node-{}", config.chain.chain_id, config.node_id),
            false => s3.prefix.clone(),
        },
        timeout: std::time::Duration::from_millis(s3.timeout_ms.clamp(100, 600_000)),
        retries: s3.retries.min(20),
    };
    let credentials = match s3.credentials.as_os_str().is_empty() {
        true => Credentials::from_env(|name| std::env::var(name).ok()),
        false => Credentials::from_file(&s3.credentials),
    }
    .map_err(store_fault)?;
    let owner = format!("node {} on {}", config.node_id, config.chain.chain_id);
    let store = BucketStore::open(&settings, &credentials, &owner).map_err(|error| {
        let mut fault = store_fault(error);
        fault.what = format!("bucket {:?}: {}", settings.bucket, fault.what);
        fault
    })?;
    Ok(Arc::new(store))
}
