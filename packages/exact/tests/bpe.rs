//! The tokenizer without a library against the library that nodes use.

use openledger_exact::bpe::{byte_table, Bpe};
use proptest::prelude::*;
use std::sync::OnceLock;
use tokenizers::models::bpe::{BpeTrainer, BPE};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder};

const VOCAB: usize = 700;

/// A tokenizer as training makes it, by the library and by this file.
fn both() -> &'static (Tokenizer, Bpe) {
    static BOTH: OnceLock<(Tokenizer, Bpe)> = OnceLock::new();
    BOTH.get_or_init(|| {
        let text = include_str!("../src/bpe.rs");
        let mut trainer = BpeTrainer::builder()
            .vocab_size(VOCAB)
            .show_progress(false)
            .special_tokens(vec![AddedToken::from("<|endoftext|>", true)])
            .initial_alphabet(byte_table().into_iter().collect())
            .build();
        let mut made = TokenizerBuilder::new()
            .with_model(BPE::default())
            .with_normalizer(None::<tokenizers::NormalizerWrapper>)
            .with_pre_tokenizer(Some(ByteLevel::new(false, false, true)))
            .with_post_processor(None::<tokenizers::PostProcessorWrapper>)
            .with_decoder(Some(ByteLevel::new(false, false, true)))
            .build()
            .unwrap();
        made.train(&mut trainer, [text].into_iter()).unwrap();
        let json = made.to_string(false).unwrap();
        let mut library = Tokenizer::from_bytes(json.as_bytes()).unwrap();
        library.set_encode_special_tokens(true);
        (library, Bpe::parse(json.as_bytes(), VOCAB).unwrap())
    })
}

fn alike(text: &str) {
    let (library, ours) = both();
    let expected = library.encode_fast(text, false).unwrap().get_ids().to_vec();
    let tokens = ours.encode(text);
    assert_eq!(tokens, expected, "{text:?}");
    let bytes: Vec<u8> = tokens.iter().flat_map(|t| ours.bytes(*t)).copied().collect();
    assert_eq!(bytes, text.as_bytes());
}

#[test]
fn texts_are_cut_as_the_library_cuts_them() {
    for text in [
        "",
        " ",
        "  a",
        "a  ",
        "we'll don't 'tis it's\tX\r\n\n  y",
        "fn main() {\n    println!(\"{}\", 12345);\n}\n",
        "<|endoftext|>",
        "\u{a0}\u{3000}x\u{85}y \u{2028}z",
        "caf\u{e9} \u{4f60}\u{597d} \u{1f980} \u{0664}\u{2160} e\u{301} \u{0}\u{7f}",
    ] {
        alike(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_the_library_s_tokens(text in "(\\PC|[ \t\n'a-z0-9]){0,40}") {
        alike(&text);
    }
}

#[test]
fn what_it_cannot_read_is_refused() {
    let (library, _) = both();
    let json: serde_json::Value = serde_json::from_str(&library.to_string(false).unwrap()).unwrap();
    for (at, value) in [
        ("/model/type", serde_json::json!("WordPiece")),
        ("/pre_tokenizer/type", serde_json::json!("Whitespace")),
        ("/pre_tokenizer/add_prefix_space", serde_json::json!(true)),
        ("/normalizer", serde_json::json!({ "type": "NFC" })),
        ("/model/vocab/!", serde_json::json!(VOCAB)),
        ("/model/merges/0", serde_json::json!(["no", "such"])),
    ] {
        let mut changed = json.clone();
        *changed.pointer_mut(at).unwrap() = value;
        let error = Bpe::parse(changed.to_string().as_bytes(), VOCAB).err().unwrap();
        assert_eq!(error.code, "E-MODEL-005", "{at}");
    }
    assert!(Bpe::parse(b"{", VOCAB).is_err());
}
