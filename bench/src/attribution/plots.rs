//! The figures of influence as SVG: a dot for each method's mean, a line for its interval.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::report::{number, Metric};

/// Names of methods as a reader knows them, and whether a library made the scores.
const METHODS: [(&str, &str, bool); 19] = [
    ("mix", "mix 8 : 1 : 1, the default", false),
    ("fitted", "readout, weights fitted", false),
    ("chosen", "method and weights chosen", false),
    ("rkf16_int8", "readout alone", false),
    ("ekfac16_int8", "EK-FAC, rows of 16 bytes", false),
    ("logra16_int8", "LoGra, rows of 16 bytes", false),
    ("vocabulary", "vocabulary alone", false),
    ("phrases", "phrases alone", false),
    ("grad_dot", "gradient products", false),
    ("ekfac_own", "own EK-FAC, block and head", false),
    ("trak1_own", "own TRAK, one model", false),
    ("kronfluence_ekfac", "kronfluence, block and head", true),
    ("kronfluence_ekfac_all", "kronfluence, all layers", true),
    ("dattri_trak1", "dattri TRAK, one model", true),
    ("dattri_trak10", "dattri TRAK, ten models", true),
    ("dattri_logra", "dattri LoGra", true),
    ("dattri_datainf", "dattri DataInf", true),
    ("bergson_trackstar", "bergson TrackStar", true),
    ("bm25", "BM25", true),
];

/// What is left out, how a title says it, and what is asked of the LDS.
const ASKED: [(&str, &str, f64); 3] = [
    ("50", "half left out", 0.60),
    ("10", "a tenth left out", 0.45),
    ("50_mean", "half left out, mean of five seeds", 0.60),
];

/// Writes `ldsPART_CORPUS.svg` for every corpus and part that was measured, over all of its seeds where there are
/// several.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(folder: &Path, metrics: &[Metric]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    for corpus in ["generated", "plays"] {
        for (part, said, asked) in ASKED {
            // All seeds where there are several, for every method: one of a single seed is left out of that plot.
            let all = format!("lds{part}_{corpus}_all_");
            let of_all = metrics.iter().any(|metric| metric.metric.starts_with(&all));
            let start = if of_all { all } else { format!("lds{part}_{corpus}_") };
            let find = |method: &str| {
                metrics.iter().find(|metric| metric.metric.strip_prefix(&start) == Some(method))
            };
            let rows: Vec<(&str, bool, &Metric)> = METHODS
                .iter()
                .filter_map(|(id, label, library)| Some((*label, *library, find(id)?)))
                .collect();
            if !rows.is_empty() {
                let title = format!("LDS, {corpus}, {said}");
                let path = folder.join(format!("lds{part}_{corpus}.svg"));
                std::fs::write(&path, dots(&title, &rows, asked))
                    .with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
    }
    Ok(())
}

const LEFT: f64 = 215.0;
const WIDE: f64 = 330.0;
const LINE: f64 = 20.0;
const TOP: f64 = 44.0;

/// One plot: rows of (name, whether a library's, figure), the best first, and a line at what is asked.
fn dots(title: &str, rows: &[(&str, bool, &Metric)], asked: f64) -> String {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| b.2.ours.total_cmp(&a.2.ours));
    let least = rows.iter().map(|(_, _, m)| m.spread[0]).fold(0.0, f64::min);
    let most = rows.iter().map(|(_, _, m)| m.spread[1]).fold(asked, f64::max);
    let (from, to) = ((least * 10.0).floor() / 10.0, (most * 10.0).ceil() / 10.0);
    let x = |value: f64| LEFT + WIDE * (value - from) / (to - from);
    let bottom = TOP + LINE * rows.len() as f64;
    let mut svg = String::new();
    // Writing to a text cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 {0:.0}\" width=\"600\" font-size=\"12\" \
         font-family=\"sans-serif\" role=\"img\" aria-label=\"{title}\">\n<rect width=\"600\" height=\"{0:.0}\" \
         fill=\"#fff\"/>\n<text x=\"10\" y=\"20\" font-weight=\"bold\">{title}</text>",
        bottom + 44.0
    );
    for tenth in (from * 10.0).round() as i32..=(to * 10.0).round() as i32 {
        let at = x(f64::from(tenth) / 10.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{:.0}\" \
             text-anchor=\"middle\">{:.1}</text>",
            bottom + 16.0,
            f64::from(tenth) / 10.0
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{0:.1} {TOP}V{bottom}\" stroke=\"#a4161a\" stroke-dasharray=\"5 4\"/><text x=\"{0:.1}\" y=\"36\" \
         fill=\"#a4161a\" text-anchor=\"middle\">asked {asked:.2}</text>",
        x(asked)
    );
    for (at, (name, library, metric)) in rows.iter().enumerate() {
        let y = TOP + LINE * (at as f64 + 0.5);
        let colour = if *library { "#b35900" } else { "#24618f" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text><path d=\"M{:.1} {y}H{:.1}\" \
             stroke=\"{colour}\" stroke-width=\"2\"/><circle cx=\"{:.1}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>\
             <text x=\"555\" y=\"{:.1}\">{}</text>",
            LEFT - 10.0,
            y + 4.0,
            x(metric.spread[0]),
            x(metric.spread[1]),
            x(metric.ours),
            y + 4.0,
            number(metric.ours)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"10\" y=\"{0:.0}\"><tspan fill=\"#24618f\">\u{25cf} this repository</tspan> \
         <tspan fill=\"#b35900\" dx=\"12\">\u{25cf} a library</tspan> <tspan dx=\"12\">line: 95 % interval</tspan></text>\n</svg>",
        bottom + 36.0
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plot_has_every_method_that_was_measured_the_best_first() {
        let metric = |name: &str, ours: f64| Metric {
            spread: [ours - 0.05, ours + 0.05],
            ..Metric::of(name, "LDS", vec![ours])
        };
        let metrics = [
            metric("lds50_plays_mix", 0.46),
            metric("lds50_plays_bm25", 0.47),
            metric("lds50_plays_mix_held", 0.9),
            metric("lds10_plays_all_mix", 0.31),
            metric("lds10_plays_mix", 0.4),
            metric("lds10_plays_bm25", 0.2),
        ];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &metrics).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let half = read("lds50_plays.svg");
        assert!(half.find("BM25").unwrap() < half.find("mix 8").unwrap());
        assert_eq!(half.matches("<circle").count(), 2);
        // All seeds where they were measured.
        assert!(read("lds10_plays.svg").contains(">0.31<") && !read("lds10_plays.svg").contains("BM25"));
        assert!(!folder.path().join("lds50_generated.svg").exists());
    }
}
