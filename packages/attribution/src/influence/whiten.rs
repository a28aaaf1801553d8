//! Eigenvectors of symmetric matrices, for whitening.

/// A symmetric matrix, row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Symmetric {
    /// Rows.
    pub size: usize,
    /// `size × size` values.
    pub values: Vec<f64>,
}

/// Largest number of sweeps; ten settle any matrix met so far.
const SWEEPS: usize = 40;

/// The `count` largest eigenvalues with their eigenvectors, falling, by Jacobi's rotations (Golub and
/// Van Loan, Matrix Computations, 8.5). The largest entry of each vector is positive, so that equal
/// matrices give equal vectors.
pub fn top_eigenvectors(matrix: &Symmetric, count: usize) -> Vec<(f64, Vec<f64>)> {
    let n = matrix.size;
    let mut a = matrix.values.clone();
    a.resize(n * n, 0.0);
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let size: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 =
            (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| a[i * n + j].powi(2)).sum();
        if off.is_nan() || off <= size * 1e-24 {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut v, n, p, q);
            }
        }
    }
    let mut found: Vec<(f64, Vec<f64>)> = (0..n).map(|i| (a[i * n + i], v[i * n..][..n].to_vec())).collect();
    found.sort_by(|x, y| y.0.total_cmp(&x.0));
    found.truncate(count);
    for (_, vector) in &mut found {
        let largest = vector.iter().copied().fold(0.0, |m: f64, x| if x.abs() > m.abs() { x } else { m });
        if largest < 0.0 {
            vector.iter_mut().for_each(|x| *x = -*x);
        }
    }
    found
}

/// One rotation that makes entry (p, q) zero. Vectors are kept as rows of `v`.
fn rotate(a: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for k in 0..n {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for matrix in [a, v] {
        let (upper, lower) = matrix.split_at_mut(q * n);
        for (x, y) in upper[p * n..][..n].iter_mut().zip(&mut lower[..n]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_orthonormal_and_solve_the_equation() {
        let n = 24;
        let mut state = 7u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as f64 / (1u64 << 31) as f64 - 0.5
        };
        let b: Vec<f64> = (0..n * n).map(|_| next()).collect();
        let mut values = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                values[i * n + j] = (0..n).map(|k| b[i * n + k] * b[j * n + k]).sum();
            }
        }
        let found = top_eigenvectors(&Symmetric { size: n, values: values.clone() }, n);
        assert!(found.windows(2).all(|pair| pair[0].0 >= pair[1].0));
        for (i, (value, x)) in found.iter().enumerate() {
            for (j, (_, y)) in found.iter().enumerate() {
                let dot: f64 = x.iter().zip(y).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(i == j)).abs() < 1e-9);
            }
            for row in 0..n {
                let ax: f64 = (0..n).map(|k| values[row * n + k] * x[k]).sum();
                assert!((ax - value * x[row]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn degenerate_matrices_end() {
        for values in [vec![0.0; 9], vec![f64::NAN; 9], vec![1.0; 9]] {
            assert_eq!(top_eigenvectors(&Symmetric { size: 3, values }, 2).len(), 2);
        }
        assert!(top_eigenvectors(&Symmetric { size: 0, values: vec![] }, 2).is_empty());
    }
}
