//! Progress bars on standard error, for work of more than a second.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::context::Context;

/// A bar of `len` steps; hidden when progress is not shown.
pub fn bar(ctx: &Context, len: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(len);
    if !ctx.progress {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_message(what.to_string());
    bar
}
