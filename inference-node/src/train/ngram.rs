//! Byte models to compare with: interpolated n-grams (Witten and Bell 1991) and `xz -9`.
//!
//! p(c | h) = (count(h c) + kinds(h) * p(c | h')) / (count(h) + kinds(h)), where h' is h without its
//! first byte and kinds(h) the number of different bytes seen after h; p of no context is uniform
//! below the unigram. Only contexts that occur in the test text are counted: the memory is bounded by
//! the test text, whatever the size of the training text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::Write;
use std::process::{Command, Stdio};

/// Hash of a packed context: one multiplication (Fibonacci hashing) is enough for short keys.
#[derive(Default)]
struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Multiply>>;

/// What was seen after one context.
#[derive(Default)]
struct Seen {
    total: u32,
    next: Map<u32>,
}

/// A byte n-gram model of all orders up to `order` at once.
pub struct Ngram {
    /// By number of context bytes.
    orders: Vec<Map<Seen>>,
}

/// The last `n` bytes packed; shorter contexts of other orders live in other maps.
fn pack(history: u64, n: usize) -> u64 {
    if n == 0 {
        0
    } else {
        history & (u64::MAX >> (64 - 8 * n))
    }
}

impl Ngram {
    /// Counts `training` for contexts of up to `order - 1` bytes (order 1 to 8) that occur in `test`.
    pub fn new<'a>(
        order: usize,
        training: impl Iterator<Item = &'a str>,
        test: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut orders: Vec<Map<Seen>> = (0..order.clamp(1, 8)).map(|_| Map::default()).collect();
        for text in test {
            let mut history = 0u64;
            for (i, byte) in text.bytes().enumerate() {
                for (n, contexts) in orders.iter_mut().enumerate().take(i + 1) {
                    contexts.entry(pack(history, n)).or_default();
                }
                history = history << 8 | u64::from(byte);
            }
        }
        for text in training {
            let mut history = 0u64;
            for (i, byte) in text.bytes().enumerate() {
                for (n, contexts) in orders.iter_mut().enumerate().take(i + 1) {
                    // A context that the test text lacks has no longer one that it has.
                    let Some(seen) = contexts.get_mut(&pack(history, n)) else { break };
                    seen.total += 1;
                    *seen.next.entry(u64::from(byte)).or_default() += 1;
                }
                history = history << 8 | u64::from(byte);
            }
        }
        Ngram { orders }
    }

    /// Bits that `test` costs under the model of `order` bytes (context included).
    pub fn bits<'a>(&self, order: usize, test: impl Iterator<Item = &'a str>) -> f64 {
        let mut bits = 0.0;
        for text in test {
            let mut history = 0u64;
            for (i, byte) in text.bytes().enumerate() {
                let mut p = 1.0 / 256.0;
                for (n, contexts) in self.orders.iter().enumerate().take(order.min(i + 1)) {
                    let Some(seen) = contexts.get(&pack(history, n)).filter(|s| s.total > 0) else { break };
                    let kinds = seen.next.len() as f64;
                    let count = f64::from(seen.next.get(&u64::from(byte)).copied().unwrap_or(0));
                    p = (count + kinds * p) / (f64::from(seen.total) + kinds);
                }
                bits -= p.log2();
                history = history << 8 | u64::from(byte);
            }
        }
        bits
    }
}

/// Bytes that `xz -9` makes of `bytes`; `None` where the command is missing or fails.
pub fn xz_len(bytes: &[u8]) -> Option<usize> {
    let mut child = Command::new("xz")
        .args(["-9", "--stdout", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let output = std::thread::scope(|scope| {
        // Written beside the reading, so that neither pipe fills up.
        scope.spawn(move || stdin.write_all(bytes));
        child.wait_with_output()
    })
    .ok()?;
    output.status.success().then_some(output.stdout.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_all_bytes_add_up_to_one() {
        let training = ["abracadabra", "banana"];
        for context in ["", "a", "ab", "zz", "xab"] {
            let tests: Vec<String> = (0..128u8).map(|b| format!("{context}{}", char::from(b))).collect();
            let model = Ngram::new(3, training.into_iter(), tests.iter().map(String::as_str));
            let base = model.bits(3, [context].into_iter());
            let sum: f64 =
                tests.iter().map(|t| (base - model.bits(3, [t.as_str()].into_iter())).exp2()).sum();
            // The 128 bytes above are unseen and share what is left evenly.
            assert!(sum < 1.0 && sum > 0.5, "{context}: {sum}");
        }
    }

    #[test]
    fn longer_contexts_predict_repeated_text_better() {
        let text = "the quick brown fox jumps over the lazy dog. ".repeat(50);
        let model = Ngram::new(5, [text.as_str()].into_iter(), [text.as_str()].into_iter());
        let bits = |order| model.bits(order, [text.as_str()].into_iter());
        assert!(bits(5) < bits(3) && bits(3) < bits(1));
    }
}
