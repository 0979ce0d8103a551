//! The management API: `POST`, `GET` and `DELETE` on `/{stage}/@connections/{connectionId}`.
//!
//! Errors carry their code in `x-amzn-errortype`: without it, SDKs do not know them.

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
    Gateway, connections::Connection, event::trace_id, faults::Verdict, http::respond, id, lock,
};
use crate::{
    activity::{RecordKind, event_ids, milliseconds},
    iam::{Call, Denied, Principal},
};

/// Whether a path is of the management API, with or without a stage.
pub(super) fn is_management(path: &str) -> bool {
    path.split('/')
        .any(|segment| segment == "@connections" || segment.eq_ignore_ascii_case("%40connections"))
}

/// An answer that is not a success.
enum Refused {
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

/// What was to be posted, as far as it was read.
#[derive(Default)]
struct Posted {
    bytes: usize,
    event_ids: Vec<String>,
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

    /// Answers a post, and tells of it.
    async fn post(&self, connection_id: &str, request: Request) -> Response<Body> {
        let received_at = Instant::now();
        let mut posted = Posted {
            bytes: request.body().size_hint().lower() as usize,
            event_ids: Vec::new(),
        };
        let response = self.answer(connection_id, request, &mut posted).await;
        self.activity.record(RecordKind::Post {
            connection_id: connection_id.to_owned(),
            event_ids: posted.event_ids,
            bytes: posted.bytes,
            status: response.status().as_u16(),
            milliseconds: milliseconds(received_at.elapsed()),
        });
        response
    }

    /// Answers a call on a connection. Of a post, fills in what was to be posted.
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
    ) -> Result<Response<Body>, Refused> {
        if !is_signed(request.headers()) {
            return Err(Refused::NotSigned);
        }
        self.authorize_caller(&request)
            .map_err(Refused::NotAuthorized)?;
        if !id::is_well_formed(connection_id) {
            return Err(Refused::MalformedId(connection_id.to_owned()));
        }
        let connection = || self.connections.find(connection_id).ok_or(Refused::Gone);
        match *request.method() {
            Method::POST => {
                let text = self.text(request).await?;
                *posted = Posted {
                    bytes: text.len(),
                    event_ids: event_ids::of_body(&text),
                };
                self.suffer(connection_id).await?;
                connection()?
                    .send(text)
                    .map_err(|_| Refused::LimitExceeded)?;
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
                    Err(Refused::Gone)
                }
            }
            _ => Err(Refused::MethodNotAllowed),
        }
    }

    /// Errs if a function calls that may not. AWS names the resource without the connection's id.
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

    /// Lets the faults happen that were asked for.
    async fn suffer(&self, connection_id: &str) -> Result<(), Refused> {
        let (verdict, delay) = {
            let mut troubles = lock(&self.troubles);
            (troubles.judge(connection_id), troubles.post_delay())
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match verdict {
            Verdict::Pass => Ok(()),
            Verdict::Throttled => Err(Refused::LimitExceeded),
            Verdict::Gone => Err(Refused::Gone),
            Verdict::Failing => Err(Refused::Failing),
        }
    }

    /// The id in `/{stage}/@connections/{id}`, decoded once.
    fn connection_id(&self, path: &str) -> Result<String, Refused> {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match segments[..] {
            [stage, _, id] if stage == self.api.stage => {
                Ok(percent_decode_str(id).decode_utf8_lossy().into_owned())
            }
            _ => Err(Refused::Forbidden),
        }
    }

    /// The text to send. What is not UTF-8 is sent as far as it is.
    async fn text(&self, request: Request) -> Result<String, Refused> {
        let body: Bytes = to_bytes(request.into_body(), self.limits.message)
            .await
            .map_err(|_| Refused::TooLarge)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

/// Whether a request is signed for this service. The signature itself is not verified.
fn is_signed(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.starts_with("AWS4-") && value.contains("/execute-api/aws4_request")
    })
}

fn describe(connection: &Connection) -> String {
    let mut identity = json!({"sourceIp": connection.opening.source_ip});
    if let Some(user_agent) = &connection.opening.user_agent {
        identity["userAgent"] = json!(user_agent);
    }
    json!({
        "identity": identity,
        "connectedAt": iso8601(connection.opening.connected_at),
        "lastActiveAt": iso8601(connection.last_active_at()),
    })
    .to_string()
}

fn iso8601(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

impl Refused {
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

/// The ids by which AWS traces a call.
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
