//! The management API: `POST`, `GET` and `DELETE` on `/{stage}/@connections/{connectionId}`.
//!
//! Errors carry their code in `x-amzn-errortype`: SDKs do not recognise them without it.

use std::{sync::Arc, time::Instant};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::percent_decode_str;
use serde_json::json;
use uuid::Uuid;

use super::{
    Gateway, connections::Connection, event::trace_id, faults::PostFault, http::respond, id, lock,
};
use crate::{
    activity::{
        RecordKind, event_ids,
        logs::{self, FramePosition},
        milliseconds,
        presence::{self, PresenceChange},
    },
    iam::{Call, Denied, Principal},
};

/// Returns whether a path belongs to the management API, with or without a stage.
pub(super) fn is_management(path: &str) -> bool {
    path.split('/')
        .any(|segment| segment == "@connections" || segment.eq_ignore_ascii_case("%40connections"))
}

/// The refusal of a management call.
enum Refusal {
    Gone,
    MalformedId(String),
    Forbidden,
    NotSigned,
    NotAuthorized(Denied),
    MethodNotAllowed,
    TooLarge,
    LimitExceeded,
    Failing,
}

/// The facts about a post that are recorded, as far as it was read.
#[derive(Default)]
struct Posted {
    user_id: Option<String>,
    bytes: usize,
    event_ids: Vec<String>,
    position: Option<FramePosition>,
    presence: Option<PresenceChange>,
}

impl Gateway {
    /// Answers a management call.
    pub(super) async fn manage(&self, request: Request) -> Response<Body> {
        let mut response = match self.connection_id(request.uri().path()) {
            Ok(id) if *request.method() == Method::POST => self.post(&id, request).await,
            Ok(id) => self.answer(&id, request, &mut Posted::default()).await,
            Err(refused) => refused.response(),
        };
        identify(response.headers_mut());
        response
    }

    /// Answers a post and records it.
    async fn post(&self, connection_id: &str, request: Request) -> Response<Body> {
        let received_at = Instant::now();
        let mut posted = Posted {
            bytes: request.body().size_hint().lower() as usize,
            ..Posted::default()
        };
        let response = self.answer(connection_id, request, &mut posted).await;
        self.activity.record(RecordKind::Post {
            connection_id: connection_id.to_owned(),
            user_id: posted.user_id,
            event_ids: posted.event_ids,
            position: posted.position,
            presence: posted.presence,
            bytes: posted.bytes,
            status: response.status().as_u16(),
            milliseconds: milliseconds(received_at.elapsed()),
        });
        response
    }

    /// Answers a call on a connection. For a post, fills in the facts about it.
    async fn answer(
        &self,
        connection_id: &str,
        request: Request,
        posted: &mut Posted,
    ) -> Response<Body> {
        let answer = self.try_answer(connection_id, request, posted).await;
        answer.unwrap_or_else(|refused| refused.response())
    }

    async fn try_answer(
        &self,
        connection_id: &str,
        request: Request,
        posted: &mut Posted,
    ) -> Result<Response<Body>, Refusal> {
        if !is_signed(request.headers()) {
            return Err(Refusal::NotSigned);
        }
        self.authorize_caller(&request)
            .map_err(Refusal::NotAuthorized)?;
        if !id::is_well_formed(connection_id) {
            return Err(Refusal::MalformedId(connection_id.to_owned()));
        }
        let connection = || self.connections.find(connection_id).ok_or(Refusal::Gone);
        match *request.method() {
            Method::POST => {
                let text = self.text(request).await?;
                *posted = Posted {
                    user_id: self.user_of(connection_id),
                    bytes: text.len(),
                    event_ids: event_ids::of_body(&text),
                    position: logs::of_frame(&text),
                    presence: presence::of_frame(&text),
                };
                let is_hidden = self.inject_fault(connection_id).await?;
                let connection = connection()?;
                if !is_hidden {
                    connection.send(text).map_err(|_| Refusal::LimitExceeded)?;
                }
                Ok(json_response(StatusCode::OK, Body::empty()))
            }
            Method::GET => Ok(json_response(
                StatusCode::OK,
                describe(&*connection()?).into(),
            )),
            Method::DELETE => {
                if self.close(connection_id) {
                    Ok(no_content())
                } else {
                    Err(Refusal::Gone)
                }
            }
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    /// Returns the user of an open connection. `None` if it is anonymous.
    fn user_of(&self, connection_id: &str) -> Option<String> {
        let connection = self.connections.find(connection_id)?;
        connection.info.user_id().map(str::to_owned)
    }

    /// Checks the permissions of a calling function. AWS names the resource without the
    /// connection's id.
    ///
    /// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html>,
    /// and for the resource in the message <https://github.com/aws/aws-cdk/issues/18410>
    fn authorize_caller(&self, request: &Request) -> Result<(), Denied> {
        let Some(caller) = request.extensions().get::<Arc<Principal>>() else {
            return Ok(());
        };
        let Self {
            region,
            account_id,
            api,
            ..
        } = self;
        let resource = format!(
            "arn:aws:execute-api:{region}:{account_id}:{}/{}/{}/@connections/{{connectionId}}",
            api.api_id,
            api.stage,
            request.method()
        );
        caller.check(&Call::new("execute-api:ManageConnections", resource))
    }

    /// Delays or refuses a post according to the injected faults. Returns whether its text must not
    /// arrive.
    async fn inject_fault(&self, connection_id: &str) -> Result<bool, Refusal> {
        let (fault, delay) = {
            let mut faults = lock(&self.faults);
            (faults.post_fault(connection_id), faults.post_delay())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match fault {
            None => Ok(false),
            Some(PostFault::Hidden) => Ok(true),
            Some(PostFault::Throttled) => Err(Refusal::LimitExceeded),
            Some(PostFault::Gone) => Err(Refusal::Gone),
            Some(PostFault::Failing) => Err(Refusal::Failing),
        }
    }

    /// Returns the id in `/{stage}/@connections/{id}`, decoded once.
    fn connection_id(&self, path: &str) -> Result<String, Refusal> {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match segments[..] {
            [stage, _, id] if stage == self.api.stage => {
                Ok(percent_decode_str(id).decode_utf8_lossy().into_owned())
            }
            _ => Err(Refusal::Forbidden),
        }
    }

    /// Returns the text to send. Invalid UTF-8 is replaced.
    async fn text(&self, request: Request) -> Result<String, Refusal> {
        let body: Bytes = to_bytes(request.into_body(), self.limits.message)
            .await
            .map_err(|_| Refusal::TooLarge)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Returns whether a request is signed for this service. The signature itself is not verified.
fn is_signed(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.starts_with("AWS4-") && value.contains("/execute-api/aws4_request")
    })
}

fn describe(connection: &Connection) -> String {
    let mut identity = json!({"sourceIp": connection.info.source_ip});
    if let Some(user_agent) = &connection.info.user_agent {
        identity["userAgent"] = json!(user_agent);
    }
    json!({
        "identity": identity,
        "connectedAt": iso8601(connection.info.connected_at),
        "lastActiveAt": iso8601(connection.last_active_at()),
    })
    .to_string()
}

fn iso8601(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Refusal {
    fn response(&self) -> Response<Body> {
        let (status, code, message) = match self {
            // A 410 has no body.
            Self::Gone => (StatusCode::GONE, "GoneException", None),
            Self::MalformedId(id) => (
                StatusCode::BAD_REQUEST,
                "BadRequestException",
                Some(format!("Invalid connectionId: {id}")),
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "ForbiddenException",
                Some("Forbidden".to_owned()),
            ),
            Self::NotSigned => (
                StatusCode::FORBIDDEN,
                "MissingAuthenticationTokenException",
                Some("Missing Authentication Token".to_owned()),
            ),
            Self::NotAuthorized(denied) => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                Some(denied.without_reason()),
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowedException",
                Some("Method Not Allowed".to_owned()),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "PayloadTooLargeException",
                Some("Message too long".to_owned()),
            ),
            Self::Failing => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerErrorException",
                Some("Internal server error".to_owned()),
            ),
            Self::LimitExceeded => (
                StatusCode::TOO_MANY_REQUESTS,
                "LimitExceededException",
                Some("Too many requests".to_owned()),
            ),
        };
        let mut response = match message {
            Some(message) => respond(status, &message),
            None => json_response(status, Body::empty()),
        };
        response
            .headers_mut()
            .insert("x-amzn-errortype", HeaderValue::from_static(code));
        response
    }
}

fn json_response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = no_content();
    *response.status_mut() = status;
    *response.body_mut() = body;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Adds the ids by which AWS traces a call.
fn identify(headers: &mut HeaderMap) {
    for (name, value) in [
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
        ("x-amz-apigw-id", id::new()),
        ("x-amzn-trace-id", trace_id()),
    ] {
        headers.extend(
            HeaderValue::from_str(&value)
                .map(|value| (header::HeaderName::from_static(name), value)),
        );
    }
}
