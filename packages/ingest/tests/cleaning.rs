//! From bytes to content text: encodings, markup, limits, languages, roots.

use openledger_ingest::{clean, match_text, Cleaned, Media, Options, Refusal, MAX_DOCUMENT_BYTES};
use openledger_merkle::{chunk_root, CONTENT_CHUNK};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn plain(raw: &[u8]) -> Result<Cleaned, Refusal> {
    clean(raw, &Options { min_chars: 1, ..Options::default() })
}

fn html(source: &str) -> String {
    let options = Options { min_chars: 1, media: Media::Html, ..Options::default() };
    clean(source.as_bytes(), &options).map(|cleaned| cleaned.content).unwrap_or_default()
}

fn utf16(text: &str, little: bool) -> Vec<u8> {
    let mark = if little { [0xFF, 0xFE] } else { [0xFE, 0xFF] };
    let units =
        text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() });
    mark.into_iter().chain(units).collect()
}

#[test]
fn encodings_give_the_same_content() -> Result<(), Refusal> {
    let text = "Ünï 𝄞 text\r\nsecond\rthird";
    let expected = plain(text.as_bytes())?;
    assert_eq!(expected.content, "Ünï 𝄞 text\nsecond\nthird");
    for raw in [utf16(text, true), utf16(text, false), [b"\xEF\xBB\xBF", text.as_bytes()].concat()] {
        let cleaned = plain(&raw)?;
        assert_eq!(cleaned.content, expected.content);
        assert_eq!(cleaned.content_root, expected.content_root);
        assert_ne!(cleaned.raw_hash, expected.raw_hash);
    }
    Ok(())
}

#[test]
fn what_is_not_text_is_refused() {
    assert_eq!(plain(b""), Err(Refusal::Empty));
    assert_eq!(plain(" \n\u{200B}\t".as_bytes()), Err(Refusal::Empty));
    assert_eq!(plain(b"latin \xE9 one"), Err(Refusal::Encoding { at: 6 }));
    assert_eq!(plain(b"one\ntwo\0three"), Err(Refusal::Binary { line: 2 }));
    assert_eq!(plain(b"\x7FELF\x02\x01\x01\0\0\xFF\xFE"), Err(Refusal::Binary { line: 1 }));
    assert_eq!(plain(b"a\x01b\x02c\x03"), Err(Refusal::Binary { line: 1 }));
    assert!(matches!(plain(b"\xFF\xFEa"), Err(Refusal::Encoding { .. })));
    assert!(matches!(plain(b"\xFF\xFE\x00\xD8a\x00"), Err(Refusal::Encoding { .. })));
}

#[test]
fn a_single_control_character_in_long_text_is_let_through() {
    let text = format!("{}\u{c}\u{1b}[0m", "a page of text ".repeat(50));
    assert!(plain(text.as_bytes()).is_ok());
}

#[test]
fn limits_hold_at_their_edge() {
    let limits = Options { max_bytes: 100, min_chars: 10, ..Options::default() };
    assert_eq!(clean(&[b'a'; 101], &limits), Err(Refusal::TooLarge { bytes: 101, limit: 100 }));
    assert!(clean(&[b'a'; 100], &limits).is_ok());
    assert_eq!(clean(b"123 456 789", &limits), Err(Refusal::TooShort { chars: 9, limit: 10 }));
    assert!(clean(b"123 456 7890", &limits).is_ok());
    let wide = Options { max_bytes: usize::MAX, ..Options::default() };
    let huge = vec![b'a'; MAX_DOCUMENT_BYTES + 1];
    assert!(matches!(clean(&huge, &wide), Err(Refusal::TooLarge { limit: MAX_DOCUMENT_BYTES, .. })));
    let growing = "\u{FDFA}".repeat(MAX_DOCUMENT_BYTES / 3);
    assert!(matches!(clean(growing.as_bytes(), &wide), Err(Refusal::TooLong { .. })));
}

#[test]
fn source_code_and_markdown_are_not_touched() -> Result<(), Refusal> {
    let rust = "fn first<T>(items: &[T]) -> Option<&T> {\n    items.first() // <b>&amp;</b>\n}\n";
    let markdown = "# Title\n\nUse `Vec<T>` & <details>more</details>\n";
    for (media, text) in
        [(Media::Auto, rust), (Media::Code, rust), (Media::Auto, markdown), (Media::Markdown, markdown)]
    {
        let cleaned = clean(text.as_bytes(), &Options { media, ..Options::default() })?;
        assert_eq!(cleaned.content, text);
    }
    let jsx = "const page = <html><body>{x}</body></html>;\nexport default page;\n";
    assert_eq!(plain(jsx.as_bytes())?.content, jsx);
    assert_eq!(plain(b"<htmlish> is no tag of HTML")?.content, "<htmlish> is no tag of HTML");
    Ok(())
}

#[test]
fn html_becomes_the_text_that_a_reader_sees() {
    let page = "<!DOCTYPE html><html><head><title>Liver</title><style>p{color:red}</style>\
        <script>if (a < b) { document.write(\"<p>no</p>\"); }</script></head>\
        <body><nav><ul><li>Home</li></ul></nav><h1>The&nbsp;liver</h1>\
        <p>Filters   <b>blood</b> &amp; makes\n enzymes&hellip; 5 &lt; 6, caf&#233;, &#x1F600;</p>\
        <!-- not <p>this</p> --><ul><li>one</li><li>two</li></ul>\
        <table><tr><td>a</td><td>b</td></tr></table><pre>  x  =\n    1</pre>\
        <img alt=\"a > b\" src='x'>end<footer>All rights reserved</footer></body></html>";
    let expected = "Liver\n\nThe liver\n\nFilters blood & makes enzymes… 5 < 6, café, 😀\n\n- one\n- two\n\na b\n\n  x  =\n    1\n\nend\n";
    assert_eq!(html(page), expected);
    let sniffed = plain(page.as_bytes()).map(|cleaned| (cleaned.media, cleaned.content));
    assert_eq!(sniffed, Ok((Media::Html, expected.to_owned())));
}

#[test]
fn broken_html_is_text_and_never_swallows_the_rest() {
    assert_eq!(html("<p>a < b and c > d"), "a < b and c > d\n");
    assert_eq!(html("before<nav>kept, never closed"), "before\nkept, never closed\n");
    assert_eq!(html("a <!-- never closed"), "a <!-- never closed\n");
    assert_eq!(html("x<a href=\"never closed>y</a>z"), "xyz\n");
    assert_eq!(html("&bogus; &#xFFFFFFFFF; &#0;."), "&bogus; &#xFFFFFFFFF; \u{FFFD}.\n");
    assert_eq!(html("one<nav>a<nav>b</nav>c</nav>two"), "one\ntwo\n");
    assert_eq!(html("last <"), "last <\n");
}

#[test]
fn hostile_html_is_read_in_linear_time() {
    for unit in ["<", "<a ", "<a \"", "<nav>", "<!--", "</nav", "&#", "<script>", "<nav></nav ", "<a '\">"] {
        let page = unit.repeat(200_000 / unit.len());
        let start = std::time::Instant::now();
        let _ = html(&page);
        assert!(start.elapsed().as_secs() < 10, "{unit:?} took {:?}", start.elapsed());
    }
}

#[test]
fn content_is_nfc() -> Result<(), Refusal> {
    assert_eq!(plain("cafe\u{301} et the\u{301}".as_bytes())?.content, "café et thé");
    Ok(())
}

#[test]
fn languages_are_told_and_refused_only_on_request() -> Result<(), Refusal> {
    let table = [
        ("The liver filters the blood and makes enzymes that the body needs to digest food.", "eng"),
        ("Die Leber filtert das Blut und bildet Enzyme, die der Körper zur Verdauung braucht.", "deu"),
        ("Печень очищает кровь и вырабатывает ферменты, нужные организму для пищеварения.", "rus"),
        ("肝脏过滤血液并产生身体消化食物所需的酶，它是人体最大的内脏器官之一，非常重要。", "cmn"),
        ("12345 67890 12345", "und"),
        ("fn a() {\n    b();\n    c();\n}\nfn d() {\n}\n", "code"),
    ];
    for (text, language) in table {
        assert_eq!(plain(text.as_bytes())?.language, language, "{text}");
        let only =
            |taken: &str| Options { min_chars: 1, languages: vec![taken.to_owned()], ..Options::default() };
        assert!(clean(text.as_bytes(), &only(language)).is_ok());
        assert_eq!(
            clean(text.as_bytes(), &only("xyz")),
            Err(Refusal::Language { found: language.to_owned() })
        );
    }
    Ok(())
}

#[test]
fn quality_falls_for_repetition_and_boilerplate() -> Result<(), Refusal> {
    let good: String = (0..30)
        .map(|i| {
            format!(
                "Sentence {i} tells of organ {}, its task {} and its illness {}.\n",
                i * 7,
                i * 11,
                i * 13
            )
        })
        .collect();
    assert_eq!(plain(good.as_bytes())?.quality.score, 1000);
    let repeated = "the very same line again and again\n".repeat(100);
    let noted = plain(repeated.as_bytes())?.quality;
    assert!(noted.score < 600, "{noted:?}");
    assert!(noted.notes.iter().any(|note| note.code == "repeated_lines"));
    let page = "Skip to content\nSign up\nAccept Cookies\nPrivacy Policy\nA short sentence.\n";
    let noted = plain(page.as_bytes())?.quality;
    assert!(noted.notes.iter().any(|note| note.code == "boilerplate"), "{noted:?}");
    let strict = Options { min_quality: 900, ..Options::default() };
    assert!(matches!(clean(repeated.as_bytes(), &strict), Err(Refusal::Quality { limit: 900, .. })));
    Ok(())
}

#[test]
fn every_refusal_has_a_code_and_advice_of_its_own() {
    let all = [
        Refusal::Empty,
        Refusal::TooLarge { bytes: 2, limit: 1 },
        Refusal::Encoding { at: 0 },
        Refusal::Binary { line: 1 },
        Refusal::TooShort { chars: 1, limit: 2 },
        Refusal::TooLong { bytes: 2, limit: 1 },
        Refusal::Language { found: "und".into() },
        Refusal::Quality { score: 1, limit: 2 },
    ];
    let codes: std::collections::HashSet<_> = all.iter().map(Refusal::code).collect();
    assert_eq!(codes.len(), all.len());
    assert!(all.iter().all(|refusal| refusal.advice().ends_with('.')));
}

proptest! {
    #[test]
    fn clean_never_panics_on_arbitrary_bytes(raw in prop::collection::vec(any::<u8>(), 0..600)) {
        for media in [Media::Auto, Media::Html, Media::Code] {
            let _ = clean(&raw, &Options { media, min_chars: 1, ..Options::default() });
        }
    }

    #[test]
    fn clean_never_panics_on_tag_soup(soup in "[<>/!a-p&;#\"'= -]{0,200}") {
        let page = format!("<html>{soup}");
        let _ = plain(page.as_bytes());
    }

    #[test]
    fn rule_d2_roots_are_those_of_the_texts(text in "\\PC{1,3000}") {
        if let Ok(cleaned) = plain(text.as_bytes()) {
            prop_assert_eq!(cleaned.content_root, chunk_root(cleaned.content.as_bytes(), CONTENT_CHUNK));
            prop_assert_eq!(cleaned.match_root, chunk_root(cleaned.match_text.as_bytes(), CONTENT_CHUNK));
            prop_assert_eq!(cleaned.match_hash.as_slice(), Sha256::digest(cleaned.match_text.as_bytes()).to_vec());
            prop_assert_eq!(cleaned.raw_hash.as_slice(), Sha256::digest(text.as_bytes()).to_vec());
            prop_assert_eq!(&cleaned.match_text, &match_text(&text));
        }
    }

    #[test]
    fn cleaning_clean_content_changes_nothing(text in "[ -~\\n\\r\u{300}-\u{310}à-ÿ]{1,400}") {
        let options = Options { media: Media::Plain, min_chars: 1, ..Options::default() };
        if let Ok(once) = clean(text.as_bytes(), &options) {
            let twice = clean(once.content.as_bytes(), &options);
            prop_assert_eq!(twice.map(|cleaned| cleaned.content_root), Ok(once.content_root));
        }
    }
}
