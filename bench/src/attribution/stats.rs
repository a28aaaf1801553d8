//! Ranks, correlations, intervals.

use super::corpus::Numbers;

/// Ranks from 0, the mean rank for equals.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    while at < order.len() {
        let mut end = at + 1;
        while end < order.len() && values[order[end]] == values[order[at]] {
            end += 1;
        }
        let mean = (at + end - 1) as f64 / 2.0;
        order[at..end].iter().for_each(|i| ranks[*i] = mean);
        at = end;
    }
    ranks
}

/// Spearman's rank correlation; 0 where one side is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let n = a.len().max(1) as f64;
    let mean = (n - 1.0) / 2.0;
    let product: f64 = a.iter().zip(&b).map(|(x, y)| (x - mean) * (y - mean)).sum();
    let size = |v: &[f64]| v.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
    let norm = size(&a) * size(&b);
    if norm > 0.0 {
        product / norm
    } else {
        0.0
    }
}

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
    fn correlations_know_order_and_ties() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 90.0]), 1.0));
        assert!(near(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0));
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[3.0, 2.0, 1.0]), 0.0);
        assert_eq!(ranks(&[5.0, 5.0, 1.0]), [1.5, 1.5, 0.0]);
    }

    #[test]
    fn an_interval_holds_its_mean() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7)).collect();
        let [low, high] = interval(&values);
        assert!(low < mean(&values) && mean(&values) < high);
    }
}
