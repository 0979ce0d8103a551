//! SQS standard queues, and the Lambda event source mapping that feeds functions from them.
//!
//! [`Queues`] holds the queues of a stack, [`call()`] answers the AWS JSON protocol and [`Mapping`]
//! invokes a function with the messages of a queue. The time comes from a [`Clock`] that tests can
//! advance.
//!
//! Left out: FIFO queues, fair queues, encryption, policies and tags, creating and changing queues
//! (they come from the template), the limit of 120,000 messages in flight, the minute that AWS
//! requires between two purges, and paging of lists (everything fits one page).

mod batch;
mod call;
mod clock;
mod errors;
mod handles;
mod mapping;
mod message;
mod move_tasks;
mod queue;
mod queue_operations;
mod queues;
mod receive;
mod send;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod wire_tests;

pub use call::call;
pub use clock::Clock;
pub use mapping::{Mapping, UnknownQueue};
pub use message::{AttributeValue, Content, MessageAttribute, MessageId, SendError};
pub use queue::{Counts, Faults, HandleError, MessageState, MessageView, Received, RemoveError};
pub use queues::{QueueId, Queues, QueuesError};
