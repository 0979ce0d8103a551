//! The HTTP endpoint of the stack on its one port. It routes each request to its service by path and
//! header, and implements HTTP for the services that only know operations.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::Response,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::{
    activity::{Activity, RecordKind},
    aws_json::{Answer, ServiceError},
    console::{self, Console},
    dynamodb::DynamoDb,
    eventbridge::EventBridge,
    faults::{Crashes, Step},
    gateway::{Gateway, is_upgrade, respond},
    http_server::{self, Timeouts},
    iam::{Denied, Roles},
    issuer::{self, Issuer},
    query_protocol,
    secrets::Secrets,
    sqs::{self, Queues},
    visitors::{self, Refusal},
};

/// The largest request of any service: DynamoDB's batch of 16 MB.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// The name of Secrets Manager in [`TARGET`].
const SECRETS: &str = "secretsmanager";
const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The services behind the port.
pub(crate) struct Services {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) dynamodb: Arc<DynamoDb>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) eventbridge: EventBridge,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) issuer: Issuer,
    pub(crate) roles: Arc<Roles>,
    pub(crate) crashes: Crashes,
    pub(crate) console: Arc<Console>,
    pub(crate) activity: Activity,
}

/// Serves the port until the returned future is dropped.
pub(crate) async fn serve(listener: TcpListener, services: Arc<Services>) {
    let upgrades = middleware::from_fn_with_state(services.clone(), upgrade_or_route);
    let router = Router::new()
        .nest(console::ROOT, console::routes(services.console.clone()))
        .fallback(route)
        .layer(upgrades)
        .layer(middleware::from_fn_with_state(services.clone(), guard))
        .with_state(services);
    http_server::serve(listener, router, Timeouts::default()).await;
}

/// Passes every WebSocket upgrade to the gateway, which refuses those for another stage.
async fn upgrade_or_route(
    State(services): State<Arc<Services>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response<Body> {
    if is_upgrade(request.headers()) {
        services.gateway.handle(client, request).await
    } else {
        next.run(request).await
    }
}

/// Passes on requests that the guard allows; refuses and records all others.
async fn guard(
    State(services): State<Arc<Services>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Err(Refusal { status, message }) = visitors::check(&request) else {
        return next.run(request).await;
    };
    tracing::warn!(
        %status,
        method = %request.method(),
        path = request.uri().path(),
        reason = message,
        "request refused"
    );
    services.activity.record(RecordKind::Refused {
        status: status.as_u16(),
        source_ip: client.ip().to_canonical(),
    });
    respond(status, &message)
}

async fn route(
    State(services): State<Arc<Services>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response<Body> {
    let is_issuers = issuer::handles(request.uri().path());
    match target(&request) {
        _ if is_issuers => services.issuer.handle(request).await,
        Some((service, operation)) => services.call(&service, &operation, request).await,
        None if query_protocol::speaks(request.method(), request.uri(), request.headers()) => {
            refuse_query(request).await
        }
        None if request.uri().path() == "/" && is_aws_json(request.headers()) => {
            aws_json(JSON_1_0, Err(without_target()))
        }
        None if request.uri().path() == "/" && request.method() == Method::GET => {
            services.console.welcome(request.headers())
        }
        None => {
            let mut crash = None;
            if let Some(caller) = services.roles.caller(request.headers()).cloned() {
                let step = (*request.method() == Method::POST).then_some(Step::Post);
                crash = services.crashes.next(&caller, request.headers(), step);
                request.extensions_mut().insert(caller);
            }
            let answer = services.gateway.handle(client, request).await;
            if answer.status().is_success()
                && let Some(crash) = crash
            {
                crash.happen().await;
            }
            answer
        }
    }
}

async fn refuse_query(request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let body = to_bytes(body, REQUEST_LIMIT).await.unwrap_or_default();
    query_protocol::refuse(query, &String::from_utf8_lossy(&body))
}

fn is_aws_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/x-amz-json-"))
}

/// Returns the error for a request of an AWS JSON protocol without an operation.
fn without_target() -> ServiceError {
    ServiceError::bad_request(
        "UnknownOperationException",
        "the header X-Amz-Target is missing; it must name the service and the operation, such as \
         AmazonSQS.SendMessage",
    )
}

/// Returns the service and operation of an AWS JSON request: `X-Amz-Target: AmazonSQS.SendMessage`.
fn target(request: &Request) -> Option<(String, String)> {
    let target = request.headers().get(TARGET)?.to_str().ok()?;
    let (service, operation) = target.split_once('.')?;
    Some((service.to_owned(), operation.to_owned()))
}

impl Services {
    async fn call(&self, service: &str, operation: &str, request: Request) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = match to_bytes(body, REQUEST_LIMIT).await {
            Ok(body) => body,
            Err(error) => {
                let code = "RequestEntityTooLargeException";
                let message = format!("the body must have at most {REQUEST_LIMIT} bytes: {error}");
                let error = ServiceError::bad_request(code, message);
                return aws_json(JSON_1_0, Err(error));
            }
        };
        if let Some(caller) = self.roles.caller(&head.headers)
            && let Err(denied) = self.roles.check(caller, service, operation, &body)
        {
            return refuse(service, &denied);
        }
        match service {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => {
                self.call_dynamodb(operation, head, body).await
            }
            "AmazonSQS" => {
                let answer = match parse(&body) {
                    Ok(request) => sqs::call(&self.queues, operation, request).await,
                    Err(error) => Err(error),
                };
                aws_json(JSON_1_0, answer)
            }
            "AWSEvents" => {
                let answer =
                    parse(&body).and_then(|request| self.eventbridge.call(operation, request));
                aws_json(JSON_1_1, answer)
            }
            SECRETS => {
                let answer = parse(&body).and_then(|request| self.secrets.call(operation, request));
                aws_json(JSON_1_1, answer)
            }
            _ => aws_json(
                JSON_1_1,
                Err(ServiceError::bad_request(
                    "UnknownOperationException",
                    format!(
                        "herald-local does not run {service}; it runs DynamoDB, SQS, EventBridge, \
                         Secrets Manager and API Gateway"
                    ),
                )),
            ),
        }
    }

    async fn call_dynamodb(&self, operation: &str, head: Parts, body: Bytes) -> Response<Body> {
        let caller = self.roles.caller(&head.headers);
        let crash = caller.and_then(|caller| {
            let step = self.crashes.step(operation, &body);
            self.crashes.next(caller, &head.headers, step)
        });
        let answer = self
            .dynamodb
            .call(operation, caller.is_some(), head, body)
            .await
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the DynamoDB engine did not answer");
                respond(
                    StatusCode::BAD_GATEWAY,
                    "the DynamoDB engine did not answer; see the log of herald-local",
                )
            });
        if answer.status().is_success()
            && let Some(crash) = crash
        {
            crash.happen().await;
        }
        answer
    }
}

fn parse(body: &Bytes) -> Result<Value, ServiceError> {
    serde_json::from_slice(body)
        .map_err(|error| ServiceError::bad_request("SerializationException", error.to_string()))
}

/// Refuses a call that the caller's policies do not allow. The member `Message` has a capital here,
/// as in answers of AWS that do not come from the service itself.
fn refuse(service: &str, denied: &Denied) -> Response<Body> {
    const CORAL: &str = "com.amazon.coral.service#AccessDeniedException";
    let (content_type, status, code, query_code) = match service {
        "DynamoDB_20120810" | "DynamoDBStreams_20120810" => (JSON_1_0, 400, CORAL, None),
        "AmazonSQS" => (JSON_1_0, 403, CORAL, Some("AccessDenied;Sender")),
        _ => (JSON_1_1, 400, "AccessDeniedException", None),
    };
    let body = json!({"__type": code, "Message": denied.to_string()});
    json_response(content_type, status, &body, query_code)
}

fn aws_json(content_type: &'static str, answer: Answer) -> Response<Body> {
    match answer {
        Ok(output) => json_response(content_type, 200, &output, None),
        Err(error) => {
            let body = json!({"__type": error.code, "message": error.message});
            json_response(content_type, error.status, &body, error.query_code)
        }
    }
}

fn json_response(
    content_type: &'static str,
    status: u16,
    body: &Value,
    query_code: Option<&'static str>,
) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = text(status, body.to_string());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(
        HeaderValue::from_str(&Uuid::new_v4().to_string())
            .map(|id| (HeaderName::from_static("x-amzn-requestid"), id)),
    );
    if let Some(code) = query_code {
        headers.insert("x-amzn-query-error", HeaderValue::from_static(code));
    }
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
