//! The relayer as a library between two real chains: `testnet/pair up`, then
//! `OPENLEDGER_TEST_PAIR=http://127.0.0.1:26650,http://127.0.0.1:26660 cargo test -p openledger-relayer --test relay`.
//! After `testnet/pair fork`, `OPENLEDGER_TEST_FORK=http://127.0.0.1:26670` adds a chain that signs twice.
//! Without the first variable the tests pass without a check and say so. `OPENLEDGER_LONG=1` kills the relayer
//! more than 200 times instead of once at each named point.

mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openledger_relayer::chain::message::{update_client, ChannelKind};
use openledger_relayer::core::plan::{Action, Alarm};
use openledger_relayer::core::state::Side;
use openledger_relayer::link::{link, now_ns, Linked};
use openledger_relayer::relay::{Point, Watch};
use support::{config, handles, pair, proxy, relayer, settle, World, HOUR, SECOND};

/// The child process of the kill loop learns from these what to do.
const POINT: &str = "OPENLEDGER_TEST_KILL_AT";
const FOLDER: &str = "OPENLEDGER_TEST_KILL_FOLDER";

/// Every point, by a name that fits into the environment.
const POINTS: [(&str, Point); 7] = [
    ("block-read", Point::BlockRead),
    ("packets-kept", Point::PacketsKept),
    ("planned", Point::Planned),
    ("sending-to-a", Point::Sending(Side::A)),
    ("confirmed-on-a", Point::Confirmed(Side::A)),
    ("sending-to-b", Point::Sending(Side::B)),
    ("confirmed-on-b", Point::Confirmed(Side::B)),
];

#[tokio::test(flavor = "multi_thread")]
async fn two_chains() {
    if std::env::var(POINT).is_ok() {
        return;
    }
    let Some((a, b)) = pair() else {
        eprintln!("skipped: OPENLEDGER_TEST_PAIR is not set");
        return;
    };
    let world = World::new(&a, &b).await;
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let say = |what: &str| eprintln!("{what} after {} s", start.elapsed().as_secs());

    // What an earlier run may have left on its way.
    settle(&mut relayer(&world.config, "auditor", &world.linked, &folder.path().join("left"))).await;
    a_second_link_finds_the_first(&world).await;
    say("link found again");
    delivers_both_ways(&world, &folder.path().join("deliver")).await;
    say("delivered");
    an_error_and_a_timeout_come_back(&world, &folder.path().join("back")).await;
    say("error and timeout came back");
    a_hanging_endpoint_is_left(&world, &folder.path().join("hang"), &a, &b).await;
    say("hanging endpoint left");
    a_lying_endpoint_is_found_out(&world, &folder.path().join("lie"), &a, &b).await;
    say("lying endpoint found out");
    two_relayers_do_not_pay_twice(&world, folder.path()).await;
    say("two relayers");
    many_packets_travel_together(&world, &folder.path().join("many")).await;
    say("batches");
    killed_at_every_point(&world, &folder.path().join("kill")).await;
    say("killed at every point");
    match std::env::var("OPENLEDGER_TEST_FORK") {
        Ok(fork) => {
            a_client_that_was_lied_to_is_frozen(&a, &b, &fork, &folder.path().join("fork")).await;
            say("misbehaviour shown");
        }
        Err(_) => eprintln!("skipped: OPENLEDGER_TEST_FORK is not set"),
    }
    a_client_is_refreshed(&a, &b, &folder.path().join("refresh")).await;
    say("client refreshed");
}

async fn a_second_link_finds_the_first(world: &World) {
    let (a, b) = handles(&world.config, "auditor");
    assert_eq!(link(&a, &b, &ChannelKind::transfer(), None).await.unwrap(), world.linked);
    let folder = tempfile::tempdir().unwrap();
    world.linked.save(folder.path()).unwrap();
    assert_eq!(Linked::load(folder.path(), "openledger-1", "peer-1").unwrap(), Some(world.linked.clone()));
}

async fn delivers_both_ways(world: &World, folder: &std::path::Path) {
    let users = [world.users[0].address().to_string(), world.users[1].address().to_string()];
    let before = [world.arrived(0, &users[1]).await, world.arrived(1, &users[0]).await];
    // Sent while no relayer runs, so its blocks are never read: found by commitment and search.
    world.send(0, vec![world.transfer(0, &users[1], 1_000, HOUR, "")]).await;
    world.send(1, vec![world.transfer(1, &users[0], 2_000, HOUR, "")]).await;
    let mut relay = relayer(&world.config, "auditor", &world.linked, folder);
    // What is due is planned and shown before anything is sent.
    let planned = loop {
        let plan = relay.plan().await.unwrap();
        if plan.actions.iter().filter(|x| matches!(x, Action::Receive { .. })).count() == 2 {
            break plan;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(planned.alarms.is_empty(), "{:?}", planned.alarms);
    assert_eq!(world.arrived(0, &users[1]).await, before[0]);
    settle(&mut relay).await;
    assert_eq!(world.arrived(0, &users[1]).await, before[0] + 1_000);
    assert_eq!(world.arrived(1, &users[0]).await, before[1] + 2_000);
}

async fn an_error_and_a_timeout_come_back(world: &World, folder: &std::path::Path) {
    let user = world.users[1].address().to_string();
    let before = world.escrowed(0).await;
    let arrived = world.arrived(0, &user).await;
    let nobody = world.transfer(0, "peer1nobody", 500, HOUR, "");
    let late = world.transfer(0, &user, 700, 4 * SECOND, "");
    world.send(0, vec![nobody, late]).await;
    assert_eq!(world.escrowed(0).await, before + 1_200);
    // No relayer until the second has timed out by the other chain's clock.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut relay = relayer(&world.config, "auditor", &world.linked, folder);
    settle(&mut relay).await;
    assert_eq!(world.escrowed(0).await, before);
    assert_eq!(world.arrived(0, &user).await, arrived);
}

/// An endpoint that takes connections and never answers.
async fn hanging() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    format!("http://{address}")
}

async fn a_hanging_endpoint_is_left(world: &World, folder: &std::path::Path, a: &str, b: &str) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let hang = hanging().await;
    let mut config = config(&hang, &hang, "14d", "rpc_timeout = \"1s\"");
    config.chains[0].backup_rpc_addrs = vec![a.into()];
    config.chains[1].backup_rpc_addrs = vec![b.into()];
    world.send(0, vec![world.transfer(0, &user, 30, HOUR, "")]).await;
    let mut relay = relayer(&config, "auditor", &world.linked, folder);
    settle(&mut relay).await;
    assert_eq!(world.arrived(0, &user).await, before + 30);
}

/// An endpoint that flips a bit in every state that it proves.
async fn lying(target: &str) -> String {
    proxy(target, |question, answer| {
        let mut answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        if question["params"]["path"] == "store/ibc/key" {
            let value = &mut answer["result"]["response"]["value"];
            if let Some(text) = value.as_str().filter(|t| !t.is_empty()) {
                let other = if text.starts_with('A') { "B" } else { "A" };
                *value = format!("{other}{}", &text[1..]).into();
            }
        }
        answer.to_string()
    })
    .await
}

async fn a_lying_endpoint_is_found_out(world: &World, folder: &std::path::Path, a: &str, b: &str) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    let alone = config(&lying(a).await, b, "14d", "");
    world.send(0, vec![world.transfer(0, &user, 40, HOUR, "")]).await;
    // With nobody else to ask, nothing is sent, and nothing is paid for it.
    let mut relay = relayer(&alone, "auditor", &world.linked, folder);
    let payer = handles(&alone, "auditor").1.endpoints().signer().await.unwrap();
    let coins = payer.balance().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(relay.round().await.unwrap().done, 0);
    assert_eq!(payer.balance().await.unwrap(), coins);
    assert_eq!(world.arrived(0, &user).await, before);
    drop(relay);
    // With a second endpoint the truth is found there.
    let mut both = alone;
    both.chains[0].backup_rpc_addrs = vec![a.into()];
    let mut relay = relayer(&both, "auditor", &world.linked, folder);
    settle(&mut relay).await;
    assert_eq!(world.arrived(0, &user).await, before + 40);
}

async fn two_relayers_do_not_pay_twice(world: &World, folder: &std::path::Path) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    world.send(0, (0..10).map(|_| world.transfer(0, &user, 7, HOUR, "")).collect()).await;
    let mut one = relayer(&world.config, "auditor", &world.linked, &folder.join("one"));
    let mut two = relayer(&world.config, "developer", &world.linked, &folder.join("two"));
    tokio::join!(settle(&mut one), settle(&mut two));
    assert_eq!(world.arrived(0, &user).await, before + 70);
}

async fn many_packets_travel_together(world: &World, folder: &std::path::Path) {
    let user = world.users[1].address().to_string();
    let before = world.arrived(0, &user).await;
    for _ in 0..2 {
        world.send(0, (0..60).map(|_| world.transfer(0, &user, 1, HOUR, "")).collect()).await;
    }
    let mut relay = relayer(&world.config, "auditor", &world.linked, folder);
    let start = Instant::now();
    settle(&mut relay).await;
    eprintln!("120 packets received and acknowledged in {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(world.arrived(0, &user).await, before + 120);
}

/// Ends the process at a point, as kill -9 does: nothing is cleaned up.
struct Abort(Point);

impl Watch for Abort {
    fn at(&self, point: Point) {
        if point == self.0 {
            std::process::abort();
        }
    }
}

/// Not a test by itself: the process that is killed.
#[tokio::test(flavor = "multi_thread")]
async fn killed_child() {
    let (Ok(name), Ok(folder)) = (std::env::var(POINT), std::env::var(FOLDER)) else { return };
    let (a, b) = pair().unwrap();
    let folder = std::path::PathBuf::from(folder);
    let linked = Linked::load(&folder, "openledger-1", "peer-1").unwrap().unwrap();
    let point = POINTS.iter().find(|(n, _)| *n == name).unwrap().1;
    let relay = relayer(&config(&a, &b, "14d", ""), "auditor", &linked, &folder);
    let mut relay = relay.watched(Arc::new(Abort(point)));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    relay.run(stopped).await.unwrap();
}

async fn killed_at_every_point(world: &World, folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap();
    world.linked.save(folder).unwrap();
    let users = [world.users[0].address().to_string(), world.users[1].address().to_string()];
    let before = [world.arrived(0, &users[1]).await, world.arrived(1, &users[0]).await];
    let escrowed = [world.escrowed(0).await, world.escrowed(1).await];
    let rounds = if std::env::var("OPENLEDGER_LONG").is_ok() { 29 } else { 1 };
    let (mut sent, mut lost) = ([0u128; 2], [0u128; 2]);
    let mut kills = 0;
    for _ in 0..rounds {
        for (name, _) in POINTS {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "killed_child", "--nocapture"])
                .env(POINT, name)
                .env(FOLDER, folder)
                .spawn()
                .unwrap();
            // One that arrives, one that cannot be credited and comes back, both ways.
            for from in [0, 1] {
                let messages = vec![
                    world.transfer(from, &users[1 - from], 11, HOUR, ""),
                    world.transfer(from, "nobody", 13, HOUR, ""),
                ];
                world.send(from, messages).await;
                (sent[from], lost[from]) = (sent[from] + 11, lost[from] + 13);
            }
            let limit = Instant::now();
            let status = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status;
                }
                assert!(limit.elapsed() < Duration::from_secs(60), "never came to {name}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            };
            assert!(!status.success(), "{name}: not killed");
            kills += 1;
        }
    }
    let mut relay = relayer(&world.config, "auditor", &world.linked, folder);
    settle(&mut relay).await;
    for from in [0, 1] {
        let arrived = world.arrived(from, &users[1 - from]).await;
        assert_eq!(arrived, before[from] + sent[from], "lost or paid twice");
        assert_eq!(world.escrowed(from).await, escrowed[from] + sent[from]);
    }
    eprintln!("{kills} kills, {} packets: 0 units lost, 0 paid twice, none waits", kills * 4);
}

/// The second chain has a twin with the same validator key. Somebody gives the client a header of the
/// twin; the relayer, whose endpoint has another block there, shows the client both.
async fn a_client_that_was_lied_to_is_frozen(a: &str, b: &str, fork: &str, folder: &std::path::Path) {
    let honest = config(a, b, "3h", "");
    let (near, far) = handles(&honest, "auditor");
    let linked = link(&near, &far, &ChannelKind::transfer(), None).await.unwrap();
    let (liar, twin) = handles(&config(a, fork, "3h", ""), "node");
    let client = near.client(&linked.a.client, None).await.unwrap().unwrap();
    let height = loop {
        let heights = (far.status().await.unwrap().height, twin.status().await.unwrap().height);
        if heights.0.min(heights.1) > client.latest.height + 1 {
            break heights.0.min(heights.1) - 1;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let header = twin.verified_header(&client, height, now_ns()).await.unwrap().header;
    let signer = liar.endpoints().signer().await.unwrap();
    let message = update_client(&linked.a.client, &header, signer.address());
    signer.broadcast(vec![message], "").await.unwrap();

    let relay = relayer(&honest, "auditor", &linked, folder);
    let honoured = far.client(&linked.b.client, None).await.unwrap().unwrap().latest;
    assert!(!relay.compare(Side::B, honoured).await.unwrap(), "the other client was not lied to");
    assert!(relay.compare(Side::A, far.height(height)).await.unwrap());
    assert!(near.client(&linked.a.client, None).await.unwrap().unwrap().view().frozen);
    // The state is planned from one block later.
    near.endpoints().chain().await.unwrap().wait_for_next_block().await.unwrap();
    let plan = relay.plan().await.unwrap();
    assert!(plan.alarms.contains(&(Side::A, Alarm::ClientFrozen)), "{:?}", plan.alarms);
    assert!(plan.actions.iter().all(|action| action.on() != Side::A));
}

async fn a_client_is_refreshed(a: &str, b: &str, folder: &std::path::Path) {
    // Its own clients: the trusting period is another.
    let config = config(a, b, "60s", "");
    let (near, far) = handles(&config, "auditor");
    let linked = link(&near, &far, &ChannelKind::transfer(), None).await.unwrap();
    let mut relay = relayer(&config, "auditor", &linked, folder);
    let before = near.client(&linked.a.client, None).await.unwrap().unwrap().latest;
    assert_eq!(relay.plan().await.unwrap().actions, vec![]);
    // A third of a minute, without any packet.
    tokio::time::sleep(Duration::from_secs(22)).await;
    relay.round().await.unwrap();
    for (chain, end) in [(&near, &linked.a), (&far, &linked.b)] {
        let client = chain.client(&end.client, None).await.unwrap().unwrap();
        assert!(client.latest > before, "{}", chain.id());
        assert!(!client.view().frozen);
    }
}
