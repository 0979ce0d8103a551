//! `poll`: the log, and messages, for clients whose network admits no WebSocket.
//!
//! `POST /poll` is `sync`, `POST /messages` is `sendMessage`, and `GET /position` the present position in the
//! log of an entity. Tokens, permissions, rates and errors are those of a connection, by the same code. The
//! function keeps nothing about a client but the charges of its user: what a client asks for is in the log.

mod route;
mod sender;

use std::{borrow::Cow, time::SystemTime};

use herald_shared::{
    ids::EntityId,
    log::LogRows,
    protocol::{
        Ack, EntityResult, ErrorCode, Refusal, Request, SUBSCRIBE_LIMIT, ServerFrame, poll_after,
    },
    queue::EnqueueEach,
    store::Admit,
};
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    admission::Admission,
    authenticate,
    authorizer::AllowedOrigins,
    caller::Caller,
    history::no_log,
    http::{HttpAnswer, HttpRefusal, HttpRequest},
    logs::Logs,
    message::Message,
    send_message, sync,
    tokens::{Identity, Rejection, Token, Verifier},
};
use route::Route;

/// The parts that answer a request.
#[derive(Debug)]
pub struct Poll<'a, S, Q, R> {
    /// The check of tokens.
    pub verifier: &'a Verifier,
    /// The origins whose pages may poll.
    pub origins: &'a AllowedOrigins,
    /// The rate of each user.
    pub admission: &'a Admission<'a, S>,
    /// The notification queue.
    pub queue: &'a Q,
    /// The logs of audiences.
    pub logs: &'a Logs<R>,
    /// The maximum size of a `sendMessage`, in bytes.
    pub message_bytes: usize,
}

impl<S: Admit, Q: EnqueueEach, R: LogRows> Poll<'_, S, Q, R> {
    /// Answers a request before `answer_by`.
    ///
    /// # Errors
    ///
    /// Returns the refusal with the status and the error frame for the client.
    pub async fn answer(
        &self,
        request: &HttpRequest,
        now: SystemTime,
        answer_by: Instant,
    ) -> Result<HttpAnswer, HttpRefusal> {
        let route = Route::of(request)?;
        self.check_origin(request)?;
        let identity = self.identify(request, now).await;
        let identity = identity.map_err(authenticate::refusal)?;
        let message = |body: Cow<'_, str>| Message {
            connection: sender::id(identity.user.as_ref(), request.source_ip()),
            connected_at: request.received_at(),
            received_at: request.received_at(),
            answer_by,
            caller: Caller {
                user: identity.user.clone(),
                token_expires_at: identity.expires_at,
                permissions: identity.permissions.clone(),
                info: None,
            },
            body: body.into_owned(),
        };
        match route {
            Route::Poll => {
                self.poll(&message(request.json_body(SUBSCRIBE_LIMIT)?))
                    .await
            }
            Route::Messages => {
                let message = message(request.json_body(self.message_bytes)?);
                let frame = parse(&message.body)?;
                let reply =
                    send_message::handle(&message, &frame, self.admission, self.queue, self.logs);
                Ok(ok(&reply.await?))
            }
            Route::Position => {
                let entity = entity(request)?;
                let sync = json!({"entities": {entity.as_str(): {}}}).to_string();
                self.position(entity, &message(sync.into())).await
            }
        }
    }

    /// A page of another origin could not read the answer: Lambda sends it without CORS headers. The request
    /// would still have its effect.
    fn check_origin(&self, request: &HttpRequest) -> Result<(), HttpRefusal> {
        match request.header("origin") {
            Some(origin) if !self.origins.allow(origin) => {
                tracing::warn!(
                    origin,
                    "refused a page: PollOrigins does not contain its origin"
                );
                let message = "pages of this origin may not poll: PollOrigins does not contain it";
                Err(Refusal::new(ErrorCode::Forbidden, message).into())
            }
            _ => Ok(()),
        }
    }

    async fn identify(
        &self,
        request: &HttpRequest,
        now: SystemTime,
    ) -> Result<Identity, Rejection> {
        match self.verifier.anonymous() {
            Some(anonymous) => Ok(anonymous),
            None => {
                let token = Token::new(request.bearer()?)?;
                self.verifier.verify(token, now).await
            }
        }
    }

    async fn poll(&self, message: &Message) -> Result<HttpAnswer, HttpRefusal> {
        let request = parse(&message.body)?;
        let ack = self.sync(message, &request).await?;
        let poll_after = poll_after(&request, &ack)?;
        let frame = ServerFrame::from(ack);
        Ok(ok(&Polled { frame, poll_after }))
    }

    async fn position(
        &self,
        entity: EntityId,
        message: &Message,
    ) -> Result<HttpAnswer, HttpRefusal> {
        let ack = self.sync(message, &parse(&message.body)?).await?;
        let mut results = ack.entities.unwrap_or_default().into_values();
        let EntityResult { error, log, .. } = results.next().unwrap_or_default();
        if let Some(error) = error {
            return Err(Refusal::new(error.code, error.message).into());
        }
        if log.offset.is_none() {
            return Err(no_log().into());
        }
        Ok(ok(&ServerFrame::from(Ack {
            action: "position",
            entity_id: Some(entity),
            log,
            ..Ack::default()
        })))
    }

    async fn sync(&self, message: &Message, request: &Request<'_>) -> Result<Ack, Refusal> {
        sync::synchronize(message, request, self.admission, self.logs).await
    }
}

/// The answer to a poll: the acknowledgement of its `sync`, and the pause until the next one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Polled {
    #[serde(flatten)]
    frame: ServerFrame<'static>,
    poll_after: u64,
}

fn parse(body: &str) -> Result<Request<'_>, HttpRefusal> {
    Request::parse(body)
        .map_err(|_| HttpRefusal::bad_request("the body is not a JSON object: send one"))
}

/// Returns the entity in the query string.
fn entity(request: &HttpRequest) -> Result<EntityId, HttpRefusal> {
    let mut values = request.query("entityId");
    match (values.next(), values.next()) {
        (Some(entity), None) => EntityId::new(entity)
            .map_err(|error| HttpRefusal::bad_request(format!("entityId {error}"))),
        _ => Err(HttpRefusal::bad_request(
            "the query string needs one entityId: send ?entityId=order-1",
        )),
    }
}

fn ok(body: &impl Serialize) -> HttpAnswer {
    let body = serde_json::to_string(body).expect("a server frame is always JSON");
    HttpAnswer::new(200, body)
}
