//! The part of a page between two marks, which a bench writes and the rest of the page keeps.

use anyhow::{Context, Result};

/// The two marks.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// Before the part.
    pub begin: &'static str,
    /// After it.
    pub end: &'static str,
}

impl Marks {
    /// What stands between them; none where the page lacks one.
    pub fn inside<'a>(&self, page: &'a str) -> Option<&'a str> {
        let (_, rest) = page.split_once(self.begin)?;
        Some(rest.split_once(self.end)?.0)
    }

    /// The page with another part.
    ///
    /// # Errors
    /// A page without the marks.
    pub fn replace(&self, page: &str, part: &str) -> Result<String> {
        let (before, rest) = page.split_once(self.begin).context("the page has no place for figures")?;
        let (_, after) = rest.split_once(self.end).context("the page's place for figures has no end")?;
        Ok(format!("{before}{}\n{part}{}{after}", self.begin, self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let marks = Marks { begin: "<!-- a -->", end: "<!-- z -->" };
        let page = "one\n<!-- a -->\nold\n<!-- z -->\ntwo\n";
        assert_eq!(marks.inside(page), Some("\nold\n"));
        assert_eq!(marks.replace(page, "new\n").unwrap(), "one\n<!-- a -->\nnew\n<!-- z -->\ntwo\n");
        for bad in ["", "<!-- a -->", "<!-- z --> <!-- a -->"] {
            assert!(marks.inside(bad).is_none() && marks.replace(bad, "x").is_err());
        }
    }
}
