//! One standard queue as pure state: every operation is told the time, none waits.
//!
//! Messages are handed out oldest first, which is one of the orders a standard queue may choose; a
//! message whose receiver was too slow is handed out again.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::message::{Content, MessageId};
use crate::template;

/// A queue and what is on it.
#[derive(Debug)]
pub(super) struct Queue {
    definition: template::Queue,
    messages: HashMap<Sequence, Message>,
    /// What can be received now; a lower sequence was sent earlier.
    visible: BTreeSet<Sequence>,
    /// What cannot be received before some time: delayed or in flight.
    hidden: BTreeSet<(SystemTime, Sequence)>,
    /// When each message is dropped.
    expiry: BTreeSet<(SystemTime, Sequence)>,
    next_sequence: Sequence,
    faults: Faults,
}

/// What a standard queue may do and rarely does, done on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// The share of receives after which the message can be received at once again: 0, never, to 1,
    /// always.
    pub duplicates: f64,
    /// Whether messages are received in any order.
    pub shuffle: bool,
    /// The share of messages that are not taken when they are sent: 0, never, to 1, always.
    pub failing_sends: f64,
}

/// A message's place in its queue.
type Sequence = u64;

/// A message as it moves from queue to queue.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) id: MessageId,
    pub(super) content: Arc<Content>,
    sent_at: SystemTime,
    receive_count: u32,
    first_received_at: Option<SystemTime>,
    /// The ARN of the queue it was a dead letter of.
    pub(super) dead_letter_source: Option<String>,
}

#[derive(Debug)]
struct Message {
    transfer: Transfer,
    /// How often it was received from this queue; the transfer counts across queues.
    receives_here: u32,
    /// Until when it cannot be received; none: it can.
    hidden_until: Option<SystemTime>,
}

/// A message as its receiver gets it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The message's id.
    pub id: MessageId,
    /// What to delete it with, until it is received again.
    pub receipt_handle: String,
    /// Body and attributes.
    pub content: Arc<Content>,
    /// When it was sent.
    pub sent_at: SystemTime,
    /// When it was received for the first time, from whichever queue.
    pub first_received_at: SystemTime,
    /// How often it was received by now, across queues.
    pub receive_count: u32,
    /// Until when nobody else receives it.
    pub hidden_until: SystemTime,
    /// The ARN of the queue it was a dead letter of.
    pub dead_letter_source: Option<String>,
}

/// What a receive took off the queue.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// For the receiver.
    pub(super) received: Vec<Received>,
    /// For the dead-letter queue: they had been received as often as the redrive policy allows.
    pub(super) dead_letters: Vec<Transfer>,
}

/// How many messages a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that can be received.
    pub visible: usize,
    /// Those that were received and neither deleted nor returned.
    pub in_flight: usize,
    /// Those whose delay has not ended.
    pub delayed: usize,
}

/// A message as somebody who only looks sees it.
#[derive(Clone, Debug)]
pub struct MessageView {
    /// The message's id.
    pub id: MessageId,
    /// Body and attributes.
    pub content: Arc<Content>,
    /// When it was sent.
    pub sent_at: SystemTime,
    /// How often it was received, across queues.
    pub receive_count: u32,
    /// Where it stands.
    pub state: MessageState,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// It can be received.
    Visible,
    /// Somebody received it and has until then to delete it.
    InFlight(SystemTime),
    /// Nobody can receive it before then.
    Delayed(SystemTime),
}

/// Why a receipt handle did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// This queue never gave it out.
    #[error("the receipt handle is not one of this queue's")]
    Invalid,
    /// Its message was deleted, has expired, moved on or was received again.
    #[error("the receipt handle is of the past")]
    Outdated,
    /// Its message waits to be received again.
    #[error("the message is not in flight")]
    NotInFlight,
}

/// Why a message was not taken off its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// The queue does not have it, or not any more.
    #[error("the message is not on the queue any more")]
    NoSuchMessage,
    /// Somebody received it and may still delete it.
    #[error("the message is in flight: somebody has received it and works on it")]
    InFlight,
}

impl Queue {
    /// An empty queue.
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

    /// From now on, these faults happen and no others.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Returns whether a message that a client sends is not to be taken, on purpose.
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

    /// Adds a message that was elsewhere before; it expires by the time it was sent there.
    pub(super) fn accept(&mut self, now: SystemTime, transfer: Transfer) {
        self.insert(transfer, now, now);
    }

    /// Takes up to `maximum` messages and hides them for `visibility` or else for the queue's own
    /// visibility timeout.
    pub(super) fn receive(
        &mut self,
        now: SystemTime,
        maximum: usize,
        visibility: Option<Duration>,
    ) -> Taken {
        self.settle(now);
        let hidden_until = now + visibility.unwrap_or(self.definition.visibility_timeout);
        let mut taken = Taken::default();
        while taken.received.len() < maximum {
            let Some(sequence) = self.next_visible() else {
                break;
            };
            if self.is_dead(sequence) {
                taken.dead_letters.extend(self.remove_dead(sequence));
            } else {
                // Not hidden, it is received by somebody else as well.
                let duplicated = rand::random::<f64>() < self.faults.duplicates;
                let until = if duplicated { now } else { hidden_until };
                taken.received.extend(self.hand_out(sequence, now, until));
            }
        }
        // Only now: hidden for no time at all, a message would be taken again by the same receive.
        self.settle(now);
        taken
    }

    /// Deletes the message received with this handle. A handle of the past deletes nothing and is no
    /// error, as the API reference says of `DeleteMessage`.
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

    /// Takes every message that can be received off the queue.
    pub(super) fn drain_visible(&mut self, now: SystemTime) -> Vec<Transfer> {
        self.settle(now);
        let sequences = std::mem::take(&mut self.visible);
        sequences
            .into_iter()
            .filter_map(|sequence| self.remove(sequence))
            .collect()
    }

    /// Takes a message off the queue that nobody has received just now.
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

    /// How many messages there are.
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

    /// How many messages there ever were.
    pub(super) fn ever_sent(&self) -> u64 {
        self.next_sequence
    }

    /// The messages that were sent first, wherever that was; at most `count`.
    pub(super) fn oldest(&mut self, now: SystemTime, count: usize) -> Vec<MessageView> {
        self.settle(now);
        // They are the next to expire, as all are kept equally long.
        let oldest = self.expiry.iter().take(count);
        oldest
            .filter_map(|(_, sequence)| self.messages.get(sequence))
            .map(Message::view)
            .collect()
    }

    /// Every message, oldest first.
    pub(super) fn messages(&mut self, now: SystemTime) -> Vec<MessageView> {
        self.settle(now);
        let mut messages = self.messages.iter().collect::<Vec<_>>();
        messages.sort_unstable_by_key(|(sequence, _)| **sequence);
        messages
            .into_iter()
            .map(|(_, message)| message.view())
            .collect()
    }

    /// When the next hidden message can be received.
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

    /// Lets time have its effects: what is due turns visible, what is too old goes.
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

    /// Takes what is received next: the oldest message, or any if the queue is to shuffle them.
    fn next_visible(&mut self) -> Option<Sequence> {
        if !self.faults.shuffle {
            return self.visible.pop_first();
        }
        let place = rand::random_range(0..self.visible.len().max(1));
        let sequence = self.visible.iter().nth(place).copied()?;
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

    fn hand_out(
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
    /// The same content as a message that was just sent.
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

/// What a receipt handle says: one receive of one message. The message's id is in it so that a handle
/// of an earlier run, whose sequences were the same, fits nothing.
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
