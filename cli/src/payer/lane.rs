//! One question at one node: promise, answer, checks, receipt.

use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use base64::prelude::{Engine, BASE64_STANDARD};
use cosmwasm_std::{Binary, HexBinary, Uint128};
use openledger_node::request::Endpoint;
use openledger_types::api::{
    AnswerBundle, ErrorBody, PaymentSignature, SessionState, HEADER_LEAVE_AFTER, HEADER_SIGNATURE,
};
use openledger_types::formats::request_hash;
use rand::RngCore;

use super::body::wanted;
use super::{Answer, Attempt, Body, Failure, Payer};
use crate::check::{check_bundle, Check};
use crate::context::write_json;
use crate::error::{Class, CliError, Result};
use crate::events::{Event, Events};
use crate::node_http;
use crate::session::{Lane, Left, Outstanding};

/// How long a node may take to accept or refuse.
pub(super) const ACCEPT: Duration = Duration::from_secs(10);

/// The same where another node would take the question, beside what a slow line takes to carry it.
const ACCEPT_IN_TIME: Duration = Duration::from_millis(1_200);

/// How long a node that was lost may take to say what it had taken, before another one is asked.
const LAST_WORD: Duration = Duration::from_millis(1_500);

/// Pause between two looks at what a node has taken, before its sequence is used again.
const SECOND_LOOK: Duration = Duration::from_secs(1);

type OnText<'a> = &'a mut (dyn FnMut(&str) -> ControlFlow<()> + Send);

impl Payer {
    /// Asks one node. The lanes that were `tried` already, this one with them, are not gone to from it before it takes
    /// the question; in the middle of its answer only those that are `gone`.
    pub(super) async fn attempt(
        &self,
        lane: usize,
        (tried, gone): (&[usize], &[usize]),
        endpoint: Endpoint,
        body: &Body,
        on_text: OnText<'_>,
    ) -> Attempt {
        let refused = |failure: Failure, elsewhere| Attempt::Refused { failure, elsewhere };
        let bytes = match serde_json::to_vec(body) {
            Ok(bytes) => bytes,
            Err(e) => return refused(CliError::usage(e.to_string()).into(), false),
        };
        let in_time = ACCEPT_IN_TIME.saturating_add(node_http::carried(bytes.len()));
        let late = || Failure::from(slow(&self.address(lane).1, in_time));
        let wanted = wanted(endpoint, body);
        let max_fee = match self.unless_late(tried, in_time, self.price(lane, endpoint, &bytes, wanted)).await
        {
            Some(Ok(max_fee)) => max_fee,
            Some(Err(failure)) => {
                let elsewhere = !is_the_questions_fault(&failure);
                return refused(failure, elsewhere);
            }
            None => return Attempt::Slow(late()),
        };
        let entry;
        let response = {
            let Some(turn) = self.turns.get(lane) else { return refused(super::nobody().into(), false) };
            let _turn = turn.lock().await;
            entry = match self.promise(lane, endpoint, bytes, max_fee).await {
                Ok(entry) => entry,
                // A node whose cap is spent does not speak for the others.
                Err(error) => {
                    let elsewhere = ["E-CLI-042", "E-CLI-077"].contains(&error.code);
                    return refused(error.into(), elsewhere);
                }
            };
            match self.unless_late(tried, in_time, self.send(lane, &entry, None)).await {
                Some(Ok(response)) => response,
                None => {
                    self.leave(lane, &entry, Left::default());
                    return Attempt::Lost { left: Left::default(), failure: late() };
                }
                Some(Err(failure)) => {
                    return match self.forget_or_leave(lane, &entry, Left::default()).await {
                        true => {
                            let elsewhere = !is_the_questions_fault(&failure);
                            refused(failure, elsewhere)
                        }
                        false => Attempt::Lost { left: Left::default(), failure },
                    };
                }
            }
        };
        match self.read(lane, Some(gone), response, on_text).await {
            Read::Whole(whole, bundle) => match self.keep(lane, &entry, &whole.text, *bundle) {
                Ok(answer) => Attempt::Answered(Box::new(answer)),
                Err(error) => {
                    // Its place in the log stays open, so what comes after it cannot be acknowledged: nobody waits for it.
                    self.leave(lane, &entry, whole);
                    refused(error.into(), false)
                }
            },
            Read::Stopped(left) => {
                // The connection is gone, so the node ends the answer; its receipt is fetched and paid.
                let entry = Outstanding { left: Some(left.clone()), ..entry };
                let most = Some(left.tokens);
                match self.fetch(lane, &entry, most, &mut |_| ControlFlow::Continue(())).await {
                    Ok(answer) => Attempt::Answered(Box::new(answer)),
                    Err(failure) => {
                        self.forget_or_leave(lane, &entry, left).await;
                        refused(failure, false)
                    }
                }
            }
            Read::Broken(left, failure) => {
                self.forget_or_leave(lane, &entry, left.clone()).await;
                Attempt::Lost { left, failure }
            }
            // It would not say either what it had taken.
            Read::Silent(left, failure) => {
                self.leave(lane, &entry, left.clone());
                Attempt::Lost { left, failure }
            }
        }
    }

    /// What comes of a call to a node; none when it takes longer than it should and another node would take the
    /// question.
    async fn unless_late<T>(
        &self,
        tried: &[usize],
        in_time: Duration,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let late = async {
            tokio::time::sleep(in_time).await;
            self.another_answers(tried).await;
        };
        tokio::select! {
            biased;
            result = call => Some(result),
            () = late => None,
        }
    }

    /// Signs a voucher and writes it down; waits while too many requests are under way with the node.
    async fn promise(
        &self,
        lane: usize,
        endpoint: Endpoint,
        body: Vec<u8>,
        max_fee: u128,
    ) -> Result<Outstanding> {
        loop {
            let over = self.over.notified();
            let found = self.lane(lane)?;
            // Lost meanwhile: a further question would have the node finish what nobody waits for.
            if !found.is_usable() {
                return Err(super::nobody());
            }
            let open = found.outstanding;
            if open.len() < self.parts.in_flight {
                break;
            }
            over.await;
        }
        let mut nonce = [0u8; 32];
        rand::rng().fill_bytes(&mut nonce);
        let mut state = self.state();
        let current = state.nodes.get(lane).ok_or_else(super::nobody)?;
        let voucher = state.voucher(current, &self.parts.key, &request_hash(&body, &nonce), max_fee)?;
        let promised = voucher.voucher.cumulative_max;
        let mut all = promised.u128();
        for (_, other) in state.nodes.iter().enumerate().filter(|(i, _)| *i != lane) {
            all = all.saturating_add(other.exposure()?);
        }
        if let Some(limit) = self.parts.limit.filter(|limit| all > *limit) {
            return Err(CliError::new(
                Class::Refused,
                "E-CLI-078",
                format!(
                    "the answer may cost {max_fee} {}, which would promise {all} in all; the limit is {limit}",
                    state.denom
                ),
                "ask for fewer tokens, or start again with a higher limit",
            ));
        }
        let entry = Outstanding {
            payment: PaymentSignature { voucher, nonce: HexBinary::from(&nonce) },
            endpoint: endpoint.path().into(),
            body: Binary::new(body),
            max_fee: Uint128::new(max_fee),
            received: None,
            left: None,
        };
        let before = state.nodes.get(lane).cloned();
        if let Some(lane) = state.nodes.get_mut(lane) {
            lane.promised = promised;
            lane.outstanding.push(entry.clone());
        }
        // From here on the promise may be used: it is on disk before it leaves.
        if let Err(error) = self.save(&state) {
            // It never left, and those after it must not leave a gap.
            if let (Some(lane), Some(before)) = (state.nodes.get_mut(lane), before) {
                *lane = before;
            }
            return Err(error);
        }
        Ok(entry)
    }

    async fn send(
        &self,
        lane: usize,
        entry: &Outstanding,
        leave_after: Option<u32>,
    ) -> std::result::Result<reqwest::Response, Failure> {
        let (_, url, _) = self.address(lane);
        let path = format!("{url}{}", entry.endpoint);
        let payment = serde_json::to_vec(&entry.payment).map_err(|e| CliError::usage(e.to_string()))?;
        let mut request = self
            .parts
            .http
            .post(&path)
            .header(HEADER_SIGNATURE, BASE64_STANDARD.encode(payment))
            .header("content-type", "application/json")
            .body(entry.body.to_vec());
        if let Some(tokens) = leave_after {
            request = request.header(HEADER_LEAVE_AFTER, tokens.max(1));
        }
        node_says(accept(&path, request).await?).await
    }

    /// Reads an answer; with the lanes that were tried where another node may go on from a silent one.
    async fn read(
        &self,
        lane: usize,
        tried: Option<&[usize]>,
        response: reqwest::Response,
        on_text: OnText<'_>,
    ) -> Read {
        let (node_id, url, _) = self.address(lane);
        let mut events = Events::new(response);
        let (mut left, mut bundle) = (Left::default(), None);
        let failure = |what: String| {
            let advice = "fetch the answer again: openledger ask --resume";
            let what = format!("node {node_id} at {url}: {what}");
            Failure::from(CliError::new(Class::Node, "E-CLI-059", what, advice).retry())
        };
        let broken = |left, what| Read::Broken(left, failure(what));
        loop {
            let event = match tried {
                None => events.next().await,
                Some(tried) => match events.next_in_time().await.transpose() {
                    Some(event) => event,
                    None => tokio::select! {
                        biased;
                        event = events.next() => event,
                        () = self.another_answers(tried) => {
                            if events.is_silent() {
                                return Read::Silent(left, failure("it is silent and another is not".into()));
                            }
                            // It has spoken meanwhile.
                            continue;
                        }
                    },
                },
            };
            match event {
                Ok(Event::Text(piece, tokens)) => {
                    left.text.push_str(&piece);
                    left.tokens = tokens.unwrap_or(left.tokens.saturating_add(1));
                    if on_text(&piece).is_break() {
                        return Read::Stopped(left);
                    }
                }
                Ok(Event::Bundle(found)) => bundle = Some(found),
                Ok(Event::Failed(message, code)) => return broken(left, format!("{code}: {message}")),
                Ok(Event::Done) => {
                    return match bundle {
                        Some(bundle) => Read::Whole(left, bundle),
                        None => broken(left, "it sent no receipt".into()),
                    };
                }
                Err(what) => return broken(left, what),
            }
        }
    }

    /// Sends a voucher again and takes the answer: what the node has made of it, or else the answer up to
    /// `leave_after` tokens.
    pub(super) async fn fetch(
        &self,
        lane: usize,
        entry: &Outstanding,
        leave_after: Option<u32>,
        on_text: OnText<'_>,
    ) -> std::result::Result<Answer, Failure> {
        let response = match self.send(lane, entry, leave_after).await {
            Ok(response) => response,
            Err(failure) => {
                // A refusal before anything was taken leaves the sequence free; the node's log decides.
                if failure.node.is_some()
                    && matches!(self.taken(lane).await, Ok(taken) if taken < entry.sequence())
                {
                    self.forget(lane, entry)?;
                }
                return Err(failure);
            }
        };
        match self.read(lane, None, response, on_text).await {
            Read::Whole(whole, bundle) => Ok(self.keep(lane, entry, &whole.text, *bundle)?),
            Read::Stopped(_) => Err(super::nobody().into()),
            Read::Broken(_, failure) | Read::Silent(_, failure) => Err(failure),
        }
    }

    /// Checks an answer, keeps it and moves the log.
    fn keep(&self, lane: usize, entry: &Outstanding, text: &str, bundle: AnswerBundle) -> Result<Answer> {
        let mut checks = check_bundle(&self.pins(self.node_id(lane))?, &bundle);
        let sent = &entry.payment.voucher;
        let held = bundle.body == entry.body && bundle.voucher == *sent && bundle.endpoint == entry.endpoint;
        checks.push(Check {
            name: "answer as it was streamed",
            holds: text == bundle.answer && held,
            found: "the bundle holds another answer or request than what was exchanged".into(),
        });
        let before = entry.left.as_ref().map_or("", |left| left.text.as_str());
        checks.push(Check {
            name: "answer begins as it was received before",
            holds: bundle.answer.starts_with(before) || before.starts_with(&bundle.answer),
            found: "the node wrote something else than before the connection was lost".into(),
        });
        let failed: Vec<String> =
            checks.iter().filter(|c| !c.holds).map(|c| format!("{}: {}", c.name, c.found)).collect();
        let receipt_id = hex::encode(bundle.receipt.receipt.digest());
        let file = self.parts.answers.join(format!("{receipt_id}.json"));
        write_json(&file, &bundle)?;
        if !failed.is_empty() {
            return Err(self.cheated(
                lane,
                CliError::new(
                    Class::Verification,
                    "E-CLI-063",
                    format!("the answer was not acknowledged: {}", failed.join("; ")),
                    format!("close the session and keep {} as evidence", file.display()),
                ),
            ));
        }
        let mut state = self.state();
        if let Some(lane) = state.nodes.get_mut(lane) {
            lane.receive(entry.sequence(), bundle.receipt.receipt.leaf())?;
        }
        self.save(&state)?;
        drop(state);
        self.over.notify_waiters();
        Ok(Answer { receipt_id, bundle, file, checks, before: Vec::new() })
    }

    /// Notes that a node is not asked again in this session, nor paid for what it was asked.
    fn cheated(&self, lane: usize, error: CliError) -> CliError {
        let mut state = self.state();
        if let Some(lane) = state.nodes.get_mut(lane) {
            lane.cheated = true;
        }
        if let Err(error) = self.save(&state) {
            tracing::error!(code = error.code, "{}", error.message);
        }
        drop(state);
        self.over.notify_waiters();
        error
    }

    /// Frees the sequence of a request that the node has not taken; one that it took, or may have taken, is
    /// left behind. True when it was freed.
    async fn forget_or_leave(&self, lane: usize, entry: &Outstanding, left: Left) -> bool {
        // A node that is silent holds nobody up: whoever goes on with another one waits for this.
        let taken = tokio::time::timeout(LAST_WORD, self.taken(lane)).await;
        let free = matches!(taken, Ok(Ok(taken)) if taken < entry.sequence());
        if !free {
            self.leave(lane, entry, left);
        } else if let Err(error) = self.forget(lane, entry) {
            tracing::error!(code = error.code, "{}", error.message);
        }
        free
    }

    /// Leaves behind what a node has taken, or may have: it is asked nothing more before that is cleared.
    fn leave(&self, lane: usize, entry: &Outstanding, left: Left) {
        let mut state = self.state();
        let lane = state.nodes.get_mut(lane);
        let entry =
            lane.and_then(|lane| lane.outstanding.iter_mut().find(|o| o.sequence() == entry.sequence()));
        if let Some(entry) = entry {
            entry.left = Some(left);
        }
        if let Err(error) = self.save(&state) {
            tracing::error!(code = error.code, "{}", error.message);
        }
        drop(state);
        self.over.notify_waiters();
    }

    fn forget(&self, lane: usize, entry: &Outstanding) -> Result<()> {
        let mut state = self.state();
        if let Some(lane) = state.nodes.get_mut(lane) {
            lane.forget(entry.sequence());
        }
        self.save(&state)?;
        drop(state);
        self.over.notify_waiters();
        Ok(())
    }

    /// See [`Payer::reconcile`].
    pub(super) async fn reconcile_lane(&self, lane: usize) -> std::result::Result<(), Failure> {
        let turn = self.turns.get(lane).ok_or_else(super::nobody)?;
        let _turn = turn.lock().await;
        loop {
            let found = self.lane(lane)?;
            // What is fetched again may fit its receipt. It is not what the node said first.
            if found.cheated {
                return Ok(());
            }
            let Some(entry) = found.outstanding.into_iter().find(|o| o.left.is_some()) else { return Ok(()) };
            if self.taken(lane).await? < entry.sequence() {
                // A node that was frozen may have the question still before it.
                tokio::time::sleep(SECOND_LOOK).await;
                if self.taken(lane).await? < entry.sequence() {
                    self.forget(lane, &entry)?;
                    continue;
                }
            }
            let tokens = entry.left.as_ref().map_or(1, |left| left.tokens.max(1));
            self.fetch(lane, &entry, Some(tokens), &mut |_| ControlFlow::Continue(())).await?;
        }
    }

    /// Requests that the node has taken.
    async fn taken(&self, lane: usize) -> std::result::Result<u64, Failure> {
        let (_, url, session_id) = self.address(lane);
        let path = format!("{url}/v1/sessions/{session_id}");
        let response = match node_says(accept(&path, self.parts.http.get(&path)).await?).await {
            Ok(response) => response,
            // A node that was never asked knows nothing of the session, and says so itself: what stands before it
            // may answer 404 as well, while it starts.
            Err(failure) if is_unknown(&failure) && self.lane(lane)?.count == 0 => return Ok(0),
            Err(failure) => return Err(failure),
        };
        let body = tokio::time::timeout(ACCEPT, node_http::body(response)).await;
        let state: SessionState = serde_json::from_slice(&body.map_err(|_| slow(&path, ACCEPT))??)
            .map_err(|e| CliError::new(Class::Node, "E-CLI-054", e.to_string(), "use another node"))?;
        Ok(state.taken)
    }

    fn lane(&self, lane: usize) -> Result<Lane> {
        self.state().nodes.get(lane).cloned().ok_or_else(super::nobody)
    }

    /// Node, base URL and session.
    pub(super) fn address(&self, lane: usize) -> (u64, String, u64) {
        let state = self.state();
        let found = state.nodes.get(lane).map(|lane| (lane.node_id, lane.node_url.clone()));
        let (node_id, url) = found.unwrap_or_default();
        (node_id, url, state.session_id)
    }
}

/// How the reading of a stream ended.
enum Read {
    Whole(Left, Box<AnswerBundle>),
    /// The reader wanted no more.
    Stopped(Left),
    Broken(Left, Failure),
    /// Nothing came for a while, and another node would go on.
    Silent(Left, Failure),
}

pub(super) async fn accept(url: &str, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
    let sent = tokio::time::timeout(ACCEPT, request.send()).await.map_err(|_| slow(url, ACCEPT))?;
    sent.map_err(|e| node_http::unreachable(url, &e))
}

fn slow(url: &str, within: Duration) -> CliError {
    let what = format!("the node does not answer at {url} within {:.1} s", within.as_secs_f64());
    CliError::new(Class::Node, "E-CLI-051", what, "try again, or use another node").retry()
}

/// The response when it is a success, else the node's own error.
pub(super) async fn node_says(
    response: reqwest::Response,
) -> std::result::Result<reqwest::Response, Failure> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let text = node_http::words(response).await;
    let Ok(ErrorBody { error: said }) = serde_json::from_str(&text) else {
        let text: String = text.chars().take(300).collect();
        let what = format!("the node answers {status}: {text}");
        return Err(CliError::new(Class::Node, "E-CLI-052", what, "use another node").into());
    };
    let error = CliError::new(
        Class::Node,
        "E-CLI-052",
        format!("{}: {}", said.code, said.message),
        "do as the node says",
    );
    Err(Failure { error: if said.retryable { error.retry() } else { error }, node: Some((status, said)) })
}

/// Whether a node says of itself that it was never asked in the session.
fn is_unknown(failure: &Failure) -> bool {
    let unknown = |code: &str| ["E-NODE-020", "E-PAY-004"].contains(&code);
    failure.node.as_ref().is_some_and(|(status, said)| *status == 404 && unknown(&said.code))
}

/// Whether every node would refuse this question.
fn is_the_questions_fault(failure: &Failure) -> bool {
    failure.node.as_ref().is_some_and(|(_, said)| {
        ["E-REQ-", "E-GEN-"].iter().any(|family| said.code.starts_with(family)) && !said.retryable
    })
}
