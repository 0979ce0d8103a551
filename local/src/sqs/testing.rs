//! Queues for tests.

use std::time::Duration;

use crate::template::{Queue, Redrive};

/// Returns a queue called `work` with a visibility timeout of 30 s and no dead-letter queue.
pub(super) fn queue() -> Queue {
    named("work")
}

/// Returns the same queue with the dead-letter queue [`dead_letter_queue`].
pub(super) fn queue_with_dead_letters(max_receive_count: u32) -> Queue {
    Queue {
        redrive: Some(Redrive {
            dead_letter_queue: dead_letter_queue().arn,
            max_receive_count,
        }),
        ..queue()
    }
}

/// Returns a queue called `dead`.
pub(super) fn dead_letter_queue() -> Queue {
    named("dead")
}

fn named(name: &str) -> Queue {
    Queue {
        logical_id: format!("{name}-logical-id"),
        name: name.to_owned(),
        arn: format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
        url: format!("http://127.0.0.1/000000000000/{name}"),
        visibility_timeout: Duration::from_secs(30),
        delay: Duration::ZERO,
        retention: Duration::from_secs(345_600),
        receive_wait: Duration::ZERO,
        maximum_message_size: 1 << 20,
        redrive: None,
    }
}
