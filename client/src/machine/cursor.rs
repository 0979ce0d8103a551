//! The client's position in the log of one audience, and the messages held back beyond it.

use std::collections::BTreeMap;

use herald_shared::log::{Epoch, Position};

use super::{back_off::BackOff, log_answer::LogAnswer};
use crate::Push;

/// A result for the application, in the order of the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A message. It may still be a repeat by its event id.
    Message(Push),
    /// Messages may be lost. Delivery goes on from this position: `None` if the log does not exist any more.
    Lost(Option<Position>),
}

/// The state of one audience with a log.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// The application has, or was told to have lost, every message up to here. `None` if it is unknown.
    position: Option<Position>,
    /// The highest offset that a reply announced, in the epoch of the position.
    top: u64,
    /// The messages beyond the next offset. `None` in place of the client's own message.
    held: BTreeMap<(Epoch, u64), Option<Push>>,
    /// The last offset delivered below the position. `None` unless the position is the present one that a `sync`
    /// told, and nothing moved it since: pushes up to it may be on their way.
    below: Option<u64>,
    /// The first offset, if the client adopted it from a push. Messages before it may still be on their way.
    adopted_at: u64,
    /// True if the position must be compared again: an answer was about a former position, or a request failed.
    is_doubtful: bool,
    /// The number of messages before the end that the first `subscribe` asks for.
    rewind: Option<usize>,
    /// True if the next `sync` is to ask for the position.
    pub(super) wants_position: bool,
    /// The delays after requests that failed.
    pub(super) back_off: BackOff,
    /// True once the server has refused `history`, and `sync` has to read on.
    pub(super) history_is_refused: bool,
}

impl Cursor {
    /// Makes the cursor of an audience whose position is to be asked for.
    pub(super) fn asking() -> Self {
        Self {
            wants_position: true,
            ..Self::default()
        }
    }

    /// Makes the cursor of a subscription that starts from a saved position.
    pub(super) fn at(position: Position) -> Self {
        Self {
            position: Some(position),
            ..Self::default()
        }
    }

    /// Makes the cursor of a subscription that starts with the last messages.
    pub(super) fn rewinding(count: usize) -> Self {
        Self {
            rewind: Some(count),
            ..Self::default()
        }
    }

    pub(super) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    pub(super) fn rewind(&self) -> Option<usize> {
        self.rewind
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Returns true if messages after the position exist, or may exist.
    pub(super) fn is_behind(&self) -> bool {
        self.is_doubtful || self.is_missing()
    }

    /// Returns true if a message that the client knows of has not arrived.
    pub(super) fn is_missing(&self) -> bool {
        let offset = self.position.as_ref().map(|position| position.offset);
        !self.held.is_empty() || offset.is_some_and(|offset| offset < self.top)
    }

    /// Handles a message that arrived, or the acknowledgement of the client's own message, which is `None`. If
    /// the cursor `awaits` its position, the message is held until a reply tells it.
    pub(super) fn arrived(
        &mut self,
        epoch: Epoch,
        offset: u64,
        push: Option<Push>,
        awaits: bool,
    ) -> Vec<Output> {
        if awaits {
            self.held.insert((epoch, offset), push);
            return Vec::new();
        }
        if self.position.is_none() {
            let before = Position::after(epoch.clone(), offset.saturating_sub(1));
            self.position = Some(before);
            self.adopted_at = offset;
        }
        let overtaken = push.clone().filter(|_| self.was_overtaken(&epoch, offset));
        if let Some(push) = overtaken.or_else(|| self.take_below(&epoch, offset, &push)) {
            return vec![Output::Message(push)];
        }
        if self
            .offset_in(&epoch)
            .is_none_or(|present| offset > present)
        {
            self.held.entry((epoch, offset)).or_insert(push);
        }
        self.drain()
    }

    /// Returns true if a message was overtaken by the one whose position the client adopted.
    fn was_overtaken(&self, epoch: &Epoch, offset: u64) -> bool {
        offset < self.adopted_at && self.offset_in(epoch).is_some()
    }

    /// Returns a push up to the position, if it was on its way when a `sync` told the position.
    fn take_below(&mut self, epoch: &Epoch, offset: u64, push: &Option<Push>) -> Option<Push> {
        let below = self.below?;
        let present = self.offset_in(epoch)?;
        if offset <= below || offset > present {
            return None;
        }
        self.below = Some(offset);
        push.clone()
    }

    /// Sets an unknown position to the present one of an audience that the connection belongs to already. It is
    /// before the first push that arrived, because every later message is pushed, too.
    pub(super) fn begin_present(&mut self, present: &Position) {
        if self.position.is_some() {
            return;
        }
        let mut held = self.held.keys();
        let first = held.find(|(epoch, _)| Some(epoch) == present.epoch.as_ref());
        let offset = match first {
            Some((_, first)) if *first <= present.offset => first.saturating_sub(1),
            _ => present.offset,
        };
        self.top = present.offset;
        self.below = (offset == present.offset).then_some(0);
        self.position = Some(Position {
            offset,
            ..present.clone()
        });
        self.confirm();
    }

    /// Sets an unknown position from a reply, to that before its messages.
    pub(super) fn begin(&mut self, answer: &LogAnswer) {
        if self.position.is_none() {
            let first = answer.messages.first().and_then(Push::position);
            let before = first.map(|first| Position {
                offset: first.offset.saturating_sub(1),
                ..first.clone()
            });
            self.position = before.or_else(|| answer.position.clone());
        }
        self.rewind = None;
    }

    /// Handles a reply with a position. `since` is the position that the request named: the reply has every
    /// message since then, or says that some are lost.
    pub(super) fn answered(&mut self, answer: LogAnswer, since: Option<&Position>) -> Vec<Output> {
        let Some(end) = answer.position.clone() else {
            return self.turn_off();
        };
        let proves = since.is_some() || self.position.is_none();
        self.begin(&answer);
        self.wants_position = false;
        self.back_off.reset();
        let top = answer.top;
        let mut outputs = if answer.is_lost {
            self.lost(&end, since)
        } else {
            self.recovered(answer.messages, &end, proves)
        };
        if self.has_epoch_of(&end) {
            self.top = self.top.max(top);
        }
        outputs.extend(self.drain());
        outputs
    }

    /// Handles the answer that messages since a position are lost. The client has them if they arrived
    /// meanwhile. If its position has moved otherwise, the answer is about a former one.
    fn lost(&mut self, end: &Position, since: Option<&Position>) -> Vec<Output> {
        if self.has(end) {
            self.confirm();
        } else if self.position.as_ref() == since {
            self.move_to(end.clone());
            self.confirm();
            return vec![Output::Lost(Some(end.clone()))];
        } else {
            self.is_doubtful = true;
        }
        Vec::new()
    }

    /// Handles the messages of a reply, which end at a position. Without a proof that none is missing before them,
    /// they do not count.
    fn recovered(&mut self, messages: Vec<Push>, end: &Position, proves: bool) -> Vec<Output> {
        let mut outputs = Vec::new();
        if !self.has_epoch_of(end) {
            self.is_doubtful = true;
        } else if proves {
            for push in messages {
                if let Some(at) = push.position().filter(|at| self.is_ahead(at)) {
                    self.move_to(at.clone());
                    outputs.push(Output::Message(push));
                }
            }
            if self.is_ahead(end) {
                self.move_to(end.clone());
            }
            self.confirm();
        }
        outputs
    }

    /// Handles the answer that the client had everything when it asked.
    pub(super) fn is_current(&mut self) {
        self.back_off.reset();
        self.confirm();
    }

    /// Marks the position as one to compare again.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = self.position.is_some();
    }

    /// Notes that the server compared the position. What is held of another epoch is stale.
    fn confirm(&mut self) {
        self.is_doubtful = false;
        self.drop_other_epochs();
    }

    /// Forgets the position, because the audience has no log. Returns the held messages, after a loss if the
    /// client relied on the log.
    pub(super) fn turn_off(&mut self) -> Vec<Output> {
        let relied = self.position.take().is_some() | self.rewind.take().is_some();
        self.wants_position = false;
        self.is_doubtful = false;
        self.top = 0;
        let lost = relied.then_some(Output::Lost(None));
        let held = std::mem::take(&mut self.held).into_values().flatten();
        lost.into_iter().chain(held.map(Output::Message)).collect()
    }

    /// Goes on without the messages that are missing, up to the end of what the client knows of.
    pub(super) fn give_up(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.is_doubtful = false;
        while self.is_missing() {
            outputs.extend(self.skip());
        }
        outputs
    }

    /// Goes on without the messages of the first gap.
    pub(super) fn skip(&mut self) -> Vec<Output> {
        let Some(position) = self.after_gap() else {
            return Vec::new();
        };
        let mut outputs = vec![Output::Lost(Some(position.clone()))];
        self.move_to(position);
        outputs.extend(self.drain());
        outputs
    }

    /// Returns the position before the first held message, or the top if none is held.
    fn after_gap(&self) -> Option<Position> {
        let of_present_epoch = |(epoch, _): &&(Epoch, u64)| self.offset_in(epoch).is_some();
        let mut keys = self.held.keys();
        let first = keys
            .clone()
            .find(of_present_epoch)
            .or_else(|| keys.next())
            .map(|(epoch, offset)| Position::after(epoch.clone(), offset.saturating_sub(1)));
        let top = || {
            self.position.clone().map(|position| Position {
                offset: self.top,
                ..position
            })
        };
        first.or_else(top)
    }

    /// Delivers the held messages that follow the position, and drops those up to it.
    fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.drop_delivered();
        while let Some((epoch, offset)) = self.next_held() {
            let push = self.held.remove(&(epoch.clone(), offset)).flatten();
            self.move_to(Position::after(epoch, offset));
            outputs.extend(push.map(Output::Message));
        }
        outputs
    }

    fn next_held(&self) -> Option<(Epoch, u64)> {
        let position = self.position.as_ref()?;
        let offset = position.offset + 1;
        let key = match &position.epoch {
            Some(epoch) => (epoch.clone(), offset),
            // The first message of a log tells its epoch.
            None => self
                .held
                .keys()
                .find(|(_, first)| *first == offset)?
                .clone(),
        };
        self.held.contains_key(&key).then_some(key)
    }

    fn drop_delivered(&mut self) {
        if let Some(position) = &self.position
            && let Some(epoch) = &position.epoch
        {
            self.held
                .retain(|(of, offset), _| of != epoch || *offset > position.offset);
        }
    }

    fn drop_other_epochs(&mut self) {
        if let Some(epoch) = self
            .position
            .as_ref()
            .and_then(|position| position.epoch.clone())
        {
            self.held.retain(|(of, _), _| *of == epoch);
        }
    }

    fn move_to(&mut self, position: Position) {
        if !self.has_epoch_of(&position) {
            self.top = 0;
            self.adopted_at = 0;
        }
        self.below = None;
        self.position = Some(position);
    }

    /// Returns the offset of the position, if it is comparable with offsets of that epoch. The start is
    /// comparable with every epoch.
    fn offset_in(&self, epoch: &Epoch) -> Option<u64> {
        let position = self.position.as_ref()?;
        let comparable = position.epoch.as_ref().is_none_or(|own| own == epoch);
        comparable.then_some(position.offset)
    }

    pub(super) fn has_epoch_of(&self, other: &Position) -> bool {
        let own = self.position.as_ref();
        own.is_some_and(|own| own.epoch.is_none() || own.epoch == other.epoch)
    }

    /// Returns true if another position is comparable, and beyond the own one.
    fn is_ahead(&self, other: &Position) -> bool {
        let own = self.position.as_ref();
        self.has_epoch_of(other) && own.is_some_and(|own| other.offset > own.offset)
    }

    /// Returns true if every message up to another position was delivered.
    fn has(&self, other: &Position) -> bool {
        let own = self.position.as_ref();
        own.is_some_and(|own| own.epoch == other.epoch && own.offset >= other.offset)
    }
}
