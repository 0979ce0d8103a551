//! Requests that a test holds back, to choose the order of events.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// The next request to hold back, if any.
#[derive(Debug, Default)]
pub(super) struct NextHold(Mutex<Option<Hold>>);

#[derive(Debug)]
struct Hold {
    operation: String,
    text: String,
    arrived: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

impl Hold {
    /// Returns whether this hold takes a request.
    fn takes(&self, operation: &str, body: &[u8]) -> bool {
        self.operation == operation && String::from_utf8_lossy(body).contains(&self.text)
    }
}

/// A request that is held back until this value is dropped.
#[derive(Debug)]
pub struct HeldRequest {
    arrived: oneshot::Receiver<()>,
    _released: oneshot::Sender<()>,
}

impl HeldRequest {
    /// Waits until the request has arrived.
    pub async fn arrived(&mut self) {
        // An error means that another hold replaced this one.
        let _ = (&mut self.arrived).await;
    }
}

impl NextHold {
    /// Holds back the next request of a function for this operation whose body contains a text.
    pub(super) fn hold(&self, operation: &str, text: &str) -> HeldRequest {
        let (arrived, has_arrived) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let hold = Hold {
            operation: operation.to_owned(),
            text: text.to_owned(),
            arrived,
            released,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold);
        HeldRequest {
            arrived: has_arrived,
            _released: release,
        }
    }

    /// Waits until a request may proceed.
    pub(super) async fn pass(&self, operation: &str, body: &[u8]) {
        let held = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            next.take_if(|hold| hold.takes(operation, body))
        };
        if let Some(hold) = held {
            let _ = hold.arrived.send(());
            let _ = hold.released.await;
        }
    }
}
