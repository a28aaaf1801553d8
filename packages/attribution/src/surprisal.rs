//! How much a word says: its surprisal in sixteenths of a bit.

/// `floor(16 × log2(total / count))`, exact, for `1 <= count <= total`; out of that range the nearest
/// end counts. A sixteenth of a bit is the largest `k` with `2^k × count^16 <= total^16`, found by
/// squaring four times.
pub(crate) fn bits16(total: u32, count: u32) -> u32 {
    let total = total.max(1);
    let count = count.clamp(1, total);
    let whole = (total / count).ilog2();
    // From here on 1 <= top / bottom < 2; each squaring brings out one more binary digit.
    let mut top = vec![total];
    let mut bottom = limbs(u64::from(count) << whole);
    let mut bits = whole;
    for _ in 0..4 {
        top = square(&top);
        bottom = square(&bottom);
        let twice = double(&bottom);
        bits *= 2;
        if !less(&top, &twice) {
            bits += 1;
            bottom = twice;
        }
    }
    bits
}

/// Little-endian limbs of 32 bits, without zeros at the top.
fn limbs(value: u64) -> Vec<u32> {
    trim(vec![value as u32, (value >> 32) as u32])
}

fn trim(mut number: Vec<u32>) -> Vec<u32> {
    while number.last() == Some(&0) {
        number.pop();
    }
    number
}

fn square(number: &[u32]) -> Vec<u32> {
    let mut product = vec![0u32; 2 * number.len()];
    for (i, a) in number.iter().enumerate() {
        let mut carry = 0u64;
        for (j, b) in number.iter().enumerate() {
            let sum = u64::from(product[i + j]) + u64::from(*a) * u64::from(*b) + carry;
            product[i + j] = sum as u32;
            carry = sum >> 32;
        }
        product[i + number.len()] = carry as u32;
    }
    trim(product)
}

fn double(number: &[u32]) -> Vec<u32> {
    let mut carry = 0;
    let mut twice: Vec<u32> = Vec::with_capacity(number.len() + 1);
    for limb in number {
        twice.push(limb << 1 | carry);
        carry = limb >> 31;
    }
    twice.push(carry);
    trim(twice)
}

fn less(a: &[u32], b: &[u32]) -> bool {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev())).is_lt()
}

#[cfg(test)]
mod tests {
    use super::bits16;

    /// The definition itself, for numbers whose 16th power fits 128 bits.
    fn by_definition(total: u128, count: u128) -> u32 {
        (0..128).take_while(|k| count.pow(16).checked_mul(1 << k).is_some_and(|x| x <= total.pow(16))).count()
            as u32
            - 1
    }

    #[test]
    fn equals_the_definition() {
        for total in 1..=255 {
            for count in 1..=total {
                assert_eq!(
                    bits16(total, count),
                    by_definition(total.into(), count.into()),
                    "{total} {count}"
                );
            }
        }
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(bits16(0, 0), 0);
        assert_eq!(bits16(5, 0), bits16(5, 1));
        assert_eq!(bits16(5, 9), 0);
        assert_eq!(bits16(u32::MAX, 1), 16 * 32 - 1);
        assert_eq!(bits16(1 << 31, 1), 16 * 31);
        assert_eq!(bits16(1 << 31, (1 << 30) + 1), 15);
    }
}
