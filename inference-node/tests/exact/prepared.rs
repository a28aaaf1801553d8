//! `model.q8` in a node's folder: a start reads it, and serves nothing that it has not found right.

use std::path::Path;

use openledger_node::engine::{Model, PREPARED_FILE};

use super::{answer, folder, model, request};

/// A copy of the model's published files.
fn copy() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors", "manifest.json"] {
        std::fs::copy(folder().join(name), dir.path().join(name)).unwrap();
    }
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn serves(model: &Model) -> bool {
    let asked = request("the node", 3, 12);
    answer(model, &asked) == answer(super::model(), &asked)
}

#[test]
fn a_start_keeps_the_int8_rows_and_the_next_one_needs_nothing_else() {
    let dir = copy();
    assert!(serves(&Model::load(dir.path()).unwrap()));
    let files = ["config.json", "manifest.json", PREPARED_FILE, "model.safetensors", "tokenizer.json"];
    assert_eq!(names(dir.path()), files);
    let made = std::fs::read(dir.path().join(PREPARED_FILE)).unwrap();
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(serves(&Model::load(dir.path()).unwrap()));
    assert_eq!(std::fs::read(dir.path().join(PREPARED_FILE)).unwrap(), made);
}

#[test]
fn node_attack_a_damaged_or_foreign_file_is_made_anew_and_never_served() {
    let dir = copy();
    drop(Model::load(dir.path()).unwrap());
    let path = dir.path().join(PREPARED_FILE);
    let right = std::fs::read(&path).unwrap();
    let mut wrong = vec![Vec::new(), right[..right.len() / 2].to_vec(), [&right[..], &[0]].concat()];
    for at in [0, 20, 40, right.len() / 2, right.len() - 1] {
        let mut bytes = right.clone();
        bytes[at] ^= 4;
        wrong.push(bytes);
    }
    for bytes in wrong {
        std::fs::write(&path, &bytes).unwrap();
        assert!(serves(&Model::load(dir.path()).unwrap()));
        assert_eq!(std::fs::read(&path).unwrap(), right);
    }
    // Without the published weights there is nothing to make it from.
    let mut bytes = right;
    bytes[50] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert_eq!(Model::load(dir.path()).err().map(|e| e.code), Some("E-MODEL-001"));
}

#[test]
fn many_starts_at_once_and_a_folder_that_cannot_be_written_serve_all_the_same() {
    let dir = copy();
    model();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert!(serves(&Model::load(dir.path()).unwrap())));
        }
    });
    assert_eq!(names(dir.path()).len(), 5, "partial files are left");
    assert!(serves(&Model::load(dir.path()).unwrap()));
    // A folder of that name stands in the way of the file.
    let dir = copy();
    std::fs::create_dir(dir.path().join(PREPARED_FILE)).unwrap();
    std::fs::write(dir.path().join(PREPARED_FILE).join("x"), "x").unwrap();
    assert!(serves(&Model::load(dir.path()).unwrap()));
    assert_eq!(names(dir.path()).len(), 5, "partial files are left");
}
