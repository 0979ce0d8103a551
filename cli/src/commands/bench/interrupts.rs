//! Ctrl-C during a run: the first ends the publishing, the second the waiting. The report is printed in any case.

use tokio::sync::watch;

/// The number of times that Ctrl-C was pressed.
#[derive(Clone)]
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Starts to listen for Ctrl-C, which then no longer ends the process.
    pub(super) fn listen() -> Self {
        let (pressed, interrupts) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                pressed.send_modify(|count| *count += 1);
            }
        });
        Self(interrupts)
    }

    /// Returns the number of times that Ctrl-C was pressed.
    pub(super) fn count(&self) -> u32 {
        *self.0.borrow()
    }

    /// Waits until Ctrl-C was pressed once.
    pub(super) async fn pressed(mut self) {
        if self.0.wait_for(|count| *count > 0).await.is_err() {
            // The process cannot listen for signals, so no Ctrl-C can arrive.
            std::future::pending().await
        }
    }
}
