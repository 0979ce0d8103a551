//! The shared queues of a stack. A new or due message wakes the receives that wait for one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    clock::Clock,
    message::{Content, MessageAttribute, MessageId, SendError, check_delay},
    move_tasks::MoveTask,
    queue::{Counts, Faults, HandleError, MessageView, Queue, Received, RemoveError, Transfer},
};
use crate::{
    activity::{Activity, Cause, RecordKind},
    template,
};

/// All queues of a stack.
#[derive(Debug)]
pub struct Queues {
    clock: Clock,
    created_at: SystemTime,
    entries: Vec<Entry>,
    /// The queues in the order of `entries`. They share one lock because a message may move from
    /// queue to queue; it is never held across an await.
    states: Mutex<Vec<Queue>>,
    move_tasks: Mutex<Vec<MoveTask>>,
    activity: Activity,
}

/// The identity of one queue of [`Queues`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueId(usize);

/// The reason why the queues of a template are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueuesError {
    /// A redrive policy names an unknown queue.
    #[error(
        "queue {queue} has the dead-letter queue {dead_letter_queue}, which is not a queue of the template; add the queue or correct the RedrivePolicy"
    )]
    UnknownDeadLetterQueue {
        /// The logical id of the queue with the policy.
        queue: String,
        /// The ARN in the policy.
        dead_letter_queue: String,
    },
}

#[derive(Debug)]
struct Entry {
    definition: template::Queue,
    dead_letter_queue: Option<QueueId>,
    arrivals: Notify,
}

impl Queues {
    /// Makes empty queues with a clock of their own. `activity` records every message that arrives.
    ///
    /// # Errors
    ///
    /// Returns a [`QueuesError`] if a redrive policy names an unknown queue.
    pub fn new(definitions: &[template::Queue], activity: Activity) -> Result<Self, QueuesError> {
        let clock = Clock::new();
        let entries = definitions
            .iter()
            .map(|definition| Entry::new(definition, definitions))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            created_at: clock.now(),
            clock,
            entries,
            states: Mutex::new(definitions.iter().cloned().map(Queue::new).collect()),
            move_tasks: Mutex::default(),
            activity,
        })
    }

    /// Returns the clock of delays, visibility timeouts and retention.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the time when the queues were made.
    pub fn created_at(&self) -> SystemTime {
        self.created_at
    }

    /// Returns every queue in the template's order.
    pub fn ids(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.entries.len()).map(QueueId)
    }

    /// Returns the queue with this ARN.
    pub fn with_arn(&self, arn: &str) -> Option<QueueId> {
        self.ids().find(|id| self.definition(*id).arn == arn)
    }

    /// Returns the queue with this name.
    pub fn with_name(&self, name: &str) -> Option<QueueId> {
        self.ids().find(|id| self.definition(*id).name == name)
    }

    /// Returns the queue with this URL by the last segment of its path: a queue has the same path
    /// under `localhost`, `127.0.0.1` and the name of a proxy.
    pub fn with_url(&self, url: &str) -> Option<QueueId> {
        self.with_name(url.trim_end_matches('/').rsplit('/').next()?)
    }

    /// Returns the template's definition of a queue.
    pub fn definition(&self, id: QueueId) -> &template::Queue {
        &self.entries[id.0].definition
    }

    /// Sends a message to the queue with this ARN, hidden for `delay` or else for the queue's own
    /// delay. Returns the message's id.
    ///
    /// # Errors
    ///
    /// Returns a [`SendError`] if the queue is unknown or the message breaks a rule.
    pub fn send(
        &self,
        queue_arn: &str,
        body: String,
        attributes: BTreeMap<String, MessageAttribute>,
        delay: Option<Duration>,
    ) -> Result<MessageId, SendError> {
        let queue = self
            .with_arn(queue_arn)
            .ok_or_else(|| SendError::UnknownQueue(queue_arn.to_owned()))?;
        let content = Content {
            body,
            attributes,
            ..Content::default()
        };
        self.send_to(queue, content, delay)
    }

    /// Sends a message like [`Queues::send`], with system attributes.
    ///
    /// # Errors
    ///
    /// Returns a [`SendError`] if the message breaks a rule.
    pub fn send_to(
        &self,
        queue: QueueId,
        content: Content,
        delay: Option<Duration>,
    ) -> Result<MessageId, SendError> {
        content.check(self.definition(queue).maximum_message_size)?;
        check_delay(delay.unwrap_or_default())?;
        let id = new_message_id();
        let now = self.clock.now();
        let content = Arc::new(content);
        self.states()[queue.0].send(now, id.clone(), content.clone(), delay);
        let delay = delay.unwrap_or(self.definition(queue).delay);
        self.queued(queue, &id, &content, delay, Cause::Sent);
        self.entries[queue.0].arrivals.notify_waiters();
        Ok(id)
    }

    /// Receives up to `maximum` messages as soon as one is visible, or none after `wait`. They are
    /// hidden for `visibility` or else for the queue's own visibility timeout.
    ///
    /// A message that has reached the redrive policy's maximum moves to the dead-letter queue
    /// instead; as on AWS, at the next receive and not before.
    pub async fn receive(
        &self,
        queue: QueueId,
        maximum: usize,
        visibility: Option<Duration>,
        wait: Duration,
    ) -> Vec<Received> {
        let deadline = self.clock.now() + wait;
        loop {
            let arrival = self.entries[queue.0].arrivals.notified();
            let mut arrival = std::pin::pin!(arrival);
            // Registered before the receive, so that no message sent right after it is missed.
            arrival.as_mut().enable();
            let (received, next_due) = self.receive_now(queue, maximum, visibility);
            if !received.is_empty() || self.clock.now() >= deadline {
                return received;
            }
            let wake_up = next_due.map_or(deadline, |due| due.min(deadline));
            tokio::select! {
                () = arrival => {}
                () = self.clock.sleep_until(wake_up) => {}
            }
        }
    }

    /// Deletes the message received with this handle. An outdated handle deletes nothing.
    ///
    /// # Errors
    ///
    /// Returns [`HandleError::Invalid`] if the handle does not belong to the queue.
    pub fn delete(&self, queue: QueueId, receipt_handle: &str) -> Result<(), HandleError> {
        self.states()[queue.0].delete(self.clock.now(), receipt_handle)
    }

    /// Hides the message received with this handle until `timeout` from now.
    ///
    /// # Errors
    ///
    /// Returns a [`HandleError`] if the handle is invalid or outdated, or the message not in
    /// flight.
    pub fn change_visibility(
        &self,
        queue: QueueId,
        receipt_handle: &str,
        timeout: Duration,
    ) -> Result<(), HandleError> {
        let now = self.clock.now();
        self.states()[queue.0].change_visibility(now, receipt_handle, timeout)?;
        // The message may be visible now, or due earlier than waiting receives assume.
        self.entries[queue.0].arrivals.notify_waiters();
        Ok(())
    }

    /// Replaces the injected faults of all queues.
    pub fn set_faults(&self, faults: Faults) {
        for queue in self.states().iter_mut() {
            queue.set_faults(faults);
        }
    }

    /// Returns whether an injected fault fails the next send of a client.
    pub(super) fn fails_to_send(&self, queue: QueueId) -> bool {
        self.states()[queue.0].fails_to_send()
    }

    /// Deletes every message of a queue.
    pub fn purge(&self, queue: QueueId) {
        self.states()[queue.0].purge();
    }

    /// Returns the numbers of a queue's messages.
    pub fn counts(&self, queue: QueueId) -> Counts {
        self.states()[queue.0].counts(self.clock.now())
    }

    /// Returns the number of messages that a queue ever had.
    pub fn ever_sent(&self, queue: QueueId) -> u64 {
        self.states()[queue.0].ever_sent()
    }

    /// Returns at most `count` oldest messages of a queue without receiving them.
    pub fn oldest(&self, queue: QueueId, count: usize) -> Vec<MessageView> {
        self.states()[queue.0].oldest(self.clock.now(), count)
    }

    /// Returns every message of a queue, oldest first, without receiving them.
    pub fn messages(&self, queue: QueueId) -> Vec<MessageView> {
        self.states()[queue.0].messages(self.clock.now())
    }

    /// Returns the queues whose dead letters go to this one.
    pub fn dead_letter_sources(&self, queue: QueueId) -> impl Iterator<Item = QueueId> + '_ {
        self.ids()
            .filter(move |id| self.entries[id.0].dead_letter_queue == Some(queue))
    }

    /// Removes and returns every visible message of a queue.
    pub(super) fn drain_visible(&self, queue: QueueId) -> Vec<Transfer> {
        self.states()[queue.0].drain_visible(self.clock.now())
    }

    /// Puts a message back on the queue it was drained from.
    pub(super) fn put_back(&self, queue: QueueId, transfer: Transfer) {
        self.states()[queue.0].accept(self.clock.now(), transfer);
        self.entries[queue.0].arrivals.notify_waiters();
    }

    /// Puts a message of another queue on this one as a new message.
    pub(super) fn resend(&self, queue: QueueId, transfer: Transfer) {
        let now = self.clock.now();
        let transfer = transfer.renewed(new_message_id(), now);
        self.moved(queue, &transfer, Cause::Replayed);
        self.put_back(queue, transfer);
    }

    /// Deletes a message that is not in flight.
    ///
    /// # Errors
    ///
    /// Returns a [`RemoveError`] if the queue does not have the message, or it is in flight.
    pub fn remove(&self, queue: QueueId, message_id: &str) -> Result<(), RemoveError> {
        let now = self.clock.now();
        self.states()[queue.0].take_out(now, message_id).map(drop)
    }

    /// Moves a message that is not in flight out of a dead-letter queue, as a new message: to its
    /// source queue or, if it was sent directly, to `otherwise`.
    ///
    /// # Errors
    ///
    /// Returns a [`RemoveError`] if the queue does not have the message, or it is in flight.
    pub fn replay(
        &self,
        queue: QueueId,
        message_id: &str,
        otherwise: QueueId,
    ) -> Result<(), RemoveError> {
        let now = self.clock.now();
        let transfer = self.states()[queue.0].take_out(now, message_id)?;
        let origin = transfer.dead_letter_source.as_deref();
        let origin = origin.and_then(|arn| self.with_arn(arn));
        self.resend(origin.unwrap_or(otherwise), transfer);
        Ok(())
    }

    /// Returns the completed move tasks, oldest first.
    pub(super) fn move_tasks(&self) -> MutexGuard<'_, Vec<MoveTask>> {
        self.move_tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn receive_now(
        &self,
        queue: QueueId,
        maximum: usize,
        visibility: Option<Duration>,
    ) -> (Vec<Received>, Option<SystemTime>) {
        let now = self.clock.now();
        let mut states = self.states();
        let result = states[queue.0].receive(now, maximum, visibility);
        if let Some(target) = self.entries[queue.0].dead_letter_queue
            && !result.dead_letters.is_empty()
        {
            for transfer in result.dead_letters {
                self.moved(target, &transfer, Cause::Redriven);
                states[target.0].accept(now, transfer);
            }
            self.entries[target.0].arrivals.notify_waiters();
        }
        (result.received, states[queue.0].next_due())
    }

    /// Records a message that comes from another queue.
    fn moved(&self, queue: QueueId, transfer: &Transfer, cause: Cause) {
        let delay = Duration::ZERO;
        self.queued(queue, &transfer.id, &transfer.content, delay, cause);
    }

    fn queued(
        &self,
        queue: QueueId,
        id: &MessageId,
        content: &Content,
        delay: Duration,
        cause: Cause,
    ) {
        let name = &self.definition(queue).logical_id;
        let queued = RecordKind::queued(name, id, &content.body, delay, cause);
        self.activity.record(queued);
    }

    /// Locks the queues and ignores poisoning: no panic can leave a queue inconsistent.
    fn states(&self) -> MutexGuard<'_, Vec<Queue>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(
        definition: &template::Queue,
        definitions: &[template::Queue],
    ) -> Result<Self, QueuesError> {
        let dead_letter_queue = match &definition.redrive {
            None => None,
            Some(redrive) => {
                let target = definitions
                    .iter()
                    .position(|other| other.arn == redrive.dead_letter_queue)
                    .ok_or_else(|| QueuesError::UnknownDeadLetterQueue {
                        queue: definition.logical_id.clone(),
                        dead_letter_queue: redrive.dead_letter_queue.clone(),
                    })?;
                Some(QueueId(target))
            }
        };
        Ok(Self {
            definition: definition.clone(),
            dead_letter_queue,
            arrivals: Notify::new(),
        })
    }
}

fn new_message_id() -> MessageId {
    Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::testing::{dead_letter_queue, queue, queue_with_dead_letters};

    const LONG: Duration = Duration::from_secs(20);

    fn queues() -> (Queues, QueueId, QueueId) {
        let queues = Queues::new(
            &[queue_with_dead_letters(1), dead_letter_queue()],
            Activity::default(),
        )
        .expect("valid definitions");
        let mut ids = queues.ids();
        let (source, dead) = (ids.next().expect("two"), ids.next().expect("two"));
        (queues, source, dead)
    }

    fn send(queues: &Queues, body: &str, delay: Option<Duration>) {
        queues
            .send(&queue().arn, body.to_owned(), BTreeMap::new(), delay)
            .expect("a valid message");
    }

    #[test]
    fn redrive_policy_with_unknown_queue_is_refused() {
        let error = Queues::new(&[queue_with_dead_letters(1)], Activity::default())
            .expect_err("an unknown queue");
        assert_eq!(
            error.to_string(),
            format!(
                "queue {} has the dead-letter queue {}, which is not a queue of the template; add the queue or correct the RedrivePolicy",
                queue().logical_id,
                dead_letter_queue().arn
            )
        );
    }

    #[test]
    fn queue_url_is_found_under_any_host() {
        let (queues, source, _) = queues();
        for url in [
            "http://127.0.0.1:3030/000000000000/work",
            "https://sqs.us-east-1.amazonaws.com/000000000000/work/",
            "http://localhost/queue/work",
            "work",
        ] {
            assert_eq!(queues.with_url(url), Some(source), "{url}");
        }
        assert_eq!(
            queues.with_url("http://127.0.0.1:3030/000000000000/other"),
            None
        );
    }

    #[test]
    fn send_to_unknown_queue_is_an_error() {
        let (queues, ..) = queues();
        let sent = queues.send("arn:other", "a".to_owned(), BTreeMap::new(), None);
        assert_eq!(sent, Err(SendError::UnknownQueue("arn:other".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn long_poll_ends_with_the_first_message() {
        let (queues, source, _) = queues();
        let started = queues.clock().now();
        let receive = queues.receive(source, 10, None, LONG);
        let send_later = async {
            queues
                .clock()
                .sleep_until(started + Duration::from_secs(3))
                .await;
            send(&queues, "a", None);
        };
        let (received, ()) = tokio::join!(receive, send_later);
        assert_eq!(received.len(), 1);
        assert!(queues.clock().now() < started + LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn long_poll_ends_when_a_delayed_message_is_due() {
        let (queues, source, _) = queues();
        let started = queues.clock().now();
        send(&queues, "a", Some(Duration::from_secs(7)));
        assert_eq!(queues.receive(source, 10, None, LONG).await.len(), 1);
        assert!(queues.clock().now() >= started + Duration::from_secs(7));
        assert!(queues.clock().now() < started + LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn long_poll_without_message_ends_after_its_wait_time() {
        let (queues, source, _) = queues();
        let started = queues.clock().now();
        assert!(queues.receive(source, 10, None, LONG).await.is_empty());
        assert!(queues.clock().now() >= started + LONG);
        assert!(
            queues
                .receive(source, 10, None, Duration::ZERO)
                .await
                .is_empty()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn long_poll_ends_when_a_visibility_timeout_is_set_to_zero() {
        let queues = Queues::new(&[queue()], Activity::default()).expect("a valid definition");
        let source = queues.with_name("work").expect("work");
        send(&queues, "a", None);
        let first = queues
            .receive(source, 1, None, Duration::ZERO)
            .await
            .remove(0);
        let give_back = async {
            queues
                .change_visibility(source, &first.receipt_handle, Duration::ZERO)
                .expect("in flight");
        };
        let (received, ()) = tokio::join!(queues.receive(source, 1, None, LONG), give_back);
        assert_eq!(received.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn dead_letter_ends_a_long_poll_of_the_dead_letter_queue() {
        let (queues, source, dead) = queues();
        send(&queues, "poison", None);
        assert_eq!(
            queues.receive(source, 1, None, Duration::ZERO).await.len(),
            1
        );
        queues.clock().advance(queue().visibility_timeout);
        let started = queues.clock().now();
        let (dead_letters, received) = tokio::join!(
            queues.receive(dead, 1, None, LONG),
            queues.receive(source, 1, None, Duration::ZERO)
        );
        assert!(received.is_empty());
        assert!(queues.clock().now() < started + LONG);
        assert_eq!(dead_letters[0].content.body, "poison");
        assert_eq!(dead_letters[0].dead_letter_source, Some(queue().arn));
    }
}
