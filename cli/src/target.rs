//! Where everything is: the addresses of the Herald that a command is for, and how it is let in there.

mod aws;
mod connection;
mod http;
mod local;
mod source;
mod stack;
mod tokens;

use std::env;

pub(crate) use aws::failure as aws_failure;
pub(crate) use connection::{Identity, not_connected, not_done, options, stopped};
pub(crate) use http::Http;
pub(crate) use tokens::{MintedToken, TokenRequest, TokenSource, mint};

use crate::{
    arguments::{Addresses, Globals},
    failure::Failure,
};
use source::Source;

/// The Herald that a command is for. What is not known of it errs when it is asked for, and says by
/// which argument it can be given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where a herald-local has all AWS services; none: they are AWS's own.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: Option<String>,
    profile: Option<String>,
    addresses: Addresses,
    /// Where a herald-local mints tokens.
    pub(crate) tokens: Option<String>,
    /// What tokens of a deployed stack have to be; none: unknown.
    pub(crate) accepted_tokens: Option<AcceptedTokens>,
}

/// The tokens that a deployed stack accepts, if they are signed with a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AcceptedTokens {
    /// The ARN of the secret.
    pub(crate) secret: String,
    /// Their claim `iss`, if they need one.
    pub(crate) issuer: Option<String>,
    /// Their claim `aud`, if they need one.
    pub(crate) audience: Option<String>,
}

impl Target {
    /// Finds out where everything is, as the arguments and the environment say.
    ///
    /// Errs if they contradict each other, or if whoever knows the addresses cannot be asked.
    pub(crate) async fn find(globals: &Globals) -> Result<Self, Failure> {
        let source = Source::choose(globals, |name| env::var(name).ok())?;
        let mut target = match source {
            Source::Local(endpoint) => local::find(&endpoint).await?,
            Source::Stack(name) => stack::find(&name, globals).await?,
            Source::Arguments => Self::default(),
        };
        target.region = globals.region.clone().or(target.region);
        target.profile = globals.profile.clone();
        target.addresses = globals.addresses.clone().or(target.addresses);
        Ok(target)
    }

    /// Where clients connect.
    pub(crate) fn web_socket(&self) -> Result<&str, Failure> {
        known(
            &self.addresses.web_socket,
            "where clients connect",
            "--web-socket",
        )
    }

    /// Where `@connections` is: the same host and stage as the WebSocket's.
    ///
    /// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>
    pub(crate) fn management(&self) -> Result<String, Failure> {
        let web_socket = self.web_socket()?;
        // `wss` becomes `https`, and `ws` `http`.
        let rest = web_socket.strip_prefix("ws").ok_or_else(|| {
            Failure::usage(format!(
                "--web-socket {web_socket} begins neither with ws:// nor with wss://"
            ))
        })?;
        Ok(format!("http{rest}"))
    }

    /// The table of connections and subscriptions.
    pub(crate) fn table(&self) -> Result<&str, Failure> {
        known(&self.addresses.table, "the table", "--table")
    }

    /// The event bus.
    pub(crate) fn bus(&self) -> Result<&str, Failure> {
        known(&self.addresses.bus, "the event bus", "--bus")
    }

    /// The notification queue.
    pub(crate) fn queue(&self) -> Result<&str, Failure> {
        known(&self.addresses.queue, "the notification queue", "--queue")
    }

    /// The dead-letter queue of the notification queue.
    pub(crate) fn dead_letter_queue(&self) -> Result<&str, Failure> {
        known(
            &self.addresses.dead_letter_queue,
            "the dead-letter queue",
            "--dead-letter-queue",
        )
    }

    /// The dead-letter queue of the events that did not reach the notification queue.
    pub(crate) fn events_dead_letter_queue(&self) -> Result<&str, Failure> {
        known(
            &self.addresses.events_dead_letter_queue,
            "the dead-letter queue of events",
            "--events-dead-letter-queue",
        )
    }
}

impl Addresses {
    /// These, and where one is not given that of `others`.
    fn or(self, others: Self) -> Self {
        Self {
            web_socket: self.web_socket.or(others.web_socket),
            table: self.table.or(others.table),
            bus: self.bus.or(others.bus),
            queue: self.queue.or(others.queue),
            dead_letter_queue: self.dead_letter_queue.or(others.dead_letter_queue),
            events_dead_letter_queue: self
                .events_dead_letter_queue
                .or(others.events_dead_letter_queue),
        }
    }
}

fn known<'a>(address: &'a Option<String>, what: &str, argument: &str) -> Result<&'a str, Failure> {
    address.as_deref().ok_or_else(|| {
        Failure::usage(format!(
            "it is not known {what}: give {argument}, or name all addresses at once with --stack or \
             --endpoint"
        ))
    })
}
