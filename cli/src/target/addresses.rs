//! The addresses of one Herald.

use clap::Args;

use crate::failure::Failure;

/// Addresses, from flags, from a herald-local or from the outputs of a stack.
///
/// A flag replaces the address of `--endpoint` or `--stack`. If flags are given without either, nothing is looked up.
/// The methods fail with [`Failure::Usage`] if an address is unknown, and name its flag.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Single addresses, which replace those of the target")]
pub(crate) struct Addresses {
    /// WebSocket address for clients
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(super) web_socket: Option<String>,

    /// Table of connections and subscriptions
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(super) table: Option<String>,

    /// Event bus
    #[arg(long, global = true, hide_short_help = true, value_name = "NAME")]
    pub(super) bus: Option<String>,

    /// Notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(super) queue: Option<String>,

    /// Dead-letter queue of the notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(super) dead_letter_queue: Option<String>,

    /// Dead-letter queue of events that did not reach the notification queue
    #[arg(long, global = true, hide_short_help = true, value_name = "URL")]
    pub(super) events_dead_letter_queue: Option<String>,
}

impl Addresses {
    /// Fills the missing addresses with those of `defaults`.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            web_socket: self.web_socket.or(defaults.web_socket),
            table: self.table.or(defaults.table),
            bus: self.bus.or(defaults.bus),
            queue: self.queue.or(defaults.queue),
            dead_letter_queue: self.dead_letter_queue.or(defaults.dead_letter_queue),
            events_dead_letter_queue: self
                .events_dead_letter_queue
                .or(defaults.events_dead_letter_queue),
        }
    }

    /// Returns the WebSocket address for clients.
    pub(crate) fn web_socket(&self) -> Result<&str, Failure> {
        known(&self.web_socket, "the WebSocket address", "--web-socket")
    }

    /// Returns the address of `@connections`: the same host and stage as the WebSocket's.
    ///
    /// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>
    pub(crate) fn management(&self) -> Result<String, Failure> {
        let web_socket = self.web_socket()?;
        // `wss` becomes `https`, and `ws` `http`.
        let rest = web_socket.strip_prefix("ws").ok_or_else(|| {
            Failure::usage(format!(
                "--web-socket must begin with ws:// or wss://, got `{web_socket}`"
            ))
        })?;
        Ok(format!("http{rest}"))
    }

    /// Returns the name of the table of connections and subscriptions.
    pub(crate) fn table(&self) -> Result<&str, Failure> {
        known(&self.table, "the table", "--table")
    }

    /// Returns the name of the event bus.
    pub(crate) fn bus(&self) -> Result<&str, Failure> {
        known(&self.bus, "the event bus", "--bus")
    }

    /// Returns the URL of the notification queue.
    pub(crate) fn queue(&self) -> Result<&str, Failure> {
        known(&self.queue, "the notification queue", "--queue")
    }

    /// Returns the URL of the dead-letter queue of the notification queue.
    pub(crate) fn dead_letter_queue(&self) -> Result<&str, Failure> {
        known(
            &self.dead_letter_queue,
            "the dead-letter queue",
            "--dead-letter-queue",
        )
    }

    /// Returns the URL of the dead-letter queue of events that did not reach the notification queue.
    pub(crate) fn events_dead_letter_queue(&self) -> Result<&str, Failure> {
        known(
            &self.events_dead_letter_queue,
            "the dead-letter queue of events",
            "--events-dead-letter-queue",
        )
    }
}

fn known<'a>(address: &'a Option<String>, name: &str, flag: &str) -> Result<&'a str, Failure> {
    address.as_deref().ok_or_else(|| {
        Failure::usage(format!(
            "{name} is unknown: pass {flag}, or name the whole target with --stack or --endpoint"
        ))
    })
}
