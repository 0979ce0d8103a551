//! The queue of pushes from the connection to one reader. It is bounded, drops the oldest and counts what it
//! dropped, because a slow reader must not delay the others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

use crate::{Push, RequestError, SubscriptionError};

/// The sending end. Dropping it tells the reader that the client has stopped, so the reader does not wait for
/// ever.
pub(crate) struct Mailbox(Arc<Shared>);

/// The receiving end. Each mailbox has one.
pub(crate) struct Reader(Arc<Shared>);

struct Shared {
    limit: usize,
    waker: AtomicWaker,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    pushes: VecDeque<Push>,
    dropped: u64,
    ended: Option<RequestError>,
    abandoned: bool,
}

/// Makes a mailbox for `limit` pushes.
pub(crate) fn mailbox(limit: usize) -> (Mailbox, Reader) {
    let shared = Arc::new(Shared {
        limit,
        waker: AtomicWaker::new(),
        content: Mutex::default(),
    });
    (Mailbox(shared.clone()), Reader(shared))
}

impl Mailbox {
    /// Adds a push. Drops the oldest if the mailbox is full.
    pub(crate) fn put(&self, push: Push) {
        let mut content = self.0.content();
        if content.pushes.len() == self.0.limit {
            content.pushes.pop_front();
            content.dropped += 1;
        }
        content.pushes.push_back(push);
        drop(content);
        self.0.waker.wake();
    }

    /// Ends the mailbox with an error. The reader gets it after the pushes that it has not read yet.
    pub(crate) fn end(&self, error: RequestError) {
        self.0.content().ended.get_or_insert(error);
        self.0.waker.wake();
    }

    /// Returns true if the reader was dropped.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.0.content().abandoned
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.end(RequestError::Stopped);
    }
}

impl Reader {
    /// Returns the next push, or the error in its place. `Ended` is returned by every later call, too.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Result<Push, SubscriptionError>> {
        // Registered before the content is read, so that a push that is added after that wakes the reader.
        self.0.waker.register(context.waker());
        let mut content = self.0.content();
        if content.dropped > 0 {
            let dropped = std::mem::take(&mut content.dropped);
            return Poll::Ready(Err(SubscriptionError::Lagged(dropped)));
        }
        match (content.pushes.pop_front(), &content.ended) {
            (Some(push), _) => Poll::Ready(Ok(push)),
            (None, Some(error)) => Poll::Ready(Err(SubscriptionError::Ended(error.clone()))),
            (None, None) => Poll::Pending,
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.content().abandoned = true;
    }
}

impl Shared {
    fn content(&self) -> MutexGuard<'_, Content> {
        // No code panics while it holds the lock.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;

    use super::*;

    fn push(number: usize) -> Push {
        Push::new(number.to_string(), "test".to_owned(), None, None, None)
    }

    #[test]
    fn slow_reader_loses_the_oldest_pushes_and_gets_their_number() {
        let waker = noop_waker();
        let context = Context::from_waker(&waker);
        let (mailbox, reader) = mailbox(2);
        assert!(reader.poll(&context).is_pending());
        for number in 1..=5 {
            mailbox.put(push(number));
        }
        mailbox.end(RequestError::Stopped);
        let ended = Poll::Ready(Err(SubscriptionError::Ended(RequestError::Stopped)));
        assert_eq!(
            reader.poll(&context),
            Poll::Ready(Err(SubscriptionError::Lagged(3)))
        );
        assert_eq!(reader.poll(&context), Poll::Ready(Ok(push(4))));
        assert_eq!(reader.poll(&context), Poll::Ready(Ok(push(5))));
        assert_eq!(reader.poll(&context), ended);
        assert_eq!(reader.poll(&context), ended);
    }

    #[test]
    fn dropped_mailbox_ends_after_its_last_push() {
        let waker = noop_waker();
        let context = Context::from_waker(&waker);
        let (mailbox, reader) = mailbox(2);
        mailbox.put(push(1));
        drop(mailbox);
        assert_eq!(reader.poll(&context), Poll::Ready(Ok(push(1))));
        let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
        assert_eq!(reader.poll(&context), Poll::Ready(ended));
    }

    #[test]
    fn mailbox_without_reader_is_abandoned() {
        let (mailbox, reader) = mailbox(1);
        assert!(!mailbox.is_abandoned());
        drop(reader);
        assert!(mailbox.is_abandoned());
    }
}
