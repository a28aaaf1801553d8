//! False alarms of the exact class: honest answers, written in a batch and replayed on every path of this processor.
//! A single bit that differs is counted.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use anyhow::{Context, Result};
use openledger_node::engine::{
    BatchSettings, Batcher, Counters, GenRequest, Generation, Json, Model, ReplayRequest, Schema,
};
use openledger_node::train::{train, Document, Recipe};
use openledger_numerics::Path as CpuPath;
use openledger_types::formats::Decoding;

use crate::engine::timed;
use crate::report::Metric;
use crate::train::{shapes, texts};

/// Tokens of an answer.
const WRITTEN: u32 = 400;
/// Answers that are written together.
const TOGETHER: usize = 8;
/// What every fourth answer is bound by; there is always room for another item.
pub const SCHEMA: &str = r#"{"type":"array","minItems":500,"items":{"type":"object","properties":{
    "name":{"type":"string","maxLength":40},"count":{"type":"integer"},"note":{"type":"string"}},
    "required":["name","count"]}}"#;

/// Writes `tokens` tokens of the 0.8M shape and replays them.
///
/// # Errors
/// When the model cannot be made or an answer not be written.
pub fn measure(tokens: usize) -> Result<Vec<Metric>> {
    let folder = std::env::temp_dir().join(format!("openledger-honest-{}", std::process::id()));
    let found = measured(&folder, tokens);
    // A folder that stays behind only costs space.
    let _ = std::fs::remove_dir_all(&folder);
    found
}

fn measured(folder: &std::path::Path, tokens: usize) -> Result<Vec<Metric>> {
    let [small, ..] = shapes();
    // A few steps are enough: the draws have to depend on the weights, no more.
    let recipe = Recipe { context: 512, ..small.recipe(30) };
    let texts = texts(40);
    let documents: Vec<Document> = (1..)
        .zip(&texts)
        .map(|(contribution_id, text)| Document { contribution_id, datanet_id: 1, text })
        .collect();
    train(&recipe, &documents, &[], folder, &mut |_| {}, &AtomicBool::new(false))?;
    let writer = Arc::new(Model::load(folder)?);
    let replaying: Vec<Model> = CpuPath::available()
        .map(|path| Model::load(folder)?.on_path(path).context("the model is not of the class exact"))
        .collect::<Result<_>>()?;
    let json: Json = serde_json::from_str(SCHEMA)?;
    let schema = Arc::new(Schema::read(&json)?);
    let settings = BatchSettings { workers: 1, batch: TOGETHER, ..BatchSettings::default() };
    let batcher = Batcher::start(writer.clone(), settings, Arc::new(Counters::default()))?;

    let (mut written, mut wrong, mut round) = (0usize, 0usize, 0u32);
    // Tokens and CPU-seconds of plain and of bound answers.
    let mut spent = [(0usize, 0f64); 2];
    while written < tokens {
        let bound = round % 4 == 3;
        let requests: Vec<GenRequest> = (0..TOGETHER as u32)
            .map(|i| request(&writer, round * TOGETHER as u32 + i, bound.then(|| schema.clone())))
            .collect::<Result<_>>()?;
        let (seconds, answers) = timed(|| together(&batcher, &requests))?;
        let count: usize = answers.iter().map(|answer| answer.tokens.len()).sum();
        let slot = &mut spent[usize::from(bound)];
        *slot = (slot.0 + count, slot.1 + seconds);
        written += count;
        for (i, (request, answer)) in requests.into_iter().zip(answers).enumerate() {
            let model = &replaying[(round as usize + i) % replaying.len()];
            let report = model.replay(&ReplayRequest {
                request,
                tokens: answer.tokens,
                outcome: answer.outcome,
                trace: answer.trace,
                commit_root: answer.commit_root,
            })?;
            wrong += report.mismatches.len() + report.windows_differing.len();
            wrong += usize::from(!report.passes() || report.text != answer.text);
        }
        round += 1;
    }
    let speed = |(count, seconds): (usize, f64)| count as f64 / seconds.max(0.005);
    let [plain, bound] = spent.map(speed);
    Ok(vec![
        Metric::of("honest_tokens", "", vec![written as f64]),
        Metric::of("honest_mismatches", "", vec![wrong as f64]),
        Metric::of("bound_decode_share", "", vec![bound / plain]),
    ])
}

/// A request whose prompt, sampling and penalty follow from its number.
fn request(model: &Model, number: u32, schema: Option<Arc<Schema>>) -> Result<GenRequest> {
    let syllables = ["ka", "lo ", "mi", "ne ", "ru"];
    let prompt: String =
        (0..1 + number % 17).map(|n| syllables[(n * 3 + number) as usize % syllables.len()]).collect();
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    Ok(GenRequest {
        prompt_tokens: model.encode_prompt(&prompt)?,
        decoding: Decoding {
            temperature_milli: [0, 500, 700, 1_000, 1_500][number as usize % 5],
            top_k: [0, 0, 20][number as usize % 3],
            top_p_milli: [1_000, 900][number as usize % 2],
            max_tokens: WRITTEN,
        },
        seed,
        request_hash: [3; 32],
        stop: Vec::new(),
        repetition_milli: [1_000, 1_000, 1_150][number as usize / 3 % 3],
        schema,
    })
}

fn together(batcher: &Batcher, requests: &[GenRequest]) -> Result<Vec<Generation>> {
    std::thread::scope(|scope| {
        let waiting: Vec<_> = requests
            .iter()
            .map(|request| scope.spawn(move || batcher.generate(request, &mut |_| ControlFlow::Continue(()))))
            .collect();
        waiting
            .into_iter()
            .map(|thread| Ok(thread.join().map_err(|_| anyhow::anyhow!("an answer ended early"))??))
            .collect()
    })
}
