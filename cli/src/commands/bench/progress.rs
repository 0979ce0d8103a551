//! A progress bar on standard error, for a person: there is none if that is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar of the stage that is under way.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar without a stage.
    pub(super) fn new() -> Self {
        // It draws nothing when standard error is no terminal.
        Self(ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::stderr(),
        ))
    }

    /// Begins a stage that is over when `all` are done.
    pub(super) fn stage(&self, name: &'static str, all: usize) {
        let style =
            ProgressStyle::with_template("{prefix:<12} {wide_bar} {human_pos} of {human_len}{msg}");
        // A template that is known to be right; the plain bar would do as well.
        self.0
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.0.set_prefix(name);
        self.0.set_message("");
        self.0.reset();
        self.0.set_length(all as u64);
    }

    /// So many are done.
    pub(super) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Something else that is worth knowing, behind the bar.
    pub(super) fn say(&self, words: String) {
        self.0.set_message(words);
    }
}

impl Drop for Progress {
    /// Leaves nothing behind: the report says it all.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
