//! Requests that are held back, so that a test chooses the order of things.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The request to hold back next, if there is one.
#[derive(Debug, Default)]
pub(super) struct Holding(Mutex<Option<Hold>>);

#[derive(Debug)]
struct Hold {
    operation: String,
    arrived: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

/// A request that is held back until this is dropped.
#[derive(Debug)]
pub struct Held {
    arrived: oneshot::Receiver<()>,
    _released: oneshot::Sender<()>,
}

impl Held {
    /// Returns once the request has come.
    pub async fn arrived(&mut self) {
        // An error means that another hold took its place.
        let _ = (&mut self.arrived).await;
    }
}

impl Holding {
    /// Holds back the next request of a function for this operation.
    pub(super) fn hold(&self, operation: &str) -> Held {
        let (arrived, has_arrived) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let hold = Hold {
            operation: operation.to_owned(),
            arrived,
            released,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        Held {
            arrived: has_arrived,
            _released: release,
        }
    }

    /// Returns once a request may go on.
    pub(super) async fn pass(&self, operation: &str) {
        let held = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            next.take_if(|hold| hold.operation == operation)
        };
        if let Some(hold) = held {
            let _ = hold.arrived.send(());
            let _ = hold.released.await;
        }
    }
}
