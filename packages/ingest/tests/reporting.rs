//! Duplicates and the report.

use openledger_ingest::{
    clean, match_hash, match_text, Deduplicator, DuplicateOf, Media, Options, Refusal, Report, Run, Seen,
};

#[test]
fn rule_d2_an_exact_copy_is_a_duplicate_however_it_is_dressed() {
    let known = match_hash(&match_text("On the chain already, word for word."));
    let mut run = Run::new(Options::default(), Deduplicator::new([known]));
    assert!(run.document("one.txt", "The liver makes enzymes.".as_bytes()).is_some());
    assert!(run.document("bad.txt", b"\xFF").is_none());
    assert!(run.document("two.txt", "The kidneys filter blood.".as_bytes()).is_some());
    assert!(run.document("copy.txt", "THE  KIDNEYS\u{200B} filter\nblооd.".as_bytes()).is_none());
    assert!(run.document("chain.txt", "on the chain already, WORD for word.".as_bytes()).is_none());
    let report = run.finish();
    let duplicates: Vec<_> = report.documents.iter().map(|entry| entry.duplicate_of.clone()).collect();
    assert_eq!(
        duplicates,
        [None, None, None, Some(DuplicateOf::Document("two.txt".into())), Some(DuplicateOf::Chain)]
    );
    let totals = report.totals;
    assert_eq!((totals.documents, totals.accepted, totals.refused, totals.duplicates), (5, 2, 1, 2));
    assert_eq!(totals.bytes_out, 24 + 25);
}

#[test]
fn the_deduplicator_names_the_first_of_the_run() {
    let mut dedup = Deduplicator::new([[9; 32], [9; 32]]);
    assert_eq!(dedup.observe(&[1; 32]), Seen::New);
    assert_eq!(dedup.observe(&[2; 32]), Seen::New);
    assert_eq!(dedup.observe(&[2; 32]), Seen::InRun(1));
    assert_eq!(dedup.observe(&[1; 32]), Seen::InRun(0));
    assert_eq!(dedup.observe(&[9; 32]), Seen::OnChain);
}

#[test]
fn names_choose_the_kind_of_text() {
    let page = b"<p>A paragraph in a page.</p>";
    let mut run = Run::new(Options::default(), Deduplicator::default());
    assert_eq!(
        run.document("a.html", page).map(|cleaned| cleaned.content),
        Some("A paragraph in a page.\n".into())
    );
    let code = run.document("a.rs", page).map(|cleaned| (cleaned.content, cleaned.language));
    assert_eq!(code, Some(("<p>A paragraph in a page.</p>".into(), "code".into())));
    assert_eq!(Media::from_name("README"), Media::Auto);
    assert_eq!(Media::from_name("notes.MD"), Media::Markdown);
    assert_eq!(Media::Html.content_type(), "text/plain");
}

#[test]
fn the_report_survives_json() -> Result<(), serde_json::Error> {
    let mut run = Run::new(Options::default(), Deduplicator::default());
    run.document("a.txt", "Some text with mail to a@example.org.".as_bytes());
    run.document("b.txt", b"\0");
    let report = run.report().clone();
    let refused = report.documents.last().and_then(|entry| entry.refused.clone());
    assert_eq!(
        refused.map(|refused| (refused.code, refused.line)),
        Some(("E-INGEST-004".to_owned(), Some(1)))
    );
    let json = serde_json::to_string(&report)?;
    assert_eq!(serde_json::from_str::<Report>(&json)?, report);
    Ok(())
}

#[test]
fn real_documents_are_cleaned_when_they_are_at_hand() -> Result<(), Refusal> {
    let path = "../../../shared/data/shakespeare/input.txt";
    let Ok(raw) = std::fs::read(path) else {
        println!("skipped: no such file: {path}");
        return Ok(());
    };
    let cleaned = clean(&raw, &Options::default())?;
    assert_eq!(cleaned.language, "eng");
    assert_eq!(cleaned.content.as_bytes(), raw);
    assert_eq!(match_text(&cleaned.match_text), cleaned.match_text);
    Ok(())
}
