//! SQS standard queues, and the Lambda event source mapping that feeds functions from them.
//!
//! [`Queues`] holds the queues of a stack, [`call`] speaks the AWS JSON protocol over them and
//! [`Mapping`] invokes a function with what arrives. Time comes from a [`Clock`] that can be moved.
//!
//! Left out: FIFO queues, fair queues, encryption, policies and tags, creating and changing queues
//! (the template does that), the 120,000 messages limit on what is in flight, the pause of a minute
//! that AWS asks for between two purges, and paging of lists (everything fits one page).

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
