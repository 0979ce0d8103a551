//! Ctrl-C during a run: the first ends the publishing, the second the waiting. The report is printed all the
//! same.

use tokio::sync::watch;

/// How often Ctrl-C was pressed.
#[derive(Clone)]
pub(super) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens for Ctrl-C from now on, in place of what it would do otherwise.
    pub(super) fn listen() -> Self {
        let (pressed, interrupts) = watch::channel(0);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                pressed.send_modify(|times| *times += 1);
            }
        });
        Self(interrupts)
    }

    /// How often it was pressed so far.
    pub(super) fn times(&self) -> u32 {
        *self.0.borrow()
    }

    /// Waits until it was pressed once.
    pub(super) async fn pressed(mut self) {
        if self.0.wait_for(|times| *times > 0).await.is_err() {
            // Signals cannot be listened for: nobody can interrupt.
            std::future::pending().await
        }
    }
}
