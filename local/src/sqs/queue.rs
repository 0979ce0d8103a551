//! One standard queue as pure state: every operation is told the time, none waits.
//!
//! Messages are received oldest first, which is one of the allowed orders of a standard queue. A
//! message with too slow a receiver is received again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::message::{Content, MessageId};
use crate::template;

/// A queue and its messages.
#[derive(Debug)]
pub(super) struct Queue {
    definition: template::Queue,
    messages: HashMap<Sequence, Message>,
    /// The visible messages; one with a lower sequence was sent earlier.
    visible: BTreeSet<Sequence>,
    /// The delayed messages and those in flight, by the time at which they become visible.
    hidden: BTreeSet<(SystemTime, Sequence)>,
    /// The messages by their expiry.
    expiry: BTreeSet<(SystemTime, Sequence)>,
    next_sequence: Sequence,
    faults: Faults,
}

/// Injected faults: rare but allowed behaviour of a standard queue, and failing sends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of received messages that stay visible and are received again: 0, never, to 1,
    /// always.
    pub duplicates: f64,
    /// Whether messages are received in random order.
    pub shuffle: bool,
    /// The share of sends that fail: 0, never, to 1, always.
    pub failing_sends: f64,
}

/// A message's position in its queue.
type Sequence = u64;

/// The part of a message that moves from queue to queue.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) id: MessageId,
    pub(super) content: Arc<Content>,
    sent_at: SystemTime,
    receive_count: u32,
    first_received_at: Option<SystemTime>,
    /// The ARN of the queue whose dead letter it is.
    pub(super) dead_letter_source: Option<String>,
}

#[derive(Debug)]
struct Message {
    transfer: Transfer,
    /// The number of receives from this queue; the transfer counts across queues.
    receives_here: u32,
    /// The time at which the message becomes visible; `None` if it is visible.
    hidden_until: Option<SystemTime>,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message's id.
    pub id: MessageId,
    /// The handle that deletes the message, until it is received again.
    pub receipt_handle: String,
    /// Body and attributes.
    pub content: Arc<Content>,
    /// The time of the send.
    pub sent_at: SystemTime,
    /// The time of the first receive, across queues.
    pub first_received_at: SystemTime,
    /// The number of receives so far, across queues.
    pub receive_count: u32,
    /// The time at which the message becomes visible again.
    pub hidden_until: SystemTime,
    /// The ARN of the queue whose dead letter it is.
    pub dead_letter_source: Option<String>,
}

/// The result of a receive.
#[derive(Debug, Default)]
pub(super) struct ReceiveResult {
    /// The messages for the receiver.
    pub(super) received: Vec<Received>,
    /// The messages for the dead-letter queue, which have reached the redrive policy's maximum.
    pub(super) dead_letters: Vec<Transfer>,
}

/// The numbers of a queue's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Visible messages.
    pub visible: usize,
    /// Received messages that were neither deleted nor became visible again.
    pub in_flight: usize,
    /// Messages whose delay has not ended.
    pub delayed: usize,
}

/// A read-only view of a message.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// The message's id.
    pub id: MessageId,
    /// Body and attributes.
    pub content: Arc<Content>,
    /// The time of the send.
    pub sent_at: SystemTime,
    /// The number of receives, across queues.
    pub receive_count: u32,
    /// The message's state.
    pub state: MessageState,
}

/// The state of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// The message can be received.
    Visible,
    /// The message was received and becomes visible again at this time.
    InFlight(SystemTime),
    /// The message becomes visible at this time.
    Delayed(SystemTime),
}

/// The reason why a receipt handle was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// The handle does not belong to this queue.
    #[error("the receipt handle does not belong to this queue")]
    Invalid,
    /// Its message was deleted, expired, moved or was received again.
    #[error("the receipt handle is outdated: its message was deleted, moved or received again")]
    Outdated,
    /// Its message is visible again.
    #[error("the message is not in flight")]
    NotInFlight,
}

/// The reason why a message was not removed from its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// The queue does not have the message, or no longer has it.
    #[error("the message is no longer on the queue")]
    NoSuchMessage,
    /// The message was received, and its receiver may still delete it.
    #[error(
        "the message is in flight: a consumer received it and has not deleted it yet; retry after its visibility timeout"
    )]
    InFlight,
}

impl Queue {
    /// Makes an empty queue.
    pub(super) fn new(definition: template::Queue) -> Self {
        Self {
            definition,
            messages: HashMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            expiry: BTreeSet::new(),
            next_sequence: 0,
            faults: Faults::default(),
        }
    }

    /// Replaces the injected faults.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Returns whether an injected fault fails the next send of a client.
    pub(super) fn fails_to_send(&self) -> bool {
        rand::random::<f64>() < self.faults.failing_sends
    }

    /// Adds a message, hidden for `delay` or else for the queue's own delay.
    pub(super) fn send(
        &mut self,
        now: SystemTime,
        id: MessageId,
        content: Arc<Content>,
        delay: Option<Duration>,
    ) {
        let transfer = Transfer {
            id,
            content,
            sent_at: now,
            receive_count: 0,
            first_received_at: None,
            dead_letter_source: None,
        };
        self.insert(transfer, now + delay.unwrap_or(self.definition.delay), now);
    }

    /// Adds a message of another queue; its expiry counts from the original send.
    pub(super) fn accept(&mut self, now: SystemTime, transfer: Transfer) {
        self.insert(transfer, now, now);
    }

    /// Receives up to `maximum` messages and hides them for `visibility` or else for the queue's
    /// own visibility timeout.
    pub(super) fn receive(
        &mut self,
        now: SystemTime,
        maximum: usize,
        visibility: Option<Duration>,
    ) -> ReceiveResult {
        self.settle(now);
        let hidden_until = now + visibility.unwrap_or(self.definition.visibility_timeout);
        let mut result = ReceiveResult::default();
        while result.received.len() < maximum {
            let Some(sequence) = self.next_visible() else {
                break;
            };
            if self.is_dead(sequence) {
                result.dead_letters.extend(self.remove_dead(sequence));
            } else {
                // A duplicated message stays visible, so another receiver gets it as well.
                let duplicated = rand::random::<f64>() < self.faults.duplicates;
                let until = if duplicated { now } else { hidden_until };
                result
                    .received
                    .extend(self.hide_received(sequence, now, until));
            }
        }
        // Not earlier: the same receive would return a message without a visibility timeout twice.
        self.settle(now);
        result
    }

    /// Deletes the message received with this handle. An outdated handle deletes nothing and is not
    /// an error, as the API reference says of `DeleteMessage`.
    pub(super) fn delete(&mut self, now: SystemTime, handle: &str) -> Result<(), HandleError> {
        self.settle(now);
        match self.find(handle) {
            Ok(sequence) => {
                self.remove(sequence);
                Ok(())
            }
            Err(HandleError::Outdated) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hides the message received with this handle until `timeout` from now.
    pub(super) fn change_visibility(
        &mut self,
        now: SystemTime,
        handle: &str,
        timeout: Duration,
    ) -> Result<(), HandleError> {
        self.settle(now);
        let sequence = self.find(handle)?;
        if self.visible.contains(&sequence) {
            return Err(HandleError::NotInFlight);
        }
        self.hide(sequence, now + timeout);
        self.settle(now);
        Ok(())
    }

    /// Deletes every message.
    pub(super) fn purge(&mut self) {
        self.messages.clear();
        self.visible.clear();
        self.hidden.clear();
        self.expiry.clear();
    }

    /// Removes and returns every visible message.
    pub(super) fn drain_visible(&mut self, now: SystemTime) -> Vec<Transfer> {
        self.settle(now);
        let sequences = std::mem::take(&mut self.visible);
        sequences
            .into_iter()
            .filter_map(|sequence| self.remove(sequence))
            .collect()
    }

    /// Removes and returns a message that is not in flight.
    pub(super) fn take_out(&mut self, now: SystemTime, id: &str) -> Result<Transfer, RemoveError> {
        self.settle(now);
        let (sequence, message) = self
            .messages
            .iter()
            .find(|(_, message)| message.transfer.id == id)
            .ok_or(RemoveError::NoSuchMessage)?;
        if let MessageState::InFlight(_) = message.state() {
            return Err(RemoveError::InFlight);
        }
        self.remove(*sequence).ok_or(RemoveError::NoSuchMessage)
    }

    /// Returns the numbers of messages.
    pub(super) fn counts(&mut self, now: SystemTime) -> Counts {
        self.settle(now);
        let hidden = self
            .hidden
            .iter()
            .filter_map(|(_, sequence)| self.messages.get(sequence));
        let delayed = hidden.filter(|message| message.receives_here == 0).count();
        Counts {
            visible: self.visible.len(),
            in_flight: self.hidden.len() - delayed,
            delayed,
        }
    }

    /// Returns the number of messages that the queue ever had.
    pub(super) fn ever_sent(&self) -> u64 {
        self.next_sequence
    }

    /// Returns at most `count` messages with the earliest original send.
    pub(super) fn oldest(&mut self, now: SystemTime, count: usize) -> Vec<MessageView> {
        self.settle(now);
        // The oldest messages expire next, because the retention is the same for all.
        let oldest = self.expiry.iter().take(count);
        oldest
            .filter_map(|(_, sequence)| self.messages.get(sequence))
            .map(Message::view)
            .collect()
    }

    /// Returns every message, oldest first.
    pub(super) fn messages(&mut self, now: SystemTime) -> Vec<MessageView> {
        self.settle(now);
        let mut messages = self.messages.iter().collect::<Vec<_>>();
        messages.sort_unstable_by_key(|(sequence, _)| **sequence);
        messages
            .into_iter()
            .map(|(_, message)| message.view())
            .collect()
    }

    /// Returns the time at which the next hidden message becomes visible.
    pub(super) fn next_due(&self) -> Option<SystemTime> {
        self.hidden.first().map(|(until, _)| *until)
    }

    fn insert(&mut self, transfer: Transfer, hidden_until: SystemTime, now: SystemTime) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let expires_at = transfer.sent_at + self.definition.retention;
        self.expiry.insert((expires_at, sequence));
        self.hidden.insert((hidden_until, sequence));
        let message = Message {
            transfer,
            receives_here: 0,
            hidden_until: Some(hidden_until),
        };
        self.messages.insert(sequence, message);
        self.settle(now);
    }

    /// Applies the effects of time: due messages become visible, expired ones are dropped.
    fn settle(&mut self, now: SystemTime) {
        while let Some((_, sequence)) = pop_due(&mut self.hidden, now) {
            if let Some(message) = self.messages.get_mut(&sequence) {
                message.hidden_until = None;
                self.visible.insert(sequence);
            }
        }
        while let Some((_, sequence)) = pop_due(&mut self.expiry, now) {
            self.remove(sequence);
        }
    }

    /// Takes the next message to receive: the oldest one, or a random one with the fault `shuffle`.
    fn next_visible(&mut self) -> Option<Sequence> {
        if !self.faults.shuffle {
            return self.visible.pop_first();
        }
        let index = rand::random_range(0..self.visible.len().max(1));
        let sequence = self.visible.iter().nth(index).copied()?;
        self.visible.remove(&sequence);
        Some(sequence)
    }

    fn is_dead(&self, sequence: Sequence) -> bool {
        let receives = self
            .messages
            .get(&sequence)
            .map(|message| message.receives_here);
        let redrive = self.definition.redrive.as_ref();
        receives
            .zip(redrive)
            .is_some_and(|(receives, redrive)| receives >= redrive.max_receive_count)
    }

    fn remove_dead(&mut self, sequence: Sequence) -> Option<Transfer> {
        let mut transfer = self.remove(sequence)?;
        transfer.dead_letter_source = Some(self.definition.arn.clone());
        Some(transfer)
    }

    fn hide_received(
        &mut self,
        sequence: Sequence,
        now: SystemTime,
        hidden_until: SystemTime,
    ) -> Option<Received> {
        self.hide(sequence, hidden_until);
        let message = self.messages.get_mut(&sequence)?;
        message.receives_here += 1;
        let handle = Handle::of(&self.definition.name, sequence, message).encode();
        Some(message.transfer.received(now, handle, hidden_until))
    }

    fn hide(&mut self, sequence: Sequence, until: SystemTime) {
        let Some(message) = self.messages.get_mut(&sequence) else {
            return;
        };
        if let Some(before) = message.hidden_until.replace(until) {
            self.hidden.remove(&(before, sequence));
        }
        self.hidden.insert((until, sequence));
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Transfer> {
        let message = self.messages.remove(&sequence)?;
        match message.hidden_until {
            Some(until) => self.hidden.remove(&(until, sequence)),
            None => self.visible.remove(&sequence),
        };
        let expires_at = message.transfer.sent_at + self.definition.retention;
        self.expiry.remove(&(expires_at, sequence));
        Some(message.transfer)
    }

    fn find(&self, handle: &str) -> Result<Sequence, HandleError> {
        let handle = Handle::decode(handle)
            .filter(|handle| handle.queue == self.definition.name)
            .ok_or(HandleError::Invalid)?;
        let sequence = handle.sequence;
        match self.messages.get(&sequence) {
            Some(message) if Handle::of(&self.definition.name, sequence, message) == handle => {
                Ok(sequence)
            }
            _ => Err(HandleError::Outdated),
        }
    }
}

impl Transfer {
    /// Returns the same content as a new message.
    pub(super) fn renewed(self, id: MessageId, now: SystemTime) -> Self {
        Self {
            id,
            content: self.content,
            sent_at: now,
            receive_count: 0,
            first_received_at: None,
            dead_letter_source: None,
        }
    }

    fn received(
        &mut self,
        now: SystemTime,
        receipt_handle: String,
        hidden_until: SystemTime,
    ) -> Received {
        self.receive_count += 1;
        Received {
            id: self.id.clone(),
            receipt_handle,
            content: Arc::clone(&self.content),
            sent_at: self.sent_at,
            first_received_at: *self.first_received_at.get_or_insert(now),
            receive_count: self.receive_count,
            hidden_until,
            dead_letter_source: self.dead_letter_source.clone(),
        }
    }
}

impl Message {
    fn view(&self) -> MessageView {
        MessageView {
            id: self.transfer.id.clone(),
            content: Arc::clone(&self.transfer.content),
            sent_at: self.transfer.sent_at,
            receive_count: self.transfer.receive_count,
            state: self.state(),
        }
    }

    fn state(&self) -> MessageState {
        match (self.hidden_until, self.receives_here) {
            (None, _) => MessageState::Visible,
            (Some(until), 0) => MessageState::Delayed(until),
            (Some(until), _) => MessageState::InFlight(until),
        }
    }
}

/// The content of a receipt handle: one receive of one message. The message's id makes handles of
/// an earlier run invalid, which had the same sequences.
#[derive(Debug, PartialEq, Eq)]
struct Handle {
    queue: String,
    sequence: Sequence,
    receive: u32,
    message: MessageId,
}

impl Handle {
    fn of(queue: &str, sequence: Sequence, message: &Message) -> Self {
        Self {
            queue: queue.to_owned(),
            sequence,
            receive: message.receives_here,
            message: message.transfer.id.clone(),
        }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!(
            "{}/{}/{}/{}",
            self.queue, self.sequence, self.receive, self.message
        ))
    }

    fn decode(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = decoded.splitn(4, '/');
        Some(Self {
            queue: parts.next()?.to_owned(),
            sequence: parts.next()?.parse().ok()?,
            receive: parts.next()?.parse().ok()?,
            message: parts.next()?.to_owned(),
        })
    }
}

fn pop_due(
    times: &mut BTreeSet<(SystemTime, Sequence)>,
    now: SystemTime,
) -> Option<(SystemTime, Sequence)> {
    times.first().filter(|(time, _)| *time <= now)?;
    times.pop_first()
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
