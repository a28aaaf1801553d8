//! Adapters on the tiny model: trained, served beside their base in the same steps, replayed, refused when they do not
//! fit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use openledger_node::engine::{
    AdapterCounters, Adapters, BatchSettings, Batcher, Counters, Generation, Model, ADAPTER_FILE,
    MANIFEST_FILE,
};
use openledger_node::train::{
    train_adapter, AdapterRecipe, Document, Phase, Progress, Recipe, TrainReport, CARD_FILE,
};
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
    // The card of each says what it is.
    let card = |dir: &Path| std::fs::read_to_string(dir.join(CARD_FILE)).unwrap();
    let (of_base, of_adapter) = (card(folder()), card(&dirs[0]));
    let (root, added) = (base.weights_root.to_hex(), own.adapter_root.to_hex());
    assert!(of_base.contains(&root) && !of_base.contains("LoRA"), "{of_base}");
    for said in ["LoRA", &root, &added, "| rank, alpha | 4, 16 |", "q_proj, v_proj, up_proj, down_proj"] {
        assert!(of_adapter.contains(said), "{said}: {of_adapter}");
    }
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

/// Bytes of the adapter in `dir` in memory.
fn adapter_bytes(dir: &Path) -> usize {
    let bytes = std::fs::read(dir.join(ADAPTER_FILE)).unwrap();
    openledger_exact::adapter::Adapter::parse(&bytes, model().config()).unwrap().bytes()
}

#[cfg(unix)]
#[test]
fn node_attack_18_a_cold_adapter_on_a_slow_disk_is_read_once_and_delays_nobody_else() {
    let (dirs, _) = adapted();
    let slim = [slim(&dirs[0]), slim(&dirs[1])];
    // Room for one: the second leaves no place for the first.
    let counters = Arc::new(AdapterCounters::default());
    let cache = Arc::new(Adapters::new(adapter_bytes(&dirs[0]), counters.clone()));
    let base = Arc::new(Model::load_with(folder(), &cache).unwrap());
    let beside = [0, 1].map(|i| Arc::new(base.load_beside(slim[i].path()).unwrap()));
    assert_eq!(counters.loads.load(Relaxed), 2);
    let settings = BatchSettings { workers: 1, batch: 8, queue: 8, prefix_bytes: 0 };
    let first = Batcher::start(base.clone(), settings, Arc::default()).unwrap();
    let [cold, warm] = [0, 1].map(|i| first.beside(beside[i].clone()).unwrap());
    // The disk gives the first one's file when the test writes it, and only once.
    let file = slim[0].path().join(ADAPTER_FILE);
    std::fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    let asked = request("zebra gnu", 6, 16);
    let ask = |batcher: &Batcher| batcher.generate(&asked, &mut |_| ControlFlow::Continue(())).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ask_cold = || {
            let made = ask(&cold);
            over.store(true, Relaxed);
            made
        };
        let cold: Vec<_> = (0..4).map(|_| scope.spawn(ask_cold)).collect();
        for _ in 0..3 {
            assert_eq!(ask(&first), answer(&base, &asked));
            assert_eq!(ask(&warm), answer(&beside[1], &asked));
        }
        assert!(!over.load(Relaxed));
        std::fs::write(&file, std::fs::read(dirs[0].join(ADAPTER_FILE)).unwrap()).unwrap();
        let expected = answer(&Model::load(&dirs[0]).unwrap(), &asked);
        for made in cold {
            assert_eq!(made.join().unwrap(), expected);
        }
    });
    assert_eq!(counters.loads.load(Relaxed), 3);
}

#[test]
fn node_attack_19_an_adapter_larger_than_the_cache_is_refused_by_name_before_it_is_read() {
    let (dirs, _) = adapted();
    let bytes = adapter_bytes(&dirs[0]);
    let (counters, slim) = (Arc::new(AdapterCounters::default()), slim(&dirs[0]));
    let load = |most: usize| {
        let base = Model::load_with(folder(), &Arc::new(Adapters::new(most, counters.clone()))).unwrap();
        base.load_beside(slim.path()).err()
    };
    assert_eq!(load(bytes), None);
    // Found out by the file, when the manifest's figure alone would fit.
    assert_eq!(load(bytes - 1).map(|e| e.code), Some("E-MODEL-015"));
    // By the manifest: the file is not even opened.
    std::fs::remove_file(slim.path().join(ADAPTER_FILE)).unwrap();
    let refused = load(1_000).unwrap();
    assert_eq!(refused.code, "E-MODEL-015");
    assert!(refused.what.contains("\"adapted\"") && refused.what.contains("1000"), "{refused}");
    assert_eq!(load(bytes).map(|e| e.code), Some("E-MODEL-001"));
}

/// A whole and honest file, made for another base, under a manifest that names its root and this base.
#[test]
fn node_attack_20_an_adapter_made_for_another_base_is_refused() {
    use openledger_exact::adapter::{tensor_names, write, Adapter, Target};
    use openledger_exact::file::Tensor;
    let config = model().config();
    let [outputs, inputs] = Target::Query.shape(config);
    let tensor = |rows: usize, columns: usize| Tensor {
        shape: vec![rows, columns],
        values: vec![0.5; rows * columns],
    };
    let [a, b] = tensor_names(0, Target::Query);
    let tensors = [(a, tensor(2, inputs)), (b, tensor(outputs, 2))].into();
    let own = model().manifest();
    let dir = slim(&adapted().0[0]);
    let put = |base: &[u8; 32]| {
        let bytes = write(&tensors, base, 2, 4.0).unwrap();
        let adapter = Adapter::parse(&bytes, config).unwrap();
        std::fs::write(dir.path().join(ADAPTER_FILE), &bytes).unwrap();
        rewrite(dir.path(), |m| {
            m.adapter_root = adapter.root().into();
            m.parameters = own.parameters + adapter.parameters();
        });
        model().load_beside(dir.path()).err()
    };
    let refused = put(&[7; 32]).unwrap();
    assert!(refused.code == "E-MODEL-007" && refused.what.contains("another base"), "{refused}");
    assert_eq!(put(own.weights_root.as_slice().try_into().unwrap()), None);
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
