//! Progress bars on a terminal; nowhere else.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` things called `what`. It goes when it is dropped.
pub(super) fn bar(what: &str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_finish(indicatif::ProgressFinish::AndClear);
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what} {{elapsed}} {{msg}}");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
