//! `$disconnect`: forgets the connection. The gateway calls it on a best-effort basis, so delivery
//! prunes as well and rows have a time to live.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::store::Forget;
use lambda_runtime::Error;

use crate::{answer::RouteAnswer, backend_events::End, message::connection_id};

/// Removes every row of the connection. A repeat has no effect.
///
/// # Errors
///
/// Returns an error if the rows cannot be removed. The gateway ignores it; the function's error metric
/// counts it.
pub async fn handle(
    event: ApiGatewayWebsocketProxyRequest,
    store: &impl Forget,
) -> Result<RouteAnswer, Error> {
    let connection = connection_id(&event.request_context)?;
    store.forget(&connection).await?;
    Ok(RouteAnswer::status(200))
}

/// Returns the reason for the end of the connection.
pub fn end(event: &ApiGatewayWebsocketProxyRequest) -> End {
    let context = &event.request_context;
    End::Disconnected {
        status_code: context.disconnect_status_code,
        reason: context.disconnect_reason.clone(),
    }
}
