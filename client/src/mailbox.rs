//! The queue of pushes from the connection to one reader. It is bounded, drops the oldest and counts what it
//! dropped, because a slow reader must not delay the others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use herald_shared::log::Position;

use crate::{Next, Push, RequestError, SubscriptionError};

/// The sending end. Dropping it ends the wait of the reader: the client has stopped.
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
    queue: VecDeque<Next>,
    /// The position after what the reader has read.
    position: Option<Position>,
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
        self.add(Next::Message(push));
    }

    /// Adds the note that messages may be lost.
    pub(crate) fn put_lost(&self, position: Option<Position>) {
        self.add(Next::Lost(position));
    }

    /// Tells the reader its position. If pushes wait for the reader, its position is before them.
    pub(crate) fn start(&self, position: Option<Position>) {
        let mut content = self.0.content();
        content.position = content.position_before_first().or(position);
    }

    fn add(&self, next: Next) {
        let mut content = self.0.content();
        if content.queue.len() == self.0.limit {
            content.queue.pop_front();
            content.dropped += 1;
        }
        content.queue.push_back(next);
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
    /// Returns the position after what was read. `None` if it is unknown.
    pub(crate) fn position(&self) -> Option<Position> {
        self.0.content().position.clone()
    }

    /// Returns the position before the next push. `None` if none waits, or if it has none.
    pub(crate) fn position_before_next(&self) -> Option<Position> {
        self.0.content().position_before_first()
    }

    /// Drops everything that waits.
    pub(crate) fn discard(&self) {
        let mut content = self.0.content();
        content.queue.clear();
        content.dropped = 0;
    }

    /// Returns the error in whose place the reader ended, if it has ended.
    pub(crate) fn ended(&self) -> Option<RequestError> {
        self.0.content().ended.clone()
    }

    /// Returns the next push or loss, or the error in its place. `Ended` is returned by every later call, too.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Result<Next, SubscriptionError>> {
        // Registered before the content is read, so that a push that is added after that wakes the reader.
        self.0.waker.register(context.waker());
        let mut content = self.0.content();
        if content.dropped > 0 {
            let dropped = std::mem::take(&mut content.dropped);
            return Poll::Ready(Err(SubscriptionError::Lagged(dropped)));
        }
        match (content.queue.pop_front(), &content.ended) {
            (Some(next), _) => {
                content.follow(&next);
                Poll::Ready(Ok(next))
            }
            (None, Some(error)) => Poll::Ready(Err(SubscriptionError::Ended(error.clone()))),
            (None, None) => Poll::Pending,
        }
    }
}

impl Content {
    fn position_before_first(&self) -> Option<Position> {
        let Some(Next::Message(push)) = self.queue.front() else {
            return None;
        };
        let first = push.position()?;
        Some(Position {
            offset: first.offset.saturating_sub(1),
            ..first.clone()
        })
    }

    /// Moves the position past what is read next.
    fn follow(&mut self, next: &Next) {
        match next {
            Next::Message(push) => {
                if let Some(position) = push.position() {
                    self.position = Some(position.clone());
                }
            }
            Next::Lost(position) => self.position = position.clone(),
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
    use herald_shared::log::Epoch;

    use super::*;

    fn push(number: usize) -> Push {
        Push::new(
            number.to_string(),
            "test".to_owned(),
            None,
            None,
            None,
            None,
        )
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
        assert_eq!(
            reader.poll(&context),
            Poll::Ready(Ok(Next::Message(push(4))))
        );
        assert_eq!(
            reader.poll(&context),
            Poll::Ready(Ok(Next::Message(push(5))))
        );
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
        assert_eq!(
            reader.poll(&context),
            Poll::Ready(Ok(Next::Message(push(1))))
        );
        let ended = Err(SubscriptionError::Ended(RequestError::Stopped));
        assert_eq!(reader.poll(&context), Poll::Ready(ended));
    }

    #[test]
    fn position_of_a_reader_follows_what_it_reads() {
        let waker = noop_waker();
        let context = Context::from_waker(&waker);
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        let at = |offset| Some(Position::after(epoch.clone(), offset));
        let (mailbox, reader) = mailbox(10);
        mailbox.put(Push::new(
            "5".to_owned(),
            "test".to_owned(),
            None,
            None,
            None,
            at(5),
        ));
        mailbox.start(at(5));
        assert_eq!(reader.position(), at(4), "the first push is not read yet");
        mailbox.put_lost(at(9));
        assert!(reader.poll(&context).is_ready());
        assert_eq!(reader.position(), at(5));
        assert_eq!(reader.poll(&context), Poll::Ready(Ok(Next::Lost(at(9)))));
        assert_eq!(reader.position(), at(9));
    }

    #[test]
    fn mailbox_without_reader_is_abandoned() {
        let (mailbox, reader) = mailbox(1);
        assert!(!mailbox.is_abandoned());
        drop(reader);
        assert!(mailbox.is_abandoned());
    }
}
