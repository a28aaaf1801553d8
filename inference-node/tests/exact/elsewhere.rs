//! Models made elsewhere: GGUF files and folders give the same model; damaged files are refused.

use openledger_node::engine::{import, Model};
use openledger_types::formats::NumericClass;

use super::made::{folder_of, gguf};

fn import_bytes(bytes: &[u8]) -> Result<Model, &'static str> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("model.gguf");
    std::fs::write(&file, bytes).unwrap();
    let out = dir.path().join("out");
    import(&file, &out, "imported", NumericClass::Exact).map_err(|e| e.code)?;
    Model::load(&out).map_err(|e| e.code)
}

#[test]
fn a_gguf_file_and_a_folder_of_the_same_weights_give_the_same_root_and_answers() {
    for model_type in ["llama", "qwen3"] {
        let (source, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        folder_of(model_type, source.path());
        import(source.path(), out.path(), "imported", NumericClass::Exact).unwrap();
        let plain = Model::load(out.path()).unwrap();
        let gguf = import_bytes(&gguf(model_type)).unwrap();
        assert_eq!(plain.manifest().weights_root, gguf.manifest().weights_root, "{model_type}");
        assert_eq!(plain.manifest().architecture, model_type);
        let text = plain.encode_prompt("the node pays the owner of data").unwrap();
        assert_eq!(gguf.encode_prompt("the node pays the owner of data").unwrap(), text);
        assert!(plain.read_in_chunks(&text, 7).unwrap() == gguf.read_in_chunks(&text, 64).unwrap());
    }
}

#[test]
fn damaged_gguf_files_are_refused() {
    let whole = gguf("llama");
    for length in (0..whole.len()).step_by(whole.len() / 60) {
        assert_eq!(import_bytes(&whole[..length]).err(), Some("E-MODEL-011"), "cut to {length}");
    }
    let with = |at: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        import_bytes(&file).err()
    };
    let absurd = u64::MAX.to_le_bytes();
    assert_eq!(with(0, b"GGML"), Some("E-MODEL-011"));
    assert_eq!(with(4, &[9]), Some("E-MODEL-011"));
    // Tensors, entries, the first key's length.
    for at in [8, 16, 24] {
        assert_eq!(with(at, &absurd), Some("E-MODEL-011"), "{at}");
    }
    let find = |needle: &[u8]| whole.windows(needle.len()).position(|w| w == needle).unwrap() + needle.len();
    // An array's length, a tensor's size and offset, its type.
    assert_eq!(with(find(b"tokenizer.ggml.tokens") + 8, &absurd), Some("E-MODEL-011"));
    let tensor = find(b"blk.0.attn_q.weight");
    assert_eq!(with(tensor + 4, &absurd), Some("E-MODEL-011"));
    assert_eq!(with(tensor + 20, &2u32.to_le_bytes()), Some("E-MODEL-011"));
    assert_eq!(with(tensor + 24, &absurd), Some("E-MODEL-011"));
    assert_eq!(with(find(b"llama.embedding_length") + 4, &absurd[..4]), Some("E-MODEL-002"));
    assert_eq!(with(find(b"llama.block_count") + 4, &3u32.to_le_bytes()), Some("E-MODEL-011"));
    // A scale that is not a number.
    let end = whole.len() - 34 * 4;
    assert!(import_bytes(&{
        let mut file = whole.clone();
        file[end - 34 * 200..end].fill(0xff);
        file
    })
    .is_err());
}
