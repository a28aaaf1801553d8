//! What can go wrong between two real chains, beside what the test `relay` does: callbacks that fail, hostile
//! memos and acknowledgements, keys that cannot pay or are used twice, clients that have expired, chains that
//! stop, and stock Hermes on the same channel.
//!
//! Needs `OPENLEDGER_TEST_PAIR` as the test `relay` does. `OPENLEDGER_TEST_PAIR_HOME`, the folder of the pair,
//! lets it stop and start a chain; `OPENLEDGER_TEST_HERMES`, a program, adds Hermes.

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use ibc_proto::ibc::core::client::v1::MsgRecoverClient;
use openledger_client::proto::cosmos::gov::v1::{
    MsgSubmitProposal, MsgVote, QueryProposalRequest, QueryProposalResponse,
};
use openledger_client::{Any, Key};
use openledger_relayer::chain::message::ChannelKind;
use openledger_relayer::chain::ChainHandle;
use openledger_relayer::core::plan::{Action, Alarm};
use openledger_relayer::core::state::Side;
use openledger_relayer::link::link;
use openledger_relayer::relay::Relay;
use openledger_relayer::telemetry::Metrics;
use prost::{Message, Name};
use support::{
    config, devnet, handles, hermes, key, pair, proxy, relayer, relayer_with, settle, World, HOUR, SECOND,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_in_trouble() {
    let Some((a, b)) = pair() else {
        eprintln!("skipped: OPENLEDGER_TEST_PAIR is not set");
        return;
    };
    let world = World::new(&a, &b).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let start = Instant::now();
    let say = |what: &str| eprintln!("{what} after {} s", start.elapsed().as_secs());

    settle(&mut relayer(&world.config, "auditor", &world.linked, &at("left"))).await;
    callbacks_that_fail_hold_nothing_up(&world, &at("callback")).await;
    say("callbacks failed");
    a_memo_changes_no_other_field(&world, &at("memo")).await;
    say("memos injected");
    false_acknowledgements_are_found_out(&world, &at("ack"), &a, &b).await;
    say("false acknowledgements found out");
    a_false_header_is_found_out(&world, &at("header"), &a, &b).await;
    say("false header found out");
    a_wrong_prefix_sends_nothing(&world, &at("prefix"), &a, &b).await;
    say("wrong prefix");
    a_key_without_coins_waits_for_some(&world, &at("poor")).await;
    say("key without coins");
    two_relayers_with_one_key_finish(&world, folder.path()).await;
    say("one key, two relayers");
    an_expired_client_is_recovered_by_governance(&world, &at("expired"), &a, &b).await;
    say("client expired and recovered");
    match std::env::var("OPENLEDGER_TEST_PAIR_HOME") {
        Ok(home) => {
            a_chain_that_stops_comes_back(&world, &at("stopped"), Path::new(&home), &b).await;
            say("chain stopped and restarted");
        }
        Err(_) => eprintln!("skipped: OPENLEDGER_TEST_PAIR_HOME is not set"),
    }
    match hermes::Hermes::find(&a, &b, &world, &at("hermes")) {
        Some(hermes) => {
            hermes_serves_the_same_channel(&world, &hermes, &at("beside")).await;
            say("hermes on the same channel");
        }
        None => eprintln!("skipped: OPENLEDGER_TEST_HERMES is not set; scripts/hermes compiles it"),
    }
    // The last: the channel stays closed.
    if let Ok(home) = std::env::var("OPENLEDGER_TEST_PAIR_HOME") {
        a_closed_channel_gives_packets_back(&world, &at("closed"), Path::new(&home)).await;
        say("channel closed");
    }
}

/// A source callback and destination callbacks that cannot succeed: no contract there, hardly any gas.
async fn callbacks_that_fail_hold_nothing_up(world: &World, folder: &Path) {
    let users = [world.users[0].address().to_string(), world.users[1].address().to_string()];
    let escrowed = world.escrowed(0).await;
    let arrived = world.arrived(0, &users[1]).await;
    let source = format!(r#"{{"src_callback":{{"address":"{}"}}}}"#, users[0]);
    let gone = format!(r#"{{"dest_callback":{{"address":"{}","gas_limit":"300000"}}}}"#, users[1]);
    let starved = format!(r#"{{"dest_callback":{{"address":"{}","gas_limit":"1"}}}}"#, users[1]);
    let metrics = Metrics::default();
    let relay = relayer(&world.config, "auditor", &world.linked, folder).counted(metrics.clone());
    let serving = Serving::start(relay);
    serving.reads().await;
    let messages = [(100, &source), (20, &gone), (3, &starved)];
    let messages = messages.iter().map(|(n, memo)| world.transfer(0, &users[1], *n, HOUR, memo)).collect();
    world.send(0, messages).await;
    world.wait_until_clear().await;
    serving.stop().await;
    // The source callback's failure keeps the money where it is; a destination callback that fails sends
    // it back, as an error of the receiver; only the first needs a hand.
    assert_eq!(world.arrived(0, &users[1]).await, arrived + 100);
    assert_eq!(world.escrowed(0).await, escrowed + 100);
    assert_eq!(metrics.sum("callback_failures_total", "openledger-1"), 1.0);
    assert_eq!(metrics.sum("callback_failures_total", "peer-1"), 0.0);
}

async fn a_memo_changes_no_other_field(world: &World, folder: &Path) {
    let user = world.users[1].address().to_string();
    let thief = key("node").address("peer").unwrap();
    let escrowed = world.escrowed(0).await;
    let (before, stolen) = (world.arrived(0, &user).await, world.arrived(0, &thief).await);
    let memos = [
        format!(r#"","receiver":"{thief}","amount":"1000000","x":""#),
        format!(r#"{{"receiver":"{thief}"}}"#),
        r#"{"dest_callback":"no object"}"#.to_string(),
        r#"{"dest_callback":{"address":"nobody","gas_limit":"99999999999999999999999999"}}"#.to_string(),
        r#"{"src_callback":[1,2,3]}"#.to_string(),
        "\u{0}\r\n\u{1b}[31m E-RELAYER-000 \u{202e}".to_string(),
        "[".repeat(30_000),
    ];
    let mut sent = 0;
    for memo in &memos {
        // One by one: the chain itself refuses some when they are sent.
        let message = world.transfer(0, &user, 5, HOUR, memo);
        sent += u32::from(world.users[0].broadcast(vec![message], "").await.is_ok());
    }
    assert!(sent >= 5, "only {sent} memos were taken");
    settle(&mut relayer(&world.config, "auditor", &world.linked, folder)).await;
    // Some arrive, those with a callback that cannot be come back; no coin goes elsewhere.
    let arrived = world.arrived(0, &user).await - before;
    assert!(arrived >= 15, "{arrived}");
    assert_eq!(world.escrowed(0).await - escrowed, arrived);
    assert_eq!(world.arrived(0, &thief).await, stolen);
}

/// An endpoint whose blocks show acknowledgements that the chain has not written.
async fn false_acknowledgements_are_found_out(world: &World, folder: &Path, a: &str, b: &str) {
    let user = world.users[1].address().to_string();
    let (before, escrowed) = (world.arrived(0, &user).await, world.escrowed(0).await);
    // {"error":"x"} in place of {"result":"AQ=="}: the sender would be paid back what has arrived.
    let (truth, lie) = (hex::encode(br#"{"result":"AQ=="}"#), hex::encode(br#"{"error":"x"}"#));
    let liar = proxy(b, move |_, answer| answer.replace(&truth, &lie)).await;
    let mut lied_to = config(a, &liar, "14d", "");
    lied_to.chains[1].backup_rpc_addrs = vec![b.into()];
    let serving = Serving::start(relayer(&lied_to, "auditor", &world.linked, folder));
    serving.reads().await;
    world.send(0, vec![world.transfer(0, &user, 17, HOUR, "")]).await;
    world.wait_until_clear().await;
    serving.stop().await;
    assert_eq!(world.arrived(0, &user).await, before + 17);
    assert_eq!(world.escrowed(0).await, escrowed + 17);
}

/// An endpoint whose blocks have another root than the validators have signed.
async fn a_false_header_is_found_out(world: &World, folder: &Path, a: &str, b: &str) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let liar = proxy(a, |question, answer| {
        let mut answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let root = &mut answer["result"]["signed_header"]["header"]["app_hash"];
        if question["method"] == "commit" && root.is_string() {
            *root = "00".repeat(32).into();
        }
        answer.to_string()
    })
    .await;
    let mut lied_to = config(&liar, b, "14d", "");
    world.send(0, vec![world.transfer(0, &user, 19, HOUR, "")]).await;
    let mut alone = relayer(&lied_to, "auditor", &world.linked, &folder.join("alone"));
    assert_eq!(alone.round().await.map_or(0, |round| round.done), 0);
    assert_eq!(world.arrived(0, &user).await, before);
    lied_to.chains[0].backup_rpc_addrs = vec![a.into()];
    settle(&mut relayer(&lied_to, "auditor", &world.linked, &folder.join("both"))).await;
    assert_eq!(world.arrived(0, &user).await, before + 19);
}

async fn a_wrong_prefix_sends_nothing(world: &World, folder: &Path, a: &str, b: &str) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let mut wrong = config(a, b, "14d", "");
    wrong.chains[1].client.prefix = "cosmos".into();
    world.send(0, vec![world.transfer(0, &user, 3, HOUR, "")]).await;
    let mut relay = relayer(&wrong, "auditor", &world.linked, &folder.join("wrong"));
    let round = relay.round().await;
    assert!(round.map_or(0, |round| round.done) == 0);
    assert_eq!(world.arrived(0, &user).await, before);
    settle(&mut relayer(&world.config, "auditor", &world.linked, &folder.join("right"))).await;
    assert_eq!(world.arrived(0, &user).await, before + 3);
}

async fn a_key_without_coins_waits_for_some(world: &World, folder: &Path) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let poor = Key::random().unwrap();
    world.send(0, vec![world.transfer(0, &user, 9, HOUR, "")]).await;
    let mut relay = relayer_with(&world.config, &poor, &world.linked, &folder.join("poor"));
    let round = relay.round().await.unwrap();
    assert!(round.due > 0 && round.done == 0 && round.refused == 0, "{round:?}");
    assert_eq!(world.arrived(0, &user).await, before);
    drop(relay);
    for (i, (prefix, denom)) in [("openledger", "uopen"), ("peer", "upeer")].into_iter().enumerate() {
        let coins = [openledger_client::Coin::new(1_000_000, denom)];
        world.users[i].bank_send(&poor.address(prefix).unwrap(), &coins).await.unwrap();
    }
    settle(&mut relayer_with(&world.config, &poor, &world.linked, &folder.join("paid"))).await;
    assert_eq!(world.arrived(0, &user).await, before + 9);
}

async fn two_relayers_with_one_key_finish(world: &World, folder: &Path) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let one = Serving::start(relayer(&world.config, "auditor", &world.linked, &folder.join("key-one")));
    let two = Serving::start(relayer(&world.config, "auditor", &world.linked, &folder.join("key-two")));
    for _ in 0..4 {
        world.send(0, (0..10).map(|_| world.transfer(0, &user, 2, HOUR, "")).collect()).await;
    }
    world.wait_until_clear().await;
    one.stop().await;
    two.stop().await;
    assert_eq!(world.arrived(0, &user).await, before + 80);
}

/// Nobody refreshes two clients until they have expired. Their packets wait, nothing is sent, and once
/// governance has replaced the clients everything arrives.
async fn an_expired_client_is_recovered_by_governance(world: &World, folder: &Path, a: &str, b: &str) {
    // Shorter than the configuration takes from an operator.
    let mut short = config(a, b, "60s", "");
    for chain in &mut short.chains {
        chain.trusting_period = Duration::from_secs(15);
    }
    let (near, far) = handles(&short, "auditor");
    let linked = link(&near, &far, &ChannelKind::transfer(), None).await.unwrap();
    let mut old = World { users: world.users.clone(), linked: linked.clone(), config: short.clone() };
    let user = world.users[1].address().to_string();
    old.send(0, vec![old.transfer(0, &user, 21, HOUR, "")]).await;
    tokio::time::sleep(Duration::from_secs(18)).await;

    let mut relay = relayer(&short, "auditor", &linked, &folder.join("expired"));
    let plan = relay.plan().await.unwrap();
    for side in [Side::A, Side::B] {
        assert!(plan.alarms.contains(&(side, Alarm::ClientExpired)), "{:?}", plan.alarms);
    }
    assert_eq!((plan.actions, relay.round().await.unwrap().due), (vec![], 0));
    drop(relay);

    // The substitutes have the same settings but for the trusting period; a packet makes them the newer ones.
    world.send(0, vec![world.transfer(0, &user, 1, HOUR, "")]).await;
    settle(&mut relayer(&world.config, "auditor", &world.linked, &folder.join("fresh"))).await;
    for (i, chain, subject, substitute) in
        [(0, &near, &linked.a, &world.linked.a), (1, &far, &linked.b, &world.linked.b)]
    {
        let message = MsgRecoverClient {
            subject_client_id: subject.client.clone(),
            substitute_client_id: substitute.client.clone(),
            signer: world.users[i].chain().module_address("gov").await.unwrap(),
        };
        pass(chain, i, any(&message)).await;
    }
    old.config = world.config.clone();
    settle(&mut relayer(&old.config, "auditor", &linked, &folder.join("recovered"))).await;
    assert_eq!(old.arrived(0, &user).await, 21);
}

/// Proposes a message and votes for it with all the stake there is.
async fn pass(chain: &ChainHandle, index: usize, message: Any) {
    let chain = chain.endpoints().chain().await.unwrap();
    let validator = chain.signer(key("validator")).unwrap();
    let denom = ["uopen", "upeer"][index].to_string();
    let submit = MsgSubmitProposal {
        messages: vec![message],
        initial_deposit: vec![openledger_client::proto::cosmos::base::v1beta1::Coin {
            denom,
            amount: "2000000".into(),
        }],
        proposer: validator.address().into(),
        title: "Recover a client".into(),
        summary: "It has expired".into(),
        expedited: true,
        ..MsgSubmitProposal::default()
    };
    let sent = validator.broadcast(vec![any(&submit)], "").await.unwrap();
    let proposal_id = sent.attribute("submit_proposal", "proposal_id").unwrap().parse().unwrap();
    let vote = MsgVote { proposal_id, voter: validator.address().into(), option: 1, metadata: String::new() };
    validator.broadcast(vec![any(&vote)], "").await.unwrap();
    for _ in 0..100 {
        let answer: QueryProposalResponse = chain
            .query("/cosmos.gov.v1.Query/Proposal", &QueryProposalRequest { proposal_id })
            .await
            .unwrap();
        let proposal = answer.proposal.unwrap();
        match proposal.status {
            3 => return,
            4 | 5 => panic!("not passed: {}", proposal.failed_reason),
            _ => chain.wait_for_next_block().await.unwrap(),
        };
    }
    panic!("the vote does not end");
}

/// The second chain stops while packets are on their way, and comes back. The relayer runs all the time.
async fn a_chain_that_stops_comes_back(world: &World, folder: &Path, home: &Path, b: &str) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let serving = Serving::start(relayer(&world.config, "auditor", &world.linked, folder));
    serving.reads().await;
    devnet::down(home);
    world.send(0, (0..5).map(|_| world.transfer(0, &user, 6, HOUR, "")).collect()).await;
    // A packet that times out while the chain stands: without a newer block of it nobody can prove that.
    world.send(0, vec![world.transfer(0, &user, 1_000, 3 * SECOND, "")]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!serving.error().is_empty(), "a chain that does not answer is named");
    devnet::up(home);
    assert!(openledger_client::Chain::connect(world.config.chains[1].client.clone()).await.is_ok(), "{b}");
    world.wait_until_clear().await;
    serving.stop().await;
    assert_eq!(world.arrived(0, &user).await, before + 30);
}

/// The other end's channel is closed: what has not arrived can no longer arrive, and comes back before its
/// time.
async fn a_closed_channel_gives_packets_back(world: &World, folder: &Path, home: &Path) {
    let user = world.users[1].address().to_string();
    settle(&mut relayer(&world.config, "auditor", &world.linked, &folder.join("before"))).await;
    let (arrived, escrowed) = (world.arrived(0, &user).await, world.escrowed(0).await);
    world.send(0, (0..3).map(|_| world.transfer(0, &user, 8, HOUR, "")).collect()).await;
    devnet::restart_with_closed_channel(home, &world.linked.b.channel);
    for _ in 0..2 {
        world.users[1].chain().wait_for_next_block().await.unwrap();
    }
    let mut relay = relayer(&world.config, "auditor", &world.linked, &folder.join("after"));
    let plan = relay.plan().await.unwrap();
    let closed = |action: &&Action| matches!(action, Action::TimeoutOnClose { on: Side::A, .. });
    assert_eq!(plan.actions.iter().filter(closed).count(), 3, "{plan:?}");
    settle(&mut relay).await;
    assert_eq!((world.arrived(0, &user).await, world.escrowed(0).await), (arrived, escrowed));
}

/// Hermes does what ours does; ours finishes what Hermes has left; both at once pay nothing twice.
async fn hermes_serves_the_same_channel(world: &World, hermes: &hermes::Hermes, folder: &Path) {
    let users = [world.users[0].address().to_string(), world.users[1].address().to_string()];
    let before = [world.arrived(0, &users[1]).await, world.arrived(1, &users[0]).await];
    let escrowed = world.escrowed(0).await;
    let send = |count: usize, amount: u64| async move {
        for from in [0, 1] {
            let to = world.users[1 - from].address();
            world.send(from, (0..count).map(|_| world.transfer(from, to, amount, HOUR, "")).collect()).await;
        }
    };
    // The same packets as ours gets: some arrive, one is refused and one times out; both come back.
    let nobody = world.transfer(0, "peer1nobody", 500, HOUR, "");
    let late = world.transfer(0, &users[1], 700, 2 * SECOND, "");
    world.send(0, vec![nobody, late]).await;
    send(10, 3).await;
    let alone = hermes.start();
    world.wait_until_clear().await;
    drop(alone);
    assert_eq!(world.escrowed(0).await, escrowed + 30);
    assert_eq!(world.arrived(0, &users[1]).await, before[0] + 30);

    // Killed as soon as something has arrived: acknowledgements are left, perhaps packets too.
    send(40, 5).await;
    let killed = hermes.start();
    world.wait_for_arrival(0, &users[1], before[0] + 35).await;
    drop(killed);
    settle(&mut relayer(&world.config, "auditor", &world.linked, &folder.join("after"))).await;
    assert_eq!(world.arrived(0, &users[1]).await, before[0] + 230);

    // Both at once.
    let serving = Serving::start(relayer(&world.config, "auditor", &world.linked, &folder.join("both")));
    let both = hermes.start();
    for _ in 0..3 {
        send(10, 7).await;
    }
    world.wait_until_clear().await;
    drop(both);
    serving.stop().await;
    assert_eq!(world.arrived(0, &users[1]).await, before[0] + 440);
    assert_eq!(world.arrived(1, &users[0]).await, before[1] + 440);
}

/// A relayer that runs beside the test.
struct Serving {
    task: tokio::task::JoinHandle<openledger_relayer::error::Result<()>>,
    view: tokio::sync::watch::Receiver<openledger_relayer::relay::View>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Serving {
    fn start(mut relay: Relay) -> Self {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let view = relay.view();
        Serving { task: tokio::spawn(async move { relay.run(stopped).await }), view, stop }
    }

    /// Waits until it has read both chains.
    async fn reads(&self) {
        let mut view = self.view.clone();
        view.wait_for(|view| view.read_at > 0).await.unwrap();
    }

    fn error(&self) -> String {
        self.view.borrow().error.clone()
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}
