//! The audit by retraining: what a model's contributors are paid, held against what the model loses without them.
//!
//! Three questions, each answered from public data alone. Does the recipe over the sealed data give the published
//! weights? Does the model give the rows of the published influence index? And on real questions, who is paid for what
//! changes nothing ([`compare`])? Every training that is finished is kept, so that a run that was stopped goes on.

mod compare;
mod fetch;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use openledger_node::attribution::{check_documents, Asked, Attribution, Readout, Source};
use openledger_node::engine::Model;
use openledger_node::train::{Bits, Document, Rerun, Retrained, TrainingReceipt};
use openledger_types::formats::VersionRef;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use compare::{agreement, figure, parts, standings, Agreement, Figure, Standing, Verdict};
pub use fetch::{run, AuditArgs, Cost, Outcome};
pub use report::page;

use crate::context::{make_private_dir, read_json, write_json};
use crate::error::Result;

/// A published model with everything that its attribution follows from.
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Model,
    /// How its answers are attributed.
    pub attribution: &'a Attribution,
    /// Its training receipt.
    pub receipt: &'a TrainingReceipt,
    /// Its tokenizer's file.
    pub tokenizer: &'a [u8],
    /// The documents of its versions without their copies, in their order.
    pub documents: &'a [Document<'a>],
    /// Contributor of each contribution.
    pub owners: &'a BTreeMap<u64, String>,
    /// Bytes that a step of training may take.
    pub memory: u64,
}

/// A text whose attribution is audited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The receipt's id, or the SHA-256 of a held-out text.
    pub id: String,
    /// Whether the shares are a receipt's, and so were paid.
    pub paid: bool,
    /// Tokens before the answer.
    pub prompt: Vec<u32>,
    /// Tokens of the answer.
    pub answer: Vec<u32>,
    /// Basis points by contribution.
    pub shares: Vec<(u64, u16)>,
}

impl Question {
    /// A text that the model has not seen, as if it had been answered to nothing: as much as it reads at once.
    ///
    /// # Errors
    /// Those of the model.
    pub fn heldout(model: &Model, attribution: &Attribution, text: &str) -> Result<Self> {
        let mut answer = model.encode(text)?;
        answer.truncate(model.window());
        let (prompt, text) = (vec![model.start_token()], model.decode(&answer));
        let asked = Asked { prompt: "", prompt_tokens: &prompt, answer: &text, tokens: &answer };
        let signature = attribution.sign(model, &asked)?;
        let seed = <[u8; 32]>::from(Sha256::digest(text.as_bytes()));
        let found = attribution.evidence(&asked, &signature, &seed, &BTreeSet::new());
        let shares = found.shares.iter().map(|share| (share.contribution_id, share.bps)).collect();
        Ok(Question { id: hex::encode(seed), paid: false, prompt, answer, shares })
    }
}

/// A training that leaves a contributor out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    /// Who was left out.
    pub contributor: String,
    /// Contributions left out with them.
    pub contributions: u64,
    /// Names the training.
    pub training: String,
    /// What was found.
    #[serde(flatten)]
    pub standing: Option<Standing>,
    /// By question, how much the loss on the answer rises, nats a token.
    pub changed: Vec<f64>,
    /// By question, basis points paid.
    pub paid: Vec<f64>,
}

/// What an audit found. Whoever has the same versions, receipt and questions finds the same, on the same kind of
/// processor to the last bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this document: 1.
    pub format: u32,
    /// Model, 0 of one that is not on a chain.
    pub model_id: u64,
    /// Its version.
    pub model_version: u32,
    /// Hash of the manifest.
    pub manifest_hash: String,
    /// Scheme of attribution.
    pub scheme: String,
    /// Sealed versions trained on, with their roots.
    pub datanets: Vec<VersionRef>,
    /// SHA-256 over the documents.
    pub documents_hash: String,
    /// Root of the influence index, where there is one.
    pub index_root: Option<String>,
    /// The weights root that the manifest states, and the one that its training gave here.
    pub weights_root: [String; 2],
    /// Whether they are equal. On another kind of processor an honest model's may differ.
    pub reproduced: bool,
    /// Processor on which this was computed.
    pub processor: String,
    /// Contributions whose rows in the influence index are not those that the model gives.
    pub bent_rows: BTreeSet<u64>,
    /// By what contributors were drawn, when not all were audited.
    pub seed: String,
    /// Contributors in all.
    pub contributors: u64,
    /// Questions.
    pub questions: Vec<Question>,
    /// Mean loss on the answers after the whole training, nats a token.
    pub loss: f64,
    /// How well pay predicts change; none when no question pays anybody.
    pub agreement: Option<Agreement>,
    /// Everybody who was left out.
    pub audited: Vec<Audited>,
}

impl Report {
    /// What speaks against the model, a line each; nothing when it stands.
    pub fn findings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.bent_rows.is_empty() {
            found.push(format!(
                "the model gives other rows than the influence index for contributions {:?}",
                self.bent_rows
            ));
        }
        for audited in &self.audited {
            if audited.standing.is_some_and(|standing| standing.verdict == Verdict::Favoured) {
                found.push(format!("{} is paid for what changes nothing", audited.contributor));
            }
        }
        found
    }
}

/// Losses of a finished training, kept under its name, to the bit: an audit that was stopped finds what one finds that
/// was not.
#[derive(Serialize, Deserialize)]
struct Kept {
    questions: String,
    weights_root: String,
    losses: Bits,
}

/// The contributors of a model's documents with what they gave, at most `most` of them: those first by
/// SHA-256(seed, contributor).
pub fn drawn(subject: &Subject<'_>, most: Option<usize>, seed: &str) -> Vec<(String, BTreeSet<u64>)> {
    let mut by_owner: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for document in subject.documents {
        if let Some(owner) = subject.owners.get(&document.contribution_id) {
            by_owner.entry(owner).or_default().insert(document.contribution_id);
        }
    }
    let mut all: Vec<(String, BTreeSet<u64>)> =
        by_owner.into_iter().map(|(owner, given)| (owner.to_string(), given)).collect();
    if let Some(most) = most.filter(|most| *most < all.len()) {
        all.sort_by_cached_key(|(owner, _)| {
            <[u8; 32]>::from(Sha256::new().chain_update(seed).chain_update(owner).finalize())
        });
        all.truncate(most);
        all.sort();
    }
    all
}

/// Trains the model again, whole and without each of the contributors, and compares. Finished trainings lie in
/// `folder` and are not repeated. `progress` is told (training, trainings, step, steps).
///
/// # Errors
/// When the receipt is not of these documents, a training fails or is cancelled, or the disk is full.
pub fn audit(
    subject: &Subject<'_>,
    questions: Vec<Question>,
    contributors: &[(String, BTreeSet<u64>)],
    seed: &str,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64, u64, u64),
    cancel: &AtomicBool,
) -> Result<Report> {
    let Subject { receipt, tokenizer, documents, .. } = subject;
    let rerun = Rerun::new(receipt, subject.model.config(), tokenizer, documents, subject.memory)?;
    let name = asked(&questions);
    let trainings = contributors.len() as u64 + 1;
    make_private_dir(folder)?;
    let mut losses = |number: u64, without: &BTreeSet<u64>| -> Result<Kept> {
        let path = folder.join(format!("{}.json", rerun.fingerprint(without)));
        if let Ok(kept) = read_json::<Kept>(&path) {
            if kept.questions == name && kept.losses.0.len() == questions.len() {
                return Ok(kept);
            }
        }
        let mut step = |step| progress(number, trainings, step, rerun.steps());
        let trained = rerun.train(without, &mut step, cancel)?;
        let kept = Kept {
            questions: name.clone(),
            weights_root: hex::encode(rerun.weights_root(&trained)?),
            losses: Bits(answer_losses(&trained, &questions)?),
        };
        write_json(&path, &kept)?;
        Ok(kept)
    };
    let whole = losses(0, &BTreeSet::new())?;
    let mut audited = Vec::new();
    for (number, (contributor, given)) in (1u64..).zip(contributors) {
        let without = losses(number, given)?;
        let paid = |question: &Question| {
            let own = question.shares.iter().filter(|(id, _)| given.contains(id));
            own.map(|(_, bps)| f64::from(*bps)).sum()
        };
        audited.push(Audited {
            contributor: contributor.clone(),
            contributions: given.len() as u64,
            training: rerun.fingerprint(given),
            standing: None,
            changed: without
                .losses
                .0
                .iter()
                .zip(&whole.losses.0)
                .map(|(without, whole)| without - whole)
                .collect(),
            paid: questions.iter().map(paid).collect(),
        });
    }
    let rows = |of: &dyn Fn(&Audited) -> &Vec<f64>| -> Vec<Vec<f64>> {
        let at =
            |question: usize| audited.iter().map(|a| of(a).get(question).copied().unwrap_or(0.0)).collect();
        (0..questions.len()).map(at).collect()
    };
    let (paid, changed) = (rows(&|audited| &audited.paid), rows(&|audited| &audited.changed));
    for (audited, standing) in audited.iter_mut().zip(standings(&paid, &changed)) {
        audited.standing = Some(standing);
    }
    let manifest = subject.model.manifest();
    let stated = hex::encode(manifest.weights_root.as_slice());
    Ok(Report {
        format: 1,
        model_id: 0,
        model_version: 0,
        manifest_hash: hex::encode(subject.model.manifest_hash()),
        scheme: subject.attribution.scheme().into(),
        datanets: manifest.datanets.clone(),
        documents_hash: subject.receipt.documents_hash.to_hex(),
        index_root: manifest.influence.as_ref().map(|params| params.index_root.to_hex()),
        reproduced: stated == whole.weights_root,
        weights_root: [stated, whole.weights_root],
        processor: format!("{}, {}", std::env::consts::ARCH, subject.model.cpu_path().unwrap_or("scalar")),
        bent_rows: bent_rows(subject)?,
        seed: seed.into(),
        contributors: subject.owners.values().collect::<BTreeSet<_>>().len() as u64,
        loss: whole.losses.0.iter().sum::<f64>() / whole.losses.0.len().max(1) as f64,
        agreement: agreement(&paid, &changed),
        questions,
        audited,
    })
}

/// Names questions and answers, whatever they pay.
fn asked(questions: &[Question]) -> String {
    let mut hasher = Sha256::new();
    for question in questions {
        for tokens in [&question.prompt, &question.answer] {
            hasher.update((tokens.len() as u64).to_be_bytes());
            tokens.iter().for_each(|token| hasher.update(token.to_be_bytes()));
        }
    }
    hex::encode(hasher.finalize())
}

fn answer_losses(trained: &Retrained, questions: &[Question]) -> Result<Vec<f64>> {
    questions.iter().map(|q| Ok(trained.answer_loss(&q.prompt, &q.answer)?)).collect()
}

/// All rows of the influence index against those that the model gives.
fn bent_rows(subject: &Subject<'_>) -> Result<BTreeSet<u64>> {
    let Some(influence) = subject.attribution.influence() else { return Ok(BTreeSet::new()) };
    let texts: Vec<Source> = subject
        .documents
        .iter()
        .map(|document| Source { contribution_id: document.contribution_id, text: document.text })
        .collect();
    Ok(check_documents(subject.model, influence, &texts)?)
}
