//! Asks, pays and checks within one session, for `openledger ask` and `openledger gateway` alike.
//!
//! The answer of one question may come from several nodes. When a node is lost in the middle, what it sent is
//! kept, another node of the session goes on from there, and each is paid for what came from it: the one that
//! went on at once, the one that was lost when it is back, up to what it had delivered ([`Payer::reconcile`]).
//! A node that stays away is paid nothing for an answer it did not sign.
//!
//! A node that is silent is left early only when another one of the session says at that moment that it would take the
//! question: so a client whose own line is down, or that has one node, keeps its patience. One that was left wrongly
//! loses nothing: what it wrote is paid, once, when it is next spoken to.

mod body;
mod lane;
mod price;

use std::collections::VecDeque;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use openledger_client::contracts::Reader;
use openledger_client::Key;
use openledger_node::request::{model_name, Endpoint};
use openledger_types::api::{AnswerBundle, ErrorDetail};
use openledger_types::msg::escrow::SessionResponse;
use openledger_types::msg::model_registry::ModelVersionResponse;
use serde::Serialize;
use tokio::sync::Notify;

pub use body::{go_on, Body};

use crate::check::{Check, Pins};
use crate::context::{make_private_dir, write_json, Context};
use crate::error::{Class, CliError, Result};
use crate::session::{Left, State};
use crate::{choose, node_http};

/// How long a connection to a node may take.
const CONNECT: Duration = Duration::from_millis(1_500);
/// Pause before the other nodes of a session are asked again whether they would take a question.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// How long a node that failed is asked after all others.
const SHUNNED: Duration = Duration::from_secs(10);

/// A paid answer, checked.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// Receipt's id.
    pub receipt_id: String,
    /// Everything from which it is verified.
    pub bundle: AnswerBundle,
    /// Where the bundle was written.
    pub file: PathBuf,
    /// The checks made before it was acknowledged.
    pub checks: Vec<Check>,
    /// What came before from nodes that were lost; their receipts follow when they are back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Before>,
}

impl Answer {
    /// The whole answer's text.
    pub fn text(&self) -> String {
        let before: String = self.before.iter().map(|part| part.text.as_str()).collect();
        before + &self.bundle.answer
    }
}

/// The part of an answer that a lost node sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Before {
    /// Node.
    pub node_id: u64,
    /// Text.
    pub text: String,
    /// Tokens.
    pub tokens: u32,
    /// Milliseconds from the loss to the first text of the next node; none when there was none.
    pub gap_ms: Option<u64>,
}

/// Why there is no answer; with the node's own words where it refused.
#[derive(Debug)]
pub struct Failure {
    /// The error.
    pub error: CliError,
    /// What the node said, with its HTTP status.
    pub node: Option<(u16, ErrorDetail)>,
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Failure { error, node: None }
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

/// What became of a question at one node.
enum Attempt {
    /// It is answered, paid and checked.
    Answered(Box<Answer>),
    /// Nothing was taken. `elsewhere` when another node may take it.
    Refused { failure: Failure, elsewhere: bool },
    /// It did not say in time whether it takes the question, and another node would. Nothing was promised.
    Slow(Failure),
    /// The node was lost after it took the question.
    Lost { left: Left, failure: Failure },
}

/// What a payer rests on.
pub struct Parts {
    /// Client for nodes.
    pub http: reqwest::Client,
    /// Folder of the answers.
    pub answers: PathBuf,
    /// State file of the session.
    pub path: PathBuf,
    /// Its state at the beginning.
    pub state: State,
    /// The session's key.
    pub key: Key,
    /// The session as the chain knows it.
    pub session: SessionResponse,
    /// Its model version.
    pub version: ModelVersionResponse,
    /// Most requests under way with one node.
    pub in_flight: usize,
    /// Most that all nodes together may be promised, in base units; the caps alone when absent.
    pub limit: Option<u128>,
    /// Keeps others from the session.
    pub lock: Option<File>,
}

/// Asks within one session. Shared between requests.
pub struct Payer {
    parts: Parts,
    state: Mutex<State>,
    /// One a lane: a voucher is made and sent before the next one is.
    turns: Vec<tokio::sync::Mutex<()>>,
    /// Told when a request of any lane is over.
    over: Notify,
    standing: Mutex<Vec<Standing>>,
}

/// How a node has behaved so far.
#[derive(Clone, Debug, Default)]
struct Standing {
    score: u128,
    failed: Option<Instant>,
}

/// Where a payer stands with one node.
#[derive(Clone, Debug, Serialize)]
pub struct LaneStatus {
    /// Node.
    pub node_id: u64,
    /// Its base URL.
    pub url: String,
    /// Most that it may be paid.
    pub cap: u128,
    /// Fees of the receipts received.
    pub spent: u128,
    /// Most that was promised so far.
    pub promised: u128,
    /// Receipts received.
    pub answers: u64,
    /// Requests under way or left behind.
    pub outstanding: usize,
}

impl Payer {
    /// Opens a session of this home folder for asking; other processes are kept from it meanwhile.
    ///
    /// # Errors
    /// When the session is not this folder's, is in use, or the chain does not answer.
    pub async fn open(ctx: &Context, reader: &Reader, session_id: u64, limit: Option<u128>) -> Result<Self> {
        let lock = State::lock(ctx, session_id)?;
        let state = State::load(ctx, session_id)?;
        let session = reader.session(session_id).await?;
        let version = reader.model_version(session.model_id, session.model_version).await?;
        let in_flight = reader.escrow_config().await?.params.in_flight;
        let answers = ctx.home.join("answers");
        make_private_dir(&answers)?;
        // A node that is not there must not keep the next one waiting.
        let http = node_http::client(CONNECT)?;
        let payer = Payer::new(Parts {
            http,
            answers,
            path: State::path(ctx, session_id),
            key: state.key(ctx)?,
            state,
            session,
            version,
            in_flight: usize::try_from(in_flight).unwrap_or(1).max(1),
            limit,
            lock: Some(lock),
        });
        payer.survey().await;
        Ok(payer)
    }

    /// A payer of these parts.
    pub fn new(parts: Parts) -> Self {
        let state = parts.state.clone();
        let lanes = state.nodes.len();
        Payer {
            parts,
            turns: (0..lanes).map(|_| tokio::sync::Mutex::new(())).collect(),
            standing: Mutex::new(vec![Standing::default(); lanes]),
            state: Mutex::new(state),
            over: Notify::new(),
        }
    }

    /// Puts the nodes of the session in order, see [`choose`]; those that do not answer come last.
    pub async fn survey(&self) {
        let lanes: Vec<(u64, String)> =
            self.state().nodes.iter().map(|lane| (lane.node_id, lane.node_url.clone())).collect();
        if lanes.len() < 2 {
            return;
        }
        let looked = join_all(lanes.iter().map(|(_, url)| choose::look(&self.parts.http, url))).await;
        let mut standing = lock(&self.standing);
        for ((lane, looked), standing) in lanes.into_iter().zip(looked).zip(standing.iter_mut()) {
            let pinned = self.parts.session.nodes.iter().find(|n| n.node_id == lane.0);
            standing.score = match (looked, pinned) {
                (Ok((info, latency_ms)), Some(pinned)) => choose::Candidate {
                    node_id: lane.0,
                    url: lane.1,
                    price_in: pinned.price_in.u128(),
                    price_out: pinned.price_out.u128(),
                    latency_ms,
                    free: info.capacity.map(|c| c.free),
                    work: Default::default(),
                }
                .score(self.parts.session.min_fee.u128()),
                _ => u128::MAX,
            };
        }
    }

    /// Name of the session's model, as bodies carry it.
    pub fn model(&self) -> String {
        model_name(self.parts.session.model_id, self.parts.session.model_version)
    }

    /// The session as it was when the payer was opened.
    pub fn session(&self) -> &SessionResponse {
        &self.parts.session
    }

    /// Most that all nodes together may be promised, in base units.
    pub fn limit(&self) -> u128 {
        let caps = self.state().nodes.iter().fold(0u128, |sum, lane| sum.saturating_add(lane.cap.u128()));
        self.parts.limit.map_or(caps, |limit| limit.min(caps))
    }

    /// Where the payer stands with each node.
    ///
    /// # Errors
    /// When the state does not fit itself.
    pub fn status(&self) -> Result<Vec<LaneStatus>> {
        let state = self.state();
        let lanes = state.nodes.iter().map(|lane| {
            Ok(LaneStatus {
                node_id: lane.node_id,
                url: lane.node_url.clone(),
                cap: lane.cap.u128(),
                spent: lane.spent()?,
                promised: lane.exposure()?,
                answers: lane.acknowledged()?.count,
                outstanding: lane.outstanding.len(),
            })
        });
        lanes.collect()
    }

    /// Whether an earlier run left a question under way that no other node has gone on with.
    pub fn is_interrupted(&self) -> bool {
        self.state()
            .nodes
            .iter()
            .flat_map(|lane| &lane.outstanding)
            .any(|o| o.left.is_none() && o.received.is_none())
    }

    /// Whether a node was lost and is owed for what came from it.
    pub fn has_left(&self) -> bool {
        self.state().nodes.iter().flat_map(|lane| &lane.outstanding).any(|o| o.left.is_some())
    }

    /// Asks a question and pays its answer. `body` is the body of `endpoint`; model and streaming are set
    /// here. `on_text` sees the answer as it comes; when it breaks, the answer ends there and what was made
    /// of it is paid.
    ///
    /// # Errors
    /// When no node of the session takes or finishes it, the limit would be passed, or a check fails (the
    /// answer is then not acknowledged).
    pub async fn ask(
        &self,
        endpoint: Endpoint,
        mut body: Body,
        on_text: &mut (dyn FnMut(&str) -> ControlFlow<()> + Send),
    ) -> std::result::Result<Answer, Failure> {
        body.insert("model".into(), self.model().into());
        body.insert("stream".into(), true.into());
        body.remove("stream_options");
        let (mut whole, mut before): (Left, Vec<Before>) = Default::default();
        let mut last = None;
        let (mut tried, mut slow) = (Vec::new(), VecDeque::new());
        // Who refused for a time may take the rest of an answer that another one began.
        let mut later = VecDeque::new();
        let mut lost_at: Option<Instant> = None;
        // Who was slow is asked again when nobody else is left, and then waited for.
        while let Some(lane) = self.in_order(&tried).first().copied().or_else(|| slow.pop_front()) {
            tried.push(lane);
            let Some(next) = go_on(endpoint, &body, &whole) else {
                if body::wanted(endpoint, &body) <= u64::from(whole.tokens) {
                    return Err(unsigned(before.last().map_or(0, |part| part.node_id)).into());
                }
                break;
            };
            let mut first_text = |text: &str| {
                if let (Some(since), Some(part)) = (lost_at.take(), before.last_mut()) {
                    part.gap_ms = u64::try_from(since.elapsed().as_millis()).ok();
                }
                on_text(text)
            };
            let gone: Vec<usize> = tried.iter().copied().filter(|lane| !later.contains(lane)).collect();
            match self.attempt(lane, (&tried, &gone), endpoint, &next, &mut first_text).await {
                Attempt::Answered(answer) => return Ok(Answer { before, ..*answer }),
                Attempt::Refused { failure, elsewhere } => {
                    if !elsewhere {
                        return Err(failure);
                    }
                    tracing::info!(lane, "the node refused, trying another: {}", failure.error.message);
                    self.shun(lane);
                    if failure.error.retryable && tried.iter().filter(|l| **l == lane).count() == 1 {
                        later.push_back(lane);
                    }
                    last = Some(failure);
                }
                Attempt::Slow(failure) => {
                    tracing::info!(lane, "the node is slow, trying another: {}", failure.error.message);
                    self.shun(lane);
                    slow.push_back(lane);
                    last = Some(failure);
                }
                Attempt::Lost { left, failure } => {
                    let node_id = self.node_id(lane);
                    tracing::warn!(
                        node_id,
                        tokens = left.tokens,
                        "the node was lost in the middle of an answer: {}",
                        failure.error.message
                    );
                    self.shun(lane);
                    slow.extend(later.drain(..));
                    lost_at = Some(Instant::now());
                    whole.text.push_str(&left.text);
                    whole.tokens = whole.tokens.saturating_add(left.tokens);
                    before.push(Before { node_id, text: left.text, tokens: left.tokens, gap_ms: None });
                    last = Some(failure);
                }
            }
        }
        Err(last.unwrap_or_else(|| nobody().into()))
    }

    /// The nodes to ask, the best standing first: not tried yet, nothing left behind with them.
    fn in_order(&self, tried: &[usize]) -> Vec<usize> {
        let state = self.state();
        let standing = lock(&self.standing);
        let usable = state
            .nodes
            .iter()
            .zip(standing.iter())
            .enumerate()
            .filter(|(i, (lane, _))| !tried.contains(i) && lane.is_usable());
        let mut usable: Vec<(bool, u128, usize)> = usable
            .map(|(i, (_, standing))| {
                let shunned = standing.failed.is_some_and(|at| at.elapsed() < SHUNNED);
                (shunned, standing.score, i)
            })
            .collect();
        usable.sort_unstable();
        usable.into_iter().map(|(.., i)| i).collect()
    }

    /// Ends when a node that was not tried yet says that it would take a question now; never where none does. Whoever
    /// was busy, or slow to say so, is asked again.
    async fn another_answers(&self, tried: &[usize]) {
        loop {
            let urls: Vec<String> =
                self.in_order(tried).into_iter().map(|lane| self.address(lane).1).collect();
            let mut looks: FuturesUnordered<_> =
                urls.iter().map(|url| choose::look(&self.parts.http, url)).collect();
            while let Some(looked) = looks.next().await {
                if looked.is_ok_and(|(info, _)| info.capacity.is_none_or(|capacity| capacity.free > 0)) {
                    return;
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes what an earlier run left under way as left behind, for a caller that nobody waits for any more.
    /// To be called before the first question.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn take_over(&self) -> Result<()> {
        let mut state = self.state();
        let open = state.nodes.iter_mut().flat_map(|lane| &mut lane.outstanding);
        for entry in open.filter(|o| o.left.is_none() && o.received.is_none()) {
            entry.left = Some(Left::default());
        }
        self.save(&state)
    }

    /// Fetches, checks and pays what was left behind, up to what had been delivered of it (at least a token:
    /// an answer has one).
    ///
    /// # Errors
    /// The first that occurs; the rest is tried all the same.
    pub async fn reconcile(&self) -> std::result::Result<(), Failure> {
        let mut first = Ok(());
        for lane in 0..self.turns.len() {
            if let Err(failure) = self.reconcile_lane(lane).await {
                first = first.and(Err(failure));
            }
        }
        first
    }

    /// Fetches the whole answer of a question that an earlier run left under way or behind.
    ///
    /// # Errors
    /// As [`Payer::ask`]; also when nothing is under way.
    pub async fn resume(
        &self,
        on_text: &mut (dyn FnMut(&str) -> ControlFlow<()> + Send),
    ) -> std::result::Result<Answer, Failure> {
        let found = {
            let state = self.state();
            let mut open = state.nodes.iter().enumerate().filter_map(|(lane, l)| {
                let entry = l.outstanding.iter().find(|o| o.received.is_none())?;
                Some((lane, entry.clone()))
            });
            open.next()
        };
        let (lane, entry) = found.ok_or_else(|| {
            CliError::usage(format!("nothing is under way in session {}", self.parts.session.session_id))
        })?;
        self.fetch(lane, &entry, None, on_text).await
    }

    fn node_id(&self, lane: usize) -> u64 {
        self.state().nodes.get(lane).map_or(0, |lane| lane.node_id)
    }

    fn shun(&self, lane: usize) {
        if let Some(standing) = lock(&self.standing).get_mut(lane) {
            standing.failed = Some(Instant::now());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn save(&self, state: &State) -> Result<()> {
        write_json(&self.parts.path, state)
    }

    fn pins(&self, node_id: u64) -> Result<Pins> {
        let parts = &self.parts;
        let node = parts.session.nodes.iter().find(|n| n.node_id == node_id).ok_or_else(|| {
            CliError::usage(format!("node {node_id} is not in session {}", parts.session.session_id))
        })?;
        let state = &parts.state;
        Ok(Pins::new(&state.chain_id, &state.contract, &parts.session, node, &parts.version))
    }
}

/// A lock whose holder panicked still guards a plain value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every token of an answer came and its receipt did not.
fn unsigned(node_id: u64) -> CliError {
    CliError::new(
        Class::Node,
        "E-CLI-091",
        format!("the whole answer came, but node {node_id} was lost before it signed for it"),
        "nothing is lost: the next question in the session, or its closing, fetches the receipt and pays what came",
    )
    .retry()
}

fn nobody() -> CliError {
    CliError::new(
        Class::Node,
        "E-CLI-077",
        "no node of the session can be asked now",
        "wait until a node is back, or open a session with others: openledger session open",
    )
    .retry()
}
