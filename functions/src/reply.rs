//! The one place where the reply to a client's message is decided: the frame a handler answers with,
//! or the error frame for what it refused.
//!
//! The reply travels back as the route response: the body of what the function returns.

use std::error::Error;

use aws_lambda_events::{
    apigw::{ApiGatewayProxyResponse, ApiGatewayWebsocketProxyRequest},
    encodings::Body,
};
use herald_shared::{
    protocol::{ErrorCode, Refusal, Request, RequestId, ServerFrame},
    queue::EnqueueError,
    store::StoreError,
};

use crate::message::Message;

/// Answers one message event, of at most `limit` bytes, with `handle`.
///
/// Errs only on an event that did not come from the gateway; everything a client can cause becomes a
/// frame.
pub async fn answer<H>(
    event: ApiGatewayWebsocketProxyRequest,
    limit: usize,
    handle: &H,
) -> Result<ApiGatewayProxyResponse, lambda_runtime::Error>
where
    H: for<'a> AsyncFn(&'a Message, &'a Request<'a>) -> Result<ServerFrame<'a>, Refusal>,
{
    let message = Message::try_from(event)?;
    let request = match Request::parse(&message.body) {
        Ok(request) => request,
        Err(refusal) => return Ok(refused(refusal, None, None)),
    };
    if message.body.len() > limit {
        let refusal = too_large(message.body.len(), limit);
        return Ok(refused(
            refusal,
            request.action(),
            request.id().ok().flatten(),
        ));
    }
    Ok(match handle(&message, &request).await {
        Ok(frame) => response(200, &frame),
        Err(refusal) => refused(refusal, request.action(), request.id().ok().flatten()),
    })
}

/// The refusal of a message, or of a push, of so many bytes.
pub fn too_large(length: usize, limit: usize) -> Refusal {
    Refusal::new(
        ErrorCode::TooLarge,
        format!("the message is {length} bytes, the most is {limit}: send less"),
    )
}

/// The refusal of a connection that was forgotten.
pub fn not_known() -> Refusal {
    Refusal::new(
        ErrorCode::UnknownConnection,
        "this connection is not known any more: connect again",
    )
}

/// The refusal of what the connection's permissions do not allow, e.g. `subscribe to order-1`.
pub fn forbidden(what: &str) -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        format!("you may not {what}: no permission of your token allows it"),
    )
}

/// What a client is told when the store failed; the log has the cause.
pub fn store_failed(error: &StoreError) -> Refusal {
    failed(error, matches!(error, StoreError::Throttled(_)))
}

/// What a client is told when the queue failed; the log has the cause.
pub fn enqueue_failed(error: &EnqueueError) -> Refusal {
    failed(error, matches!(error, EnqueueError::Throttled(_)))
}

fn failed(error: &(dyn Error + 'static), throttled: bool) -> Refusal {
    tracing::error!(error, throttled, "a request failed");
    if throttled {
        Refusal::new(
            ErrorCode::Throttled,
            "too many requests at once: send it again in a moment",
        )
    } else {
        Refusal::new(
            ErrorCode::Internal,
            "Herald failed to do this: send it again in a moment",
        )
    }
}

fn refused(
    refusal: Refusal,
    action: Option<String>,
    id: Option<RequestId>,
) -> ApiGatewayProxyResponse {
    let code = refusal.code;
    tracing::info!(
        ?code,
        action,
        reason = refusal.message,
        "a message was refused"
    );
    let frame = ServerFrame::Error {
        action,
        id,
        code,
        message: refusal.message,
        retryable: code.retryable(),
    };
    response(code.status(), &frame)
}

fn response(status: u16, frame: &ServerFrame<'_>) -> ApiGatewayProxyResponse {
    let mut response = ApiGatewayProxyResponse::default();
    response.status_code = status.into();
    response.body = Some(Body::Text(frame.to_json()));
    response
}
