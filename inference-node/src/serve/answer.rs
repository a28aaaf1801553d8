//! From a taken request to a receipt on disk: generate, trace, sign, write, and only then say that
//! it is done.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;
use std::time::Instant;

use cosmwasm_std::{Binary, HexBinary, Uint128};
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{hash32, seed, Decoding, Outcome, Receipt, SignedReceipt};
use openledger_types::merkle::{chunk_root, Hash, CONTENT_CHUNK};
use openledger_types::money::answer_fee;
use openledger_types::msg::escrow::SessionResponse;
use tokio::sync::{mpsc, watch, OwnedSemaphorePermit};

use super::models::{Loaded, Traced};
use super::node::{blocking, lock, Node};
use super::payment::entry_of;
use crate::engine::{GenRequest, Generation};
use crate::fault::{Class, Fault, Result};
use crate::journal::StoredRequest;
use crate::request::{parse, Asked, Endpoint};

/// What an answer under way sends to the connection that waits for it.
#[derive(Debug)]
pub enum Event {
    /// Text that became certain, and the tokens written so far.
    Piece(String, u32),
    /// The answer is on disk.
    Done(Box<AnswerBundle>),
    /// It failed; nothing is charged unless the voucher is sent again and answered.
    Failed(Fault),
}

/// A request with everything that its answer depends on.
pub struct Job {
    /// As it was taken.
    pub stored: StoredRequest,
    /// The session that pays.
    pub session: Arc<SessionResponse>,
    /// The model.
    pub loaded: Arc<Loaded>,
    /// The body, read.
    pub asked: Asked,
    /// Tokens of the prompt.
    pub prompt_tokens: Vec<u32>,
    /// How tokens are chosen.
    pub decoding: Decoding,
    /// Tokens after which the client wants no more, see `HEADER_LEAVE_AFTER`.
    pub leave_after: Option<u32>,
}

/// A body held against a model: read, encoded, measured.
pub struct Measured {
    /// The body, read.
    pub asked: Asked,
    /// Tokens of the prompt.
    pub prompt_tokens: Vec<u32>,
    /// How tokens are chosen.
    pub decoding: Decoding,
}

/// Encodes a question's prompt and finds how long its answer may be.
///
/// # Errors
/// `E-REQ-012`, `E-GEN-002` when it does not fit.
pub async fn measure(loaded: &Arc<Loaded>, mut asked: Asked) -> Result<Measured> {
    let loaded = loaded.clone();
    blocking(move || {
        let prompt_tokens = loaded.answerer.read(&mut asked)?;
        let decoding = asked.decoding(loaded.answerer.context(), prompt_tokens.len())?;
        Ok(Measured { asked, prompt_tokens, decoding })
    })
    .await
}

/// Most that an answer can cost.
///
/// # Errors
/// `E-PAY-017` when the figures overflow.
pub fn max_fee(
    measured: &Measured,
    price_in: Uint128,
    price_out: Uint128,
    min_fee: Uint128,
) -> Result<Uint128> {
    let tokens_in = u32::try_from(measured.prompt_tokens.len()).unwrap_or(u32::MAX);
    answer_fee(tokens_in, measured.decoding.max_tokens, price_in.u128(), price_out.u128(), min_fee.u128())
        .map(Uint128::new)
        .ok_or_else(|| {
            Fault::invalid("E-PAY-017", "the fee of this request overflows", "Ask for fewer tokens.")
        })
}

impl Node {
    /// Starts the answer to a request that is in the journal. None when it is being answered already:
    /// then [`Node::wait`] for it. A `permit` of the queue is held until the end.
    pub fn start(
        self: &Arc<Self>,
        job: Job,
        permit: Option<OwnedSemaphorePermit>,
        stop_when_left: bool,
    ) -> Option<mpsc::UnboundedReceiver<Event>> {
        let voucher = &job.stored.voucher.voucher;
        let key = (voucher.session_id, voucher.sequence);
        let (over, watcher) = watch::channel(());
        {
            let mut running = lock(&self.running);
            if running.contains_key(&key) {
                return None;
            }
            running.insert(key, watcher);
        }
        let (events, receiver) = mpsc::unbounded_channel();
        let node = self.clone();
        self.metrics.queue.fetch_add(1, Relaxed);
        tokio::spawn(async move {
            let result = node.clone().answer(job, events.clone(), stop_when_left).await;
            lock(&node.running).remove(&key);
            node.metrics.queue.fetch_sub(1, Relaxed);
            let event = match result {
                Ok(bundle) => Event::Done(Box::new(bundle)),
                Err(fault) => {
                    node.metrics.failures.fetch_add(1, Relaxed);
                    tracing::error!(session = key.0, sequence = key.1, code = fault.code, "{}", fault.what);
                    node.give_up(key, &fault).await;
                    Event::Failed(fault)
                }
            };
            // The client may have left; the answer is on disk for when it comes back.
            let _ = events.send(event);
            drop(over);
            drop(permit);
        });
        Some(receiver)
    }

    /// Waits until a request is no longer being answered, then reads its answer.
    ///
    /// # Errors
    /// `E-NODE-007` when there is none after all.
    pub async fn wait(self: &Arc<Self>, session_id: u64, sequence: u64) -> Result<AnswerBundle> {
        let watcher = lock(&self.running).get(&(session_id, sequence)).cloned();
        if let Some(mut watcher) = watcher {
            // Closed by the end of the answer; no value is ever sent.
            while watcher.changed().await.is_ok() {}
        }
        let found = self.with_journal(move |journal| journal.answer(session_id, sequence)).await?;
        found.ok_or_else(|| {
            Fault::unavailable(
                "E-NODE-007",
                "the answer was not finished",
                "Send the same request and voucher again.",
            )
        })
    }

    async fn answer(
        self: Arc<Self>,
        job: Job,
        events: mpsc::UnboundedSender<Event>,
        stop_when_left: bool,
    ) -> Result<AnswerBundle> {
        let waiting_since = Instant::now();
        let turn = self.workers.clone().acquire_owned().await;
        let _turn = turn.map_err(|e| Fault::unavailable("E-NODE-002", e.to_string(), "Try again later."))?;
        let node = self.clone();
        let made = blocking(move || {
            let mut tokens = 0u32;
            let mut deliver = |piece: &str| {
                if tokens == 0 {
                    node.metrics.first_token(waiting_since.elapsed());
                }
                tokens = tokens.saturating_add(1);
                let left = if piece.is_empty() {
                    events.is_closed()
                } else {
                    events.send(Event::Piece(piece.to_string(), tokens)).is_err()
                };
                let enough = job.leave_after.is_some_and(|most| tokens >= most);
                if enough || (left && stop_when_left) {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let generation = node.generate(&job, &mut deliver)?;
            let traced = node.trace(&job, &generation, &BTreeSet::new())?;
            Ok((job, generation, traced))
        })
        .await?;
        let bundle = self.clone().bundle(made).await?;
        let node = self.clone();
        let kept = blocking(move || node.journal.finish(&bundle)).await?;
        let receipt = &kept.receipt.receipt;
        self.metrics.receipts.fetch_add(1, Relaxed);
        self.metrics.tokens_in.fetch_add(receipt.tokens_in.into(), Relaxed);
        self.metrics.tokens_out.fetch_add(receipt.tokens_out.into(), Relaxed);
        self.metrics.fees.fetch_add(u64::try_from(receipt.fee.u128()).unwrap_or(0), Relaxed);
        if receipt.outcome == Outcome::Cancelled {
            self.metrics.cancelled.fetch_add(1, Relaxed);
        }
        Ok(kept)
    }

    /// Seed of a job's answer.
    fn seed(&self, job: &Job) -> Result<(Hash, Hash)> {
        let voucher = &job.stored.voucher.voucher;
        let request_hash: Hash = hash32("request_hash", &voucher.request_hash).map_err(malformed)?;
        Ok((request_hash, seed(&request_hash, voucher.session_id, self.payee.node_id, voucher.sequence)))
    }

    fn generate(&self, job: &Job, deliver: &mut dyn FnMut(&str) -> ControlFlow<()>) -> Result<Generation> {
        let (request_hash, seed) = self.seed(job)?;
        let request = GenRequest {
            prompt_tokens: job.prompt_tokens.clone(),
            decoding: job.decoding,
            seed,
            request_hash,
            stop: job.asked.stop.clone(),
            repetition_milli: job.asked.repetition_milli,
            schema: job.asked.schema.clone(),
        };
        job.loaded.answerer.generate(&request, deliver)
    }

    fn trace(&self, job: &Job, generation: &Generation, barred: &BTreeSet<u64>) -> Result<Traced> {
        let asked = crate::attribution::Asked {
            prompt: &job.asked.prompt,
            prompt_tokens: &job.prompt_tokens,
            answer: &generation.text,
            tokens: &generation.tokens,
        };
        job.loaded.answerer.trace(&asked, &self.seed(job)?.1, barred)
    }

    /// The answer and its receipt; nothing is written. Contributions that may not be cited at the receipt's
    /// height are taken out, whatever the answer rests on (PROTOCOL D4).
    async fn bundle(self: Arc<Self>, made: (Job, Generation, Traced)) -> Result<AnswerBundle> {
        let (mut job, mut generation, mut traced) = made;
        let mut barred = BTreeSet::new();
        loop {
            let cited: Vec<u64> = traced.shares.iter().map(|share| share.contribution_id).collect();
            let more = self.barred(&cited, job.stored.height).await?;
            if more.is_empty() {
                return self.sign(&job, generation, traced);
            }
            barred.extend(more);
            let (node, without) = (self.clone(), barred.clone());
            (job, generation, traced) = blocking(move || {
                let traced = node.trace(&job, &generation, &without)?;
                Ok((job, generation, traced))
            })
            .await?;
        }
    }

    /// Which of these contributions may not be cited at a height. The chain is asked once for each, and
    /// again only when a withdrawal since then could count.
    pub(crate) async fn barred(&self, cited: &[u64], height: u64) -> Result<Vec<u64>> {
        let unknown: Vec<u64> =
            cited.iter().copied().filter(|id| !self.models.is_citable(*id, height)).collect();
        if unknown.is_empty() {
            return Ok(Vec::new());
        }
        let grace = self.chain.citation_grace().await?;
        let asked = stream::iter(
            unknown
                .into_iter()
                .map(|id| async move { Ok::<_, Fault>((id, self.chain.contribution(id).await?)) }),
        );
        let found: Vec<_> = asked.buffer_unordered(8).try_collect().await?;
        let mut barred = Vec::new();
        for (id, contribution) in found {
            let until = match contribution {
                Some(c) if c.facts.uses.allows_paid_answers() => {
                    c.withdrawn_at.unwrap_or(height).saturating_add(grace)
                }
                // Unknown to the chain, or never licensed for answers.
                _ => {
                    barred.push(id);
                    continue;
                }
            };
            self.models.remember_citable(id, until);
            if height > until {
                barred.push(id);
            }
        }
        Ok(barred)
    }

    fn sign(&self, job: &Job, generation: Generation, traced: Traced) -> Result<AnswerBundle> {
        let seed = self.seed(job)?.1;
        let receipt = self.receipt(job, &generation, &traced, &seed)?;
        receipt.validate().map_err(malformed)?;
        let pinned = &entry_of(&job.session, self.payee.node_id)?.node_key;
        let key = self.keys.find(pinned).ok_or_else(|| {
            Fault::new(
                Class::Internal,
                "E-NODE-052",
                format!("the key that session {} pinned is not held here", job.session.session_id),
                "Restore the folder signing/ of the node's home: it holds the keys of earlier rotations.",
            )
        })?;
        let signature = key.sign_digest(&receipt.digest());
        Ok(AnswerBundle {
            receipt: SignedReceipt { receipt, signature: HexBinary::from(signature.as_slice()) },
            voucher: job.stored.voucher.clone(),
            endpoint: job.stored.endpoint.clone(),
            body: job.stored.body.clone(),
            nonce: job.stored.nonce.clone(),
            answer: generation.text,
            tokens: generation.tokens,
            trace: Binary::from(generation.trace),
            evidence: traced.pieces,
            signature: Binary::from(traced.signature),
        })
    }

    fn receipt(&self, job: &Job, generation: &Generation, traced: &Traced, seed: &Hash) -> Result<Receipt> {
        let (voucher, session) = (&job.stored.voucher.voucher, &job.session);
        let count = |n: usize| u32::try_from(n).map_err(malformed);
        let (tokens_in, tokens_out) = (count(job.prompt_tokens.len())?, count(generation.tokens.len())?);
        let pinned = entry_of(session, self.payee.node_id)?;
        let fee = answer_fee(
            tokens_in,
            tokens_out,
            pinned.price_in.u128(),
            pinned.price_out.u128(),
            session.min_fee.u128(),
        )
        .ok_or_else(|| malformed("the fee overflows"))?;
        let answer = generation.text.as_bytes();
        Ok(Receipt {
            chain_id: self.payee.chain_id.clone(),
            contract: self.payee.escrow.clone(),
            node_id: self.payee.node_id,
            session_id: voucher.session_id,
            sequence: voucher.sequence,
            height: job.stored.height,
            request_hash: voucher.request_hash.clone(),
            answer_root: HexBinary::from(&chunk_root(answer, CONTENT_CHUNK)),
            answer_len: answer.len() as u64,
            model_id: session.model_id,
            model_version: session.model_version,
            datanets: job.loaded.manifest.datanets.clone(),
            tokens_in,
            tokens_out,
            fee: Uint128::new(fee),
            decoding: job.decoding,
            seed: HexBinary::from(seed),
            commit_scheme: job.loaded.manifest.commit_scheme.clone(),
            commit_root: HexBinary::from(&generation.commit_root),
            signature_scheme: traced.signature_scheme.clone(),
            signature_root: HexBinary::from(&traced.signature_root),
            evidence_root: HexBinary::from(&traced.root),
            outcome: generation.outcome,
            shares: traced.shares.clone(),
            no_evidence: traced.no_evidence,
        })
    }

    /// Frees the sequence of a request that this model can never answer.
    async fn give_up(self: &Arc<Self>, key: (u64, u64), fault: &Fault) {
        if fault.retry {
            return;
        }
        lock(&self.hopeless).insert(key);
        if let Err(error) = self.with_journal(move |journal| journal.abandon(key.0, key.1)).await {
            tracing::error!(code = error.code, "{}", error.what);
        }
    }

    /// Answers what was taken before a kill and not finished, as far as its models are ready.
    ///
    /// A stream whose client has left is not made in its absence, which the client would pay and nobody
    /// read: it waits until the client sends the same voucher again, or a later one, without which its
    /// receipts could not be settled.
    pub async fn resume(self: &Arc<Self>) -> Result<()> {
        for key in self.with_journal(|journal| journal.unfinished()).await? {
            if lock(&self.running).contains_key(&key) || lock(&self.hopeless).contains(&key) {
                continue;
            }
            let found = self.with_journal(move |journal| {
                let taken = journal.session(key.0)?.map_or(0, |log| log.taken);
                Ok(journal.request(key.0, key.1)?.map(|stored| (stored, taken)))
            });
            let Some((stored, taken)) = found.await? else { continue };
            let streamed = Endpoint::of(&stored.endpoint)
                .and_then(|endpoint| parse(endpoint, &stored.body))
                .is_ok_and(|asked| asked.stream);
            if streamed && taken == key.1 {
                continue;
            }
            match self.prepare(stored).await {
                Ok(job) => {
                    tracing::info!(
                        session = key.0,
                        sequence = key.1,
                        "answering a request taken before the restart"
                    );
                    self.start(job, None, false);
                }
                Err(fault) if fault.retry => {}
                Err(fault) => {
                    tracing::error!(session = key.0, sequence = key.1, code = fault.code, "{}", fault.what);
                    lock(&self.hopeless).insert(key);
                }
            }
        }
        Ok(())
    }

    /// The job of a request in the journal.
    ///
    /// # Errors
    /// `E-NODE-005` when its model is not ready, and those of the chain.
    pub async fn prepare(self: &Arc<Self>, stored: StoredRequest) -> Result<Job> {
        let session = self.session(stored.voucher.voucher.session_id).await?;
        let loaded = self.models.ready(session.model_id, session.model_version).map_err(Fault::retryable)?;
        let asked = parse(Endpoint::of(&stored.endpoint)?, &stored.body)?;
        let Measured { asked, prompt_tokens, decoding } = measure(&loaded, asked).await?;
        Ok(Job { stored, session, loaded, asked, prompt_tokens, decoding, leave_after: None })
    }
}

fn malformed(error: impl std::fmt::Display) -> Fault {
    Fault::new(
        Class::Internal,
        "E-NODE-051",
        format!("the receipt of this answer is not well-formed: {error}"),
        "Report this with the model's manifest; the request was not charged.",
    )
}
