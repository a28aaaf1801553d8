//! What kind of text a document is; decides whether markup is stripped.

use serde::{Deserialize, Serialize};

/// Kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Decide by the first characters: HTML only when the document *begins* with `<!doctype html`,
    /// `<html`, `<head` or `<body`; else plain.
    #[default]
    Auto,
    /// Prose; not changed.
    Plain,
    /// Markdown; not changed, since `<T>` may be code.
    Markdown,
    /// Source code or data; not changed.
    Code,
    /// HTML; becomes plain text.
    Html,
}

impl Media {
    /// The kind that a file name suggests, [`Media::Auto`] when it suggests none.
    pub fn from_name(name: &str) -> Media {
        let Some((_, extension)) = name.rsplit_once('.') else {
            return Media::Auto;
        };
        match extension.to_ascii_lowercase().as_str() {
            "html" | "htm" | "xhtml" => Media::Html,
            "md" | "markdown" | "mdx" | "rst" | "adoc" => Media::Markdown,
            "txt" | "text" => Media::Plain,
            "rs" | "py" | "js" | "mjs" | "ts" | "tsx" | "jsx" | "go" | "c" | "h" | "cc" | "cpp" | "hpp"
            | "cs" | "java" | "kt" | "scala" | "swift" | "rb" | "php" | "sh" | "bash" | "sql" | "json"
            | "jsonl" | "yaml" | "yml" | "toml" | "ini" | "xml" | "css" | "lua" | "r" | "jl" | "hs"
            | "ml" | "ex" | "exs" | "erl" | "clj" | "zig" | "sol" | "proto" | "tf" | "vue" | "svelte" => {
                Media::Code
            }
            _ => Media::Auto,
        }
    }

    /// Settles [`Media::Auto`] by a look at the beginning of `text`.
    pub(crate) fn settle(self, text: &str) -> Media {
        if self != Media::Auto {
            return self;
        }
        let start: String = text.trim_start().chars().take(15).collect::<String>().to_ascii_lowercase();
        let opens = |tag: &str| {
            start.strip_prefix(tag).is_some_and(|rest| {
                rest.is_empty() || rest.starts_with(|c: char| c == '>' || c.is_ascii_whitespace())
            })
        };
        if start.starts_with("<!doctype html") || opens("<html") || opens("<head") || opens("<body") {
            Media::Html
        } else {
            Media::Plain
        }
    }

    /// Media type of the *content text* for the chain: HTML has become plain text by then.
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Markdown => "text/markdown",
            Media::Code => "text/x-source",
            Media::Auto | Media::Plain | Media::Html => "text/plain",
        }
    }
}
