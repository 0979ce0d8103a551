//! `$disconnect`: forgets who is gone. Best effort on the gateway's side, so that delivery prunes as
//! well and rows carry a time to live.

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::store::Forget;
use lambda_runtime::Error;

use crate::message::connection_id;

/// Removes every row of the connection; doing so twice is the same as once.
///
/// Errs when the rows cannot be removed: nobody hears it, but the function's error metric shows it.
pub async fn handle(
    event: ApiGatewayWebsocketProxyRequest,
    store: &impl Forget,
) -> Result<(), Error> {
    let connection = connection_id(&event.request_context)?;
    store.forget(&connection).await?;
    Ok(())
}
