//! Adapters on the tiny model: trained, served beside their base in the same steps, replayed, refused when they do not
//! fit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use openledger_node::engine::{
    AdapterCounters, Adapters, BatchSettings, Batcher, Counters, Generation, Model, ADAPTER_FILE,
    MANIFEST_FILE,
};
use openledger_node::train::{train_adapter, AdapterRecipe, Document, Phase, Progress, Recipe, TrainReport};
use openledger_numerics::Path as CpuPath;
use openledger_types::formats::{BlobRef, Manifest};

use super::*;

fn adapter_recipe(seed: u64) -> Recipe {
    let adapter = AdapterRecipe {
        rank: 4,
        alpha: 16.0,
        targets: ["q_proj", "v_proj", "up_proj", "down_proj"].map(String::from).to_vec(),
    };
    Recipe { seed, name: "adapted".into(), steps: Some(200), warmup: 2, adapter: Some(adapter), ..recipe() }
}

fn run(
    recipe: &Recipe,
    base: &Path,
    out: &Path,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> openledger_node::engine::Result<TrainReport> {
    // A language of which the base has seen nothing.
    let texts: Vec<String> =
        documents(500, 20).iter().map(|text| text.replace("the", "zebra").replace("node", "gnu")).collect();
    let documents: Vec<Document> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| Document { contribution_id: 900 + i as u64, datanet_id: 2, text })
        .collect();
    train_adapter(recipe, base, &documents, &[], out, progress, cancel)
}

/// Two adapters of the tiny model, with what the first one's run reported.
fn adapted() -> &'static ([PathBuf; 2], TrainReport) {
    static DIRS: OnceLock<([PathBuf; 2], TrainReport)> = OnceLock::new();
    DIRS.get_or_init(|| {
        let mut first = None;
        let dirs = [1, 2].map(|seed| {
            let dir = tempfile::tempdir().unwrap().keep();
            let done = run(&adapter_recipe(seed), folder(), &dir, &mut |_| {}, &AtomicBool::new(false));
            first.get_or_insert(done.unwrap());
            dir
        });
        (dirs, first.unwrap())
    })
}

/// A folder with the manifest and the adapter of `dir` only, as a node keeps it beside a base in memory.
fn slim(dir: &Path) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    for name in [MANIFEST_FILE, ADAPTER_FILE] {
        std::fs::copy(dir.join(name), out.path().join(name)).unwrap();
    }
    out
}

/// Writes the manifest of `dir` after a change.
fn rewrite(dir: &Path, change: impl Fn(&mut Manifest)) {
    let path = dir.join(MANIFEST_FILE);
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    std::fs::write(path, serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
}

#[test]
fn an_adapter_learns_its_data_and_leaves_the_base_as_it_was() {
    let (dirs, report) = adapted();
    println!("loss {} -> {}", report.receipt.loss_first, report.receipt.loss_last);
    let text = documents(900, 4).join("").replace("the", "zebra").replace("node", "gnu");
    let with = Model::load(&dirs[0]).unwrap();
    let (before, after) = (model_bits(model(), &[&text]).unwrap(), model_bits(&with, &[&text]).unwrap());
    println!("bits of unseen text of the adapter's language: base {before:.3}, with adapter {after:.3}");
    assert!(after < before * 0.9, "{after} against {before}");
    // The base's part of both manifests is the same, to the blob.
    let (own, base) = (with.manifest(), model().manifest());
    assert_eq!(own.weights_root, base.weights_root);
    let weights = |manifest: &Manifest| {
        manifest.files.iter().find(|file| file.name == "model.safetensors").unwrap().blob.clone()
    };
    assert_eq!(weights(own), weights(base));
    assert_eq!(report.receipt.base_weights_root.as_ref(), Some(&base.weights_root));
    assert_eq!(own.parameters - base.parameters, 2 * 4 * (2 * 96 + 2 * 148));
}

#[test]
fn a_run_that_was_stopped_gives_the_same_adapter_to_the_bit() {
    let parts = tempfile::tempdir().unwrap();
    let cancel = AtomicBool::new(false);
    let stop = |p: &Progress| cancel.store(p.phase == Phase::Training && p.step == 9, Relaxed);
    let stopped = run(&adapter_recipe(1), folder(), parts.path(), &mut |p| stop(p), &cancel).unwrap_err();
    assert_eq!(stopped.code, "E-TRAIN-007");
    let done = run(&adapter_recipe(1), folder(), parts.path(), &mut |_| {}, &AtomicBool::new(false)).unwrap();
    assert_eq!(done.resumed_at, Some(9));
    let read = |dir: &Path| std::fs::read(dir.join(ADAPTER_FILE)).unwrap();
    assert!(read(&adapted().0[0]) == read(parts.path()));
    assert!(read(&adapted().0[1]) != read(parts.path()));
}

#[test]
fn node_attack_15_answers_with_adapters_have_the_same_bits_on_every_path_in_every_mixed_batch() {
    let (dirs, _) = adapted();
    let slim = [slim(&dirs[0]), slim(&dirs[1])];
    let long = "the node pays the owner of data and every share is a proof ".repeat(4);
    let prompts = ["the", long.as_str(), "zebra gnu"];
    // Loaded alone, from whole folders; and on the law's path, one by one.
    let alone: Vec<Model> = [folder(), &dirs[0], &dirs[1]]
        .map(|dir| Model::load(dir).unwrap().on_path(CpuPath::SCALAR).unwrap())
        .into();
    let asked: Vec<(usize, GenRequest)> =
        (0..12).map(|i| (i % 3, request(prompts[i / 3 % 3], (i / 4) as u8, 12 + i as u32))).collect();
    let expected: Vec<Generation> = asked.iter().map(|(which, of)| answer(&alone[*which], of)).collect();
    let different = [0, 1, 2].map(|i| &expected[i].trace);
    assert!(different[0] != different[1] && different[1] != different[2] && different[0] != different[2]);
    for path in CpuPath::available() {
        let counters = Arc::new(AdapterCounters::default());
        let cache = Arc::new(Adapters::new(1 << 20, counters.clone()));
        let base = Model::load_with(folder(), &cache).unwrap().on_path(path).unwrap();
        let beside = [0, 1].map(|i| Arc::new(base.load_beside(slim[i].path()).unwrap()));
        let base = Arc::new(base);
        for (batch, workers, prefix_bytes) in [(1, 1, 1 << 20), (12, 1, 1 << 22), (5, 2, 0)] {
            let settings = BatchSettings { workers, batch, queue: 64, prefix_bytes };
            let engine = Arc::new(Counters::default());
            let first = Batcher::start(base.clone(), settings, engine.clone()).unwrap();
            let others = [0, 1].map(|i| first.beside(beside[i].clone()).unwrap());
            let batchers = [&first, &others[0], &others[1]];
            for _ in 0..2 {
                let answers: Vec<Generation> = std::thread::scope(|scope| {
                    let waiting: Vec<_> = asked
                        .iter()
                        .map(|(which, request)| {
                            let batcher = batchers[*which];
                            scope.spawn(move || {
                                batcher.generate(request, &mut |_| ControlFlow::Continue(())).unwrap()
                            })
                        })
                        .collect();
                    waiting.into_iter().map(|thread| thread.join().unwrap()).collect()
                });
                assert!(answers == expected, "{} with batch {batch} differs", path.name());
            }
            assert!(prefix_bytes == 0 || engine.cached_tokens.load(Relaxed) > 0);
        }
        for ((which, request), generation) in asked.iter().zip(&expected) {
            let of = [&base, &beside[0], &beside[1]];
            let report = of[*which].replay(&replay_of(request, generation)).unwrap();
            assert!(report.passes(), "{}: {:?}", path.name(), report.failures());
            // Whoever answers without the adapter, or with another, is caught.
            let other = of[(*which + 1) % 3].replay(&replay_of(request, generation)).unwrap();
            assert!(!other.passes());
        }
        assert_eq!(counters.loads.load(Relaxed), 2);
        assert!(counters.hits.load(Relaxed) > 16);
    }
}

#[test]
fn node_attack_14_a_prefix_that_one_adapter_computed_is_not_served_to_another() {
    let (dirs, _) = adapted();
    let base = Arc::new(Model::load(folder()).unwrap());
    let slim = slim(&dirs[0]);
    let with = Arc::new(base.load_beside(slim.path()).unwrap());
    let settings = BatchSettings { workers: 1, batch: 1, queue: 8, prefix_bytes: 1 << 22 };
    let counters = Arc::new(Counters::default());
    let first = Batcher::start(base.clone(), settings, counters.clone()).unwrap();
    let second = first.beside(with.clone()).unwrap();
    let request = request(&"every share is a proof of the leaf ".repeat(5), 1, 8);
    assert!(request.prompt_tokens.len() > 32);
    let ask = |batcher: &Batcher| batcher.generate(&request, &mut |_| ControlFlow::Continue(())).unwrap();
    ask(&first);
    assert_eq!(ask(&second), answer(&with, &request));
    assert_eq!(counters.cached_tokens.load(Relaxed), 0);
    assert_eq!(ask(&second), answer(&with, &request));
    assert!(counters.cached_tokens.load(Relaxed) >= 32);
}

#[test]
fn what_does_not_fit_its_base_or_its_manifest_is_refused() {
    let (dirs, _) = adapted();
    let code = |dir: &Path| model().load_beside(dir).err().map(|e| e.code);
    let fresh = || slim(&dirs[0]);
    assert_eq!(code(fresh().path()), None);
    // Another adapter's file under this manifest.
    let dir = fresh();
    std::fs::copy(dirs[1].join(ADAPTER_FILE), dir.path().join(ADAPTER_FILE)).unwrap();
    assert_eq!(code(dir.path()), Some("E-MODEL-007"));
    // One bit of a value.
    let dir = fresh();
    let mut bytes = std::fs::read(dir.path().join(ADAPTER_FILE)).unwrap();
    let at = bytes.len() - 2;
    bytes[at] ^= 0x40;
    std::fs::write(dir.path().join(ADAPTER_FILE), &bytes).unwrap();
    assert!(code(dir.path()).is_some());
    // No file, an empty one, one without end.
    std::fs::remove_file(dir.path().join(ADAPTER_FILE)).unwrap();
    assert_eq!(code(dir.path()), Some("E-MODEL-001"));
    std::fs::write(dir.path().join(ADAPTER_FILE), b"").unwrap();
    assert_eq!(code(dir.path()), Some("E-MODEL-014"));
    std::fs::write(dir.path().join(ADAPTER_FILE), vec![0; 4 << 20]).unwrap();
    assert_eq!(code(dir.path()), Some("E-MODEL-003"));
    // Another base, other parameters, the tolerant class.
    type Change = fn(&mut Manifest);
    let changes: [(Change, &str); 4] = [
        (|m| m.weights_root = cosmwasm_std::HexBinary::from(&[9; 32]), "E-MODEL-007"),
        (|m| m.tokenizer_hash = cosmwasm_std::HexBinary::from(&[9; 32]), "E-MODEL-007"),
        (|m| m.parameters += 1, "E-MODEL-007"),
        (|m| m.numeric_class = NumericClass::TolerantF32, "E-MODEL-008"),
    ];
    for (change, expected) in changes {
        let dir = fresh();
        rewrite(dir.path(), change);
        assert_eq!(code(dir.path()), Some(expected));
    }
    // A base of another shape.
    let other = Model::load(&trained(&Recipe { layers: 1, steps: Some(2), ..recipe() })).unwrap();
    assert_eq!(other.load_beside(fresh().path()).err().map(|e| e.code), Some("E-MODEL-007"));
    let other = Arc::new(other);
    let batcher = Batcher::start(other, BatchSettings::default(), Arc::default()).unwrap();
    assert_eq!(batcher.beside(model().clone()).err().map(|e| e.code), Some("E-GEN-008"));
    // The whole folder of a model whose adapter is not the manifest's blob.
    let dir = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&dirs[0]).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    assert!(Model::load(dir.path()).is_ok());
    rewrite(dir.path(), |m| {
        let file = m.files.iter_mut().find(|file| file.name == ADAPTER_FILE).unwrap();
        file.blob = BlobRef::of(b"another");
    });
    assert_eq!(Model::load(dir.path()).err().map(|e| e.code), Some("E-MODEL-007"));
}

#[test]
fn recipes_of_adapters_that_cannot_be_trained_are_refused() {
    let out = tempfile::tempdir().unwrap();
    let code = |recipe: &Recipe, base: &Path| {
        run(recipe, base, out.path(), &mut |_| {}, &AtomicBool::new(false)).err().map(|e| e.code)
    };
    assert_eq!(code(&recipe(), folder()), Some("E-TRAIN-015"));
    let good = adapter_recipe(1).adapter.unwrap();
    for bad in [
        AdapterRecipe { rank: 0, ..good.clone() },
        AdapterRecipe { rank: 257, ..good.clone() },
        AdapterRecipe { alpha: f32::NAN, ..good.clone() },
        AdapterRecipe { targets: vec![], ..good.clone() },
        AdapterRecipe { targets: vec!["lm_head".into()], ..good.clone() },
    ] {
        let recipe = Recipe { adapter: Some(bad), ..adapter_recipe(1) };
        assert_eq!(code(&recipe, folder()), Some("E-TRAIN-015"));
    }
    // An adapter is no base.
    assert_eq!(code(&adapter_recipe(1), &adapted().0[0]), Some("E-TRAIN-015"));
}
