//! Half precision for keys and values: IEEE 754 binary16, round to nearest even.

/// The half nearest to `x`, ties to even; overflow gives infinity, NaN the quiet NaN `0x7e00`.
pub fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let abs = bits & 0x7fff_ffff;
    if abs > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    // 65520 and above round to infinity.
    if abs >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if abs < 0x3880_0000 {
        // Below 2^-14 a half is a multiple of 2^-24: adding 0.5 (ulp 2^-24) rounds to one.
        let rounded = f32::from_bits(abs) + 0.5;
        return sign | (rounded.to_bits().wrapping_sub(0x3f00_0000)) as u16;
    }
    let odd = (abs >> 13) & 1;
    let rounded = abs.wrapping_sub(0x3800_0000).wrapping_add(0x0fff + odd);
    sign | (rounded >> 13) as u16
}

/// The value of a half; exact.
#[inline(always)]
pub fn f16_to_f32(h: u16) -> f32 {
    let sign = (h as u32 & 0x8000) << 16;
    let magnitude = (h as u32 & 0x7fff) << 13;
    // Times 2^112 moves the exponent; the product is exact, also for subnormal halves.
    let scaled = (f32::from_bits(magnitude) * f32::from_bits(0x7780_0000)).to_bits();
    let special = if magnitude >= 0x0f80_0000 { 0x7f80_0000 | magnitude } else { scaled };
    f32::from_bits(sign | special)
}

/// Writes the halves of `x` to `out`, as far as both reach.
pub fn halves(x: &[f32], out: &mut [u16]) {
    for (h, x) in out.iter_mut().zip(x) {
        *h = f32_to_f16(*x);
    }
}
