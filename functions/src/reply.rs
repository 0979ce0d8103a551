//! The one place where the reply to a client's message is decided: the frame a handler answers with,
//! or the error frame for what it refused.
//!
//! The reply travels back as the route response: the body of what the function returns.

use std::error::Error;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::{
    protocol::{ErrorCode, Refusal, Request, RequestId, ServerFrame},
    queue::EnqueueError,
    store::StoreError,
};

use tokio::time::{Instant, timeout_at};

use crate::{answer::RouteAnswer, message::Message};

/// Answers one message event, of at most `limit` bytes, with `handle`. A handler that has not ended by
/// `answer_by` is given up, and its client gets an error frame of Herald's rather than the gateway's.
///
/// # Errors
///
/// Returns an error only for an event that did not come from the gateway; everything a client can cause
/// becomes a frame.
pub async fn answer<H>(
    event: ApiGatewayWebsocketProxyRequest,
    limit: usize,
    answer_by: Instant,
    handle: &H,
) -> Result<RouteAnswer, lambda_runtime::Error>
where
    H: for<'a> AsyncFn(&'a Message, &'a Request<'a>) -> Result<ServerFrame<'a>, Refusal>,
{
    let message = Message::read(event, answer_by)?;
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
    let handled = timeout_at(answer_by, handle(&message, &request)).await;
    Ok(match handled.unwrap_or_else(|_| Err(too_slow())) {
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

/// The refusal of what was not done in time.
fn too_slow() -> Refusal {
    tracing::error!("a request was not done in time");
    failure()
}

fn failed(error: &(dyn Error + 'static), throttled: bool) -> Refusal {
    tracing::error!(error, throttled, "a request failed");
    if throttled {
        Refusal::new(
            ErrorCode::Throttled,
            "too many requests at once: send it again in a moment",
        )
    } else {
        failure()
    }
}

fn failure() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "Herald failed to do this: send it again in a moment",
    )
}

fn refused(refusal: Refusal, action: Option<String>, id: Option<RequestId>) -> RouteAnswer {
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
        event_ids: refusal.event_ids,
    };
    response(code.status(), &frame)
}

fn response(status: u16, frame: &ServerFrame<'_>) -> RouteAnswer {
    RouteAnswer::status(status).with_body(frame.to_json())
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use serde_json::{Value, json};

    use super::*;

    async fn endless<'a>(_: &'a Message, _: &'a Request<'a>) -> Result<ServerFrame<'a>, Refusal> {
        pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_does_not_end_in_time_is_answered_for() {
        let event = include_str!("../../events/sendMessage.json");
        let event = serde_json::from_str(event).expect("an event");
        let answer_by = Instant::now() + Duration::from_secs(9);
        let answer = answer(event, usize::MAX, answer_by, &endless).await;
        let answer = serde_json::to_value(answer.expect("an answer")).expect("JSON");
        assert_eq!(answer["statusCode"], 500);
        let frame: Value = answer["body"]
            .as_str()
            .and_then(|body| serde_json::from_str(body).ok())
            .expect("a frame");
        assert_eq!(
            frame,
            json!({
                "type": "error", "action": "sendMessage", "id": "9", "code": "internal",
                "message": "Herald failed to do this: send it again in a moment",
                "retryable": true,
            })
        );
    }
}
