//! A progress bar on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The progress bar of the current stage.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Makes a bar without a stage.
    pub(super) fn new() -> Self {
        // It draws nothing when standard error is no terminal.
        Self(ProgressBar::with_draw_target(
            None,
            ProgressDrawTarget::stderr(),
        ))
    }

    /// Starts a stage of `all` steps.
    pub(super) fn stage(&self, name: &'static str, all: usize) {
        let style =
            ProgressStyle::with_template("{prefix:<12} {wide_bar} {human_pos} of {human_len}{msg}");
        // The template is valid, so the fallback is never used.
        self.0
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.0.set_prefix(name);
        self.0.set_message("");
        self.0.reset();
        self.0.set_length(all as u64);
    }

    /// Sets the number of finished steps.
    pub(super) fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Sets the text behind the bar.
    pub(super) fn set_message(&self, message: String) {
        self.0.set_message(message);
    }
}

impl Drop for Progress {
    /// Removes the bar.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
