//! Two models on one base, put together by a node from their blobs.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use openledger_node::engine::{GenRequest, Generation, Model, ADAPTER_FILE, MANIFEST_FILE, WEIGHTS_FILE};
use openledger_node::train::{train, train_adapter, AdapterRecipe, Document, Recipe};
use openledger_types::formats::{manifest_hash, BlobRef, Decoding, Manifest, NumericClass};
use openledger_types::merkle::Hash;
use openledger_types::msg::model_registry::ModelVersionResponse;

use crate::support::*;

/// Puts what the manifest in `dir` names into the node's store, and the version on chain.
fn publish(world: &World, dir: &Path, model_id: u64, change: impl Fn(&mut Manifest)) {
    let bytes = std::fs::read(dir.join(MANIFEST_FILE)).unwrap();
    let mut manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
    change(&mut manifest);
    let bytes = serde_json::to_vec(&manifest).unwrap();
    let keep = |bytes: &[u8]| {
        let root = Hash::try_from(BlobRef::of(bytes).root.as_slice()).unwrap();
        world.node.store.put(&root, bytes).unwrap();
    };
    for file in &manifest.files {
        keep(&std::fs::read(dir.join(&file.name)).unwrap());
    }
    keep(&bytes);
    let info = ModelVersionResponse {
        model_id,
        version: 1,
        manifest_hash: manifest_hash(&bytes).into(),
        manifest: BlobRef::of(&bytes),
        weights_root: manifest.weights_root,
        training_root: manifest.training_root,
        numeric_class: NumericClass::Exact,
        datanets: vec![],
        ..model_info()
    };
    world.chain.state().models.insert((model_id, 1), info);
}

#[tokio::test]
async fn a_node_serves_an_adapter_on_the_weights_of_its_base() {
    let home = tempfile::tempdir().unwrap();
    let (base, adapted) = (home.path().join("base"), home.path().join("adapted"));
    let texts: Vec<String> = (0..40)
        .map(|i| format!("paper {i} pays {} for tea and {} cakes. ", i * 7, i % 5).repeat(8))
        .collect();
    let documents: Vec<Document> =
        texts.iter().map(|text| Document { contribution_id: 1, datanet_id: 1, text }).collect();
    let recipe = Recipe { steps: Some(6), ..Recipe::tiny() };
    let never = AtomicBool::new(false);
    train(&recipe, &documents, &[], &base, &mut |_| {}, &never).unwrap();
    let adapter = AdapterRecipe { rank: 2, alpha: 8.0, targets: vec!["q_proj".into(), "down_proj".into()] };
    let recipe = Recipe { adapter: Some(adapter), ..recipe };
    train_adapter(&recipe, &base, &documents, &[], &adapted, &mut |_| {}, &never).unwrap();

    std::fs::create_dir(home.path().join("node")).unwrap();
    let world = World::start(&home.path().join("node"), new_chain(), Rote::default()).await;
    publish(&world, &base, 7, |_| {});
    publish(&world, &adapted, 8, |_| {});
    publish(&world, &adapted, 9, |manifest| manifest.adapter_root = [9; 32].into());
    let scratch = home.path().join("models");
    world.node.load_models(&scratch).await.unwrap();

    // The weights were written, and read, for the base only.
    assert!(scratch.join("7-1").join(WEIGHTS_FILE).exists());
    assert!(scratch.join("8-1").join(ADAPTER_FILE).exists());
    assert!(!scratch.join("8-1").join(WEIGHTS_FILE).exists());
    let waiting = world.node.models.waiting();
    assert!(waiting.len() == 1 && waiting[0].0 == 9 && waiting[0].2.contains("E-MODEL-007"), "{waiting:?}");

    let alone = [&base, &adapted].map(|dir| Model::load(dir).unwrap());
    let request = GenRequest {
        prompt_tokens: alone[0].encode_prompt("paper 3 pays").unwrap(),
        decoding: Decoding { temperature_milli: 1_000, top_k: 0, top_p_milli: 1_000, max_tokens: 12 },
        seed: [5; 32],
        request_hash: [6; 32],
        stop: Vec::new(),
        repetition_milli: 1_000,
        schema: None,
    };
    let go_on = |_: &str| ControlFlow::Continue(());
    let own: Vec<Generation> =
        alone.iter().map(|model| model.generate(&request, &mut { go_on }).unwrap()).collect();
    assert_ne!(own[0].commit_root, own[1].commit_root);
    for (model_id, expected) in [(7, &own[0]), (8, &own[1])] {
        let loaded = world.node.models.ready(model_id, 1).unwrap();
        let answerer = &loaded.answerer;
        let found = answerer.generate(&request, &mut { go_on });
        assert_eq!(&found.unwrap(), expected);
    }
    let metrics = world.node.metrics.render();
    assert!(metrics.contains("openledger_node_adapter_hits_total 1"), "{metrics}");
}
