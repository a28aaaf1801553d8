//! Match text and match words (PROTOCOL D2).

use openledger_ingest::{match_text, match_words, NORMALIZATION_VERSION, WORD_BREAK_VERSION};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Pairs of spellings that must give one match text.
const SAME: [(&str, &str); 22] = [
    ("The Liver", "the liver"),
    ("The  \t liver\r\n", " the liver"),
    ("раураl", "paypal"),
    ("ѕсоре", "scope"),
    ("ΑΒΕ", "abe"),
    ("BАNK", "bank"),
    ("ｆｕｌｌ ｗｉｄｔｈ", "full width"),
    ("𝐛𝐨𝐥𝐝 𝓼𝓬𝓻𝓲𝓹𝓽", "bold script"),
    ("ﬁne ﬂow", "fine flow"),
    ("zero\u{200B}wid\u{200D}th\u{FEFF}", "zerowidth"),
    ("\u{202E}bidi\u{202C} \u{2066}isolate\u{2069}", "bidi isolate"),
    ("soft\u{AD}hyphen", "softhyphen"),
    ("caf\u{E9}", "cafe\u{301}"),
    ("Straße", "STRASSE"),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ("ВОДА", "вода"),
    ("don’t", "don't"),
    ("“quoted”", "\"quoted\""),
    ("a—b–c−d", "a-b-c-d"),
    ("\u{2003}wide\u{A0}space\u{3000}", "wide space"),
    ("a\u{1}b", "ab"),
    ("x\u{E0041}y", "xy"),
];

#[test]
fn rule_d2_look_alikes_case_width_and_invisible_characters_are_folded() {
    for (left, right) in SAME {
        assert_eq!(match_text(left), match_text(right), "{left:?} and {right:?}");
    }
}

#[test]
fn rule_d2_different_words_stay_different() {
    for (left, right) in
        [("resume", "résumé"), ("l0", "lo"), ("1", "l"), ("a b", "ab"), ("no", "not"), ("x+y", "x-y")]
    {
        assert_ne!(match_text(left), match_text(right), "{left:?} and {right:?}");
    }
}

#[test]
fn rule_d2_match_text_has_one_space_between_words_and_none_at_its_ends() {
    assert_eq!(match_text("  A\n\n\tb \u{2028} c  "), "a b c");
    assert_eq!(match_text(" \n\u{200B} \u{FEFF}"), "");
    assert_eq!(match_text(""), "");
}

#[test]
fn rule_d2_every_scalar_is_idempotent_and_the_tables_are_pinned() {
    let mut hash = Sha256::new();
    for c in char::MIN..=char::MAX {
        // Between letters, so that marks compose and spaces are seen.
        let once = match_text(&format!("a{c}b"));
        assert_eq!(match_text(&once), once, "U+{:04X}", u32::from(c));
        hash.update(once.as_bytes());
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, PINNED, "match text changed: every match_root and match_hash on chain would differ");
    assert_eq!(unicode_segmentation::UNICODE_VERSION, WORD_BREAK_VERSION);
    assert_eq!(unicode_normalization::UNICODE_VERSION, NORMALIZATION_VERSION);
}

/// SHA-256 over the match text of `a{c}b` for every Unicode scalar c in order.
const PINNED: &str = "6d554c2a79cdc5be10b95214a0050bcf98e0467ba316b92bfd2dc082c3c26386";

#[test]
fn match_words_keep_operators_and_cover_all_but_white_space() {
    let words: Vec<&str> = match_words("let x_1 = vec<t>[0] + 3.5; // don't").map(|(_, word)| word).collect();
    assert_eq!(
        words,
        ["let", "x_1", "=", "vec", "<", "t", ">", "[", "0", "]", "+", "3.5", ";", "/", "/", "don't"]
    );
}

#[test]
fn match_words_split_scripts_without_spaces() {
    let words: Vec<&str> = match_words("肝脏 ok").map(|(_, word)| word).collect();
    assert_eq!(words, ["肝", "脏", "ok"]);
}

/// Text rich in what the fast and the slow path hand to each other.
fn mixed() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,6}",
        "\\PC{0,4}",
        Just("\u{301}".to_owned()),
        Just("\u{1}".to_owned()),
        Just("\u{200D}".to_owned()),
        Just("\u{34F}".to_owned()),
        Just("\u{323}\u{302}".to_owned()),
        Just("İ".to_owned()),
        Just("і\u{308}".to_owned()),
        Just("\u{1100}\u{1161}\u{11A8}".to_owned()),
        Just(" \n\u{3000}".to_owned()),
        any::<char>().prop_map(|c| c.to_string()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn rule_d2_match_text_is_idempotent(text in mixed()) {
        let once = match_text(&text);
        prop_assert_eq!(match_text(&once), once);
    }

    #[test]
    fn rule_d2_match_text_is_normal_and_clean(text in mixed()) {
        let folded = match_text(&text);
        prop_assert!(unicode_normalization::is_nfkc(&folded));
        prop_assert!(!folded.contains("  ") && folded.trim() == folded);
        prop_assert!(!folded.chars().any(|c| c.is_control() || c.is_ascii_uppercase()));
    }

    #[test]
    fn rule_d2_normal_forms_of_a_text_match(text in mixed()) {
        use unicode_normalization::UnicodeNormalization;
        prop_assert_eq!(match_text(&text.nfd().collect::<String>()), match_text(&text.nfc().collect::<String>()));
    }

    #[test]
    fn match_words_lose_nothing_but_white_space(text in mixed()) {
        let folded = match_text(&text);
        let mut at = 0;
        for (range, word) in match_words(&folded) {
            prop_assert!(folded[at..range.start].chars().all(char::is_whitespace));
            prop_assert_eq!(&folded[range.clone()], word);
            at = range.end;
        }
        prop_assert!(folded[at..].chars().all(char::is_whitespace));
    }
}
