//! Every path against the scalar law, bit for bit, on random and on hostile values.

use openledger_numerics::*;
use proptest::prelude::*;

/// The paths that this processor has beside the law; names those that it lacks.
fn others() -> Vec<Path> {
    let here: Vec<Path> = Path::available().collect();
    for name in Path::NAMES {
        if here.iter().all(|path| path.name() != name) {
            println!("skipped: this processor has no {name}");
        }
    }
    here
}

/// Equal bits, every NaN being one value.
fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

/// Usual values, and those that break careless kernels.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![
        12 => -4f32..4.0,
        2 => any::<f32>(),
        1 => prop_oneof![
            Just(0.0), Just(-0.0), Just(f32::MIN_POSITIVE), Just(1e-42), Just(-1e-45), Just(3e38), Just(-3e38),
            Just(1e-31), Just(7.9e-31), Just(1.0), Just(-1.0), Just(0.5)
        ],
    ]
}

fn hostile() -> impl Strategy<Value = f32> {
    prop_oneof![
        30 => value(),
        1 => prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(-f32::NAN)],
    ]
}

fn vectors(most: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1..most)
        .prop_flat_map(|n| (proptest::collection::vec(hostile(), n), proptest::collection::vec(hostile(), n)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn products_are_the_laws_on_every_path_for_any_neighbours(
        (rows, columns, positions) in (1usize..40, 1usize..400, prop_oneof![4 => 1usize..24, 1 => 40usize..70]),
        seed in any::<u64>(),
        odd in proptest::collection::vec((any::<prop::sample::Index>(), hostile()), 0..6),
    ) {
        let mut random = Random(seed);
        let weights: Vec<f32> = (0..rows * columns).map(|_| random.next()).collect();
        let mut x: Vec<f32> = (0..positions * columns).map(|_| random.next()).collect();
        for (at, value) in odd {
            let at = at.index(x.len());
            x[at] = value;
        }
        let matrix = Matrix::quantize(rows, columns, &weights).unwrap();
        let mut law = Activations::default();
        law.quantize(Path::SCALAR, &x, columns);
        let mut expected = Vec::new();
        for position in 0..positions {
            let (scales, values) = law.row(position);
            for row in 0..rows {
                let (ws, w) = matrix.row(row);
                expected.push(row_dot(&w, &ws, values, scales));
            }
        }
        for path in others() {
            let mut activations = Activations::default();
            activations.quantize(path, &x, columns);
            for position in 0..positions {
                prop_assert_eq!(activations.row(position).1, law.row(position).1);
                prop_assert!(same(activations.row(position).0, law.row(position).0));
            }
            let mut out = vec![0.0; positions * rows];
            gemm(path, &matrix, &activations, &mut out);
            prop_assert!(same(&out, &expected), "{} differs", path.name());
            // Alone, a position gives what it gives among others.
            let last = &x[(positions - 1) * columns..];
            activations.quantize(path, last, columns);
            gemm(path, &matrix, &activations, &mut out[..rows]);
            prop_assert!(same(&out[..rows], &expected[(positions - 1) * rows..]));
        }
    }

    #[test]
    fn vector_operations_are_the_laws((a, b) in vectors(200)) {
        for path in others() {
            prop_assert!(same(&[dot(path, &a, &b)], &[dot(Path::SCALAR, &a, &b)]));
            let both = |run: &dyn Fn(Path, &mut Vec<f32>)| {
                let (mut x, mut y) = (a.clone(), a.clone());
                run(path, &mut x);
                run(Path::SCALAR, &mut y);
                same(&x, &y)
            };
            prop_assert!(both(&|p, x| add(p, x, &b)));
            prop_assert!(both(&|p, x| add_scaled(p, x, &b, 1.7)));
            prop_assert!(both(&|p, x| silu_mul(p, x, &b)));
            prop_assert!(both(&|p, x| rms_norm(p, &a, &b, 1e-5, x)));
            prop_assert!(both(&|p, x| x.push(softmax(p, &mut b.clone()))));
            let weights = both(&|p, x| x[0] += softmax(p, x));
            prop_assert!(weights);
            let even = a.len() / 2 * 2;
            prop_assert!(both(&|p, x| rope(p, &mut x[..even], &b)));
        }
    }

    #[test]
    fn attention_is_the_laws_for_any_group(
        (n, width, count) in (1usize..=4, 1usize..100, 0usize..=16), seed in any::<u64>(), raw in any::<bool>()
    ) {
        let mut random = Random(seed);
        let mut half = |_| if raw { random.bits() as u16 } else { f32_to_f16(random.next()) };
        let keys: Vec<u16> = (0..width * TILE).map(&mut half).collect();
        let values: Vec<u16> = (0..width * TILE).map(&mut half).collect();
        let queries: Vec<f32> = (0..n * width).map(|_| random.next()).collect();
        let mut expected = vec![0.0; n * TILE];
        scores(Path::SCALAR, &queries, width, &keys, 0.125, &mut expected);
        let mut sum = vec![0.25; n * width];
        mix(Path::SCALAR, &expected, &values, count, width, &mut sum);
        for path in others() {
            let mut out = vec![0.0; n * TILE];
            scores(path, &queries, width, &keys, 0.125, &mut out);
            prop_assert!(same(&out, &expected), "{} scores", path.name());
            let mut mixed = vec![0.25; n * width];
            mix(path, &expected, &values, count, width, &mut mixed);
            prop_assert!(same(&mixed, &sum), "{} mix", path.name());
            // One query alone.
            let mut one = vec![0.0; TILE];
            scores(path, &queries[(n - 1) * width..], width, &keys, 0.125, &mut one);
            prop_assert!(same(&one, &expected[(n - 1) * TILE..]));
        }
    }

    #[test]
    fn attention_of_a_group_is_that_of_each_alone(
        lengths in proptest::collection::vec(1usize..70, 1..=4), width in 1usize..70, seed in any::<u64>()
    ) {
        let mut random = Random(seed);
        let mut tiles = Vec::new();
        for _ in 0..5 {
            let (mut keys, mut values) = (vec![0x7e00; width * TILE], vec![0x7e00; width * TILE]);
            for slot in 0..TILE {
                let row: Vec<f32> = (0..width).map(|_| random.next()).collect();
                write_key(&mut keys, slot, &row);
                write_value(&mut values, slot, &row);
            }
            tiles.push((keys, values));
        }
        let tiles: Vec<(&[u16], &[u16])> = tiles.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        let queries: Vec<f32> = (0..lengths.len() * width).map(|_| random.next()).collect();
        let mut expected = vec![0.0; queries.len()];
        let mut scratch = Vec::new();
        for ((query, length), out) in queries.chunks(width).zip(&lengths).zip(expected.chunks_mut(width)) {
            attend(Path::SCALAR, &tiles, query, width, &[*length], 0.3, &mut scratch, out);
        }
        prop_assert!(expected.iter().all(|x| x.abs() <= 1.001));
        for path in others() {
            let mut out = vec![0.0; queries.len()];
            attend(path, &tiles, &queries, width, &lengths, 0.3, &mut scratch, &mut out);
            prop_assert!(same(&out, &expected), "{}", path.name());
        }
    }

    #[test]
    fn quantising_keeps_within_half_a_step_and_repeats(x in proptest::collection::vec(-1e6f32..1e6, 1..=32)) {
        let mut q = [0i8; BLOCK];
        let d = quantize_block(&x, &mut q);
        let again: Vec<f32> = q.iter().map(|q| d * f32::from(*q)).collect();
        for (i, value) in x.iter().enumerate() {
            prop_assert!((value - again[i]).abs() <= d * 0.501, "{value} {}", again[i]);
        }
        prop_assert!(q.iter().all(|q| *q != i8::MIN) && q[x.len()..].iter().all(|q| *q == 0));
        // What was quantised once stays as it is.
        let mut second = [0i8; BLOCK];
        quantize_block(&again, &mut second);
        prop_assert_eq!(q, second);
    }

    #[test]
    fn halves_round_to_the_nearest(bits in any::<u32>()) {
        let x = f32::from_bits(bits);
        let h = f32_to_f16(x);
        let back = f16_to_f32(h);
        if x.is_nan() {
            prop_assert!(back.is_nan());
        } else if x.abs() < 65_520.0 {
            // No neighbour is nearer; a tie has an even neighbour.
            let error = (f64::from(back) - f64::from(x)).abs();
            for other in [h.wrapping_add(1), h.wrapping_sub(1)] {
                let other_value = f64::from(f16_to_f32(other));
                if other_value.is_finite() && (other ^ h) & 0x8000 == 0 {
                    let distance = (other_value - f64::from(x)).abs();
                    prop_assert!(error < distance || (error == distance && h & 1 == 0), "{x:e}");
                }
            }
        } else {
            prop_assert!(back.is_infinite());
        }
    }
}

/// Few cases by default, so that the suite stays fast; `PROPTEST_CASES` widens.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

/// A linear congruential generator of values around 0.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn next(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// FNV-1a over bits, every NaN being one value.
fn mark(hash: &mut u64, values: &[f32]) {
    for value in values {
        let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
        for byte in bits.to_le_bytes() {
            *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The other tests compare paths of one processor; this one compares processors.
#[test]
fn node_attack_15_the_law_gives_these_bits_on_every_processor() {
    const BITS: u64 = 0xf03c_b55f_84f2_e29f;
    let hostile = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-42, -1e-45, 3e38, 7.9e-31];
    for path in others() {
        let (mut random, mut hash) = (Random(29), 0xcbf2_9ce4_8422_2325);
        for round in 0..200usize {
            let (rows, columns, positions) = (1 + round % 37, 1 + (round * 13) % 190, 1 + round % 9);
            let mut x: Vec<f32> = (0..positions * columns).map(|_| random.next() * 3.0).collect();
            if round % 3 == 0 {
                let at = random.bits() as usize % x.len();
                x[at] = hostile[(round / 3) % hostile.len()];
            }
            let weights: Vec<f32> = (0..rows * columns).map(|_| random.next()).collect();
            let matrix = Matrix::quantize(rows, columns, &weights).unwrap();
            let mut activations = Activations::default();
            activations.quantize(path, &x, columns);
            let mut out = vec![0.0; positions * rows];
            gemm(path, &matrix, &activations, &mut out);
            mark(&mut hash, &out);
            let other: Vec<f32> = (0..x.len()).map(|_| random.next()).collect();
            mark(&mut hash, &[dot(path, &x, &other)]);
            let mut y = x.clone();
            silu_mul(path, &mut y, &other);
            mark(&mut hash, &y);
            rms_norm(path, &x, &other, 1e-5, &mut y);
            mark(&mut hash, &y);
            y.copy_from_slice(&x);
            let sum = softmax(path, &mut y);
            mark(&mut hash, &y);
            mark(&mut hash, &[sum]);
            let width = 2 * (1 + round % 40);
            let mut head: Vec<f32> = (0..width).map(|_| random.next()).collect();
            rope(path, &mut head, &rope_row(round * 7, width, 10_000.0));
            mark(&mut hash, &head);
            let keys: Vec<u16> = (0..width * TILE).map(|_| f32_to_f16(random.next())).collect();
            let mut scored = vec![0.0; TILE];
            scores(path, &head, width, &keys, 0.125, &mut scored);
            mark(&mut hash, &scored);
            let mut mixed = vec![0.0; width];
            mix(path, &scored, &keys, 1 + round % TILE, width, &mut mixed);
            mark(&mut hash, &mixed);
            mark(&mut hash, &[exp(f64::from(scored[0])) as f32, ln(f64::from(x[0]).abs() + 1e-9) as f32]);
        }
        assert_eq!(hash, BITS, "{:#018x} on {}", hash, path.name());
    }
}

#[test]
fn every_half_is_read_exactly() {
    for h in 0..=u16::MAX {
        let x = f16_to_f32(h);
        let (sign, exponent, fraction) = (h >> 15, (h >> 10) & 31, f64::from(h & 1023));
        let magnitude = match exponent {
            0 => fraction * 2f64.powi(-24),
            31 => {
                assert_eq!((x.is_infinite(), x.is_nan()), (h & 1023 == 0, h & 1023 != 0));
                continue;
            }
            e => (1.0 + fraction / 1024.0) * 2f64.powi(i32::from(e) - 15),
        };
        let signed = if sign == 1 { -magnitude } else { magnitude };
        assert_eq!(f64::from(x), signed);
        assert_eq!(f32_to_f16(x), h);
    }
}

#[test]
fn what_is_not_finite_or_does_not_fit_is_refused() {
    assert_eq!(Matrix::quantize(2, 2, &[0.0; 3]).err(), Some(Refused::Shape));
    assert_eq!(Matrix::quantize(0, 2, &[]).err(), Some(Refused::Shape));
    assert_eq!(Matrix::quantize(usize::MAX, 2, &[0.0; 3]).err(), Some(Refused::Shape));
    for bad in [f32::NAN, f32::INFINITY] {
        let mut values = vec![1.0; 80];
        values[75] = bad;
        assert_eq!(Matrix::quantize(2, 40, &values).err(), Some(Refused::NotFinite { row: 1, column: 35 }));
    }
}

#[test]
fn a_row_is_given_back_as_it_was_quantised() {
    let values: Vec<f32> = (0..37 * 70).map(|i| ((i * 7_919) % 1_009) as f32 - 504.0).collect();
    let matrix = Matrix::quantize(37, 70, &values).unwrap();
    for row in [0, 15, 16, 36] {
        let (scales, q) = matrix.row(row);
        assert_eq!((scales.len(), q.len()), (3, 96));
        let mut expected = [0i8; BLOCK];
        for (b, block) in values[row * 70..(row + 1) * 70].chunks(BLOCK).enumerate() {
            assert_eq!(quantize_block(block, &mut expected), scales[b]);
            assert_eq!(q[b * 32..b * 32 + 32], expected);
        }
        let mut plain = vec![0.0; 70];
        matrix.dequantize_row(row, &mut plain);
        for (i, x) in plain.iter().enumerate() {
            assert_eq!(*x, scales[i / 32] * f32::from(q[i]));
        }
    }
    assert_eq!(matrix.row(37), (vec![], vec![]));
}
