//! Where an answer's words stand in the index.

use std::collections::HashMap;

use crate::index::COPY_WORDS;
use crate::packed::Mostly;
use crate::suffix::{partition, Suffixes};

/// Words of one match; a longer one is cut into matches that overlap by 15 words. Every window of 16
/// words is still seen, and no shorter span can be hidden, so the result is the same and the work for
/// each word stays bounded.
const MAX_RUN: usize = 64;

/// A run of this many words that the prompt has too is an echo.
pub const ECHO_WORDS: usize = 8;

/// A maximal match: words `start..start + len` of the answer start the suffixes `lo..hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) lo: usize,
    pub(crate) hi: usize,
}

impl Span {
    fn end(&self) -> usize {
        self.start + self.len
    }
}

/// All matches that no other match contains, by start (and so by end).
pub(crate) fn maximal_spans(suffixes: &Suffixes, words: &[u32]) -> Vec<Span> {
    let occurs = |from: usize, to: usize| {
        suffixes.longest(&words[from..to], to - from).is_some_and(|found| found.len == to - from)
    };
    let mut spans = Vec::new();
    let mut start = 0;
    while start < words.len() {
        let Some(found) = suffixes.longest(&words[start..], MAX_RUN) else {
            start += 1;
            continue;
        };
        let span = Span { start, len: found.len, lo: found.lo, hi: found.hi };
        spans.push(span);
        let end = span.end();
        if end >= words.len() {
            break;
        }
        // The next maximal match reaches beyond `end`; if it occurs from some word on, then from every
        // later word on as well, so its start is found by halving.
        let least = if span.len == MAX_RUN { end - (COPY_WORDS - 1) } else { start + 1 };
        start = partition(least, end, |s| !occurs(s, end + 1));
    }
    spans
}

/// For every word the longest span that covers it, the leftmost of equals.
pub(crate) fn cover(spans: &[Span], words: usize) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|&s| (std::cmp::Reverse(spans[s].len), spans[s].start));
    let mut cover = vec![None; words];
    // `free[t]`: a word from which the search for the next uncovered one at or after `t` goes on.
    let mut free: Vec<usize> = (0..=words).collect();
    for s in order {
        let mut t = next_free(&mut free, spans[s].start);
        while t < spans[s].end() {
            cover[t] = Some(s);
            free[t] = t + 1;
            t = next_free(&mut free, t);
        }
    }
    cover
}

/// First uncovered word at or after `from`, shortening the way for the next search.
fn next_free(free: &mut [usize], from: usize) -> usize {
    let mut end = from;
    while free[end] != end {
        end = free[end];
    }
    let mut t = from;
    while t != end {
        t = std::mem::replace(&mut free[t], end);
    }
    end
}

/// For every word that lies in a window of 16 words of the index: its place in the earliest document
/// that holds such a window.
///
/// The windows are the answer's own, so a document that comes later can only add windows and later
/// places: it never takes a copied word from an earlier document.
pub(crate) fn copied(
    suffixes: &Suffixes,
    first16: &Mostly,
    spans: &[Span],
    words: usize,
) -> Vec<Option<u32>> {
    let mut places: Vec<Option<u32>> = vec![None; words];
    let mut done = 0;
    for span in spans.iter().filter(|span| span.len >= COPY_WORDS) {
        let place = suffixes.sorted[span.lo] as usize;
        let stop = span.end() - COPY_WORDS + 1;
        for window in span.start.max(done)..stop {
            let first = first16.get((place + (window - span.start)) as u32);
            for (k, slot) in places[window..window + COPY_WORDS].iter_mut().enumerate() {
                let here = first + k as u32;
                *slot = Some(slot.map_or(here, |earlier| earlier.min(here)));
            }
        }
        done = done.max(stop);
    }
    places
}

/// Which of the answer's words lie in a run of [`ECHO_WORDS`] that the prompt has too.
pub(crate) fn echoed<'a>(answer: &[&'a str], prompt: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let mut mask = vec![false; answer.len()];
    if answer.len() < ECHO_WORDS {
        return mask;
    }
    let mut ids: HashMap<&str, u32> = HashMap::new();
    let mut answer_ids = Vec::with_capacity(answer.len());
    for word in answer {
        let next = ids.len() as u32;
        answer_ids.push(*ids.entry(word).or_insert(next));
    }
    let mut windows: HashMap<&[u32], bool> = answer_ids.windows(ECHO_WORDS).map(|w| (w, false)).collect();
    let prompt: Vec<u32> = prompt.map(|word| ids.get(word).copied().unwrap_or(u32::MAX)).collect();
    for window in prompt.windows(ECHO_WORDS) {
        if let Some(found) = windows.get_mut(window) {
            *found = true;
        }
    }
    for (start, window) in answer_ids.windows(ECHO_WORDS).enumerate() {
        if windows.get(window) == Some(&true) {
            mask[start..start + ECHO_WORDS].fill(true);
        }
    }
    mask
}
