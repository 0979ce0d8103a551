//! The Rust client of Herald: one connection for a whole application, kept alive, with its
//! subscriptions and its outbox.
//!
//! ```no_run
//! use herald_client::{Client, EntityId, Message, Options};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # async fn fetch_token() -> Result<String, std::io::Error> { Ok(String::new()) }
//! let options = Options::new().token(fetch_token);
//! let client = Client::connect("wss://example.execute-api.eu-central-1.amazonaws.com/prod", options).await?;
//!
//! let mut order = client.subscribe(EntityId::new("order-1")?).await?;
//! client.send(Message::to_entity(EntityId::new("room-1")?, "Hello")).await?;
//! println!("{:?}", order.recv().await?.message::<serde_json::Value>()?);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Client`] is a handle, cheap to clone; all clones share the connection. The client reconnects by
//! itself, with a new token each time, establishes its [`Subscription`]s again, sends the messages in its
//! outbox, and renews the connection before the gateway ends it. `docs/clients.md` of the repository has
//! every rule and every number; [`Options`] changes the numbers. The folder `examples` has a chat, a
//! dashboard, a publisher and a roster.
//!
//! [`SubscribeOptions::presence`] asks for the users at an entity: [`Subscription::presence`] is their set, and
//! [`Subscription::presence_changes`] tells who joins and leaves.
//!
//! The client needs a tokio runtime, and knows nothing of AWS but the gateway's own error frames.

mod client;
mod driver;
mod error;
mod excerpt;
mod machine;
mod mailbox;
mod message;
mod options;
mod presence;
mod push;
mod reply;
mod state;
mod state_subscription;
mod subscribe_options;
mod subscription;
mod token;

pub use client::{Client, PendingReply};
pub use error::{
    AttemptError, Cause, ConnectError, GatewayError, GatewayErrorKind, RequestError, ServerError,
    SubscriptionError,
};
pub use excerpt::Excerpt;
pub use herald_shared::{
    ids::{EntityId, InvalidId},
    log::{Epoch, Position},
    protocol::{ErrorCode, LogName},
};
pub use message::{Batch, BatchIsFull, Content, Contents, Envelope, Message, Outgoing};
pub use options::{Options, WhenFull};
pub use presence::{Member, Presence, PresenceChange, PresenceChanges};
pub use push::Push;
pub use reply::Reply;
pub use rustls;
pub use state::{ConnectionState, StopReason};
pub use state_subscription::{Snapshot, StateError, StateSubscription, Update};
pub use subscribe_options::{History, SubscribeOptions};
pub use subscription::{Next, Pushes, Subscription};
pub use token::Token;
