//! Means and their intervals.

use super::corpus::Numbers;

/// Mean of the values; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The 95 % interval of a mean, by 2,000 draws with repetition.
pub fn interval(values: &[f64]) -> [f64; 2] {
    let mut numbers = Numbers(17);
    let count = values.len() as u64;
    let mut means: Vec<f64> = (0..2_000)
        .map(|_| (0..count).map(|_| values[numbers.below(count) as usize]).sum::<f64>() / count.max(1) as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    [means[50], means[1_949]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_mean() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7)).collect();
        let [low, high] = interval(&values);
        assert!(low < mean(&values) && mean(&values) < high);
    }
}
