//! The answers of logs: their messages, what is lost, and whether the client reads on.

use std::time::Duration;

use super::{
    Machine,
    link::Question,
    log_answer::LogAnswer,
    signals::{Moment, SocketId},
};

impl Machine {
    /// Handles the answer of a log, once it is known which of its messages are the application's own. `delay` is
    /// that of the next question if messages are still missing.
    pub(super) fn log_answered(
        &mut self,
        now: Moment,
        socket: SocketId,
        question: Question,
        source: Source,
        answer: LogAnswer,
        delay: Duration,
    ) {
        let held = HeldAnswer {
            after: self.requests,
            socket,
            question,
            source,
            answer,
            delay,
        };
        if held.may_have_own() && self.has_unanswered_send(held.after) {
            self.held_answers.push(held);
        } else {
            self.apply_answer(now, held);
        }
    }

    /// Applies the held answers whose replies have arrived.
    pub(super) fn apply_released(&mut self, now: Moment) {
        let held = std::mem::take(&mut self.held_answers);
        let waits = |held: &HeldAnswer| self.has_unanswered_send(held.after);
        let (waiting, released): (Vec<_>, _) = held.into_iter().partition(waits);
        self.held_answers = waiting;
        self.apply_answers(now, released);
    }

    pub(super) fn apply_answers(&mut self, now: Moment, answers: Vec<HeldAnswer>) {
        for answer in answers {
            if self.is_of_present_session(&answer.question) {
                self.apply_answer(now, answer);
            }
        }
    }

    fn apply_answer(&mut self, now: Moment, held: HeldAnswer) {
        let HeldAnswer {
            socket,
            question: Question {
                audience, since, ..
            },
            source,
            answer,
            delay,
            ..
        } = held;
        let polls = self.is_polling();
        let Some(cursor) = self.cursors.get_mut(&audience) else {
            return;
        };
        let (more, end) = (answer.more, answer.position.clone());
        let mut outputs = cursor.answered(answer, since.as_ref());
        let is_comparable = end.is_some_and(|end| cursor.has_epoch_of(&end));
        let mut reads_on = more && is_comparable && cursor.is_missing();
        let made_progress = cursor.position() != since.as_ref();
        let has_no_history = polls || cursor.history_is_refused;
        if reads_on && !made_progress && !source.may_lack_room(has_no_history) {
            outputs.extend(cursor.give_up());
            reads_on = false;
        }
        self.await_gap(now, &audience, Some(delay));
        self.hand_out(now, &audience, outputs);
        if reads_on {
            self.read_on(now, socket, audience);
        }
    }
}

/// The request that the answer of a log belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// A `history`. Its reply has room for one message at least.
    History,
    /// A request about this audience alone.
    Alone,
    /// A request about several audiences, which share the room for messages.
    Shared,
}

impl Source {
    /// Returns the source of a `subscribe` or a `sync` about so many audiences.
    pub(super) fn of(audiences: usize) -> Self {
        match audiences {
            1 => Self::Alone,
            _ => Self::Shared,
        }
    }

    /// Returns true if another request may get a message where a full reply had none.
    fn may_lack_room(self, has_no_history: bool) -> bool {
        match self {
            Self::History => false,
            Self::Alone => !has_no_history,
            Self::Shared => true,
        }
    }
}

/// The answer of a log with messages that may be the application's own. It is held until the replies to the
/// requests that were in flight when it arrived show if they are.
#[derive(Debug)]
pub(super) struct HeldAnswer {
    socket: SocketId,
    pub(super) question: Question,
    source: Source,
    answer: LogAnswer,
    delay: Duration,
    /// The last request that was sent before it arrived.
    after: u64,
}

impl HeldAnswer {
    fn may_have_own(&self) -> bool {
        let mut messages = self.answer.messages.iter();
        messages.any(|push| push.kind() == "message")
    }
}
