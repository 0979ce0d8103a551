//! The worlds: what happens to one log at the same time, and what may go wrong.

/// One world.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) events: usize,
    pub(crate) subscribers: usize,
    /// True if the subscribers recover from where the log stood before the events.
    pub(crate) recovers: bool,
    /// True if the log has a message already.
    pub(crate) begun: bool,
    /// True if the log has only the last message.
    pub(crate) last: bool,
    /// True if one notifier has all events in one batch.
    pub(crate) batch: bool,
    /// True if all events fall into one slot, so that the head forgets all but the last.
    pub(crate) one_slot: bool,
    /// The most notifiers that stop between two requests; SQS brings their event again.
    pub(crate) crashes: usize,
    /// True if a crash may be an event's last.
    pub(crate) dead_letters: bool,
    /// The most posts that are accepted and never arrive.
    pub(crate) lost_posts: usize,
    /// The most answers that are lost, so that the request is sent again.
    pub(crate) lost_answers: usize,
    /// The most eventually consistent reads that find the head as it was at the start.
    pub(crate) stale_reads: usize,
    /// The most times that a client that knows of a gap asks while something else happens.
    pub(crate) syncs: usize,
    /// True if nothing else happens while a client asks. It keeps a world small in which much happens.
    pub(crate) syncs_at_once: bool,
    /// True if a client asks once more when it knows of no gap: the keep-alive of an idle client.
    pub(crate) idle_sync: bool,
}

/// Returns a world of two events and one new subscriber in which nothing goes wrong.
pub(crate) fn world() -> World {
    World {
        events: 2,
        subscribers: 1,
        ..World::default()
    }
}

/// Returns worlds that are too large to go through every order.
pub(crate) fn large() -> Vec<World> {
    let world = || {
        World {
            events: 3,
            subscribers: 2,
            crashes: 3,
            lost_posts: 2,
            lost_answers: 2,
            stale_reads: 2,
            syncs: 4,
            ..world()
        }
        .dead_letters()
        .idle_sync()
    };
    vec![
        world(),
        world().recovers(),
        world().recovers().begun(),
        world().recovers().one_slot(),
        world().recovers().batch(),
        world().begun().batch(),
        world().recovers().last(),
    ]
}

impl World {
    pub(crate) fn recovers(self) -> Self {
        Self {
            recovers: true,
            ..self
        }
    }

    pub(crate) fn begun(self) -> Self {
        Self {
            begun: true,
            ..self
        }
    }

    pub(crate) fn last(self) -> Self {
        Self { last: true, ..self }
    }

    pub(crate) fn batch(self) -> Self {
        Self {
            batch: true,
            ..self
        }
    }

    pub(crate) fn one_slot(self) -> Self {
        Self {
            one_slot: true,
            ..self
        }
    }

    pub(crate) fn crashes(self, crashes: usize) -> Self {
        Self { crashes, ..self }
    }

    pub(crate) fn dead_letters(self) -> Self {
        Self {
            dead_letters: true,
            ..self
        }
    }

    pub(crate) fn lost_posts(self, lost_posts: usize) -> Self {
        Self { lost_posts, ..self }
    }

    pub(crate) fn lost_answers(self, lost_answers: usize) -> Self {
        Self {
            lost_answers,
            ..self
        }
    }

    pub(crate) fn stale_reads(self, stale_reads: usize) -> Self {
        Self {
            stale_reads,
            ..self
        }
    }

    pub(crate) fn syncs(self, syncs: usize) -> Self {
        Self { syncs, ..self }
    }

    pub(crate) fn syncs_at_once(self, syncs: usize) -> Self {
        Self {
            syncs,
            syncs_at_once: true,
            ..self
        }
    }

    pub(crate) fn idle_sync(self) -> Self {
        Self {
            idle_sync: true,
            ..self
        }
    }
}

/// Hands all worlds, each with its name, to a macro.
macro_rules! for_each_world {
    ($macro:ident) => {
        $macro! {
            new_subscriber: world();
            new_subscriber_of_a_log_with_messages: world().begun();
            new_subscriber_with_a_crash: world().crashes(1).syncs_at_once(1);
            new_subscriber_with_a_lost_post: world().lost_posts(1).syncs(1).idle_sync();
            new_subscriber_with_a_dead_letter:
                world().crashes(1).dead_letters().syncs_at_once(1).idle_sync();
            recovering_subscriber: world().recovers().syncs(1);
            recovering_subscriber_of_a_log_with_messages: world().recovers().begun().syncs(1);
            recovering_subscriber_with_a_crash: world().recovers().crashes(1).syncs_at_once(1);
            recovering_subscriber_with_a_lost_post:
                world().recovers().lost_posts(1).syncs(1).idle_sync();
            recovering_subscriber_with_a_dead_letter:
                world().recovers().crashes(1).dead_letters().syncs_at_once(1).idle_sync();
            recovering_subscriber_with_a_stale_read:
                world().recovers().begun().syncs(1).stale_reads(1);
            recovering_subscriber_with_lost_answers: world().recovers().lost_answers(1);
            last_message_with_a_crash:
                world().last().recovers().crashes(1).syncs_at_once(1);
            last_message_with_a_lost_post:
                world().last().recovers().lost_posts(1).syncs(1).idle_sync();
            head_that_forgets_events:
                world().recovers().one_slot().crashes(1).dead_letters().syncs_at_once(1).idle_sync();
        }
    };
}

pub(crate) use for_each_world;
