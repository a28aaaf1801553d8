//! Match tokens: the words of match text, the same for every model (PROTOCOL D2).

use std::collections::HashMap;

/// Numbers words in the order in which they first appear.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    ids: HashMap<Box<str>, u32>,
    /// Bytes of each word.
    lens: Vec<u32>,
}

impl Dictionary {
    /// The number of `word`, which gets one if it has none.
    pub(crate) fn insert(&mut self, word: &str) -> u32 {
        if let Some(&id) = self.ids.get(word) {
            return id;
        }
        let id = self.lens.len() as u32;
        self.ids.insert(word.into(), id);
        self.lens.push(word.len() as u32);
        id
    }

    /// The number of `word`.
    pub(crate) fn get(&self, word: &str) -> Option<u32> {
        self.ids.get(word).copied()
    }

    /// Bytes of word `id`.
    pub(crate) fn word_len(&self, id: u32) -> u32 {
        self.lens.get(id as usize).copied().unwrap_or(0)
    }

    /// Value of each word by its number, see [`crate::near`].
    pub(crate) fn values(&self) -> Vec<u64> {
        let mut values = vec![0; self.lens.len()];
        for (word, id) in &self.ids {
            values[*id as usize] = crate::near::word_value(word);
        }
        values
    }

    /// How many different words.
    pub(crate) fn len(&self) -> usize {
        self.lens.len()
    }

    /// Bytes on the heap, about.
    pub(crate) fn bytes(&self) -> usize {
        let text: u64 = self.lens.iter().map(|len| u64::from(*len)).sum();
        self.ids.capacity() * 25 + self.lens.capacity() * 4 + text as usize
    }
}
