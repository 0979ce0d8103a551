//! From the connection to one reader: a bounded queue that drops the oldest and counts what it
//! dropped, because a reader that is slow must hold up nobody else.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

use crate::{Push, RequestError, SubscriptionError};

/// The end that pushes go into. Dropped, it says that the client has stopped: a reader must not wait for
/// what cannot come.
pub(crate) struct Mailbox(Arc<Shared>);

/// The end that pushes come out of. There is one for each mailbox.
pub(crate) struct Reader(Arc<Shared>);

struct Shared {
    limit: usize,
    waker: AtomicWaker,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    pushes: VecDeque<Push>,
    missed: u64,
    ended: Option<RequestError>,
    abandoned: bool,
}

/// A mailbox for `limit` pushes.
pub(crate) fn mailbox(limit: usize) -> (Mailbox, Reader) {
    let shared = Arc::new(Shared {
        limit,
        waker: AtomicWaker::new(),
        content: Mutex::default(),
    });
    (Mailbox(shared.clone()), Reader(shared))
}

impl Mailbox {
    /// Puts a push in; the oldest gives way if there is no room.
    pub(crate) fn put(&self, push: Push) {
        let mut content = self.0.content();
        if content.pushes.len() == self.0.limit {
            content.pushes.pop_front();
            content.missed += 1;
        }
        content.pushes.push_back(push);
        drop(content);
        self.0.waker.wake();
    }

    /// Says that nothing comes any more, and why. What was put in before is still read.
    pub(crate) fn end(&self, error: RequestError) {
        self.0.content().ended.get_or_insert(error);
        self.0.waker.wake();
    }

    /// Whether nobody will read.
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
    /// The next push, or what happened in its place. `Ended` comes again and again.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Result<Push, SubscriptionError>> {
        // Registered first: what is put in after the look wakes.
        self.0.waker.register(context.waker());
        let mut content = self.0.content();
        if content.missed > 0 {
            let missed = std::mem::take(&mut content.missed);
            return Poll::Ready(Err(SubscriptionError::Lagged(missed)));
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
        // Nothing panics while it holds the lock.
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
    fn a_slow_reader_misses_the_oldest_and_is_told_how_many() {
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
    fn mailbox_that_is_dropped_ends_after_what_it_holds() {
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
    fn a_mailbox_knows_when_nobody_reads() {
        let (mailbox, reader) = mailbox(1);
        assert!(!mailbox.is_abandoned());
        drop(reader);
        assert!(mailbox.is_abandoned());
    }
}
