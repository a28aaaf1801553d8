//! Which language a text is in. Information, not a judgement: short and mixed texts give `und`.

use crate::media::Media;

/// Longest sample that is looked at; detection reaches its accuracy well before.
const SAMPLE_BYTES: usize = 512;

/// Fewest letters from which a language is told.
const MIN_LETTERS: usize = 24;

/// ISO 639-3 code of the language, `code` for source code, `und` where it cannot be told.
pub(crate) fn detect(text: &str, media: Media) -> &'static str {
    if media == Media::Code || (media == Media::Plain && looks_like_code(text)) {
        return "code";
    }
    let sample = sample(text);
    if sample.chars().filter(|c| c.is_alphabetic()).take(MIN_LETTERS).count() < MIN_LETTERS {
        return "und";
    }
    match whatlang::detect(sample) {
        Some(info) if info.is_reliable() || info.confidence() >= 0.5 => info.lang().code(),
        _ => "und",
    }
}

/// A piece from the middle half of the text, where headings and notices are rare.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE_BYTES {
        return text;
    }
    let mut start = (text.len() - SAMPLE_BYTES) / 2;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let mut end = (start + SAMPLE_BYTES).min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(start..end).unwrap_or(text)
}

/// At least five lines, half of which end or begin as only lines of code do.
fn looks_like_code(text: &str) -> bool {
    const ENDS: [&str; 8] = ["{", "}", ";", "};", "});", "},", "),", "->"];
    const STARTS: [&str; 16] = [
        "#include",
        "import ",
        "fn ",
        "pub ",
        "def ",
        "class ",
        "use ",
        "let ",
        "const ",
        "var ",
        "return ",
        "function ",
        "package ",
        "//",
        "/*",
        "#!",
    ];
    let (mut lines, mut code) = (0usize, 0usize);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()).take(200) {
        lines += 1;
        if ENDS.iter().any(|end| line.ends_with(end)) || STARTS.iter().any(|start| line.starts_with(start)) {
            code += 1;
        }
    }
    lines >= 5 && code * 2 >= lines
}
