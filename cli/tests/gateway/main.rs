//! The local endpoint and the payer beneath it, against nodes that run in this process on a chain in memory.
//! The nodes' model writes the alphabet on from the last letter it read, so that an answer that several nodes
//! wrote can be compared with one that a single node wrote.

#[allow(dead_code, reason = "shared with the node's own tests, which use all of it")]
#[path = "../../../inference-node/tests/serve/support.rs"]
mod support;

mod answers;
mod clients;
mod failover;
mod hostile;
mod kills;
mod limits;
mod silence;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cosmwasm_std::Uint128;
use openledger::gateway::{router, App};
use openledger::payer::{Parts, Payer};
use openledger::session::{Lane, State};
use openledger_client::Key;
use openledger_node::attribution::Asked;
use openledger_node::engine::{
    commit_root, Constraint, GenRequest, Generation, Sampler, Vocabulary, EXACT_COMMIT_SCHEME,
};
use openledger_node::fault::Result as Answered;
use openledger_node::serve::{Answerer, Settings, Traced};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{Manifest, NumericClass, Outcome, Share};
use openledger_types::merkle::{Hash, ZERO_HASH};
use openledger_types::msg::escrow::SessionNodeResponse;
use serde_json::Value;
use tokio::sync::mpsc;

use support::{
    manifest, model_info, new_chain, settings, FakeChain, User, World, CAP, CHAIN, DENOM, ESCROW, NODE,
};

/// Number of the session of every test.
const SESSION: u64 = 7;
/// Key that callers show.
const KEY: &str = "a key for tests";

/// A schema whose members do not stand in the order of their names.
const FORMAT: &str = r#"{"type":"json_schema","json_schema":{"name":"paint","strict":true,"schema":{"type":"object",
    "properties":{"shade":{"enum":["red","green"]},"coats":{"type":"integer"},"dry":{"type":"boolean"}},
    "required":["shade","coats","dry"],"additionalProperties":false}}}"#;

/// Holds an answer against [`FORMAT`].
fn is_bound(text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    assert!(value["shade"] == "red" || value["shade"] == "green", "{text}");
    assert!(value["coats"].is_i64() && value["dry"].is_boolean(), "{text}");
    assert_eq!(value.as_object().unwrap().len(), 3);
    let at = |name: &str| text.find(&format!("\"{name}\"")).unwrap();
    assert!(at("shade") < at("coats") && at("coats") < at("dry"), "{text}");
}

/// The token that ends a text; the others are bytes.
const END: u32 = 256;

fn byte(token: u32) -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| (0..=255).collect());
    bytes.get(token as usize..token as usize + 1).unwrap_or(&[])
}

/// Writes the alphabet on from the last letter of the prompt, one letter a token; what a schema binds it draws with
/// the sampler, all tokens being as likely.
#[derive(Default)]
struct Alphabet {
    /// Pause before each token.
    pause: Duration,
    /// Tokens written.
    written: Arc<AtomicU64>,
    /// Writes its receipts for another text than it streams.
    lies: bool,
}

impl Answerer for Alphabet {
    fn context(&self) -> usize {
        512
    }

    fn read(&self, asked: &mut openledger_node::request::Asked) -> Answered<Vec<u32>> {
        Ok(asked.prompt.bytes().map(u32::from).collect())
    }

    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Answered<Generation> {
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let mut letter = request.prompt_tokens.last().copied().unwrap_or_default();
        let mut outcome = Outcome::Length;
        let mut constraint = request
            .schema
            .clone()
            .map(|schema| Constraint::new(schema, Arc::new(Vocabulary::new(END as usize + 1, END, byte))));
        let sampler = Sampler::new(request.seed, &request.decoding).unwrap();
        for at in 0..request.decoding.max_tokens {
            std::thread::sleep(self.pause);
            self.written.fetch_add(1, Ordering::SeqCst);
            if let Some(constraint) = &mut constraint {
                let mask = constraint.mask().unwrap();
                let token = sampler.draw_among(&[0.0; END as usize + 1], at.into(), Some(&mask)).unwrap();
                assert!(constraint.take(token));
                tokens.push(token);
                let piece = String::from_utf8(byte(token).to_vec()).unwrap();
                text.push_str(&piece);
                let flow = deliver(&piece);
                if token == END {
                    outcome = Outcome::Stop;
                    break;
                }
                if flow.is_break() {
                    outcome = Outcome::Cancelled;
                    break;
                }
                continue;
            }
            letter = match u8::try_from(letter).unwrap_or_default() {
                at @ b'a'..=b'y' => u32::from(at) + 1,
                _ => u32::from(b'a'),
            };
            let piece = char::from(letter as u8).to_string();
            tokens.push(letter);
            text.push_str(&piece);
            if deliver(&piece).is_break() {
                outcome = Outcome::Cancelled;
                break;
            }
        }
        if self.lies {
            text.push_str("and more");
        }
        let trace = vec![1; 32 * tokens.len().div_ceil(32)];
        let commit_root = commit_root(EXACT_COMMIT_SCHEME, &request.request_hash, &tokens, &trace).unwrap();
        Ok(Generation { tokens, text, outcome, commit_root, trace })
    }

    fn cites(&self, _: &AnswerBundle, _: &BTreeSet<u64>) -> Vec<u64> {
        vec![11]
    }

    fn replay(&self, _: &AnswerBundle, _: &BTreeSet<u64>) -> Vec<String> {
        Vec::new()
    }

    fn computation(&self, _: &AnswerBundle) -> Answered<openledger_node::dispute::Computation> {
        Err(openledger_node::fault::Fault::invalid("E-DISPUTE-001", "letters are of no class", "Leave it."))
    }
    fn follows(&self, _: &AnswerBundle) -> Option<bool> {
        None
    }

    fn trace(&self, asked: &Asked, _: &Hash, _: &BTreeSet<u64>) -> Answered<Traced> {
        let text = openledger_ingest::match_text(asked.answer);
        Ok(Traced {
            shares: vec![Share { contribution_id: 11, bps: 9_000 }],
            no_evidence: 1_000,
            pieces: Vec::new(),
            root: openledger_attribution::Evidence::from_parts(&text, &[]).root(),
            signature_scheme: "none".into(),
            signature: Vec::new(),
            signature_root: ZERO_HASH,
        })
    }
}

fn exact_manifest() -> Manifest {
    Manifest { numeric_class: NumericClass::Exact, commit_scheme: EXACT_COMMIT_SCHEME.into(), ..manifest() }
}

async fn node(home: &Path, chain: &Arc<FakeChain>, node_id: u64, model: Alphabet) -> World {
    node_with(home, chain, node_id, model, settings()).await
}

async fn node_with(
    home: &Path,
    chain: &Arc<FakeChain>,
    node_id: u64,
    model: Alphabet,
    settings: Settings,
) -> World {
    World::start_as(home, chain.clone(), node_id, exact_manifest(), Box::new(model), settings).await
}

/// A node on threads of its own, which can be killed as a process is: connections break, nothing is flushed.
struct Process {
    url: String,
    stop: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Process {
    fn start(home: &Path, chain: &Arc<FakeChain>, node_id: u64, model: Alphabet) -> Process {
        let (home, chain) = (home.to_path_buf(), chain.clone());
        let (stop, mut stopped) = mpsc::channel(1);
        let (told, hear) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let world = node(&home, &chain, node_id, model).await;
                told.send(world.url.clone()).unwrap();
                stopped.recv().await;
                // What an answer under way would still write must not reach the disk.
                world.node.workers.close();
            });
            runtime.shutdown_timeout(Duration::from_secs(5));
        });
        Process { url: hear.recv().unwrap(), stop, thread }
    }

    fn kill(self) {
        let _ = self.stop.try_send(());
        self.thread.join().unwrap();
    }
}

/// A client's home folder with one session.
struct Client {
    dir: tempfile::TempDir,
    chain: Arc<FakeChain>,
    limit: Option<u128>,
}

impl Client {
    /// Opens a session with these nodes, (number, URL).
    fn open(chain: &Arc<FakeChain>, nodes: &[(u64, &str)], cap: u128) -> Client {
        let client = Client { dir: tempfile::tempdir().unwrap(), chain: chain.clone(), limit: None };
        User::open(chain, SESSION);
        let mut state = chain.state();
        let session = state.sessions.get_mut(&SESSION).unwrap();
        let entry = session.nodes[0].clone();
        session.nodes = nodes
            .iter()
            .map(|(node_id, _)| SessionNodeResponse { node_id: *node_id, cap: cap.into(), ..entry.clone() })
            .collect();
        drop(state);
        std::fs::create_dir_all(client.dir.path().join("answers")).unwrap();
        let lanes = nodes.iter().map(|(id, url)| Lane::new(*id, url, Uint128::new(cap))).collect();
        client.write(&State {
            chain_id: CHAIN.into(),
            contract: ESCROW.into(),
            session_id: SESSION,
            denom: DENOM.into(),
            nodes: lanes,
        });
        client
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("session.json")
    }

    fn write(&self, state: &State) {
        std::fs::write(self.path(), serde_json::to_vec(state).unwrap()).unwrap();
    }

    /// The state as it is on disk.
    fn state(&self) -> State {
        serde_json::from_slice(&std::fs::read(self.path()).unwrap()).unwrap()
    }

    /// Points a lane at another address, as after a restart on another port.
    fn moved(&self, node_id: u64, url: &str) {
        let mut state = self.state();
        state.nodes.iter_mut().find(|lane| lane.node_id == node_id).unwrap().node_url = url.into();
        self.write(&state);
    }

    /// A payer on what is on disk, as a new process makes it.
    fn payer(&self) -> Payer {
        let session = self.chain.state().sessions[&SESSION].clone();
        Payer::new(Parts {
            http: reqwest::Client::new(),
            answers: self.dir.path().join("answers"),
            path: self.path(),
            state: self.state(),
            key: Key::from_bytes(&[SESSION as u8; 32]).unwrap(),
            session,
            version: model_info(),
            in_flight: 4,
            limit: self.limit,
            lock: None,
        })
    }

    /// The gateway on a free port: its base URL.
    async fn gateway(&self) -> (String, Arc<App>, mpsc::Receiver<()>) {
        let (closer, closing) = mpsc::channel(1);
        let app = Arc::new(App::new(self.payer(), KEY, closer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let served = router(app.clone());
        tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        (url, app, closing)
    }

    /// Answers kept on disk.
    fn kept(&self) -> Vec<AnswerBundle> {
        let files = std::fs::read_dir(self.dir.path().join("answers")).unwrap();
        files.map(|f| serde_json::from_slice(&std::fs::read(f.unwrap().path()).unwrap()).unwrap()).collect()
    }
}

/// A post with the key.
async fn post(url: &str, body: Value) -> reqwest::Response {
    reqwest::Client::new().post(url).bearer_auth(KEY).json(&body).send().await.unwrap()
}

/// What an answer of `tokens` to a prompt of `prompt` bytes costs.
fn fee(prompt: u32, tokens: u32) -> u128 {
    (u128::from(prompt) * 10 + u128::from(tokens) * 37).max(100)
}
