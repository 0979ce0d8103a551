//! One message of a client: to the function its route names, and what goes back.

use std::{sync::Arc, time::Instant};

use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::{
    Gateway, connections::Connection, frames::GatewayError, integration::Integrated,
    proxy_result::ProxyResult,
};
use crate::{activity::RecordKind, template::Route};

/// The route of a message that no other route takes.
const DEFAULT: &str = "$default";

impl Gateway {
    /// Dispatches a message in a task of its own: messages of one connection run side by side, and
    /// their replies may come in another order. `room` is held until the message is done with.
    pub(super) fn dispatch(
        self: &Arc<Self>,
        connection: &Arc<Connection>,
        text: String,
        room: Option<OwnedSemaphorePermit>,
    ) {
        let gateway = self.clone();
        let connection = connection.clone();
        tokio::spawn(async move {
            let _room = room;
            let received_at = Instant::now();
            let route = gateway.select(&text);
            let span = tracing::info_span!(
                "message",
                connection_id = connection.opening.connection_id,
                route = route.map(|route| route.key.as_str()),
            );
            let reply = gateway
                .reply(route, &connection, &text)
                .instrument(span)
                .await;
            gateway.activity.record(RecordKind::request(
                &connection.opening.connection_id,
                route.map_or(DEFAULT, |route| &route.key),
                route.map(|route| route.function.as_str()),
                &text,
                reply.as_deref(),
                received_at.elapsed(),
            ));
            if let Some(reply) = reply {
                connection.send_reply(reply);
            }
        });
    }

    fn select(&self, text: &str) -> Option<&Route> {
        self.route_selection
            .key(text)
            .and_then(|key| self.route(&key))
            .or_else(|| self.route(DEFAULT))
    }

    /// The answer that goes back to the client: the body of a two-way route's function, whatever the status
    /// says, or the gateway's error.
    async fn reply(
        &self,
        route: Option<&Route>,
        connection: &Connection,
        text: &str,
    ) -> Option<String> {
        let route_key = route.map_or(DEFAULT, |route| route.key.as_str());
        let event = self.message_event(&connection.opening, route_key, text);
        let error = match route {
            None => GatewayError::Forbidden,
            Some(_) if !self.admits() => GatewayError::TooManyRequests,
            Some(route) => match self.integrate(route, &event).await {
                // The result of a one-way route is not looked at.
                Integrated::Returned(_) if !route.two_way => return None,
                Integrated::Returned(result) => match ProxyResult::parse(&result) {
                    Ok(result) => return result.body,
                    Err(problem) => {
                        tracing::error!(problem, "the function's result is malformed");
                        GatewayError::Internal
                    }
                },
                Integrated::Failed | Integrated::Refused => GatewayError::Internal,
                Integrated::TimedOut => GatewayError::TimedOut,
            },
        };
        let connection_id = &connection.opening.connection_id;
        Some(error.frame(connection_id, event.request_id()))
    }
}
