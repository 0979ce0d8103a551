//! The parts that the binaries share: the environment, the AWS clients and the Lambda runtime.
//!
//! Every setting is read once, at the start of the process. A missing or invalid one ends the process
//! with a message that names the variable.

use std::{
    env,
    num::NonZeroU32,
    str::FromStr,
    time::{Duration, SystemTime},
};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_lambda_events::apigw::ApiGatewayWebsocketProxyRequest;
use herald_shared::{
    delivery::Settings,
    error_chain::error_chain,
    log::{DynamoDbLogRows, History, LogTable},
    post::ManagementApi,
    presence::{DynamoDbMemberRows, Presence, PresenceTable},
    protocol::{Refusal, Request, ServerFrame},
    queue::{DeadLetterQueue, NotificationQueue, NotifierQueues},
    store::{Admit, ConnectionTable, Connections, DynamoDbRows, Forget, ReadAudience},
};
use lambda_runtime::{Config, Context, Error, LambdaEvent, service_fn};
use tokio::time::{Instant, timeout_at};

use crate::{
    admission::Admission,
    answer::RouteAnswer,
    authorizer::{AllowedOrigins, KeysUnavailable},
    aws,
    backend_events::{Announcer, BackendEvents},
    bus::EventBus,
    connection_limit::{ConnectionLimit, FindClosed, Gateway},
    http::{HttpAnswer, HttpRefusal, HttpRequest},
    logs::Logs,
    message::Message,
    notifier,
    publish::KeyRing,
    reply,
    tokens::{self, Verifier},
};

/// Starts logging according to Lambda's `AWS_LAMBDA_LOG_LEVEL` and `AWS_LAMBDA_LOG_FORMAT`.
pub fn start_logging() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Starts logging and reads the AWS configuration.
pub async fn start() -> SdkConfig {
    start_logging();
    aws::config().await
}

/// The time between the answer to an invocation and Lambda's time limit.
const RESERVE: Duration = Duration::from_secs(1);

/// Returns the deadline of an answer, so that the client gets one before Lambda ends the invocation.
fn answer_by(context: &Context) -> Instant {
    let deadline = notifier::deadline(context.deadline());
    deadline.checked_sub(RESERVE).unwrap_or(deadline)
}

/// Serves the events of `$connect` or `$disconnect` with `handle`, which gets the deadline of the answer.
///
/// # Errors
///
/// Returns an error if the Lambda runtime fails.
pub async fn serve_route<H>(handle: H) -> Result<(), Error>
where
    H: AsyncFn(ApiGatewayWebsocketProxyRequest, Instant) -> Result<RouteAnswer, Error>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
            let answer_by = answer_by(&event.context);
            let answer = timeout_at(answer_by, handle(event.payload, answer_by));
            Box::pin(async { answer.await? })
        },
    ))
    .await
}

/// Serves the events of a message route, each of at most `limit` bytes, with `handle`.
///
/// # Errors
///
/// Returns an error if the Lambda runtime fails.
pub async fn serve_messages<H>(limit: usize, handle: H) -> Result<(), Error>
where
    H: for<'a> AsyncFn(&'a Message, &'a Request<'a>) -> Result<ServerFrame<'a>, Refusal>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(
        move |event: LambdaEvent<ApiGatewayWebsocketProxyRequest>| {
            // Boxed, because rustc refuses the layout of the unboxed futures of nested SDK calls.
            let answer_by = answer_by(&event.context);
            Box::pin(reply::answer(event.payload, limit, answer_by, handle))
        },
    ))
    .await
}

/// Serves the requests to a function URL with `handle`. A handler that has not ended in time is cancelled.
///
/// # Errors
///
/// Returns an error if the Lambda runtime fails.
pub async fn serve_http<H>(handle: H) -> Result<(), Error>
where
    H: for<'a> AsyncFn(&'a HttpRequest, Instant) -> Result<HttpAnswer, HttpRefusal>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<HttpRequest>| {
        let answer_by = answer_by(&event.context);
        Box::pin(async move {
            let handled = timeout_at(answer_by, handle(&event.payload, answer_by)).await;
            let answer = handled.unwrap_or_else(|_| Err(reply::too_slow().into()));
            Ok::<_, Error>(answer.unwrap_or_else(HttpRefusal::into_answer))
        })
    }))
    .await
}

/// Returns the connection store in the table `TABLE_NAME`.
///
/// # Errors
///
/// Returns an error if the variable is not set.
pub fn connection_table(config: &SdkConfig) -> Result<ConnectionTable, Error> {
    let client = aws_sdk_dynamodb::Client::new(config);
    Ok(ConnectionTable::new(client, required("TABLE_NAME")?))
}

/// The connection store of functions that change subscriptions or serve members.
pub type SubscriptionTable = Connections<DynamoDbRows, PresenceTable>;

/// Returns the connection store in the table `TABLE_NAME`, which keeps the members of the entities that have a
/// policy in `PRESENCE`, with their flushes on the queue at `NOTIFICATION_QUEUE_URL`.
///
/// # Errors
///
/// Returns an error if a variable is missing or invalid.
pub fn subscription_table(config: &SdkConfig) -> Result<SubscriptionTable, Error> {
    let client = aws_sdk_dynamodb::Client::new(config);
    let members = PresenceTable::new(
        DynamoDbMemberRows::new(client, required("TABLE_NAME")?),
        notification_queue(config)?,
        presence()?,
        SystemTime::now,
    );
    Ok(connection_table(config)?.tracking(members))
}

/// Returns the policies in `PRESENCE`.
///
/// # Errors
///
/// Returns an error if the variable is missing or invalid.
pub fn presence() -> Result<Presence, Error> {
    Presence::from_json(&required("PRESENCE")?).map_err(with_causes)
}

/// Returns the logs in the table `HISTORY_TABLE_NAME`, under the policies `HISTORY`, of which a client may
/// recover the last `RECOVER_SECONDS`.
///
/// # Errors
///
/// Returns an error if a variable is missing or invalid.
pub fn logs(config: &SdkConfig) -> Result<Logs<DynamoDbLogRows>, Error> {
    let client = aws_sdk_dynamodb::Client::new(config);
    Ok(Logs {
        log: LogTable::new(client, required("HISTORY_TABLE_NAME")?),
        history: History::from_json(&required("HISTORY")?).map_err(with_causes)?,
        recover_within: Duration::from_secs(number("RECOVER_SECONDS")?),
    })
}

/// Returns a rate limiter of `MESSAGES_PER_SECOND`.
///
/// # Errors
///
/// Returns an error if the variable is missing or not a number.
pub fn admission<S: Admit>(store: &S) -> Result<Admission<'_, S>, Error> {
    Ok(Admission::new(store, number("MESSAGES_PER_SECOND")?))
}

/// Returns the notification queue at `NOTIFICATION_QUEUE_URL`.
///
/// # Errors
///
/// Returns an error if the variable is not set.
pub fn notification_queue(config: &SdkConfig) -> Result<NotificationQueue, Error> {
    let client = aws_sdk_sqs::Client::new(config);
    let url = required("NOTIFICATION_QUEUE_URL")?;
    Ok(NotificationQueue::new(client, url))
}

/// Returns the API keys in the secret `PUBLISH_KEYS_ARN`.
///
/// # Errors
///
/// Returns an error if the variable is not set.
pub fn key_ring(config: &SdkConfig) -> Result<KeyRing, Error> {
    let client = aws_sdk_secretsmanager::Client::new(config);
    Ok(KeyRing::new(client, required("PUBLISH_KEYS_ARN")?))
}

/// The source of Herald's events for the backend, and of events of which `EVENT_SOURCE` names none.
const SOURCE: &str = "herald";

/// Returns the bus `EVENT_BUS_NAME`. Its events are from the first source in `EVENT_SOURCE`, so that the
/// stack's rule matches them.
///
/// # Errors
///
/// Returns an error if a variable is not set.
pub fn event_bus(config: &SdkConfig) -> Result<EventBus, Error> {
    let client = aws_sdk_eventbridge::Client::new(config);
    let sources = required("EVENT_SOURCE")?;
    let source = sources.split(',').find(|source| !source.is_empty());
    let source = source.unwrap_or(SOURCE).to_owned();
    Ok(EventBus::new(client, required("EVENT_BUS_NAME")?, source))
}

/// Returns the announcer of the changes that `BACKEND_EVENTS` has, on the bus `BACKEND_EVENT_BUS_NAME` or
/// else on the notification queue.
///
/// # Errors
///
/// Returns an error if a variable is not set or invalid.
pub fn backend_events(config: &SdkConfig) -> Result<Announcer<EventBus, NotificationQueue>, Error> {
    let policy = BackendEvents::from_json(&required("BACKEND_EVENTS")?).map_err(with_causes)?;
    if policy.is_off() {
        return Ok(Announcer::off());
    }
    let client = aws_sdk_eventbridge::Client::new(config);
    let bus = EventBus::new(
        client,
        required("BACKEND_EVENT_BUS_NAME")?,
        SOURCE.to_owned(),
    );
    Ok(Announcer::new(policy, bus, notification_queue(config)?))
}

/// Returns the notification queue, and its dead-letter queue at `NOTIFICATION_DEAD_LETTER_QUEUE_URL`.
///
/// # Errors
///
/// Returns an error if a variable is not set.
pub fn notifier_queues(config: &SdkConfig) -> Result<NotifierQueues, Error> {
    let client = aws_sdk_sqs::Client::new(config);
    let url = required("NOTIFICATION_DEAD_LETTER_QUEUE_URL")?;
    Ok(NotifierQueues {
        notifications: notification_queue(config)?,
        dead_letters: DeadLetterQueue::new(client, url),
    })
}

/// Returns the limit of `CONNECTIONS_PER_USER` on the connections of a user.
///
/// # Errors
///
/// Returns an error if the variable is missing or not a number.
pub fn connection_limit<'a, S: ReadAudience + Forget, G: FindClosed>(
    store: &'a S,
    gateway: &'a G,
) -> Result<ConnectionLimit<'a, S, G>, Error> {
    let limit: NonZeroU32 = number("CONNECTIONS_PER_USER")?;
    Ok(ConnectionLimit::new(store, gateway, limit))
}

/// Returns the gateway, which knows the open connections.
///
/// # Errors
///
/// Returns an error if the endpoint of the management API is not set.
pub fn gateway(config: &SdkConfig) -> Result<Gateway, Error> {
    Ok(Gateway::new(config, &connections_endpoint()?))
}

/// Returns the endpoint of the management API: `CONNECTIONS_ENDPOINT`, unless the SDK's own variables
/// name an endpoint. The same function has to run on a laptop.
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

/// Returns the management API of the notifier. Delivery limits the time of its calls.
///
/// # Errors
///
/// Returns an error if the endpoint, the Region or the credentials are missing, or the endpoint is
/// invalid.
pub fn management_api(config: &SdkConfig) -> Result<ManagementApi, Error> {
    let endpoint = connections_endpoint()?;
    let region = config.region().cloned();
    let region = region.ok_or("the AWS Region is not configured: set AWS_REGION")?;
    let credentials = config.credentials_provider().ok_or(
        "AWS credentials are not configured: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    )?;
    let client = aws::management_client(config, &endpoint, TimeoutConfig::disabled());
    Ok(ManagementApi::new(&endpoint, region, credentials, client)?)
}

/// Returns the settings of the notifier's deliveries, with `POSTS_PER_SECOND` and `DELIVERY_ATTEMPTS`.
///
/// # Errors
///
/// Returns an error if a variable is missing or not a number.
pub fn delivery_settings() -> Result<Settings, Error> {
    let mut settings = Settings::for_share(number("POSTS_PER_SECOND")?);
    settings.attempts = number("DELIVERY_ATTEMPTS")?;
    Ok(settings)
}

/// Returns the verifier of tokens that `AUTHENTICATION` and its related variables configure.
///
/// # Errors
///
/// Returns an error if a variable is missing or invalid.
pub fn verifier(config: &SdkConfig) -> Result<Verifier, Error> {
    let settings = tokens::Settings::read(|name| env::var(name).ok()).map_err(with_causes)?;
    Verifier::new(settings, || aws_sdk_secretsmanager::Client::new(config))
}

/// Returns this function's metric of failures to check tokens.
pub fn keys_unavailable() -> KeysUnavailable {
    KeysUnavailable::new(Config::from_env().function_name)
}

/// Returns the origins in `ALLOWED_ORIGINS`.
///
/// # Errors
///
/// Returns an error if the variable is not set or contains something else than origins.
pub fn allowed_origins() -> Result<AllowedOrigins, Error> {
    Ok(AllowedOrigins::parse(&required("ALLOWED_ORIGINS")?)
        .map_err(|error| format!("ALLOWED_ORIGINS is invalid: {error}"))?)
}

/// Returns the number in the variable `name`.
///
/// # Errors
///
/// Returns an error if the variable is missing or not a number.
pub fn number<T: FromStr>(name: &str) -> Result<T, Error> {
    let text = required(name)?;
    text.parse().map_err(|_| {
        format!("the environment variable {name} must be a whole number, got {text:?}").into()
    })
}

/// Returns an error with the texts of its causes, because Lambda reports only the outermost text of a
/// failed start.
fn with_causes(error: impl std::error::Error) -> Error {
    error_chain(&error).into()
}

fn required(name: &str) -> Result<String, Error> {
    env::var(name).map_err(|_| {
        format!("the environment variable {name} is not set: template.yaml sets it").into()
    })
}
