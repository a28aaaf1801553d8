//! What a step leaves out changes nothing that is read: neither the rows nor what comes after them.

mod support;

use openledger_exact::cache::Cache;
use openledger_exact::net::{ExactNet, Piece, Read, Workspace};
use openledger_numerics::Path;
use proptest::prelude::*;

const VOCAB: usize = 70;

fn net(qwen: bool) -> ExactNet {
    let config = support::config(qwen, VOCAB, 32);
    ExactNet::new(&config, support::weights(&config, 0), Path::best())
}

/// Hidden vector and logits of a row, as bits.
type Row = Vec<u32>;

fn bits(hidden: &[f32], logits: &[f32]) -> Row {
    hidden.iter().chain(logits).map(|x| x.to_bits()).collect()
}

/// All rows of a text, read at once.
fn all(net: &ExactNet, tokens: &[u32]) -> Vec<Row> {
    let (mut cache, mut room) = (Cache::new(net.shape()), Workspace::default());
    net.step(&mut [Piece { cache: &mut cache, tokens, read: Read::All, adapter: None }], &mut room);
    room.rows(net).map(|(hidden, logits)| bits(hidden, logits)).collect()
}

/// Two parts of a text, and what is read of each.
fn text() -> impl Strategy<Value = [(Vec<u32>, Read); 2]> {
    let part = || {
        let read = prop_oneof![Just(Read::None), Just(Read::Last), Just(Read::All)];
        (prop::collection::vec(0..VOCAB as u32, 1..24), read)
    };
    [part(), part()]
}

/// The rows of `of` that `read` asks for.
fn asked(of: &[Row], read: Read) -> &[Row] {
    match read {
        Read::None => &[],
        Read::Last => &of[of.len() - 1..],
        Read::All => of,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn rows_that_nobody_reads_change_no_bit_of_the_others(
        qwen: bool,
        texts in prop::collection::vec(text(), 1..4),
    ) {
        let net = net(qwen);
        let whole: Vec<Vec<Row>> =
            texts.iter().map(|[a, b]| all(&net, &[&a.0[..], &b.0[..]].concat())).collect();
        let mut caches: Vec<Cache> = texts.iter().map(|_| Cache::new(net.shape())).collect();
        let mut room = Workspace::default();
        // First the beginnings of all texts in one step, then what follows them.
        for part in 0..2 {
            let mut pieces: Vec<Piece> = caches
                .iter_mut()
                .zip(&texts)
                .map(|(cache, text)| Piece { cache, tokens: &text[part].0, read: text[part].1, adapter: None })
                .collect();
            net.step(&mut pieces, &mut room);
            let expected: Vec<&Row> = texts
                .iter()
                .zip(&whole)
                .flat_map(|(text, rows)| {
                    let (before, after) = rows.split_at(text[0].0.len());
                    asked(if part == 0 { before } else { after }, text[part].1)
                })
                .collect();
            let found: Vec<Row> = room.rows(&net).map(|(hidden, logits)| bits(hidden, logits)).collect();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_replay_from_any_position_in_any_pieces_shows_the_same_rows(
        tokens in prop::collection::vec(0..VOCAB as u32, 1..90),
        from in 0usize..90,
        chunk in 1usize..100,
    ) {
        let net = net(false);
        let (mut cache, mut room) = (Cache::new(net.shape()), Workspace::default());
        let mut found = Vec::new();
        net.read_text(&mut cache, &tokens, (chunk, from), &mut room, &mut |at, hidden, logits| {
            found.push((at, bits(hidden, logits)));
        });
        let expected: Vec<(usize, Row)> = all(&net, &tokens).into_iter().enumerate().skip(from).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(cache.len(), tokens.len());
    }
}
