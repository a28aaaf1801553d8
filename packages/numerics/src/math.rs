//! Functions of one number, from `+ - * /` alone.

use alloc::vec::Vec;

/// 1.5 * 2^23: added to a small f32 it rounds it to a whole number, ties to even, which then stands in
/// the low bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;

/// e^x in f32: 0 below -87, infinity above 88, NaN for NaN. Within 2 units in the last place.
///
/// n = round(x * 1.442695); r = (x - n * 0.693359375) - n * -2.12194440e-4;
/// y = (((((c0 r + c1) r + c2) r + c3) r + c4) r + c5) * (r * r) + r + 1; result y * 2^n.
/// Coefficients: Cephes `expf` (S. Moshier).
#[inline(always)]
pub fn exp_f32(x: f32) -> f32 {
    // A NaN fails both comparisons and stays.
    let c = if x > 88.0 { 88.0 } else { x };
    let c = if c < -87.0 { -87.0 } else { c };
    let t = c * core::f32::consts::LOG2_E + MAGIC;
    let n = t - MAGIC;
    let r = (c - n * 0.693_359_4) - n * -2.121_944_4e-4;
    let mut y = 1.987_569_1e-4;
    y = y * r + 1.398_199_9e-3;
    y = y * r + 8.333_452e-3;
    y = y * r + 4.166_579_6e-2;
    y = y * r + 1.666_666_5e-1;
    y = y * r + 0.5;
    y = y * (r * r) + r + 1.0;
    let scale = f32::from_bits((t.to_bits() << 23).wrapping_add(0x3f80_0000));
    let y = y * scale;
    let y = if x < -87.0 { 0.0 } else { y };
    if x > 88.0 {
        f32::INFINITY
    } else {
        y
    }
}

/// Square root, correctly rounded (IEEE 754).
#[cfg(feature = "std")]
pub fn sqrt_f32(x: f32) -> f32 {
    x.sqrt()
}

/// Square root, correctly rounded (IEEE 754), digit by digit.
#[cfg(not(feature = "std"))]
pub fn sqrt_f32(x: f32) -> f32 {
    sqrt_by_digits(x)
}

/// The same root without the processor's instruction.
#[cfg_attr(feature = "std", allow(dead_code))]
pub(crate) fn sqrt_by_digits(x: f32) -> f32 {
    let bits = x.to_bits();
    if bits & 0x7fff_ffff == 0 || bits == 0x7f80_0000 {
        return x;
    }
    if bits >> 31 != 0 || bits > 0x7f80_0000 {
        return f32::NAN;
    }
    // x = mantissa * 2^exponent with 24 bits and an even exponent.
    let (mut mantissa, mut exponent) = ((bits & 0x7f_ffff) as u64, (bits >> 23) as i32);
    if exponent == 0 {
        let shift = mantissa.leading_zeros() as i32 - 40;
        mantissa <<= shift;
        exponent = 1 - shift;
    } else {
        mantissa |= 0x80_0000;
    }
    exponent -= 150;
    if exponent & 1 != 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    // The root of mantissa * 2^26 has at least 25 bits: 24 and one for rounding; the remainder is sticky.
    mantissa <<= 26;
    let (mut root, mut rest, mut bit) = (0u64, mantissa, 1u64 << 50);
    while bit != 0 {
        if rest >= root + bit {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    let mut exponent = exponent / 2 - 13;
    let mut sticky = rest != 0;
    while root >> 25 != 0 {
        sticky |= root & 1 != 0;
        root >>= 1;
        exponent += 1;
    }
    // 25 bits: the last one rounds. A tie is impossible unless exact, which has it 0 or sticky 0.
    let round = root & 1 != 0 && (sticky || root & 2 != 0);
    root = (root >> 1) + u64::from(round);
    exponent += 1;
    // root has 24 bits (or is 2^24): the result is normal, since roots of subnormals are.
    let scaled = root as f32;
    scaled * f32::from_bits(((127 + exponent) as u32) << 23)
}

const LN2_HI: f64 = 6.931_471_803_691_238e-1;
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10;

/// 1.5 * 2^52: rounds a small f64 to a whole number, ties to even.
const MAGIC_F64: f64 = 6_755_399_441_055_744.0;

/// 2^n for n from -1022 to 1023.
fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// e^x in f64: 0 below -708, infinity above 709, NaN for NaN.
///
/// n = round(x / ln 2); r = (x - n * LN2_HI) - n * LN2_LO; the Taylor polynomial of degree 13 by Horner's
/// scheme; times 2^n.
pub fn exp(x: f64) -> f64 {
    if x < -708.0 {
        return 0.0;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x.is_nan() {
        return x;
    }
    let n = (x * core::f64::consts::LOG2_E + MAGIC_F64) - MAGIC_F64;
    let r = (x - n * LN2_HI) - n * LN2_LO;
    let mut y = 1.0;
    let mut k = 13.0;
    while k > 0.0 {
        y = y * r / k + 1.0;
        k -= 1.0;
    }
    y * power_of_two(n as i64)
}

/// Natural logarithm in f64 of a positive, normal, finite x; NaN for others.
///
/// x = m * 2^e with m in [sqrt(1/2), sqrt(2)); s = (m - 1) / (m + 1);
/// e * LN2_HI + (2 s (1 + s²/3 + s⁴/5 + … + s²²/23) + e * LN2_LO), the sum by Horner's scheme.
pub fn ln(x: f64) -> f64 {
    if !(f64::MIN_POSITIVE..=f64::MAX).contains(&x) {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let mut e = (bits >> 52) as i64 - 1023;
    let mut m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if m >= core::f64::consts::SQRT_2 {
        m *= 0.5;
        e += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut y = 1.0 / 23.0;
    let mut k = 21.0;
    while k > 0.0 {
        y = y * z + 1.0 / k;
        k -= 2.0;
    }
    let e = e as f64;
    e * LN2_HI + (2.0 * s * y + e * LN2_LO)
}

/// x less the nearest multiple n of pi/2, and n mod 4; for |x| up to 2^20.
fn reduce(x: f64) -> (f64, i64) {
    let n = (x * core::f64::consts::FRAC_2_PI + MAGIC_F64) - MAGIC_F64;
    // pi/2 in three parts (fdlibm): the first two have 33 bits, so that n times each is exact.
    let r = x - n * 1.570_796_326_734_125_6;
    let r = r - n * 6.077_100_506_303_966e-11;
    (r - n * 2.022_266_248_795_950_6e-21, (n as i64) & 3)
}

/// Sine on [-pi/4, pi/4]: Taylor's polynomial of degree 17.
fn sin_near_zero(r: f64) -> f64 {
    let z = r * r;
    let mut y = 1.0;
    let mut k = 16.0;
    while k > 0.0 {
        y = 1.0 - y * z / (k * (k + 1.0));
        k -= 2.0;
    }
    r * y
}

/// Cosine on [-pi/4, pi/4]: Taylor's polynomial of degree 16.
fn cos_near_zero(r: f64) -> f64 {
    let z = r * r;
    let mut y = 1.0;
    let mut k = 15.0;
    while k > 0.0 {
        y = 1.0 - y * z / (k * (k + 1.0));
        k -= 2.0;
    }
    y
}

/// Sine in f64 for |x| up to 2^20; NaN beyond.
pub fn sin(x: f64) -> f64 {
    if !(-1_048_576.0..=1_048_576.0).contains(&x) {
        return f64::NAN;
    }
    let (r, n) = reduce(x);
    match n {
        0 => sin_near_zero(r),
        1 => cos_near_zero(r),
        2 => -sin_near_zero(r),
        _ => -cos_near_zero(r),
    }
}

/// Cosine in f64 for |x| up to 2^20; NaN beyond.
pub fn cos(x: f64) -> f64 {
    if !(-1_048_576.0..=1_048_576.0).contains(&x) {
        return f64::NAN;
    }
    let (r, n) = reduce(x);
    match n {
        0 => cos_near_zero(r),
        1 => -sin_near_zero(r),
        2 => -cos_near_zero(r),
        _ => sin_near_zero(r),
    }
}

/// Cosines and sines of the rotary embedding for positions 0 to `positions` - 1: for each position
/// `width / 2` cosines, then as many sines. The angle of pair i is position * e^(-(2i / width) ln theta), in
/// f64; the result is rounded to f32 once.
pub fn rope_table(positions: usize, width: usize, theta: f64) -> Vec<f32> {
    let rates = rope_rates(width, theta);
    let mut table = Vec::with_capacity(positions * rates.len() * 2);
    for position in 0..positions {
        push_turns(&mut table, position, &rates);
    }
    table
}

/// The part of [`rope_table`] that belongs to one position.
pub fn rope_row(position: usize, width: usize, theta: f64) -> Vec<f32> {
    let mut row = Vec::with_capacity(width);
    push_turns(&mut row, position, &rope_rates(width, theta));
    row
}

fn rope_rates(width: usize, theta: f64) -> Vec<f64> {
    let log = ln(theta);
    (0..width / 2).map(|i| exp(-((2 * i) as f64 / width as f64) * log)).collect()
}

fn push_turns(table: &mut Vec<f32>, position: usize, rates: &[f64]) {
    table.extend(rates.iter().map(|rate| cos(position as f64 * rate) as f32));
    table.extend(rates.iter().map(|rate| sin(position as f64 * rate) as f32));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64, within: f64) -> bool {
        (a - b).abs() <= within * b.abs().max(1e-300) || a == b
    }

    #[test]
    fn known_values() {
        assert_eq!((exp_f32(0.0), exp(0.0), ln(1.0), sin(0.0), cos(0.0)), (1.0, 1.0, 0.0, 0.0, 1.0));
        assert_eq!((exp_f32(-1e9), exp_f32(1e9)), (0.0, f32::INFINITY));
        assert_eq!((exp_f32(f32::NEG_INFINITY), exp_f32(f32::INFINITY)), (0.0, f32::INFINITY));
        assert!(
            exp_f32(f32::NAN).is_nan() && ln(0.0).is_nan() && ln(-1.0).is_nan() && exp(f64::NAN).is_nan()
        );
        assert!(sin(f64::INFINITY).is_nan() && cos(1e9).is_nan());
        assert_eq!((sqrt_by_digits(4.0), sqrt_by_digits(0.0)), (2.0, 0.0));
        assert!(sqrt_by_digits(-1.0).is_nan() && sqrt_by_digits(f32::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn functions_are_those_of_the_standard_library_nearly(x in -86f32..87.9, y in 1e-300f64..1e300, a in -70_000f64..70_000.0) {
            prop_assert!(close(exp_f32(x).into(), f64::from(x).exp(), 3e-7));
            prop_assert!(close(exp(f64::from(x)), f64::from(x).exp(), 1e-14));
            prop_assert!((ln(y) - y.ln()).abs() < 1e-15 * y.ln().abs().max(1.0) * 4.0);
            prop_assert!((sin(a) - a.sin()).abs() < 1e-15 * 8.0 && (cos(a) - a.cos()).abs() < 1e-15 * 8.0);
        }

        #[test]
        fn roots_by_digits_are_the_processors(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            let (a, b) = (sqrt_by_digits(x), x.sqrt());
            prop_assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{x:e}: {a:e} {b:e}");
        }
    }
}
