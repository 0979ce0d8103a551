//! The dispatch of a client's message to the function of its route, and the reply.

use std::{sync::Arc, time::Instant};

use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument;

use super::{
    Gateway, connections::Connection, frames::GatewayError, integration::IntegrationResult,
    proxy_result::ProxyResult,
};
use crate::{activity::RecordKind, template::Route};

/// The route of messages that match no other route.
const DEFAULT: &str = "$default";

impl Gateway {
    /// Dispatches a message in a task of its own: messages of one connection run concurrently, and
    /// their replies may arrive in another order. `room` is held until the message is done.
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
            let _work = gateway.work.begin();
            let received_at = Instant::now();
            let route = gateway.select(&text);
            let span = tracing::info_span!(
                "message",
                connection_id = connection.info.connection_id,
                route = route.map(|route| route.key.as_str()),
            );
            let reply = gateway
                .reply(route, &connection, &text)
                .instrument(span)
                .await;
            gateway.activity.record(RecordKind::request(
                &connection.info.connection_id,
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

    /// Returns the reply to the client: the body of a two-way route's result, whatever its status,
    /// or the gateway's error.
    async fn reply(
        &self,
        route: Option<&Route>,
        connection: &Connection,
        text: &str,
    ) -> Option<String> {
        let route_key = route.map_or(DEFAULT, |route| route.key.as_str());
        let event = self.message_event(&connection.info, route_key, text);
        let error = match route {
            None => GatewayError::Forbidden,
            Some(_) if !self.admits() => GatewayError::TooManyRequests,
            Some(route) => match self.integrate(route, &event).await {
                // The result of a one-way route is ignored.
                IntegrationResult::Returned(_) if !route.two_way => return None,
                IntegrationResult::Returned(result) => match ProxyResult::parse(&result) {
                    Ok(result) => return result.body,
                    Err(problem) => {
                        tracing::error!(problem, "the function's result is malformed");
                        GatewayError::Internal
                    }
                },
                IntegrationResult::Failed | IntegrationResult::Refused => GatewayError::Internal,
                IntegrationResult::TimedOut => GatewayError::TimedOut,
            },
        };
        let connection_id = &connection.info.connection_id;
        Some(error.frame(connection_id, event.request_id()))
    }
}
