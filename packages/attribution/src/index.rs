//! The index over the documents of the datanet versions that a model rests on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use openledger_types::formats::Piece;

use crate::near::{borrowed_run, may_resemble, near_duplicates, LEAST_WORDS};
use crate::owners::Owners;
use crate::packed::{Mostly, Offsets};
use crate::proof::TextProof;
use crate::suffix::Suffixes;
use crate::surprisal::bits16;
use crate::words::Dictionary;
use crate::Error;
use openledger_ingest::match_words;

/// A match of this many words is a copy.
pub const COPY_WORDS: usize = 16;

/// One contribution's match text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Contribution, from 1.
    pub contribution_id: u64,
    /// Who is paid.
    pub contributor: String,
    /// Height and transaction index of its commit: the earlier is the origin (PROTOCOL D2).
    pub priority: (u64, u32),
    /// Match text, as the ingest crate makes it.
    pub match_text: String,
}

/// A document that is left out because its words stand in earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duplicate {
    /// The contribution left out.
    pub contribution_id: u64,
    /// The indexed contribution it repeats most of.
    pub of: u64,
}

/// Suffix array, owners and surprisals of a set of documents. It depends on the set alone, not on
/// the order in which it is given.
#[derive(Debug)]
pub struct Index {
    /// Indexed documents by (priority, contribution).
    documents: Vec<Document>,
    /// (contribution, document), sorted.
    by_contribution: Vec<(u64, u32)>,
    duplicates: Vec<Duplicate>,
    pub(crate) words: Dictionary,
    pub(crate) suffixes: Suffixes,
    /// First token of each document, and the end.
    starts: Vec<u32>,
    /// Document of every 64th position, from which the right one is a few steps away.
    coarse: Vec<u32>,
    /// First byte of each token in its document.
    offsets: Offsets,
    /// See [`Suffixes::first_of_gram`].
    pub(crate) first16: Mostly,
    /// Weight of each word in sixteenths of a bit.
    weights: Vec<u32>,
    /// Weight of a word that no document has: that of one that occurs once.
    unknown_weight: u32,
    pub(crate) owners: Owners,
}

impl Index {
    /// Indexes `documents` in their canonical order: by priority, then contribution.
    ///
    /// A document is left out as a duplicate when its match text is that of an earlier one, when at
    /// least 80 % of its words lie in runs of 16 words that stand in earlier ones, when 70 % of its and an
    /// earlier document's runs of five words are common to both, or when at least 60 % of its words lie
    /// in short runs ([`crate::borrowed_run`]) that stand in earlier documents of other contributors; the
    /// texts that it repeats are then as unique as if it had never been uploaded.
    ///
    /// Memory: 10 to 16 bytes a word and the texts, while it is built 46 a word. Time: linear.
    ///
    /// # Errors
    /// When a number of a contribution is 0 or stands twice, or there is more text than 32 bits can address.
    pub fn build(mut documents: Vec<Document>) -> Result<Self, Error> {
        documents.sort_by_key(|d| (d.priority, d.contribution_id));
        let mut ids: Vec<u64> = documents.iter().map(|d| d.contribution_id).collect();
        ids.sort_unstable();
        if ids.first() == Some(&0) {
            return Err(Error::ZeroId);
        }
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::RepeatedId(pair[0]));
        }
        if let Some(long) = documents.iter().find(|d| u32::try_from(d.match_text.len()).is_err()) {
            return Err(Error::DocumentTooLong(long.contribution_id));
        }
        let mut of: BTreeMap<u64, u64> = BTreeMap::new();
        let mut texts: HashMap<&str, u64> = HashMap::new();
        for document in &documents {
            let first = *texts.entry(&document.match_text).or_insert(document.contribution_id);
            if first != document.contribution_id {
                of.insert(document.contribution_id, first);
            }
        }
        drop(texts);
        documents.retain(|d| !of.contains_key(&d.contribution_id));
        let mut base = Base::build(&documents)?;
        let mut left_out = base.contained(&documents);
        let numbers = base.numbers();
        left_out.extend(base.near(&documents, &numbers, &left_out));
        left_out.extend(base.borrowed(&documents, &numbers, &left_out));
        drop(numbers);
        if !left_out.is_empty() {
            of.extend(left_out);
            documents.retain(|d| !of.contains_key(&d.contribution_id));
            // Before the next one is made: memory holds one of them.
            drop(base);
            base = Base::build(&documents)?;
        }
        let duplicates = of
            .iter()
            .map(|(id, first)| Duplicate { contribution_id: *id, of: resolve(&of, *first) })
            .collect();
        Ok(Self::assemble(documents, duplicates, base))
    }

    fn assemble(documents: Vec<Document>, duplicates: Vec<Duplicate>, base: Base) -> Self {
        let Base { words, suffixes, starts, offsets, first16, shared } = base;
        drop(shared);
        let mut by_contribution: Vec<(u64, u32)> =
            documents.iter().enumerate().map(|(i, d)| (d.contribution_id, i as u32)).collect();
        by_contribution.sort_unstable();
        let mut coarse = Vec::with_capacity(suffixes.tokens.len() / 64 + 1);
        let mut document = 0;
        for position in (0..suffixes.tokens.len()).step_by(64) {
            while starts[document + 1] as usize <= position {
                document += 1;
            }
            coarse.push(document as u32);
        }
        let total = suffixes.sorted.len() as u32;
        let mut known: HashMap<u32, u32> = HashMap::new();
        let weights = (0..words.len())
            .map(|v| suffixes.count(v))
            .map(|count| *known.entry(count).or_insert_with(|| bits16(total, count)))
            .collect();
        let (owner_of, count) = owners(&documents);
        let mut index = Index {
            documents,
            by_contribution,
            duplicates,
            words,
            suffixes,
            starts,
            coarse,
            offsets,
            first16: Mostly::new(first16.into_iter()),
            weights,
            unknown_weight: bits16(total, 1),
            owners: Owners::default(),
        };
        let suffixes = &index.suffixes;
        index.owners =
            Owners::build(&suffixes.sorted, owner_of, count, &suffixes.bucket, |p| index.document_at(p));
        index
    }

    /// Contributions left out as copies, by id. They are paid nothing and should not be trained on.
    pub fn duplicates(&self) -> &[Duplicate] {
        &self.duplicates
    }

    /// Whether a contribution was left out as a copy.
    pub fn is_left_out(&self, contribution_id: u64) -> bool {
        self.duplicates.binary_search_by_key(&contribution_id, |copy| copy.contribution_id).is_ok()
    }

    /// Indexed documents by (priority, contribution).
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The indexed document of a contribution.
    pub fn document(&self, contribution_id: u64) -> Option<&Document> {
        let at = self.by_contribution.binary_search_by_key(&contribution_id, |(id, _)| *id).ok()?;
        self.documents.get(self.by_contribution.get(at)?.1 as usize)
    }

    /// Words in all indexed documents.
    pub fn tokens(&self) -> usize {
        self.suffixes.sorted.len()
    }

    /// Bytes of the index on the heap, texts not counted.
    pub fn bytes(&self) -> usize {
        4 * (self.starts.capacity() + self.coarse.capacity() + self.weights.capacity())
            + self.offsets.bytes()
            + self.first16.bytes()
            + self.words.bytes()
            + self.suffixes.bytes()
            + self.owners.bytes()
    }

    /// The chunks of match text, with their paths, that prove the source of a piece of evidence.
    /// `None` when the piece cites what is not indexed.
    pub fn prove_source(&self, piece: &Piece) -> Option<TextProof> {
        let document = self.document(piece.contribution_id)?;
        TextProof::new(document.match_text.as_bytes(), piece.source_start, piece.len)
    }

    /// Document that holds token `position`.
    pub(crate) fn document_at(&self, position: u32) -> u32 {
        let mut document = self.coarse[position as usize / 64];
        while self.starts[document as usize + 1] <= position {
            document += 1;
        }
        document
    }

    /// Contribution of a document.
    pub(crate) fn contribution(&self, document: u32) -> u64 {
        self.documents[document as usize].contribution_id
    }

    /// First byte of token `position` in the match text of its document.
    pub(crate) fn offset(&self, position: u32) -> u64 {
        u64::from(self.offset_in(self.document_at(position), position))
    }

    fn offset_in(&self, document: u32, position: u32) -> u32 {
        self.offsets.get(position, self.starts[document as usize])
    }

    /// Bytes of token `position` in the match text of its document, and that text.
    pub(crate) fn source(&self, position: u32) -> (&str, usize, usize) {
        let document = self.document_at(position);
        let start = self.offset_in(document, position) as usize;
        let len = self.words.word_len(self.suffixes.tokens[position as usize]) as usize;
        (&self.documents[document as usize].match_text, start, start + len)
    }

    /// Weight of a word in sixteenths of a bit.
    pub(crate) fn weight(&self, word: u32) -> u32 {
        self.weights.get(word as usize).copied().unwrap_or(self.unknown_weight)
    }

    /// The earliest place of the words around `position`: over the windows of 16 words that cover it,
    /// the first place of the window. A text pieced together from others so pays its sources.
    pub(crate) fn origin(&self, position: u32) -> u32 {
        let from = position.saturating_sub(COPY_WORDS as u32 - 1);
        // A window that crosses a separator is unique and names itself, which is never smaller.
        (from..=position).map(|p| self.first16.get(p) + (position - p)).min().unwrap_or(position)
    }
}

/// What sorting the suffixes gives.
struct Base {
    words: Dictionary,
    suffixes: Suffixes,
    starts: Vec<u32>,
    offsets: Offsets,
    first16: Vec<u32>,
    /// See [`Suffixes::shared`], up to [`COPY_WORDS`]: no run that is looked for is longer.
    shared: Vec<u8>,
}

impl Base {
    fn build(documents: &[Document]) -> Result<Self, Error> {
        let mut words = Dictionary::default();
        let mut tokens: Vec<i32> = Vec::new();
        let mut offsets = Offsets::default();
        let mut ends = Vec::with_capacity(documents.len());
        for document in documents {
            let (from, mut before) = (tokens.len(), 0);
            for (range, word) in match_words(&document.match_text) {
                let start = range.start as u32;
                offsets.push(start, before, tokens.len() == from);
                before = start;
                tokens.push(words.insert(word) as i32);
            }
            ends.push(tokens.len());
            offsets.push(document.match_text.len() as u32, before, tokens.len() == from);
            tokens.push(0);
            if i32::try_from(tokens.len()).is_err() {
                return Err(Error::TooManyTokens(tokens.len() as u64));
            }
        }
        for (document, end) in ends.iter().enumerate() {
            tokens[*end] = (words.len() + document) as i32;
        }
        tokens.shrink_to_fit();
        offsets.shrink();
        let starts = std::iter::once(0).chain(ends.iter().map(|end| *end as u32 + 1)).collect();
        let suffixes = Suffixes::build(tokens, words.len())?;
        let shared = suffixes.shared(COPY_WORDS as u8);
        let first16 = suffixes.first_of_gram(COPY_WORDS, &shared);
        Ok(Base { words, suffixes, starts, offsets, first16, shared })
    }

    /// Words of each document.
    fn texts(&self) -> impl Iterator<Item = &[u32]> {
        let bounds = self.starts.windows(2);
        bounds.map(|bounds| &self.suffixes.tokens[bounds[0] as usize..bounds[1] as usize - 1])
    }

    /// The document of every position.
    fn numbers(&self) -> Vec<u32> {
        let mut numbers = vec![0u32; self.suffixes.tokens.len()];
        for (document, bounds) in self.starts.windows(2).enumerate() {
            numbers[bounds[0] as usize..bounds[1] as usize].fill(document as u32);
        }
        numbers
    }

    /// Documents that resemble an earlier one, with the earliest that they do; those `contained` already
    /// are neither compared nor compared with. `numbers` is what [`Base::numbers`] gives.
    fn near(&self, documents: &[Document], numbers: &[u32], contained: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let known: BTreeSet<u64> = contained.iter().map(|(id, _)| *id).collect();
        let texts: Vec<&[u32]> = self.texts().collect();
        let may = may_resemble(&self.suffixes, &self.shared, &texts, numbers);
        let compared = |i: usize| may[i] && !known.contains(&documents[i].contribution_id);
        near_duplicates(&texts, &self.words.values(), compared)
            .into_iter()
            .map(|(later, first)| (documents[later].contribution_id, documents[first].contribution_id))
            .collect()
    }

    /// Documents of whose words at least 60 % lie in runs of [`borrowed_run`] words that earlier documents
    /// of other contributors have, with the contribution where most of these runs stand first.
    fn borrowed(&self, documents: &[Document], numbers: &[u32], known: &[(u64, u64)]) -> Vec<(u64, u64)> {
        let known: BTreeMap<u64, u64> = known.iter().copied().collect();
        let (owners, _) = owners(documents);
        let document_at = |position: u32| numbers[position as usize] as usize;
        let owner = |document: usize| owners[document];
        let mut found = Vec::new();
        let mut from = 0;
        while from < documents.len() {
            let width = borrowed_run(self.starts[from]);
            let mut to = from + 1;
            while to < documents.len() && borrowed_run(self.starts[to]) == width {
                to += 1;
            }
            let (start, end) = (self.starts[from], self.starts[to]);
            // The first place of each position's run in an earlier document of somebody else; 0 is none.
            let mut lender = vec![0u32; (end - start) as usize];
            self.suffixes.repeated(width, &self.shared, |group| {
                if group.iter().all(|position| !(start..end).contains(position)) {
                    return;
                }
                let first = group.iter().copied().min().unwrap_or(0);
                let of = owner(document_at(first));
                let others = group.iter().copied().filter(|p| owner(document_at(*p)) != of);
                let other = others.min().unwrap_or(u32::MAX);
                for position in group.iter().copied().filter(|p| (start..end).contains(p)) {
                    let document = document_at(position);
                    let place = if owner(document) == of { other } else { first };
                    if place < self.starts[document] {
                        lender[(position - start) as usize] = place + 1;
                    }
                }
            });
            for document in (from..to).filter(|d| !known.contains_key(&documents[*d].contribution_id)) {
                let (first, behind) = (self.starts[document], self.starts[document + 1] - 1);
                let (mut covered, mut until) = (0u64, first);
                let mut sources: BTreeMap<usize, u64> = BTreeMap::new();
                for position in first..behind {
                    let place = lender[(position - start) as usize];
                    if place != 0 {
                        until = position + width as u32;
                        *sources.entry(document_at(place - 1)).or_default() += 1;
                    }
                    covered += u64::from(position < until);
                }
                let words = u64::from(behind - first);
                let most = sources.iter().max_by_key(|(source, n)| (**n, std::cmp::Reverse(**source)));
                if let Some((most, _)) =
                    most.filter(|_| words >= LEAST_WORDS as u64 && covered * 10 >= words * 6)
                {
                    found.push((documents[document].contribution_id, documents[*most].contribution_id));
                }
            }
            from = to;
        }
        found
    }

    /// Documents of whose words at least 80 % lie in windows that stand in earlier documents, with
    /// the contribution where most of these windows stand (the earliest of equals).
    fn contained(&self, documents: &[Document]) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        for (i, document) in documents.iter().enumerate() {
            let (start, end) = (self.starts[i], self.starts[i + 1] - 1);
            let mut covered = 0u64;
            let mut until = start;
            let mut sources: BTreeMap<usize, u64> = BTreeMap::new();
            for position in start..end {
                let first = self.first16[position as usize];
                if first < start {
                    until = position + COPY_WORDS as u32;
                    // `starts` ascends; the document is the last that starts at or before.
                    *sources.entry(self.starts.partition_point(|s| *s <= first) - 1).or_default() += 1;
                }
                covered += u64::from(position < until);
            }
            let Some((most, _)) = sources.iter().max_by_key(|(source, n)| (**n, std::cmp::Reverse(**source)))
            else {
                continue;
            };
            if covered * 10 >= u64::from(end - start) * 8 {
                found.push((document.contribution_id, documents[*most].contribution_id));
            }
        }
        found
    }
}

/// The contributor of each document, numbered in the order in which they appear, and how many there are.
fn owners(documents: &[Document]) -> (Vec<u32>, usize) {
    let mut names: HashMap<&str, u32> = HashMap::new();
    let mut owners = Vec::with_capacity(documents.len());
    for document in documents {
        let next = names.len() as u32;
        owners.push(*names.entry(&document.contributor).or_insert(next));
    }
    (owners, names.len())
}

/// Follows duplicates of duplicates to a document that is kept. Sources are always earlier, so the
/// chain ends.
fn resolve(of: &BTreeMap<u64, u64>, mut id: u64) -> u64 {
    while let Some(next) = of.get(&id) {
        id = *next;
    }
    id
}
