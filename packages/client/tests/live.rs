//! Against a running development chain: `testnet/devnet up`, then
//! `OPENLEDGER_TEST_RPC=http://127.0.0.1:26650 cargo test -p openledger-client --test live`.
//! `OPENLEDGER_TEST_CHAIN_ID` names another chain than openledger-1; `OPENLEDGER_TEST_WASM` names the
//! compiled datanet contract. Without the first variable every test here passes without a check and
//! says so.

use std::time::Duration;

use cosmwasm_std::Uint128;
use openledger_client::{Chain, ChainConfig, Coin, Error, Key, Signer};
use openledger_types::msg::datanet;

/// The settings; none when no chain was named.
fn config() -> Option<ChainConfig> {
    let Ok(rpc) = std::env::var("OPENLEDGER_TEST_RPC") else {
        eprintln!("skipped: OPENLEDGER_TEST_RPC is not set");
        return None;
    };
    let chain_id = std::env::var("OPENLEDGER_TEST_CHAIN_ID").unwrap_or_else(|_| "openledger-1".into());
    Some(ChainConfig { confirm_seconds: 30, ..ChainConfig::new(chain_id, rpc) })
}

/// An account of the development chain.
fn dev_key(name: &str) -> Key {
    let path = "../../testnet/dev-accounts.json";
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let account = file["accounts"].as_array().unwrap().iter().find(|a| a["name"] == name).unwrap();
    let key = Key::from_mnemonic(account["mnemonic"].as_str().unwrap()).unwrap();
    assert_eq!(key.address("openledger").unwrap(), account["address"].as_str().unwrap());
    key
}

/// A new account with coins from the deployer. The tests share that account from several processes'
/// threads, so a mismatch of its sequence is tried again.
async fn funded(chain: &Chain, amount: u128) -> Signer {
    let signer = chain.signer(Key::random().unwrap()).unwrap();
    let faucet = chain.signer(dev_key("deployer")).unwrap();
    for _ in 0..20 {
        match faucet.bank_send(signer.address(), &[Coin::new(amount, "uopen")]).await {
            Ok(_) => return signer,
            Err(Error::Sequence { .. } | Error::Unconfirmed { .. }) => continue,
            Err(e) => panic!("{e}"),
        }
    }
    panic!("the faucet is too busy");
}

#[tokio::test]
async fn the_endpoint_is_checked() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(config.clone()).await.unwrap();
    let status = chain.status().await.unwrap();
    assert_eq!(status.chain_id, config.chain_id);
    assert!(status.indexes && status.version.starts_with("0.38"));
    let next = chain.wait_for_next_block().await.unwrap();
    assert!(next > status.height);
    let late = chain.wait_for_height(next + 1_000_000, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(late, Error::Timeout { .. }), "{late}");

    let error =
        Chain::connect(ChainConfig { chain_id: "other-9".into(), ..config.clone() }).await.unwrap_err();
    assert!(matches!(&error, Error::WrongChain { actual, .. } if *actual == config.chain_id), "{error}");
    let nobody = ChainConfig { rpc: "http://user:secret@127.0.0.1:9".into(), ..config.clone() };
    let error = Chain::connect(nobody).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.retryable(), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    for rpc in ["ftp://127.0.0.1", "nonsense", "ws://127.0.0.1:1"] {
        let error = Chain::connect(ChainConfig { rpc: rpc.into(), ..config.clone() }).await.unwrap_err();
        assert!(matches!(error, Error::Config { field: "rpc", .. }), "{rpc}: {error}");
    }
}

#[tokio::test]
async fn coins_are_sent_and_refusals_are_named() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(config.clone()).await.unwrap();
    let stranger = chain.signer(Key::random().unwrap()).unwrap();
    assert!(matches!(chain.account(stranger.address()).await, Err(Error::NotFound(_))));
    let coin = |amount| [Coin::new(amount, "uopen")];
    let error = stranger.bank_send(stranger.address(), &coin(1)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error}");

    let alice = funded(&chain, 1_000_000).await;
    let result = alice.bank_send(stranger.address(), &coin(5)).await.unwrap();
    let paid = |e: &openledger_client::Event| {
        e.kind == "transfer" && e.attribute("recipient") == Some(stranger.address())
    };
    assert!(result.events.iter().any(paid), "{:?}", result.events);
    assert_eq!(chain.balance(stranger.address(), "uopen").await.unwrap(), 5);
    assert_eq!(chain.tx(&result.hash).await.unwrap(), result);
    assert!(result.gas_used < result.gas_wanted, "{result:?}");
    let fee = 1_000_000 - 5 - alice.balance().await.unwrap();
    assert_eq!(fee, u128::from(result.gas_wanted).div_ceil(400));

    let error = alice.bank_send(stranger.address(), &coin(10_000_000)).await.unwrap_err();
    assert!(matches!(error, Error::InsufficientFunds { .. }), "{error:?}");
    assert!(alice.bank_send("cosmos1nonsense", &coin(1)).await.is_err());
    assert!(matches!(alice.bank_send(stranger.address(), &[]).await, Err(Error::Input { .. })));
    let many: Vec<(String, Vec<Coin>)> =
        (0..10).map(|_| (stranger.address().to_string(), coin(7).to_vec())).collect();
    alice.bank_multi_send(&many).await.unwrap();
    assert_eq!(chain.balance(stranger.address(), "uopen").await.unwrap(), 75);

    let cheap = Chain::connect(ChainConfig { gas_price: "0.0000001".into(), ..config }).await.unwrap();
    let error = cheap.signer(alice.key().clone()).unwrap().bank_send(stranger.address(), &coin(1)).await;
    // A devnet may take any fee.
    assert!(matches!(error, Err(Error::InsufficientFee { .. }) | Ok(_)), "{error:?}");
}

#[tokio::test]
async fn sequences_stay_in_order() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(config).await.unwrap();
    let alice = funded(&chain, 10_000_000).await;
    let sink = Key::random().unwrap().address("openledger").unwrap();
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let (alice, sink) = (alice.clone(), sink.clone());
            tokio::spawn(async move { alice.bank_send(&sink, &[Coin::new(1, "uopen")]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(chain.balance(&sink, "uopen").await.unwrap(), 12);
    assert_eq!(chain.account(alice.address()).await.unwrap().sequence, 12);

    // A second program with the same key: the first finds its sequence again.
    let twin = chain.signer(alice.key().clone()).unwrap();
    for _ in 0..2 {
        twin.bank_send(&sink, &[Coin::new(1, "uopen")]).await.unwrap();
        alice.bank_send(&sink, &[Coin::new(1, "uopen")]).await.unwrap();
    }
    assert_eq!(chain.balance(&sink, "uopen").await.unwrap(), 16);
}

#[tokio::test]
async fn a_wait_ends_with_what_is_known() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(ChainConfig { confirm_seconds: 1, ..config }).await.unwrap();
    let height = chain.wait_for_height(4, Duration::from_secs(30)).await.unwrap();
    let hash = "AB".repeat(32);
    assert!(matches!(chain.tx(&hash).await, Err(Error::NotFound(_))));
    assert!(matches!(chain.tx("AB").await, Err(Error::Input { .. })));
    let error = chain.confirm(&hash, height - 2).await.unwrap_err();
    assert!(matches!(error, Error::Expired { .. }) && error.retryable(), "{error}");
    let error = chain.confirm(&hash, height + 1_000).await.unwrap_err();
    assert!(matches!(error, Error::Unconfirmed { .. }) && !error.retryable(), "{error}");
}

#[tokio::test]
async fn gas_that_ran_out_is_given_once_more() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(ChainConfig { gas_multiplier: "1".into(), ..config }).await.unwrap();
    let alice = funded(&Chain::connect(config_of(&chain)).await.unwrap(), 1_000_000).await;
    let tight = chain.signer(alice.key().clone()).unwrap();
    // Without a margin a transaction ends short of the gas of its own signature and fee bytes; each
    // must take effect all the same, once.
    let sink = Key::random().unwrap().address("openledger").unwrap();
    for _ in 0..3 {
        tight.bank_send(&sink, &[Coin::new(3, "uopen")]).await.unwrap();
    }
    assert_eq!(chain.balance(&sink, "uopen").await.unwrap(), 9);
    assert!(chain.account(alice.address()).await.unwrap().sequence > 3, "no send ran out of gas");
}

/// The same settings with the usual margin of gas.
fn config_of(chain: &Chain) -> ChainConfig {
    ChainConfig { gas_multiplier: "1.4".into(), ..chain.config().clone() }
}

#[tokio::test]
async fn contracts_are_stored_made_asked_and_called() {
    let Some(config) = config() else { return };
    let chain = Chain::connect(config).await.unwrap();
    let gov = chain.module_address("gov").await.unwrap();
    assert!(matches!(chain.module_address("nonsense").await, Err(Error::NotFound(_))));
    let absent = chain.query_smart::<_, serde_json::Value>(&gov, &datanet::QueryMsg::Config {}).await;
    assert!(matches!(absent, Err(Error::NotFound(_))), "{absent:?}");
    let Ok(wasm) = std::env::var("OPENLEDGER_TEST_WASM") else {
        eprintln!("skipped: OPENLEDGER_TEST_WASM is not set");
        return;
    };
    let alice = funded(&chain, 50_000_000).await;
    let code_id = alice.store_code(&std::fs::read(wasm).unwrap()).await.unwrap();
    let params = openledger_types::profile::Profile::devnet("uopen").datanet;
    let msg = datanet::InstantiateMsg { owner: gov.clone(), params: params.clone(), connect: None };
    let contract = alice.instantiate(code_id, &msg, "datanet", Some(&gov)).await.unwrap();
    let info = chain.contract_info(&contract).await.unwrap();
    assert_eq!((info.code_id, info.admin, info.label), (code_id, gov, "datanet".to_string()));
    let answer: datanet::ConfigResponse =
        chain.query_smart(&contract, &datanet::QueryMsg::Config {}).await.unwrap();
    assert_eq!(answer.params, params);

    let absent = datanet::QueryMsg::Datanet { datanet_id: 99 };
    let error = chain.query_smart::<_, datanet::DatanetResponse>(&contract, &absent).await.unwrap_err();
    assert!(matches!(&error, Error::Contract { hash: None, .. }), "{error:?}");
    let error = chain.query_smart::<_, u32>(&contract, &datanet::QueryMsg::Config {}).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    let refused = datanet::ExecuteMsg::SetPaused { paused: true };
    let error = alice.execute(&contract, &refused, &[]).await.unwrap_err();
    assert!(matches!(&error, Error::Contract { hash: None, .. }), "{error:?}");
    eprintln!("refused: {error}");

    let create = |name: &str| datanet::ExecuteMsg::CreateDatanet {
        name: name.into(),
        description: "for a test".into(),
        visibility: datanet::Visibility::Sealed,
        license: "CC0-1.0".into(),
        recipient: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p".into(),
        public_identity: None,
        min_data_bps: 1_000,
        floor_per_token: Uint128::zero(),
        policy: None,
        uses: None,
        training_price: None,
    };
    let result = alice.execute(&contract, &create("one"), &[]).await.unwrap();
    assert_eq!(result.contract_number(&contract, "datanet_id"), Some(1), "{:?}", result.events);
    let calls = ["two", "three"]
        .map(|name| (contract.clone(), serde_json::to_value(create(name)).unwrap(), vec![]))
        .to_vec();
    let result = alice.execute_many(calls).await.unwrap();
    assert_eq!(result.attributes(&contract, "datanet_id"), vec!["2", "3"]);
    assert_eq!(chain.query_raw(&contract, b"no such key").await.unwrap(), None);
    assert!(chain.query_raw(&contract, b"contract_info").await.unwrap().is_some());
}
