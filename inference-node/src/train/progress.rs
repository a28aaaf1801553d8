//! What a run says about itself while it goes on.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The tokenizer is trained.
    Tokenizer,
    /// Documents are encoded.
    Encoding,
    /// Steps.
    Training,
    /// Files are written.
    Writing,
}

/// State of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Part of the run.
    pub phase: Phase,
    /// Steps done.
    pub step: u64,
    /// Steps planned; 0 while the speed is still measured.
    pub total: u64,
    /// Smoothed mean cross-entropy a token, in nats.
    pub loss: f32,
    /// Tokens trained a second since the run was started or resumed.
    pub tokens_per_second: f64,
    /// Time of training left.
    pub left: Duration,
}

impl Progress {
    pub(crate) fn phase(phase: Phase) -> Self {
        Progress { phase, step: 0, total: 0, loss: 0.0, tokens_per_second: 0.0, left: Duration::ZERO }
    }
}

/// A bar on standard error with loss, tokens a second and time left; pass it as the callback of
/// [`super::train`].
pub fn bar() -> impl FnMut(&Progress) {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:<12} {wide_bar} {pos}/{len} {prefix}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    move |progress: &Progress| {
        bar.set_message(match progress.phase {
            Phase::Tokenizer => "tokenizer",
            Phase::Encoding => "encoding",
            Phase::Training => "training",
            Phase::Writing => "writing",
        });
        if progress.phase == Phase::Training {
            bar.set_length(progress.total);
            bar.set_position(progress.step);
            bar.set_prefix(format!(
                "loss {:.3}  {:.0} tok/s  {} s left",
                progress.loss,
                progress.tokens_per_second,
                progress.left.as_secs()
            ));
        }
        if progress.phase == Phase::Writing {
            bar.finish_and_clear();
        }
    }
}
