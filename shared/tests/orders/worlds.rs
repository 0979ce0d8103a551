//! The worlds: the functions that work on the connection at the same time, and the faults that may
//! occur.

/// One world.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) subscribes: usize,
    pub(crate) unsubscribes: bool,
    pub(crate) renews: bool,
    pub(crate) closes: bool,
    pub(crate) loses_disconnect: bool,
    /// A notifier for each audience of the connection, which runs once.
    pub(crate) notifiers: bool,
    /// The number of subscriptions that the connection has from the start.
    pub(crate) others: usize,
    pub(crate) limit: u32,
    /// The maximum number of functions that stop between two requests.
    pub(crate) crashes: usize,
    /// The maximum number of lost answers, after which the request is sent again.
    pub(crate) lost_answers: usize,
    /// Whether the first try of the connect's write arrives late, after the second.
    pub(crate) late_connect: bool,
    /// The maximum number of writes of a listener row that time out, are sent again, and are applied
    /// late.
    pub(crate) late_writes: usize,
}

/// Returns a world with an open connection and no function.
pub(crate) fn world() -> World {
    World {
        limit: 10,
        ..World::default()
    }
}

impl World {
    pub(crate) fn subscribes(self, subscribes: usize) -> Self {
        Self { subscribes, ..self }
    }

    pub(crate) fn unsubscribes(self) -> Self {
        Self {
            unsubscribes: true,
            ..self
        }
    }

    pub(crate) fn renews(self) -> Self {
        Self {
            renews: true,
            ..self
        }
    }

    pub(crate) fn closes(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    pub(crate) fn loses_disconnect(self) -> Self {
        Self {
            loses_disconnect: true,
            ..self
        }
    }

    pub(crate) fn late_connect(self) -> Self {
        Self {
            late_connect: true,
            ..self
        }
    }

    pub(crate) fn notifiers(self) -> Self {
        Self {
            notifiers: true,
            ..self
        }
    }

    pub(crate) fn others(self, others: usize) -> Self {
        Self { others, ..self }
    }

    pub(crate) fn limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    pub(crate) fn crashes(self, crashes: usize) -> Self {
        Self { crashes, ..self }
    }

    pub(crate) fn lost_answers(self, lost_answers: usize) -> Self {
        Self {
            lost_answers,
            ..self
        }
    }

    pub(crate) fn late_writes(self, late_writes: usize) -> Self {
        Self {
            late_writes,
            ..self
        }
    }
}

/// Passes all worlds, each with its name, to a macro.
macro_rules! for_each_world {
    ($macro:ident) => {
        $macro! {
            subscribes_beside_a_disconnect_with_a_crash: world().subscribes(2).closes().crashes(1);
            lost_disconnect_is_pruned_by_pushes:
                world().subscribes(1).closes().loses_disconnect().notifiers().crashes(1);
            subscribes_beside_a_disconnect_with_a_lost_answer:
                world().subscribes(2).closes().lost_answers(1);
            subscribes_at_the_limit: world().subscribes(2).others(1).limit(2).lost_answers(1);
            subscribes_over_the_limit:
                world().subscribes(2).others(2).limit(2).unsubscribes().crashes(1);
            unsubscribe_at_the_limit_makes_room:
                world().subscribes(2).others(1).limit(2).unsubscribes();
            subscribes_beside_an_unsubscribe_with_a_late_write:
                world().subscribes(2).unsubscribes().late_writes(1);
            subscribes_beside_an_unsubscribe_with_a_crash_and_a_lost_answer:
                world().subscribes(2).unsubscribes().crashes(1).lost_answers(1);
            unsubscribe_beside_a_disconnect:
                world().subscribes(1).unsubscribes().closes().crashes(1);
            unsubscribe_with_lost_answer_beside_a_disconnect:
                world().subscribes(1).unsubscribes().closes().lost_answers(1);
            push_beside_a_disconnect: world().subscribes(1).closes().notifiers().crashes(1);
            late_connect: world().subscribes(1).unsubscribes().late_connect();
            late_connect_beside_a_disconnect:
                world().subscribes(1).closes().late_connect();
            renewal_beside_a_subscribe_and_a_disconnect: world().subscribes(1).renews().closes();
        }
    };
}

pub(crate) use for_each_world;
