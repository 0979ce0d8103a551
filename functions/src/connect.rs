//! `$connect`: stores the new connection.

use aws_lambda_events::{
    apigw::ApiGatewayWebsocketProxyRequest,
    http::{HeaderMap, header::SEC_WEBSOCKET_PROTOCOL},
};
use herald_shared::{
    protocol::SUBPROTOCOLS,
    store::{Connection, ConnectionStore, Forget, ReadAudience},
};
use lambda_runtime::Error;

use crate::{
    answer::RouteAnswer,
    caller::Caller,
    connection_limit::{ConnectionLimit, FindClosed},
    message::{connection_id, from_epoch_millis},
};

/// Stores the connection and accepts the upgrade. The answer has a subprotocol if the client requested
/// one of Herald's: the gateway chooses none by itself, and a browser that requested one and gets none
/// fails.
///
/// A user at the limit is refused with 429. Connections that are opened at the same moment may exceed
/// the limit together, because none of them is stored yet when the others are counted.
///
/// # Errors
///
/// Returns an error if the connection cannot be stored; the gateway then refuses the upgrade.
pub async fn handle<S: ConnectionStore + ReadAudience + Forget>(
    event: ApiGatewayWebsocketProxyRequest,
    store: &S,
    limit: &ConnectionLimit<'_, S, impl FindClosed>,
) -> Result<RouteAnswer, Error> {
    let connection = connection(&event)?;
    if let Some(user) = &connection.user
        && !limit.has_room(user, connection.connected_at).await?
    {
        tracing::info!(%user, "refused a connection: the user is at the limit of connections");
        return Ok(RouteAnswer::status(429));
    }
    store.connect(&connection).await?;
    let connected = RouteAnswer::status(200);
    Ok(match subprotocol(&event.headers) {
        Some(subprotocol) => connected.with_subprotocol(subprotocol),
        None => connected,
    })
}

fn connection(event: &ApiGatewayWebsocketProxyRequest) -> Result<Connection, Error> {
    let context = &event.request_context;
    let caller = Caller::from_context(&context.authorizer.fields)?;
    Ok(Connection {
        id: connection_id(context)?,
        connected_at: from_epoch_millis(context.connected_at),
        ip_address: context.identity.source_ip.clone(),
        user_agent: context.identity.user_agent.clone(),
        user: caller.user,
        token_expires_at: caller.token_expires_at,
    })
}

/// Returns the first of Herald's subprotocols that the client offers. `None` if it offers none of them.
/// Clients offer a list, separated by commas or over several headers.
///
/// Source: RFC 6455, section 11.3.4.
fn subprotocol(headers: &HeaderMap) -> Option<&'static str> {
    headers
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|offered| offered.split(','))
        .find_map(|offered| {
            SUBPROTOCOLS
                .into_iter()
                .find(|&ours| ours == offered.trim())
        })
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::http::HeaderValue;

    use super::*;

    #[test]
    fn first_known_subprotocol_is_chosen() {
        for (offered, chosen) in [
            (&["herald.v1"][..], Some("herald.v1")),
            (&["websocket, a.b.c"], Some("websocket")),
            (&["graphql-ws,herald.v1"], Some("herald.v1")),
            (&["graphql-ws", "websocket"], Some("websocket")),
            (&["Herald.V1"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in offered {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            assert_eq!(subprotocol(&headers), chosen, "{offered:?}");
        }
    }
}
