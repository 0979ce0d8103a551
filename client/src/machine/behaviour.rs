//! The runner of the cases in `tests/behaviour`, which the browser's client runs as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use herald_shared::{ids::EntityId, log::Position, protocol::StartRequest};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Audience, Effect, Input, Machine, RequestBody, RequestNumber, Route, Rules, SocketId};
use crate::{
    ConnectionState, GatewayErrorKind, Member, Presence, PresenceChange, RequestError, StopReason,
    WhenFull, presence::ToldPresence,
};

#[test]
fn machine_passes_the_cases_of_every_client() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the cases")
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut failures = Vec::new();
    let mut names = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("a file of cases");
        let file: CaseFile =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(!file.about.is_empty());
        for case in file.cases {
            assert!(
                names.insert(case.name.clone()),
                "two cases have the name {:?}",
                case.name
            );
            if let Err(failure) = case.run() {
                failures.push(format!("{}: {:?}: {failure}", path.display(), case.name));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} cases failed\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    options: Options,
    steps: Vec<Step>,
}

impl Case {
    fn run(&self) -> Result<(), String> {
        let jitter = Arc::new(Mutex::new(self.options.jitter.unwrap_or(0.5)));
        let random = jitter.clone();
        let random = move || *random.lock().expect("no panic");
        let mut machine = Machine::new(self.options.rules(), random);
        let mut presences = Presences::default();
        for (number, step) in self.steps.iter().enumerate() {
            if let Some(value) = step.jitter {
                *jitter.lock().expect("no panic") = value;
            }
            let now = Duration::from_millis(step.at);
            let woken = machine.wake().is_some_and(|at| at <= now);
            let effects = machine.handle(now, step.input()?);
            let effects = effects.iter();
            let seen: Vec<_> = effects
                .map(|effect| effect_to_json(effect, &mut presences))
                .collect();
            let place = format!("step {} at {}", number + 1, step.at);
            if seen != step.effects {
                let (seen, expected) = (lines(&seen), lines(&step.effects));
                return Err(format!("{place}:\n  expected{expected}\n  and got{seen}"));
            }
            if step.input.contains_key("time") && !seen.is_empty() && !woken {
                return Err(format!("{place}: the machine did not ask to be woken"));
            }
            if machine.wake().is_some_and(|at| at <= now) {
                return Err(format!(
                    "{place}: the machine asks to be woken again at once"
                ));
            }
        }
        Ok(())
    }
}

fn lines(effects: &[Value]) -> String {
    effects
        .iter()
        .map(|effect| format!("\n    {effect}"))
        .collect()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Options {
    token: bool,
    poll: bool,
    jitter: Option<f64>,
    connect_timeout: Option<u64>,
    backoff_base: Option<u64>,
    backoff_cap: Option<u64>,
    stable_after: Option<u64>,
    refusal_limit: Option<u32>,
    offline_retry: Option<u64>,
    unanswered_after: Option<u64>,
    ping_after: Option<u64>,
    pong_timeout: Option<u64>,
    reply_timeout: Option<u64>,
    in_flight_limit: Option<usize>,
    outbox_limit: Option<usize>,
    outbox_full: Option<String>,
    time_to_live: Option<u64>,
    message_limit: Option<usize>,
    repeat_window: Option<usize>,
    renew_after: Option<u64>,
    linger_for: Option<u64>,
    renew_token_before: Option<u64>,
    gap_after: Option<u64>,
    gap_spread: Option<u64>,
    held_limit: Option<usize>,
    held_while_asking: Option<usize>,
    obstacle_limit: Option<u32>,
    obstacle_after: Option<u64>,
    killed_within: Option<u64>,
    web_socket_retry: Option<u64>,
    presence_spread: Option<u64>,
}

impl Options {
    fn rules(&self) -> Rules {
        let time = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
        let rules = Rules::default();
        Rules {
            token: self.token,
            poll: self.poll,
            connect_timeout: time(self.connect_timeout, rules.connect_timeout),
            backoff_base: time(self.backoff_base, rules.backoff_base),
            backoff_cap: time(self.backoff_cap, rules.backoff_cap),
            stable_after: time(self.stable_after, rules.stable_after),
            refusal_limit: self.refusal_limit.unwrap_or(rules.refusal_limit),
            offline_retry: time(self.offline_retry, rules.offline_retry),
            unanswered_after: time(self.unanswered_after, rules.unanswered_after),
            ping_after: time(self.ping_after, rules.ping_after),
            pong_timeout: time(self.pong_timeout, rules.pong_timeout),
            reply_timeout: time(self.reply_timeout, rules.reply_timeout),
            in_flight_limit: self.in_flight_limit.unwrap_or(rules.in_flight_limit),
            outbox_limit: self.outbox_limit.unwrap_or(rules.outbox_limit),
            outbox_full: match self.outbox_full.as_deref() {
                None => rules.outbox_full,
                Some("refuseNewest") => WhenFull::RefuseNewest,
                Some("dropOldest") => WhenFull::DropOldest,
                Some(other) => panic!("unknown policy of a full outbox: {other}"),
            },
            time_to_live: time(self.time_to_live, rules.time_to_live),
            message_limit: self.message_limit.unwrap_or(rules.message_limit),
            repeat_window: self.repeat_window.unwrap_or(rules.repeat_window),
            renew_after: time(self.renew_after, rules.renew_after),
            linger_for: time(self.linger_for, rules.linger_for),
            renew_token_before: time(self.renew_token_before, rules.renew_token_before),
            gap_after: time(self.gap_after, rules.gap_after),
            gap_spread: time(self.gap_spread, rules.gap_spread),
            held_limit: self.held_limit.unwrap_or(rules.held_limit),
            held_while_asking: self.held_while_asking.unwrap_or(rules.held_while_asking),
            obstacle_limit: self.obstacle_limit.unwrap_or(rules.obstacle_limit),
            obstacle_after: time(self.obstacle_after, rules.obstacle_after),
            killed_within: time(self.killed_within, rules.killed_within),
            web_socket_retry: time(self.web_socket_retry, rules.web_socket_retry),
            presence_spread: time(self.presence_spread, rules.presence_spread),
        }
    }
}

#[derive(Deserialize)]
struct Step {
    at: u64,
    jitter: Option<f64>,
    #[serde(default)]
    effects: Vec<Value>,
    /// The step's only input, by its name.
    #[serde(flatten)]
    input: Map<String, Value>,
}

impl Step {
    fn input(&self) -> Result<Input, String> {
        let mut inputs = self.input.iter();
        let (Some((name, fields)), None) = (inputs.next(), inputs.next()) else {
            return Err(format!("expected one input, got {:?}", self.input));
        };
        let fields: Fields =
            serde_json::from_value(fields.clone()).map_err(|error| format!("{name}: {error}"))?;
        Ok(fields.input(name))
    }
}

/// The fields of all inputs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fields {
    socket: Option<u64>,
    token: Option<String>,
    expires_in: Option<u64>,
    status: Option<u16>,
    frame: Option<Value>,
    text: Option<String>,
    request: Option<u64>,
    entity: Option<EntityId>,
    /// Subscribers that are added together.
    several: Option<Vec<Subscriber>>,
    reason: Option<String>,
    to: Option<String>,
    recover: Option<Position>,
    rewind: Option<usize>,
    #[serde(default)]
    presence: bool,
    #[serde(default)]
    safe: bool,
    time_to_live: Option<u64>,
    within: Option<u64>,
    #[serde(default)]
    close_frame: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscriber {
    request: u64,
    entity: EntityId,
    recover: Option<Position>,
    rewind: Option<usize>,
    #[serde(default)]
    presence: bool,
}

impl From<Subscriber> for super::Subscriber {
    fn from(subscriber: Subscriber) -> Self {
        let rewind = subscriber.rewind.map(StartRequest::Rewind);
        let recover = subscriber.recover.map(StartRequest::Recover);
        Self {
            request: RequestNumber(subscriber.request),
            entity: subscriber.entity,
            start: rewind.or(recover).unwrap_or(StartRequest::Live),
            presence: subscriber.presence,
        }
    }
}

impl Fields {
    fn subscribers(&self) -> Vec<Subscriber> {
        let one = || Subscriber {
            request: self.request.expect("a request"),
            entity: self.entity.clone().expect("an entity"),
            recover: self.recover.clone(),
            rewind: self.rewind,
            presence: self.presence,
        };
        self.several.clone().unwrap_or_else(|| vec![one()])
    }

    fn input(self, name: &str) -> Input {
        let socket = || SocketId(self.socket.expect("a socket"));
        let request = || RequestNumber(self.request.expect("a request"));
        let entity = || self.entity.clone().expect("an entity");
        let frame = || self.frame.as_ref().map(Value::to_string);
        match name {
            "connect" => Input::Connect,
            "token" => Input::Token {
                socket: socket(),
                token: self.token.clone().expect("a token"),
                expires_in: self.expires_in.map(Duration::from_millis),
            },
            "tokenFailed" => Input::TokenFailed { socket: socket() },
            "opened" => Input::Opened { socket: socket() },
            "refused" => Input::Refused {
                socket: socket(),
                status: self.status,
            },
            "failed" => Input::Failed { socket: socket() },
            "invalid" => Input::Invalid {
                socket: socket(),
                reason: self.reason.clone().expect("a reason"),
            },
            "received" => Input::Received {
                socket: socket(),
                text: frame().or(self.text.clone()).expect("a frame or a text"),
            },
            "closed" => Input::Closed {
                socket: socket(),
                close_frame: self.close_frame,
            },
            "answered" => Input::Answered {
                socket: socket(),
                request: self.request.expect("a request"),
                status: self.status,
                text: frame().unwrap_or_default(),
            },
            "subscribe" => Input::Subscribe {
                subscribers: self.subscribers().into_iter().map(Into::into).collect(),
            },
            "follow" => Input::Follow {
                audience: match self.to.as_deref() {
                    Some("notifications") => Audience::User,
                    Some("broadcasts") => Audience::Everyone,
                    other => panic!("unknown audience: {other:?}"),
                },
            },
            "unsubscribe" => Input::Unsubscribe {
                entity: entity(),
                presence: self.presence,
            },
            "send" => Input::Send {
                request: request(),
                body: RequestBody::new(frame().expect("a frame")),
                safe_to_repeat: self.safe,
                time_to_live: self.time_to_live.map(Duration::from_millis),
            },
            "networkUp" => Input::NetworkUp,
            "networkDown" => Input::NetworkDown,
            "foreground" => Input::Foreground,
            "close" => Input::Close {
                within: Duration::from_millis(self.within.expect("a deadline")),
            },
            "time" => Input::Time,
            other => panic!("unknown input: {other}"),
        }
    }
}

/// The last set of each entity.
type Presences = BTreeMap<EntityId, Option<Arc<Presence>>>;

fn effect_to_json(effect: &Effect, presences: &mut Presences) -> Value {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    match effect {
        Effect::State(state) => json!({"state": state_to_json(state)}),
        Effect::AskToken { socket } => json!({"askToken": {"socket": socket.0}}),
        Effect::OpenSocket { socket, token } => {
            json!({"openSocket": {"socket": socket.0, "token": token}})
        }
        Effect::Send { socket, text } => {
            json!({"send": {"socket": socket.0, "frame": parsed(text)}})
        }
        Effect::Post {
            socket,
            request,
            path,
            token,
            text,
        } => json!({"post": {
            "socket": socket.0,
            "request": request,
            "path": path.as_str(),
            "token": token,
            "frame": parsed(text),
        }}),
        Effect::Transport(transport) => {
            json!({"transport": {"transport": transport.to_string()}})
        }
        Effect::CloseSocket { socket } => json!({"closeSocket": {"socket": socket.0}}),
        Effect::Resolve {
            request,
            reply,
            position,
        } => {
            let mut fields = json!({"request": request.0});
            if let Some(reply) = reply {
                fields["reply"] = parsed(reply.json());
            }
            if let Some(position) = position {
                fields["position"] = json!(position);
            }
            json!({"resolve": fields})
        }
        Effect::Reject { request, error } => {
            json!({"reject": {"request": request.0, "error": error_to_json(error)}})
        }
        Effect::Deliver { to, push } => {
            json!({"deliver": {"to": name_of(to), "frame": parsed(push.json())}})
        }
        Effect::Lost { to, position } => {
            let mut fields = json!({"to": name_of(to), "position": position});
            if let Route::Entity(entity) = to {
                fields["entity"] = json!(entity);
            }
            json!({"lost": fields})
        }
        Effect::Presence { entity, told } => {
            let previous = presences.insert(entity.clone(), told.presence.clone());
            presence_to_json(entity, previous.flatten().as_deref(), told)
        }
        Effect::Ended { entity, error } => {
            json!({"ended": {"entity": entity, "error": error_to_json(error)}})
        }
    }
}

fn presence_to_json(entity: &EntityId, previous: Option<&Presence>, told: &ToldPresence) -> Value {
    let PresenceChange {
        joined,
        left,
        presence,
        error,
    } = PresenceChange::between(previous, told.clone());
    let presence = presence.as_deref();
    let members = presence.and_then(|presence| presence.members.as_ref());
    let mut fields = json!({
        "entity": entity,
        "count": presence.map(|presence| presence.count),
        "members": members.map(|members| members_to_json(members.values())),
        "joined": members_to_json(&joined),
        "left": members_to_json(&left),
    });
    if let Some(error) = error {
        fields["error"] = error_to_json(&error);
    }
    json!({"presence": fields})
}

fn members_to_json<'a>(members: impl IntoIterator<Item = &'a Member>) -> Value {
    let member_to_json = |member: &Member| {
        let mut fields = json!({"userId": member.user_id, "connections": member.connections});
        if let Some(info) = &member.info {
            fields["info"] = info.clone();
        }
        fields
    };
    members.into_iter().map(member_to_json).collect()
}

fn name_of(route: &Route) -> &'static str {
    match route {
        Route::Entity(_) => "entity",
        Route::Notifications => "notifications",
        Route::Broadcasts => "broadcasts",
        Route::Other => "other",
    }
}

fn state_to_json(state: &ConnectionState) -> Value {
    match state {
        ConnectionState::Connecting => json!({"name": "connecting"}),
        ConnectionState::Open => json!({"name": "open"}),
        ConnectionState::Reconnecting { attempt, delay } => {
            let delay = delay.map(|delay| delay.as_millis() as u64);
            json!({"name": "reconnecting", "attempt": attempt, "delay": delay})
        }
        ConnectionState::Stopped(reason) => {
            let reason = match reason {
                StopReason::Closed => json!({"kind": "closed"}),
                StopReason::Refused { status } => json!({"kind": "refused", "status": status}),
                StopReason::Invalid { reason } => json!({"kind": "invalid", "reason": reason}),
                StopReason::Failed { reason } => panic!("not a reason of the machine: {reason}"),
                StopReason::Disconnected { code, reason } => {
                    json!({"kind": "disconnected", "code": code, "reason": reason})
                }
            };
            json!({"name": "stopped", "reason": reason})
        }
    }
}

fn error_to_json(error: &RequestError) -> Value {
    match error {
        RequestError::Server(error) => {
            let mut written = json!({
                "kind": "server",
                "code": error.code_text,
                "message": error.message,
                "retryable": error.retryable,
            });
            if !error.event_ids.is_empty() {
                written["eventIds"] = json!(error.event_ids);
            }
            written
        }
        RequestError::Gateway(error) => {
            let code = match error.kind {
                GatewayErrorKind::Internal => "internal",
                GatewayErrorKind::Timeout => "timeout",
                GatewayErrorKind::Throttled => "throttled",
                GatewayErrorKind::Forbidden => "forbidden",
                GatewayErrorKind::BadRequest => "badRequest",
                GatewayErrorKind::Other => "other",
            };
            json!({"kind": "gateway", "code": code, "message": error.message})
        }
        RequestError::OutcomeUnknown => json!({"kind": "outcomeUnknown"}),
        RequestError::Expired => json!({"kind": "expired"}),
        RequestError::OutboxFull => json!({"kind": "outboxFull"}),
        RequestError::TooLarge => json!({"kind": "tooLarge"}),
        RequestError::Stopped => json!({"kind": "stopped"}),
        RequestError::Serialize(_) | RequestError::InvalidEntity(_) => {
            panic!("not an error of the machine: {error}")
        }
    }
}
