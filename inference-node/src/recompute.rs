//! An answer computed again, by whoever checks it: `openledger verify` and auditors call the same code. Pure.

use std::collections::BTreeSet;

use openledger_attribution::influence::{Distance, Signature};
use openledger_attribution::{Evidence, Trace};
use openledger_types::api::{AnswerBundle, EvidencePiece};
use openledger_types::formats::{request_hash, seed};
use openledger_types::merkle::{chunk_root, Hash, CONTENT_CHUNK};
use serde::Serialize;

use crate::attribution::{Asked, Attribution, Readout};
use crate::engine::{commit_root, GenRequest, Model, ReplayReport, ReplayRequest};
use crate::request::{parse, Endpoint};

/// One check and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was compared.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What was found, when it does not.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub found: String,
}

/// Collects checks.
#[derive(Clone, Debug, Default)]
pub struct Checks(pub Vec<Check>);

impl Checks {
    /// Notes one check; `found` is only asked for when it fails.
    pub fn add(&mut self, name: &'static str, holds: bool, found: impl FnOnce() -> String) {
        let found = if holds { String::new() } else { found() };
        self.0.push(Check { name, holds, found });
    }

    /// What fails, a line each.
    pub fn failures(&self) -> Vec<String> {
        let failing = self.0.iter().filter(|check| !check.holds);
        failing.map(|check| format!("{}: {}", check.name, check.found)).collect()
    }

    /// Whether all hold.
    pub fn hold(&self) -> bool {
        self.0.iter().all(|check| check.holds)
    }
}

/// Checks that request, seed, text and tokens of an answer are those that its receipt and voucher sign.
/// Needs no model.
pub fn check_answer(checks: &mut Checks, bundle: &AnswerBundle) {
    let (receipt, voucher) = (&bundle.receipt.receipt, &bundle.voucher.voucher);
    let nonce: Option<Hash> = bundle.nonce.as_slice().try_into().ok();
    let request = nonce.map(|nonce| request_hash(&bundle.body, &nonce));
    checks.add(
        "request hash over body and nonce (S5)",
        request.is_some_and(|r| receipt.request_hash.as_slice() == r && voucher.request_hash.as_slice() == r),
        || "body or nonce are not those that were signed".into(),
    );
    let expected = request.map(|r| seed(&r, receipt.session_id, receipt.node_id, receipt.sequence));
    checks.add("seed (S5)", expected.is_some_and(|s| receipt.seed.as_slice() == s), || "another seed".into());
    checks.add(
        "answer root and length (S2)",
        receipt.answer_len == bundle.answer.len() as u64
            && receipt.answer_root.as_slice() == chunk_root(bundle.answer.as_bytes(), CONTENT_CHUNK),
        || "the answer is not the one that was signed".into(),
    );
    let root = request.and_then(|r| commit_root(&receipt.commit_scheme, &r, &bundle.tokens, &bundle.trace));
    checks.add(
        "commitment over tokens and trace",
        receipt.tokens_out as usize == bundle.tokens.len()
            && root.is_some_and(|root| receipt.commit_root.as_slice() == root),
        || "tokens or trace are not those that were committed".into(),
    );
}

/// What comes out when an answer is computed again.
#[derive(Clone, Debug, Default)]
pub struct Recomputed {
    /// Checks against the receipt.
    pub checks: Checks,
    /// The replay, when the request could be read.
    pub replay: Option<ReplayReport>,
    /// The trace, when the prompt could be read.
    pub trace: Option<Trace>,
    /// How far the posted signature is from the one computed here, when there is one.
    pub signature: Option<Distance>,
}

/// Replays an answer, signs it again and recomputes its shares, and compares all with its receipt. Pure.
///
/// Shares follow from the posted signature, to the last bit; the signature itself may differ from the one
/// computed here by what the numeric class allows ([`Distance::agrees`]).
///
/// `barred` are the contributions that may not be cited at the receipt's height, see PROTOCOL D4.
pub fn recompute(
    model: &Model,
    attribution: &Attribution,
    bundle: &AnswerBundle,
    barred: &BTreeSet<u64>,
) -> Recomputed {
    let receipt = &bundle.receipt.receipt;
    let mut found = Recomputed::default();
    let checks = &mut found.checks;
    let asked = Endpoint::of(&bundle.endpoint).and_then(|endpoint| parse(endpoint, &bundle.body));
    let mut asked = match asked {
        Ok(asked) => asked,
        Err(fault) => {
            checks.add("request can be read", false, || fault.to_string());
            return found;
        }
    };
    checks.add("request names the model", asked.model.names(receipt.model_id, receipt.model_version), || {
        format!("it asks model {} instead", asked.model.model_id)
    });
    let scheme = &model.manifest().commit_scheme;
    checks.add("commitment scheme of the model", receipt.commit_scheme == *scheme, || {
        format!("the receipt commits by {}, the model by {scheme}", receipt.commit_scheme)
    });
    let (Ok(seed), Ok(request_hash), Ok(commit_root)) = (
        Hash::try_from(receipt.seed.as_slice()),
        Hash::try_from(receipt.request_hash.as_slice()),
        Hash::try_from(receipt.commit_root.as_slice()),
    ) else {
        checks.add("form of the receipt", false, || "a hash has not 32 bytes".into());
        return found;
    };
    match model.read(&mut asked) {
        Err(error) => checks.add("prompt fits the model", false, || error.to_string()),
        Ok(prompt_tokens) => {
            let answered = Asked {
                prompt: &asked.prompt,
                prompt_tokens: &prompt_tokens,
                answer: &bundle.answer,
                tokens: &bundle.tokens,
            };
            found.signature = signed_again(checks, model, attribution, &answered, bundle);
            checks.add("tokens of the prompt", prompt_tokens.len() == receipt.tokens_in as usize, || {
                format!("{} instead of {}", prompt_tokens.len(), receipt.tokens_in)
            });
            let decoding = asked.decoding(model.context(), prompt_tokens.len());
            checks.add(
                "decoding as asked",
                decoding.as_ref().is_ok_and(|decoding| *decoding == receipt.decoding),
                || "tokens were chosen in another way than the request says".into(),
            );
            let replayed =
                model.replay(&replay_of(&asked, prompt_tokens, bundle, (seed, request_hash, commit_root)));
            match replayed {
                Err(error) => checks.add("replay of the answer", false, || error.to_string()),
                Ok(report) => {
                    checks.add("replay of the answer", report.passes(), || report.failures().join("; "));
                    checks.add("text of the answer", report.text == bundle.answer, || {
                        "the tokens give another text".into()
                    });
                    found.replay = Some(report);
                }
            }
        }
    }
    let answered =
        Asked { prompt: &asked.prompt, prompt_tokens: &[], answer: &bundle.answer, tokens: &bundle.tokens };
    let signature = Signature::parse(&bundle.signature);
    checks.add("form of the signature", signature.is_ok(), || {
        signature.as_ref().err().map(ToString::to_string).unwrap_or_default()
    });
    let signature = signature.unwrap_or_default();
    checks.add(
        "signature scheme and root",
        receipt.signature_scheme == attribution.signature_scheme()
            && receipt.signature_root.as_slice() == attribution.signature_root(&signature),
        || format!("the model's scheme is {}", attribution.signature_scheme()),
    );
    let trace = attribution.evidence(&answered, &signature, &seed, barred);
    checks.add("shares recomputed", trace.shares == receipt.shares, || {
        format!("{} contributions earn otherwise than the receipt says", trace.shares.len())
    });
    checks.add("part without evidence", trace.no_evidence_bps == receipt.no_evidence, || {
        format!("{} instead of {} basis points", trace.no_evidence_bps, receipt.no_evidence)
    });
    let pieces = evidence_pieces(&trace);
    checks.add("evidence recomputed", pieces == bundle.evidence, || {
        format!("{} pieces instead of {}, or others", pieces.len(), bundle.evidence.len())
    });
    let root = Evidence::new(&trace).root();
    checks.add("evidence root recomputed", receipt.evidence_root.as_slice() == root, || {
        "the data give another root".into()
    });
    found.trace = Some(trace);
    found
}

/// Whether an answer is the one that its model gives to its request: model, tokens of the prompt, decoding, tokens,
/// commitment and text, by one replay. Auditors vote by it. None where that cannot be said here: the request cannot be
/// read, or a file of the model cannot.
pub fn follows(model: &Model, bundle: &AnswerBundle) -> Option<bool> {
    let receipt = &bundle.receipt.receipt;
    let mut asked = parse(Endpoint::of(&bundle.endpoint).ok()?, &bundle.body).ok()?;
    let prompt_tokens = model.read(&mut asked).ok()?;
    let hash = |bytes: &[u8]| Hash::try_from(bytes).ok();
    let seed = hash(&receipt.seed)?;
    let (request_hash, commit_root) = (hash(&receipt.request_hash)?, hash(&receipt.commit_root)?);
    let mut checks = Checks::default();
    check_answer(&mut checks, bundle);
    let stated = checks.hold()
        && asked.model.names(receipt.model_id, receipt.model_version)
        && receipt.commit_scheme == model.manifest().commit_scheme
        && receipt.tokens_in as usize == prompt_tokens.len()
        && asked.decoding(model.context(), prompt_tokens.len()).is_ok_and(|found| found == receipt.decoding);
    if !stated {
        return Some(false);
    }
    let replayed = model.replay(&replay_of(&asked, prompt_tokens, bundle, (seed, request_hash, commit_root)));
    match replayed {
        Ok(report) => Some(report.passes() && report.text == bundle.answer),
        // Empty, too long, or of tokens that the model does not have.
        Err(error) if error.code == "E-GEN-005" => Some(false),
        // Of the files and the memory of this machine, which say nothing about the answer.
        Err(_) => None,
    }
}

/// What a replay of an answer needs; the hashes are its receipt's seed, request and commitment.
fn replay_of(
    asked: &crate::request::Asked,
    prompt_tokens: Vec<u32>,
    bundle: &AnswerBundle,
    (seed, request_hash, commit_root): (Hash, Hash, Hash),
) -> ReplayRequest {
    let receipt = &bundle.receipt.receipt;
    ReplayRequest {
        request: GenRequest {
            prompt_tokens,
            decoding: receipt.decoding,
            seed,
            request_hash,
            stop: asked.stop.clone(),
            repetition_milli: asked.repetition_milli,
            schema: asked.schema.clone(),
        },
        tokens: bundle.tokens.clone(),
        outcome: receipt.outcome,
        trace: bundle.trace.to_vec(),
        commit_root,
    }
}

/// Signs an answer again and compares: a pass over prompt and answer. None where the scheme has no
/// signatures.
fn signed_again(
    checks: &mut Checks,
    model: &Model,
    attribution: &Attribution,
    asked: &Asked,
    bundle: &AnswerBundle,
) -> Option<Distance> {
    attribution.influence()?;
    // An answer without tokens has an empty signature, and no pass is needed.
    let fits = asked.tokens.len() <= model.context();
    let again = fits.then(|| attribution.sign(model, asked));
    let posted = Signature::parse(&bundle.signature);
    let (Some(Ok(again)), Ok(posted)) = (again, posted) else {
        checks.add("signature recomputed", false, || "it cannot be computed for this answer".into());
        return None;
    };
    let distance = posted.distance(&again);
    checks.add("signature recomputed", distance.agrees(model.agreement()), || {
        format!(
            "{} of {} entries differ, by at most {}",
            distance.different, distance.entries, distance.largest
        )
    });
    Some(distance)
}

/// Where the words of an answer stand, as bundles say it.
pub fn evidence_pieces(trace: &Trace) -> Vec<EvidencePiece> {
    let piece = |p: &openledger_types::formats::Piece| EvidencePiece {
        answer_start: p.answer_start,
        len: p.len,
        contribution_id: p.contribution_id,
        source_start: p.source_start,
    };
    trace.pieces.iter().map(piece).collect()
}
