//! What only a bucket can meet: a service that fails, refuses or keeps what it should not.

use std::error::Error;
use std::time::Duration;

use axum::http::Method;
use openledger_store::{blob_id, BlobStore, BucketStore, Credentials, StoreError};

use crate::s3::{Service, Trouble};

type Outcome = Result<(), Box<dyn Error>>;

/// Code of the error and whether another try may help.
fn code<T: std::fmt::Debug>(result: Result<T, StoreError>) -> (&'static str, bool) {
    let error = result.unwrap_err();
    (error.code(), error.retryable())
}

#[test]
fn overload_that_passes_is_waited_for_and_overload_that_stays_is_said() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let (bytes, busy) = (vec![5; 30_000], Trouble::Status(503, "SlowDown"));
    let id = blob_id(&bytes);
    for method in [Method::GET, Method::PUT, Method::HEAD] {
        service.order(method, busy, 2);
    }
    assert!(store.put(&id, &bytes)?);
    service.order(Method::GET, busy, 2);
    assert_eq!(store.get(&id)?, Some(bytes));

    for method in [Method::GET, Method::HEAD] {
        service.order(method, busy, 9);
    }
    assert_eq!(code(store.get(&id)), ("E-STORE-017", true));
    assert_eq!(code(store.delete(&id)), ("E-STORE-017", true));
    service.calm();
    assert!(store.delete(&id)?);
    Ok(())
}

#[test]
fn a_service_that_is_silent_is_given_up_and_asked_again() -> Outcome {
    let service = Service::start();
    let bytes = vec![8; 1_000];
    let id = blob_id(&bytes);
    service.store("node 7")?.put(&id, &bytes)?;
    let mut settings = service.settings();
    settings.timeout = Duration::from_millis(700);
    let store = BucketStore::open(&settings, &service.credentials(), "node 7")?;
    service.order(Method::GET, Trouble::Silence, 1);
    assert_eq!(store.get(&id)?, Some(bytes));
    service.order(Method::GET, Trouble::Silence, 9);
    assert_eq!(code(store.get(&id)), ("E-STORE-017", true));
    Ok(())
}

#[test]
fn a_service_that_is_gone_is_unreachable() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let (settings, credentials) = (service.settings(), service.credentials());
    drop(service);
    assert_eq!(code(store.len()), ("E-STORE-017", true));
    assert_eq!(code(BucketStore::open(&settings, &credentials, "node 7")), ("E-STORE-017", true));
    Ok(())
}

#[test]
fn a_body_that_breaks_off_is_fetched_again_and_never_taken_for_the_blob() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let bytes = vec![9; 200_000];
    let id = blob_id(&bytes);
    store.put(&id, &bytes)?;
    service.order(Method::GET, Trouble::CutBody, 2);
    assert_eq!(store.get(&id)?, Some(bytes));
    service.order(Method::GET, Trouble::CutBody, 9);
    assert_eq!(code(store.get(&id)), ("E-STORE-017", true));
    Ok(())
}

#[test]
fn an_upload_of_which_a_part_arrived_is_an_error_and_leaves_nothing() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let bytes = vec![2; 5_000];
    let id = blob_id(&bytes);
    service.order(Method::PUT, Trouble::CutUpload, 1);
    let refused = store.put(&id, &bytes);
    assert!(matches!(refused, Err(StoreError::PartialUpload { sent: 5_000, arrived: 2_500 })), "{refused:?}");
    assert_eq!(code(refused), ("E-STORE-020", true));
    assert!(!store.has(&id)?);
    assert!(store.put(&id, &bytes)?);
    Ok(())
}

#[test]
fn a_missing_bucket_is_not_an_empty_one() -> Outcome {
    let service = Service::start();
    let mut elsewhere = service.settings();
    elsewhere.bucket = "another".to_owned();
    assert_eq!(code(BucketStore::open(&elsewhere, &service.credentials(), "node 7")), ("E-STORE-018", false));
    let store = service.store("node 7")?;
    service.lose_bucket();
    assert_eq!(code(store.get(&[1; 32])), ("E-STORE-018", false));
    assert_eq!(code(store.len()), ("E-STORE-018", false));
    let bytes = [1; 10];
    assert_eq!(code(store.put(&blob_id(&bytes), &bytes)), ("E-STORE-018", false));
    Ok(())
}

#[test]
fn wrong_credentials_are_refused_and_never_shown() -> Outcome {
    let service = Service::start();
    for (key_id, secret) in [("AKIATEST", "another secret"), ("AKIAOTHER", "another secret")] {
        let wrong = Credentials { key_id: key_id.to_owned(), secret: secret.to_owned().into(), token: None };
        let refused = BucketStore::open(&service.settings(), &wrong, "node 7");
        assert!(!format!("{refused:?} {wrong:?}").contains(secret));
        assert_eq!(code(refused), ("E-STORE-019", false));
    }
    let store = service.store("node 7")?;
    service.order(Method::HEAD, Trouble::Status(403, "AccessDenied"), 1);
    assert_eq!(code(store.has(&[1; 32])), ("E-STORE-019", false));
    service.order(Method::GET, Trouble::Status(400, "ExpiredToken"), 1);
    assert_eq!(code(store.get(&[1; 32])), ("E-STORE-019", false));
    Ok(())
}

#[test]
fn a_deletion_that_erases_nothing_is_an_error() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let bytes = vec![4; 100];
    let id = blob_id(&bytes);
    store.put(&id, &bytes)?;
    service.order(Method::DELETE, Trouble::KeptDeletion, 1);
    assert_eq!(code(store.delete(&id)), ("E-STORE-021", false));
    assert!(store.delete(&id)?);
    assert!(!service.keys().iter().any(|key| key.contains("blobs")), "{:?}", service.keys());
    Ok(())
}

#[test]
fn a_bucket_that_keeps_versions_is_refused_also_when_it_begins_to_later() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    service.version_objects();
    assert_eq!(code(service.store("node 7")), ("E-STORE-021", false));
    let bytes = [1; 10];
    assert_eq!(code(store.put(&blob_id(&bytes), &bytes)), ("E-STORE-021", false));
    Ok(())
}

#[test]
fn a_prefix_has_one_owner() -> Outcome {
    let service = Service::start();
    drop(service.store("node 7 on chain-1")?);
    drop(service.store("node 7 on chain-1")?);
    let refused = service.store("node 8 on chain-1");
    assert!(matches!(&refused, Err(StoreError::Taken(who)) if who == "node 7 on chain-1"), "{refused:?}");
    assert_eq!(code(refused), ("E-STORE-022", false));
    let mut beside = service.settings();
    beside.prefix = "nodes/8".to_owned();
    let other = BucketStore::open(&beside, &service.credentials(), "node 8 on chain-1")?;
    let bytes = [1; 10];
    other.put(&blob_id(&bytes), &bytes)?;
    assert!(service.store("node 7 on chain-1")?.is_empty()?);
    Ok(())
}

#[test]
fn a_full_service_is_a_full_disk() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let bytes = [1; 10];
    service.order(Method::PUT, Trouble::Status(507, "XMinioStorageFull"), 9);
    assert_eq!(code(store.put(&blob_id(&bytes), &bytes)), ("E-STORE-010", true));
    Ok(())
}

#[test]
fn nothing_is_sent_for_bytes_that_are_there_already() -> Outcome {
    let service = Service::start();
    let store = service.store("node 7")?;
    let bytes = vec![6; 3_000];
    store.put(&blob_id(&bytes), &bytes)?;
    let before = service.count(&Method::PUT);
    store.put(&blob_id(&bytes), &bytes)?;
    assert_eq!(service.count(&Method::PUT), before);
    Ok(())
}

/// Handlers and loops of a node call a store from threads of their runtime as well.
#[test]
fn a_bucket_can_be_used_and_dropped_within_a_runtime() -> Outcome {
    let service = Service::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kept = runtime.block_on(async {
        let store = service.store("node 7")?;
        let bytes = [1; 10];
        store.put(&blob_id(&bytes), &bytes)
    })?;
    assert!(kept);
    Ok(())
}

#[test]
fn settings_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let service = Service::start();
    let changes: [fn(&mut openledger_store::S3Settings); 7] = [
        |s| s.bucket = "a/b/c".to_owned(),
        |s| s.bucket = String::new(),
        |s| s.region = "eu west".to_owned(),
        |s| s.prefix = String::new(),
        |s| s.prefix = "a/../b".to_owned(),
        |s| s.endpoint = Some("ftp://127.0.0.1".to_owned()),
        |s| s.endpoint = Some("http://user:word@127.0.0.1".to_owned()),
    ];
    for change in changes {
        let mut settings = service.settings();
        change(&mut settings);
        let refused = BucketStore::open(&settings, &service.credentials(), "node 7");
        assert_eq!(code(refused), ("E-STORE-023", false), "{settings:?}");
    }
    assert_eq!(service.count(&Method::GET), 0);
}

#[test]
fn credentials_come_from_variables_or_a_private_file() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let set = |name: &str| (name != "AWS_SESSION_TOKEN").then(|| name.to_owned());
    let found = Credentials::from_env(set)?;
    assert_eq!((found.key_id.as_str(), found.token.is_none()), ("AWS_ACCESS_KEY_ID", true));
    assert_eq!(code(Credentials::from_env(|_| None)), ("E-STORE-023", false));

    let folder = tempfile::tempdir()?;
    let path = folder.path().join("credentials");
    let text = "[other]\naws_access_key_id = X\n[default]\naws_access_key_id = A\naws_secret_access_key=B=\n";
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
    assert_eq!(code(Credentials::from_file(&path)), ("E-STORE-023", false));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    assert_eq!(Credentials::from_file(&path)?.key_id, "A");
    std::fs::write(&path, "[default]\naws_access_key_id = A\n")?;
    assert_eq!(code(Credentials::from_file(&path)), ("E-STORE-023", false));
    assert_eq!(code(Credentials::from_file(&folder.path().join("none"))), ("E-STORE-023", false));
    Ok(())
}

/// Against a service that is not ours: `OPENLEDGER_TEST_S3` has its URL, `OPENLEDGER_TEST_S3_BUCKET` an existing
/// bucket, the `AWS_` variables the credentials.
#[test]
fn another_service_does_the_same_when_one_is_named() -> Outcome {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(endpoint), Some(bucket)) =
        (variable("OPENLEDGER_TEST_S3"), variable("OPENLEDGER_TEST_S3_BUCKET"))
    else {
        println!("skipped: OPENLEDGER_TEST_S3 and OPENLEDGER_TEST_S3_BUCKET name no service");
        return Ok(());
    };
    let settings = openledger_store::S3Settings {
        bucket,
        region: variable("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint: Some(endpoint),
        prefix: format!("openledger-test/{}", std::process::id()),
        timeout: Duration::from_secs(20),
        retries: 2,
    };
    let store = BucketStore::open(&settings, &Credentials::from_env(variable)?, "a test")?;
    let blobs: Vec<Vec<u8>> = (0..12u8).map(|number| vec![number; 100_000 * usize::from(number)]).collect();
    for bytes in &blobs {
        assert!(store.put(&blob_id(bytes), bytes)?);
        assert!(!store.put(&blob_id(bytes), bytes)?);
        assert_eq!(store.get(&blob_id(bytes))?.as_ref(), Some(bytes));
    }
    let (ids, missing) = (store.ids(None, 100)?, blob_id(b"never put"));
    assert_eq!((ids.len(), store.len()?), (12, 12));
    assert_eq!(store.ids(Some(&ids[4]), 5)?, ids[5..10]);
    assert_eq!((store.get(&missing)?, store.has(&missing)?, store.delete(&missing)?), (None, false, false));
    for id in &ids {
        assert!(store.delete(id)?);
    }
    assert!(store.is_empty()?);
    Ok(())
}
