//! Verifying a paid answer from its receipt, the chain and the public blobs alone.
//!
//! [`Prepared`] holds what every answer of one model version needs: weights, tokenizer and the index
//! over its data, all fetched and compared with the chain. [`recompute`] is the pure part: it replays
//! the answer and traces it again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use openledger_attribution::Index;
use openledger_client::contracts::Reader;
use openledger_node::attribution::{check_documents, Attribution, Source, INFLUENCE_FILE};
use openledger_node::engine::{Model, ReplayReport};
use openledger_node::ledger::parse_receipts;
pub use openledger_node::recompute::{recompute, Recomputed};
use openledger_node::request::{parse, Endpoint};
use openledger_node::serve::build_index;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::SignedReceipt;
use openledger_types::msg::escrow::{EpochResponse, RootStatus, SessionResponse};
use openledger_types::msg::model_registry::ModelVersionResponse;
use serde::Serialize;

use crate::check::{check_bundle, Check, Checks, Pins};
use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::explain::{explain, Explained};
use crate::model::{blocking, load_corpus};
use crate::{model_files, node_http};

/// What a verification found.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// Receipt's id.
    pub receipt_id: String,
    /// Whether all checks hold.
    pub holds: bool,
    /// Every check.
    pub checks: Vec<Check>,
    /// How exactly answers of this model repeat.
    pub numeric_class: String,
    /// Tokens replayed.
    pub tokens: usize,
    /// Tokens that lose by a margin within the class's tolerance.
    pub near_ties: usize,
    /// Largest relative distance of a token's projections; 0 in the exact class.
    pub rel_l2_max: f64,
    /// Its mean.
    pub rel_l2_mean: f64,
    /// Windows of the exact class whose hidden vectors are not those committed.
    pub windows_differing: usize,
    /// How the answer is attributed.
    pub attribution: String,
    /// How far the posted signature is from the one computed here, with schemes that have signatures.
    pub signature: Option<SignatureDistance>,
    /// The epoch that covers the receipt, when one does.
    pub epoch: Option<u64>,
    /// Where the receipt stands with settlement; being unsettled is no fault.
    pub settlement: String,
}

/// A signature's distance from the one computed here.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SignatureDistance {
    /// Entries compared.
    pub entries: usize,
    /// Entries that differ.
    pub different: usize,
    /// Largest difference, in units of the last place.
    pub largest: u16,
}

impl Verification {
    /// The checks that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.holds)
    }
}

/// Contributions with the largest shares whose rows in the influence index are computed again.
const ROWS_CITED: usize = 4;
/// Others, drawn by the receipt's seed.
const ROWS_DRAWN: usize = 4;

/// Computes rows of the influence index again: of the contributions that the answer pays most, and of some
/// that nobody could know beforehand. A developer who favours or drops a contribution is found by this.
pub fn check_rows(
    model: &Model,
    attribution: &Attribution,
    contents: &BTreeMap<u64, String>,
    bundle: &AnswerBundle,
) -> Checks {
    let mut checks = Checks::default();
    let Some(influence) = attribution.influence() else { return checks };
    let receipt = &bundle.receipt.receipt;
    let mut paid = receipt.shares.clone();
    paid.sort_by_key(|share| (std::cmp::Reverse(share.bps), share.contribution_id));
    let mut chosen: BTreeSet<u64> = paid.iter().take(ROWS_CITED).map(|share| share.contribution_id).collect();
    let all: Vec<u64> =
        contents.keys().copied().filter(|id| attribution.index().document(*id).is_some()).collect();
    for word in receipt.seed.chunks_exact(8).take(ROWS_DRAWN) {
        let number = word.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let drawn = usize::try_from(number % all.len().max(1) as u64).ok().and_then(|at| all.get(at));
        chosen.extend(drawn);
    }
    let texts: Vec<Source> = chosen
        .iter()
        .filter_map(|id| Some(Source { contribution_id: *id, text: contents.get(id)? }))
        .collect();
    let found = check_documents(model, influence, &texts);
    checks.add(
        "rows of the influence index",
        found.as_ref().is_ok_and(BTreeSet::is_empty),
        || match &found {
            Ok(differing) => format!("the model gives other rows for {differing:?}"),
            Err(error) => error.to_string(),
        },
    );
    checks
}

/// Receipts of epochs, by (node, denom, epoch).
type Epochs = BTreeMap<(u64, String, u64), Arc<Vec<SignedReceipt>>>;

/// A model version with its data, fetched and compared with the chain, ready for any number of answers.
pub struct Prepared {
    /// What the chain says of the version.
    pub version: ModelVersionResponse,
    /// Contributor of each contribution.
    pub contributors: BTreeMap<u64, String>,
    model: Arc<Model>,
    attribution: Arc<Attribution>,
    /// Content texts, where the model has an influence index that is checked against them.
    contents: Arc<BTreeMap<u64, String>>,
    checks: Vec<Check>,
    /// Receipts of epochs that were read, by (node, denom, epoch).
    epochs: Mutex<Epochs>,
}

/// Fetches a model version and its data from `node` into `cache_dir`, which should be fresh and empty,
/// and compares everything with the chain.
///
/// # Errors
/// Of chain, node or disk; class verification when a blob, the model or the data do not match the chain.
pub async fn prepare(
    ctx: &Context,
    model_id: u64,
    version: u32,
    node: &str,
    cache_dir: &Path,
) -> Result<Prepared> {
    let reader = ctx.reader().await?;
    let node = node.trim_end_matches('/');
    let version = reader.model_version(model_id, version).await?;
    let mut checks = Checks::default();

    let manifest = model_files::fetch(ctx, &version, node, cache_dir).await?;
    checks.add("manifest as registered on chain", true, String::new);
    let dir = cache_dir.to_path_buf();
    let model = blocking(move || Ok(Model::load(&dir)?)).await.map_err(|error| match error.class {
        // The files came whole; what does not load is not what the chain describes.
        Class::File if error.code != "E-MODEL-001" => CliError { class: Class::Verification, ..error },
        _ => error,
    })?;
    checks.add("weights, tokenizer and configuration as in the manifest", true, String::new);

    let docs = load_corpus(ctx, &reader, &version.datanets, node).await?;
    checks.add("data against the sealed roots", true, String::new);
    let contributors =
        docs.iter().map(|doc| (doc.facts.contribution_id, doc.facts.contributor.clone())).collect();
    let influence = match manifest.influence {
        Some(_) => Some(std::fs::read(cache_dir.join(INFLUENCE_FILE)).map_err(|e| CliError {
            class: Class::Verification,
            ..CliError::file(&cache_dir.join(INFLUENCE_FILE), e)
        })?),
        None => None,
    };
    let (contents, attribution) = blocking(move || {
        let contents: BTreeMap<u64, String> = match influence {
            Some(_) => docs.iter().map(|doc| (doc.facts.contribution_id, doc.content.clone())).collect(),
            None => BTreeMap::new(),
        };
        let index = build_index(docs)?;
        Ok((contents, Attribution::open(&manifest, index, influence.as_deref())?))
    })
    .await?;
    checks.add("influence index as in the manifest", true, String::new);
    Ok(Prepared {
        version,
        contributors,
        model: Arc::new(model),
        attribution: Arc::new(attribution),
        contents: Arc::new(contents),
        checks: checks.0,
        epochs: Mutex::default(),
    })
}

impl Prepared {
    /// The index over the data, for showing traces.
    pub fn index(&self) -> &Index {
        self.attribution.index()
    }

    /// How answers of this model are attributed.
    pub fn attribution(&self) -> &Attribution {
        &self.attribution
    }

    /// The same, to be used elsewhere.
    pub fn shared_attribution(&self) -> Arc<Attribution> {
        self.attribution.clone()
    }

    /// An answer's prompt and its tokens, as the model reads the request.
    ///
    /// # Errors
    /// When the request cannot be read.
    pub fn prompt(&self, bundle: &AnswerBundle) -> Result<(String, Vec<u32>)> {
        let mut asked = parse(Endpoint::of(&bundle.endpoint)?, &bundle.body)?;
        let tokens = self.model.read(&mut asked)?;
        Ok((asked.prompt, tokens))
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Verifies one answer of this model version. Checks that fail are in the result.
    ///
    /// # Errors
    /// Of the chain, or when the answer is one of another model version.
    pub async fn verify(&self, ctx: &Context, bundle: &AnswerBundle) -> Result<Verification> {
        let reader = ctx.reader().await?;
        let receipt = &bundle.receipt.receipt;
        if (receipt.model_id, receipt.model_version) != (self.version.model_id, self.version.version) {
            return Err(CliError::usage(format!(
                "the answer is one of model {}:{}, not of {}:{}",
                receipt.model_id, receipt.model_version, self.version.model_id, self.version.version
            )));
        }
        let session = reader.session(receipt.session_id).await?;
        let mut checks = Checks(self.checks.clone());
        let Some(node) = session.nodes.iter().find(|n| n.node_id == receipt.node_id) else {
            checks.add("node of the session", false, || format!("node {} is not in it", receipt.node_id));
            return Ok(self.result(bundle, checks, None, None, "not looked for".into()));
        };
        let chain_id = &reader.chain().config().chain_id;
        let pins = Pins::new(chain_id, &reader.contracts().payable_escrow, &session, node, &self.version);
        checks.0.extend(check_bundle(&pins, bundle));
        checks.add("model of the session", session_is_of(&session, &self.version), || {
            format!("the session pays for {}:{}", session.model_id, session.model_version)
        });
        // The escrow settles by the key pinned at opening; it must be the one on record at that height.
        let on_record = reader.node_key(receipt.node_id, session.opened_at).await?;
        checks.add("node key on record", on_record.as_ref() == Some(&node.node_key), || {
            "the registry knows another key for that height".into()
        });
        checks.add("height within the session", receipt.height >= session.opened_at, || {
            format!("height {} is before the opening at {}", receipt.height, session.opened_at)
        });

        let (model, attribution, copy) = (self.model.clone(), self.attribution.clone(), bundle.clone());
        let contents = self.contents.clone();
        let without = barred(&reader, &self.attribution, bundle).await?;
        let (again, rows) = blocking(move || {
            Ok((
                recompute(&model, &attribution, &copy, &without),
                check_rows(&model, &attribution, &contents, &copy),
            ))
        })
        .await?;
        checks.0.extend(again.checks.0);
        checks.0.extend(rows.0);
        let settled = receipt.sequence <= node.log.count;
        let (epoch, settlement) =
            self.settlement(ctx, &reader, bundle, &session, settled, &mut checks).await?;
        let signature = again.signature.map(|d| SignatureDistance {
            entries: d.entries,
            different: d.different,
            largest: d.largest,
        });
        Ok(Verification { signature, ..self.result(bundle, checks, again.replay, epoch, settlement) })
    }

    fn result(
        &self,
        bundle: &AnswerBundle,
        checks: Checks,
        replay: Option<ReplayReport>,
        epoch: Option<u64>,
        settlement: String,
    ) -> Verification {
        let replay = replay.as_ref();
        Verification {
            receipt_id: hex::encode(bundle.receipt.receipt.digest()),
            holds: checks.hold() && replay.is_some(),
            checks: checks.0,
            numeric_class: self.version.numeric_class.as_str().into(),
            tokens: replay.map_or(0, |r| r.tokens),
            near_ties: replay.map_or(0, |r| r.near_ties),
            rel_l2_max: replay.map_or(0.0, |r| r.rel_l2_max),
            rel_l2_mean: replay.map_or(0.0, |r| r.rel_l2_mean),
            windows_differing: replay.map_or(0, |r| r.windows_differing.len()),
            attribution: self.attribution.scheme().into(),
            signature: None,
            epoch,
            settlement,
        }
    }

    /// Looks for the receipt in the epochs of its node, the newest first. A receipt that is not settled
    /// is no fault; another one settled under its sequence is.
    async fn settlement(
        &self,
        ctx: &Context,
        reader: &Reader,
        bundle: &AnswerBundle,
        session: &SessionResponse,
        settled: bool,
        checks: &mut Checks,
    ) -> Result<(Option<u64>, String)> {
        if !settled {
            return Ok((None, "not settled yet".into()));
        }
        let receipt = &bundle.receipt.receipt;
        let ledger = reader.ledger(receipt.node_id, &session.denom).await?;
        let mut taken_out = None;
        for epoch in (1..=ledger.epoch).rev() {
            let state = reader.epoch(receipt.node_id, &session.denom, epoch).await?;
            if state.status == RootStatus::Replaced && taken_out.is_some() {
                continue;
            }
            let receipts = match self.receipts(ctx, reader, receipt.node_id, &session.denom, epoch).await {
                Ok(receipts) => receipts,
                Err(error) if error.class == Class::Node => {
                    return Ok((
                        None,
                        format!("settled, but epoch {epoch} cannot be read: {}", error.message),
                    ));
                }
                Err(error) => return Err(error),
            };
            let same = |r: &&SignedReceipt| {
                r.receipt.session_id == receipt.session_id && r.receipt.sequence == receipt.sequence
            };
            if let Some(found) = receipts.iter().find(same) {
                if state.status == RootStatus::Replaced {
                    // Its replacement, which is newer, does not hold it.
                    taken_out = Some(epoch);
                    continue;
                }
                let equal = found.receipt.digest() == receipt.digest();
                checks.add("the settled receipt", equal, || {
                    format!("epoch {epoch} settles another receipt under this sequence")
                });
                return Ok((Some(epoch), format!("settled in epoch {epoch}, {}", stage(&state))));
            }
        }
        if let Some(epoch) = taken_out {
            let what = format!("a verdict took it out of epoch {epoch}: its fee went back to the session");
            return Ok((Some(epoch), what));
        }
        checks.add("the settled receipt", false, || {
            "the chain settled it, but no epoch's receipts hold it".into()
        });
        Ok((None, "settled, in no epoch's receipts".into()))
    }

    /// All receipts of an epoch, checked against its commitment; remembered.
    ///
    /// # Errors
    /// Of chain and nodes, and when the blob is not the one committed to.
    pub async fn receipts(
        &self,
        ctx: &Context,
        reader: &Reader,
        node_id: u64,
        denom: &str,
        epoch: u64,
    ) -> Result<Arc<Vec<SignedReceipt>>> {
        let key = (node_id, denom.to_string(), epoch);
        if let Some(known) = self.epochs.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let commit = reader.epoch(node_id, denom, epoch).await?.commit;
        let bytes = node_http::blob_of(ctx, reader, node_id, &commit.receipts_blob).await?;
        let receipts = Arc::new(parse_receipts(&bytes, &commit.receipts_blob, &commit.receipts)?);
        self.epochs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, receipts.clone());
        Ok(receipts)
    }
}

/// Where the root that settles a receipt stands.
fn stage(state: &EpochResponse) -> String {
    let attested = if state.attested { "attested" } else { "not attested" };
    match state.status {
        RootStatus::Final => format!("final, {attested}"),
        RootStatus::Pending if state.holds > 0 => format!("held by {} demands for its blobs", state.holds),
        RootStatus::Pending => format!("in its challenge window until {}, {attested}", state.final_at),
        RootStatus::Void => {
            format!("whose root is void: {}", state.void_reason.as_deref().unwrap_or("not said"))
        }
        RootStatus::Replaced => "whose root was replaced".into(),
        RootStatus::Abandoned => "whose node was given up".into(),
    }
}

fn session_is_of(session: &SessionResponse, version: &ModelVersionResponse) -> bool {
    session.model_id == version.model_id && session.model_version == version.version
}

/// Verifies one answer: [`prepare`] and [`Prepared::verify`].
///
/// # Errors
/// As theirs.
pub async fn verify(
    ctx: &Context,
    bundle: &AnswerBundle,
    cache_dir: &Path,
    node: &str,
) -> Result<Verification> {
    let receipt = &bundle.receipt.receipt;
    let prepared = prepare(ctx, receipt.model_id, receipt.model_version, node, cache_dir).await?;
    prepared.verify(ctx, bundle).await
}

/// Contributions that the answer would rest on and that may not be cited at its receipt's height: unknown to
/// the chain, never licensed for paid answers, or withdrawn more than the grace before (PROTOCOL D4).
///
/// # Errors
/// Of the chain.
pub async fn barred(
    reader: &Reader,
    attribution: &Attribution,
    bundle: &AnswerBundle,
) -> Result<BTreeSet<u64>> {
    let grace = reader.datanet_config().await?.params.withdrawal_grace;
    let (mut barred, mut fine) = (BTreeSet::new(), BTreeSet::new());
    loop {
        // What cannot be read is found by the checks; nothing is barred for it.
        let Ok(found) = explain(attribution, bundle, &barred) else { return Ok(barred) };
        let before = barred.len();
        for id in found.parts.iter().map(|part| part.contribution_id) {
            if fine.contains(&id) {
                continue;
            }
            let contribution = match reader.contribution(id).await {
                Ok(contribution) => Some(contribution),
                Err(openledger_client::Error::Contract { .. } | openledger_client::Error::NotFound(_)) => {
                    None
                }
                Err(error) => return Err(error.into()),
            };
            let citable = contribution.is_some_and(|c| {
                let until = c.withdrawn_at.map(|height| height.saturating_add(grace));
                c.facts.uses.allows_paid_answers()
                    && until.is_none_or(|until| bundle.receipt.receipt.height <= until)
            });
            if citable {
                fine.insert(id);
            } else {
                barred.insert(id);
            }
        }
        if barred.len() == before {
            return Ok(barred);
        }
    }
}

/// Verifies one answer and explains its shares.
///
/// # Errors
/// As [`prepare`], [`Prepared::verify`] and [`explain`].
pub async fn explained(
    ctx: &Context,
    bundle: &AnswerBundle,
    cache_dir: &Path,
    node: &str,
) -> Result<(Verification, Explained)> {
    let receipt = &bundle.receipt.receipt;
    let prepared = prepare(ctx, receipt.model_id, receipt.model_version, node, cache_dir).await?;
    let without = barred(&ctx.reader().await?, prepared.attribution(), bundle).await?;
    Ok((prepared.verify(ctx, bundle).await?, explain(prepared.attribution(), bundle, &without)?))
}

/// The answers named, by file or receipt's id; all that this home folder keeps, by name, when none is.
///
/// # Errors
/// As [`read_bundle`].
pub async fn kept_bundles(ctx: &Context, names: &[String]) -> Result<Vec<AnswerBundle>> {
    let mut found = Vec::new();
    for name in names {
        found.push(read_bundle(ctx, name).await?);
    }
    if names.is_empty() {
        let folder = ctx.home.join("answers");
        let entries = std::fs::read_dir(&folder).into_iter().flatten();
        let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
        paths.sort();
        found.extend(paths.iter().filter_map(|path| crate::context::read_json(path).ok()));
    }
    Ok(found)
}

/// Reads a bundle: a file that `ask` wrote, or a receipt's id that the node is asked for.
///
/// # Errors
/// When there is no such file and the node has no such receipt, or gives another.
pub async fn read_bundle(ctx: &Context, name: &str) -> Result<AnswerBundle> {
    let path = Path::new(name);
    let is_id = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id || path.exists() {
        return crate::context::read_json(path);
    }
    let kept = ctx.home.join("answers").join(format!("{}.json", name.to_lowercase()));
    if kept.exists() {
        return crate::context::read_json(&kept);
    }
    let url = format!("{}/v1/receipts/{}", ctx.node_url()?, name.to_lowercase());
    let bundle: AnswerBundle = node_http::get_json(&ctx.http, &url).await?;
    if hex::encode(bundle.receipt.receipt.digest()) != name.to_lowercase() {
        return Err(CliError::new(
            Class::Verification,
            "E-CLI-066",
            "the node gives another receipt than was asked for",
            "ask another node, or use the file that `openledger ask` wrote",
        ));
    }
    Ok(bundle)
}
