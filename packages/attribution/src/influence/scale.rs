//! Where segments are cut, and what one unit of a row is worth.

use super::{Raw, RANK};

/// Part of the segments that is not cut.
const UNCUT: f64 = 0.9;
/// Part of the entries that a byte holds before a document needs an exponent.
const WITHIN_BYTE: f64 = 0.999;

/// Norm to which segments are cut and unit of rows, both from a sample of segments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Norm to which the rows of a segment are cut.
    pub clip: f32,
    /// What one unit of a row is worth, before the document's exponent.
    pub unit: f32,
}

impl Scale {
    /// By a sample of segments. Of one without rows nothing is cut.
    pub fn of(sample: &[Raw]) -> Self {
        let mut norms: Vec<f64> = sample.iter().map(norm).filter(|n| *n > 0.0).collect();
        let clip = quantile(&mut norms, UNCUT);
        let clip = if clip > 0.0 { clip as f32 } else { f32::MAX };
        let mut entries: Vec<f64> = Vec::new();
        for segment in sample {
            let factor = (f64::from(clip) / norm(segment).max(f64::MIN_POSITIVE)).min(1.0);
            entries.extend(segment.values().flatten().map(|x| x.abs() * factor));
        }
        let unit = (quantile(&mut entries, WITHIN_BYTE) / 127.0) as f32;
        Scale { clip, unit: if unit > 0.0 { unit } else { 1.0 } }
    }

    /// Adds segments to the rows of a document, each cut.
    pub fn add(&self, sum: &mut Raw, segments: &[Raw]) {
        let clip = f64::from(self.clip);
        for segment in segments {
            let norm = norm(segment);
            let factor = if norm > clip { clip / norm } else { 1.0 };
            for (slot, row) in segment {
                let total = sum.entry(*slot).or_insert([0.0; RANK]);
                total.iter_mut().zip(row).for_each(|(t, x)| *t += x * factor);
            }
        }
    }
}

fn norm(rows: &Raw) -> f64 {
    rows.values().flatten().map(|x| x * x).sum::<f64>().sqrt()
}

/// The value below which this part of the values lies; 0 of none.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    let at = ((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1));
    match values.is_empty() {
        true => 0.0,
        false => *values.select_nth_unstable_by(at, f64::total_cmp).1,
    }
}
