//! HTML to text: enough of the language to keep what a reader would read, in one linear pass.
//!
//! Dropped with their contents: scripts, styles, templates, drawings, navigation, footers, forms.
//! Block elements become lines, list items `- …`, `pre` keeps its white space, entities are
//! decoded. Broken markup is never an error: what cannot be a tag is text.

use crate::entities::decode_entity;

/// Elements whose contents are not prose of the document.
const DROPPED: [&str; 15] = [
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "nav", "footer",
    "aside", "form", "button", "select",
];

/// Elements whose contents are not markup.
const RAW: [&str; 2] = ["script", "style"];

const PARAGRAPHS: [&str; 13] =
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "title"];

const LINES: [&str; 21] = [
    "br",
    "div",
    "li",
    "tr",
    "dt",
    "dd",
    "dl",
    "section",
    "article",
    "header",
    "main",
    "hr",
    "figure",
    "figcaption",
    "address",
    "details",
    "summary",
    "html",
    "body",
    "head",
    "option",
];

/// The text of an HTML document.
pub(crate) fn to_text(html: &str) -> String {
    let mut writer = Writer::new(html.len() / 2);
    let mut tags = Tags::new(html);
    let bytes = html.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'<' => match tags.read(at) {
                Some(tag) => {
                    at = tag.end;
                    if !tag.closing && DROPPED.contains(&tag.name.as_str()) {
                        at = tags.skip(&tag).unwrap_or(at);
                        writer.line();
                    } else {
                        writer.tag(&tag);
                    }
                }
                None => {
                    writer.text("<");
                    at += 1;
                }
            },
            b'&' => match decode_entity(html.get(at..).unwrap_or_default()) {
                Some((text, length)) => {
                    writer.character(text);
                    at += length;
                }
                None => {
                    writer.text("&");
                    at += 1;
                }
            },
            _ => {
                let rest = &bytes[at..];
                let end = rest.iter().position(|byte| matches!(byte, b'<' | b'&')).unwrap_or(rest.len());
                writer.text(html.get(at..at + end).unwrap_or_default());
                at += end;
            }
        }
    }
    writer.finish()
}

struct Tag {
    /// Lower-case name; empty for comments, declarations and instructions.
    name: String,
    closing: bool,
    self_closing: bool,
    /// Offset after the tag.
    end: usize,
}

/// Reads tags. Remembers what cannot be found further on, so that broken documents stay linear.
struct Tags<'a> {
    html: &'a str,
    no_comment_end: bool,
    no_tag_end: bool,
    quotes_broken: bool,
    /// Offset of the last closing tag of each dropped element.
    last_close: Vec<Option<usize>>,
}

impl<'a> Tags<'a> {
    fn new(html: &'a str) -> Self {
        let mut last_close = vec![None; DROPPED.len()];
        for (at, _) in html.match_indices("</") {
            let name = name_at(html.as_bytes(), at + 2);
            if let Some(index) =
                DROPPED.iter().position(|dropped| name.eq_ignore_ascii_case(dropped.as_bytes()))
            {
                last_close[index] = Some(at);
            }
        }
        Tags { html, no_comment_end: false, no_tag_end: false, quotes_broken: false, last_close }
    }

    /// The tag that begins at `at` (a `<`), or nothing when it is text.
    fn read(&mut self, at: usize) -> Option<Tag> {
        let bytes = self.html.as_bytes();
        let nothing = |end| Tag { name: String::new(), closing: false, self_closing: false, end };
        match bytes.get(at + 1)? {
            b'!' if self.html.get(at..)?.starts_with("<!--") => {
                if self.no_comment_end {
                    return None;
                }
                match self.html.get(at + 4..)?.find("-->") {
                    Some(end) => Some(nothing(at + 4 + end + 3)),
                    None => {
                        self.no_comment_end = true;
                        None
                    }
                }
            }
            b'!' | b'?' => self.tag_end(at + 2).map(nothing),
            b'/' => {
                let name = name_at(bytes, at + 2);
                if name.is_empty() {
                    return None;
                }
                let end = self.tag_end(at + 2)?;
                Some(Tag { name: lower(name), closing: true, self_closing: false, end })
            }
            first if first.is_ascii_alphabetic() => {
                let name = name_at(bytes, at + 1);
                let end = self.tag_end(at + 1 + name.len())?;
                let self_closing = end >= 2 && bytes.get(end - 2) == Some(&b'/');
                Some(Tag { name: lower(name), closing: false, self_closing, end })
            }
            _ => None,
        }
    }

    /// Offset after the `>` that ends a tag whose attributes begin at `from`.
    fn tag_end(&mut self, from: usize) -> Option<usize> {
        if self.no_tag_end {
            return None;
        }
        let bytes = self.html.as_bytes();
        let mut quote = None;
        if !self.quotes_broken {
            for (offset, byte) in bytes.get(from..)?.iter().enumerate() {
                match (quote, byte) {
                    (None, b'>') => return Some(from + offset + 1),
                    (None, b'"' | b'\'') => quote = Some(*byte),
                    (Some(open), byte) if open == *byte => quote = None,
                    _ => {}
                }
            }
            // An unclosed quotation mark: from here on quotation marks are ordinary characters.
            self.quotes_broken = quote.is_some();
        }
        match bytes.get(from..)?.iter().position(|byte| *byte == b'>') {
            Some(offset) => Some(from + offset + 1),
            None => {
                self.no_tag_end = true;
                None
            }
        }
    }

    /// Offset after the element that `open` begins; nothing when it is never closed.
    fn skip(&mut self, open: &Tag) -> Option<usize> {
        if open.self_closing {
            return None;
        }
        let index = DROPPED.iter().position(|dropped| *dropped == open.name)?;
        let last = self.last_close.get(index).copied().flatten().filter(|last| *last >= open.end)?;
        let raw = RAW.contains(&open.name.as_str());
        let bytes = self.html.as_bytes();
        let mut depth = 1usize;
        let mut at = open.end;
        while at <= last {
            at += bytes.get(at..)?.iter().position(|byte| *byte == b'<')?;
            let closing = bytes.get(at + 1) == Some(&b'/');
            let name = name_at(bytes, at + 1 + usize::from(closing));
            if name.eq_ignore_ascii_case(open.name.as_bytes()) && (closing || !raw) {
                let end = bytes
                    .get(at..)?
                    .iter()
                    .position(|byte| *byte == b'>')
                    .map_or(bytes.len(), |end| at + end + 1);
                depth = if closing { depth - 1 } else { depth + 1 };
                // More openings than closings: the last closing ends it.
                if depth == 0 || (closing && at == last) {
                    return Some(end);
                }
            }
            at += 1;
        }
        None
    }
}

/// The bytes of a name at `at`: letters, digits and hyphens.
fn name_at(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    let length =
        rest.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-').count();
    rest.get(..length).unwrap_or_default()
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// Collects text with HTML's white-space rules.
struct Writer {
    out: String,
    /// Line feeds owed before the next word.
    breaks: usize,
    space: bool,
    bullet: bool,
    preformatted: usize,
}

impl Writer {
    fn new(capacity: usize) -> Self {
        Writer {
            out: String::with_capacity(capacity),
            breaks: 0,
            space: false,
            bullet: false,
            preformatted: 0,
        }
    }

    fn line(&mut self) {
        self.breaks = self.breaks.max(1);
    }

    fn tag(&mut self, tag: &Tag) {
        let name = tag.name.as_str();
        if PARAGRAPHS.contains(&name) {
            self.breaks = self.breaks.max(2);
        } else if LINES.contains(&name) {
            self.line();
        } else if matches!(name, "td" | "th") {
            self.space = true;
        }
        match (name, tag.closing) {
            ("li", false) => self.bullet = true,
            ("pre", false) => self.preformatted += 1,
            ("pre", true) => self.preformatted = self.preformatted.saturating_sub(1),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.preformatted > 0 {
            if !text.is_empty() {
                self.flush();
                self.out.push_str(text);
            }
            return;
        }
        for part in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let word = part.trim_end_matches(|c: char| c.is_ascii_whitespace());
            if !word.is_empty() {
                self.flush();
                self.out.push_str(word);
            }
            self.space |= word.len() < part.len();
        }
    }

    /// A decoded entity is never white space to collapse.
    fn character(&mut self, c: char) {
        if c == '\u{A0}' {
            self.space = true;
            return;
        }
        self.flush();
        self.out.push(c);
    }

    fn flush(&mut self) {
        if self.breaks > 0 {
            let kept = self.out.trim_end_matches(' ').len();
            self.out.truncate(kept);
            if !self.out.is_empty() {
                let have = self.out.bytes().rev().take_while(|byte| *byte == b'\n').count();
                (have..self.breaks).for_each(|_| self.out.push('\n'));
            }
        } else if self.space && !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.space = false;
        if std::mem::take(&mut self.bullet) {
            self.out.push_str("- ");
        }
    }

    fn finish(mut self) -> String {
        let kept = self.out.trim_end().len();
        self.out.truncate(kept);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }
}
