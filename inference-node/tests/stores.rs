//! A node's store as its config chooses it, against an S3-like service.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use openledger_node::config::{Config, Home, StoreKind, EXAMPLE};
use openledger_node::stores;
use openledger_store::{blob_id, BlobStore, Moved, RedbStore};

#[path = "../../packages/store/tests/s3/mod.rs"]
#[allow(dead_code)] // Of its troubles only some are wanted here.
mod s3;

/// The config of node 7, whose blobs are in the service's bucket.
fn config(service: &s3::Service, home: &Home) -> Config {
    let credentials = home.0.join("credentials");
    let text =
        format!("[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n", s3::KEY_ID, s3::SECRET);
    std::fs::write(&credentials, text).unwrap();
    std::fs::set_permissions(&credentials, std::fs::Permissions::from_mode(0o600)).unwrap();
    let quoted = |text: &str| format!("\"{text}\"");
    let values = [
        ("node_id", "7".to_owned()),
        ("storage.store", quoted("s3")),
        ("storage.s3.bucket", quoted(s3::BUCKET)),
        ("storage.s3.region", quoted(s3::REGION)),
        ("storage.s3.endpoint", quoted(&service.settings().endpoint.unwrap())),
        ("storage.s3.credentials", quoted(&credentials.display().to_string())),
        ("storage.s3.retries", "1".to_owned()),
    ];
    toml::from_str(&Config::edit(EXAMPLE, Path::new("config.toml"), &values).unwrap()).unwrap()
}

#[test]
fn blobs_move_into_the_bucket_that_the_config_names_and_back() {
    let (service, folder) = (s3::Service::start(), tempfile::tempdir().unwrap());
    let home = Home(folder.path().to_owned());
    let mut config = config(&service, &home);
    let blobs: Vec<Vec<u8>> = (1..=3u8).map(|number| vec![number; 20_000]).collect();
    let embedded = RedbStore::open(&home.blobs()).unwrap();
    for bytes in &blobs {
        embedded.put(&blob_id(bytes), bytes).unwrap();
    }
    drop(embedded);

    let all = Moved { entries: 3, bytes: 60_000, damaged: Vec::new() };
    assert_eq!(stores::move_blobs(&config, &home).unwrap(), all);
    let store = stores::open(&config, &home).unwrap();
    for bytes in &blobs {
        assert_eq!(store.get(&blob_id(bytes)).unwrap().as_ref(), Some(bytes));
    }
    drop(store);
    assert!(service.keys().iter().all(|key| key.starts_with("openledger/openledger-1/node-7/")));
    assert!(RedbStore::open(&home.blobs()).unwrap().is_empty().unwrap());
    assert_eq!(stores::move_blobs(&config, &home).unwrap(), Moved::default());

    config.storage.store = StoreKind::Embedded;
    assert_eq!(stores::move_blobs(&config, &home).unwrap(), all);
    assert_eq!(stores::open(&config, &home).unwrap().len().unwrap(), 3);
    assert!(!service.keys().iter().any(|key| key.contains("blobs/1")));
}

#[test]
fn a_bucket_that_cannot_be_used_says_why_and_whether_to_try_again() {
    let (service, folder) = (s3::Service::start(), tempfile::tempdir().unwrap());
    let home = Home(folder.path().to_owned());
    let good = config(&service, &home);
    let fault = |change: fn(&mut Config)| {
        let mut config = good.clone();
        change(&mut config);
        let fault = stores::open(&config, &home).err().unwrap();
        assert!(!fault.to_string().contains(s3::SECRET));
        (fault.code, fault.retry)
    };
    drop(stores::open(&good, &home).unwrap());
    assert_eq!(fault(|c| c.storage.s3.bucket = "another".to_owned()), ("E-STORE-018", false));
    assert_eq!(fault(|c| c.storage.s3.bucket.clear()), ("E-STORE-023", false));
    assert_eq!(fault(|c| c.storage.s3.credentials.push("none")), ("E-STORE-023", false));
    assert_eq!(
        fault(|c| {
            c.storage.s3.prefix = "openledger/openledger-1/node-7".to_owned();
            c.node_id = 8;
        }),
        ("E-STORE-022", false)
    );
    let mut chosen = good.clone();
    chosen.storage.store = StoreKind::Embedded;
    chosen.storage.s3.bucket.clear();
    assert_eq!(stores::move_blobs(&chosen, &home).err().unwrap().code, "E-CONFIG-010");
    drop(service);
    assert_eq!(fault(|_| {}), ("E-STORE-017", true));
}
