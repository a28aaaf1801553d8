//! Numbers that are kept between two runs and must come back as they were.

use serde::{Deserialize, Serialize};

/// Numbers as JSON keeps them: their bits. Read from decimals they can differ in the last one, and a run that goes on
/// from kept results would find other figures than one that was never stopped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct Bits(pub Vec<f64>);

impl From<Vec<u64>> for Bits {
    fn from(bits: Vec<u64>) -> Self {
        Bits(bits.into_iter().map(f64::from_bits).collect())
    }
}

impl From<Bits> for Vec<u64> {
    fn from(values: Bits) -> Self {
        values.0.into_iter().map(f64::to_bits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_comes_back() {
        // SplitMix64 over the losses that trainings have.
        let mut state = 3u64;
        let values: Vec<f64> = (0..10_000)
            .map(|_| {
                state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                (z >> 11) as f64 / (1u64 << 53) as f64 * 8.0
            })
            .collect();
        let kept = serde_json::to_vec(&Bits(values.clone())).unwrap();
        let found: Bits = serde_json::from_slice(&kept).unwrap();
        assert!(found.0.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()));
        assert_eq!(found.0.len(), values.len());
        // A file of an earlier release, with decimals, is not read.
        assert!(serde_json::from_slice::<Bits>(b"[3.25]").is_err());
    }
}
