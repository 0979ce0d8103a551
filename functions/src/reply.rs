//! The reply to a client's message: the frame of its handler, or the error frame of a refusal. No other
//! module decides it.
//!
//! The reply travels back as the route response: the body of the function's result.

use std::error::Error;

use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::{
    log::LogError,
    protocol::{ErrorCode, Refusal, Request, RequestId, ServerFrame},
    queue::EnqueueError,
    store::StoreError,
};

use tokio::time::{Instant, timeout_at};

use crate::{answer::RouteAnswer, message::Message};

/// Answers one message event of at most `limit` bytes with `handle`. A handler that has not ended before
/// `answer_by` is cancelled, and the client gets Herald's error frame instead of the gateway's.
///
/// # Errors
///
/// Returns an error only for an event that is not from the gateway. Every failure that a client can
/// cause becomes a frame.
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

/// Returns the refusal of a message, or of its push, because of its size.
pub fn too_large(length: usize, limit: usize) -> Refusal {
    Refusal::new(
        ErrorCode::TooLarge,
        format!("the message is {length} bytes long, the limit is {limit}: send a shorter message"),
    )
}

/// Returns the refusal of a connection that was forgotten.
pub fn unknown_connection() -> Refusal {
    Refusal::new(
        ErrorCode::UnknownConnection,
        "the connection is no longer stored: connect again",
    )
}

/// Returns the refusal of an action that the connection's permissions do not allow, e.g. `subscribe to
/// order-1`.
pub fn forbidden(action: &str) -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        format!("you may not {action}: no permission of your token allows it"),
    )
}

/// Returns the refusal of an action on the log of the connection's user if the connection has none.
pub fn anonymous() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "the connection has no user: connect with the token of a user",
    )
}

/// Logs the log's failure and returns the refusal for the client.
pub fn log_failure(error: &LogError) -> Refusal {
    failed(error, matches!(error, LogError::Throttled(_)))
}

/// Logs the store's failure and returns the refusal for the client.
pub fn store_failure(error: &StoreError) -> Refusal {
    failed(error, matches!(error, StoreError::Throttled(_)))
}

/// Logs the queue's failure and returns the refusal for the client.
pub fn enqueue_failure(error: &EnqueueError) -> Refusal {
    failed(error, matches!(error, EnqueueError::Throttled(_)))
}

/// Logs that the time ran out and returns the refusal for the client.
pub(crate) fn too_slow() -> Refusal {
    tracing::error!("a request timed out");
    failure()
}

fn failed(error: &(dyn Error + 'static), throttled: bool) -> Refusal {
    tracing::error!(error, throttled, "a request failed");
    if throttled {
        Refusal::new(
            ErrorCode::Throttled,
            "too many requests at once: send the frame again in a moment",
        )
    } else {
        failure()
    }
}

fn failure() -> Refusal {
    Refusal::new(
        ErrorCode::Internal,
        "Herald failed to process the frame: send it again in a moment",
    )
}

fn refused(refusal: Refusal, action: Option<String>, id: Option<RequestId>) -> RouteAnswer {
    let code = refusal.code;
    tracing::info!(?code, action, reason = refusal.message, "refused a message");
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
    async fn handler_that_times_out_is_answered_with_internal() {
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
                "message": "Herald failed to process the frame: send it again in a moment",
                "retryable": true,
            })
        );
    }
}
