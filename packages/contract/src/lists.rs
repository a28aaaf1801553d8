//! Lists of messages: what is sorted without repeats can be checked by looking at neighbours.

/// Whether the keys of a list rise, so that it is sorted and has none twice.
pub fn is_rising<'a, T, K: PartialOrd>(list: &'a [T], key: impl Fn(&'a T) -> K) -> bool {
    list.windows(2).all(|pair| matches!(pair, [a, b] if key(a) < key(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lists_without_repeats_in_their_order_rise() {
        let rises = |list: &[u64]| is_rising(list, |n| *n);
        assert!(rises(&[]) && rises(&[7]) && rises(&[1, 2, u64::MAX]));
        assert!(!rises(&[1, 1]) && !rises(&[2, 1]) && !rises(&[1, 3, 2, 4]) && !rises(&[1, 2, 3, 3]));
        let names = ["a".to_string(), "b".to_string()];
        assert!(is_rising(&names, |name| name));
    }
}
