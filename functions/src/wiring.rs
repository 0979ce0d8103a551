//! What the binaries share: the environment, the AWS clients and the Lambda runtime.
//!
//! Everything is read once, at the start of the process; a missing or bad setting ends it with a
//! sentence that names the variable.

use std::{env, num::NonZeroU32, str::FromStr, time::Duration};

use aws_config::SdkConfig;
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::{
    delivery::Settings,
    in_full::in_full,
    post::ManagementApi,
    protocol::{Refusal, Request, ServerFrame},
    queue::{DeadLetterQueue, NotificationQueue, NotifierQueues},
    store::ConnectionTable,
};
use lambda_runtime::{Config, Context, Error, LambdaEvent, service_fn};
use tokio::time::{Instant, timeout_at};

use crate::{
    admission::Admission,
    answer::RouteAnswer,
    authorizer::{AllowedOrigins, KeysUnavailable},
    aws,
    connection_limit::{ConnectionLimit, Gateway},
    message::Message,
    notifier, reply,
    tokens::{self, Verifier},
};

/// Starts logging as Lambda's `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT` say.
pub fn start_logging() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Starts logging and reads the AWS configuration.
pub async fn start() -> SdkConfig {
    start_logging();
    aws::config().await
}

/// The time between the answer to an invocation and the end that Lambda sets it.
const RESERVE: Duration = Duration::from_secs(1);

/// The time by which an invocation has to be answered, so that its client is told before Lambda ends it.
fn answer_by(context: &Context) -> Instant {
    let deadline = notifier::deadline(context.deadline());
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// Serves the events of `$connect` or `$disconnect` with `handle`.
pub async fn serve_route<H>(handle: H) -> Result<(), Error>
where
    H: AsyncFn(ApiGatewayWebsocketProxyRequest) -> Result<RouteAnswer, Error>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
            let answer = timeout_at(answer_by(&event.context), handle(event.payload));
            Box::pin(async { answer.await? })
        },
    ))
    .await
}

/// Serves the events of a message route, each of at most `limit` bytes, with `handle`.
pub async fn serve_messages<H>(limit: usize, handle: H) -> Result<(), Error>
where
    H: for<'a> AsyncFn(&'a Message, &'a Request<'a>) -> Result<ServerFrame<'a>, Refusal>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
            // Boxed: nested in place, the futures of the SDK calls are deeper than rustc lays out.
            let answer_by = answer_by(&event.context);
            Box::pin(reply::answer(event.payload, limit, answer_by, handle))
        },
    ))
    .await
}

/// The connection store on the table `TABLE_NAME`.
pub fn connection_table(config: &SdkConfig) -> Result<ConnectionTable, Error> {
    let client = aws_sdk_dynamodb::Client::new(config);
    Ok(ConnectionTable::new(client, required("TABLE_NAME")?))
}

/// Admits messages as fast as `MESSAGES_PER_SECOND` says.
pub fn admission(store: &ConnectionTable) -> Result<Admission<'_, ConnectionTable>, Error> {
    Ok(Admission::new(store, number("MESSAGES_PER_SECOND")?))
}

/// The notification queue at `NOTIFICATION_QUEUE_URL`.
pub fn notification_queue(config: &SdkConfig) -> Result<NotificationQueue, Error> {
    let client = aws_sdk_sqs::Client::new(config);
    let url = required("NOTIFICATION_QUEUE_URL")?;
    Ok(NotificationQueue::new(client, url))
}

/// The notification queue, and its dead-letter queue at `NOTIFICATION_DEAD_LETTER_QUEUE_URL`.
pub fn notifier_queues(config: &SdkConfig) -> Result<NotifierQueues, Error> {
    let client = aws_sdk_sqs::Client::new(config);
    let url = required("NOTIFICATION_DEAD_LETTER_QUEUE_URL")?;
    Ok(NotifierQueues {
        notifications: notification_queue(config)?,
        dead_letters: DeadLetterQueue::new(client, url),
    })
}

/// Limits the connections of a user to `CONNECTIONS_PER_USER`.
pub fn connection_limit<'a>(
    store: &'a ConnectionTable,
    gateway: &'a Gateway,
) -> Result<ConnectionLimit<'a, ConnectionTable, Gateway>, Error> {
    let limit: NonZeroU32 = number("CONNECTIONS_PER_USER")?;
    Ok(ConnectionLimit::new(store, gateway, limit))
}

/// The gateway, which knows which connections are open.
pub fn gateway(config: &SdkConfig) -> Result<Gateway, Error> {
    Ok(Gateway::new(config, &connections_endpoint()?))
}

/// The endpoint of the management API: `CONNECTIONS_ENDPOINT`, unless the SDK's own variables name an
/// endpoint. The same function has to run on a laptop.
///
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
fn connections_endpoint() -> Result<String, Error> {
    let overridden = [
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
        "AWS_ENDPOINT_URL",
    ]
    .into_iter()
    .find_map(|name| env::var(name).ok());
    overridden.map_or_else(|| required("CONNECTIONS_ENDPOINT"), Ok)
}

/// The management API, as the notifier posts to it.
pub fn management_api(config: &SdkConfig) -> Result<ManagementApi, Error> {
    let endpoint = connections_endpoint()?;
    let region = config.region().cloned();
    let region = region.ok_or("there is no AWS Region: set AWS_REGION")?;
    let credentials = config
        .credentials_provider()
        .ok_or("there are no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")?;
    Ok(ManagementApi::new(&endpoint, region, credentials)?)
}

/// The bounds of the notifier's deliveries: `DELIVERY_ATTEMPTS` of them for a connection.
pub fn delivery_settings() -> Result<Settings, Error> {
    let mut settings = Settings::default();
    settings.attempts = number("DELIVERY_ATTEMPTS")?;
    Ok(settings)
}

/// What tokens are checked with, as `AUTHENTICATION` and the variables beside it say.
pub fn verifier(config: &SdkConfig) -> Result<Verifier, Error> {
    let settings = tokens::Settings::read(|name| env::var(name).ok()).map_err(whole)?;
    Verifier::new(settings, || aws_sdk_secretsmanager::Client::new(config))
}

/// The metric of this function that says that tokens cannot be checked.
pub fn keys_unavailable() -> KeysUnavailable {
    KeysUnavailable::new(Config::from_env().function_name)
}

/// The origins in `ALLOWED_ORIGINS`.
pub fn allowed_origins() -> Result<AllowedOrigins, Error> {
    Ok(AllowedOrigins::parse(&required("ALLOWED_ORIGINS")?)
        .map_err(|error| format!("ALLOWED_ORIGINS cannot be used: {error}"))?)
}

/// The number in the variable `name`.
pub fn number<T: FromStr>(name: &str) -> Result<T, Error> {
    let text = required(name)?;
    text.parse().map_err(|_| {
        format!("the environment variable {name} is {text:?}: set a whole number").into()
    })
}

/// A failed start is reported with its outermost text alone.
fn whole(error: impl std::error::Error) -> Error {
    in_full(&error).into()
}

fn required(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|_| {
        format!("the environment variable {name} is not set: template.yaml sets it").into()
    })
}
