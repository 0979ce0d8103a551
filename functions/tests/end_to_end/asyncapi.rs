//! `asyncapi.yaml` compared with Herald: every frame that a test of this suite receives must match the
//! document, and Herald's own types must read or write every example in it.

use std::{fs, sync::LazyLock};

use herald_shared::{
    ids::{EntityId, UserId},
    presence::Info,
    protocol::{
        Ack, DisconnectCode, EntityError, EntityResult, ErrorCode, HistoryRequest, LogReply,
        MembersChanged, PresenceFrame, PresenceReply, PresentUser, Request, RequestId,
        SUBPROTOCOLS, SendMessage, ServerFrame, Subscribe, SyncRequest, UserLeft,
    },
    push::Push,
};
use herald_testkit::local_only;
use jsonschema::Validator;
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json, value::RawValue};

use crate::harness::repository;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| read("asyncapi.yaml"));

/// Reads a YAML file of the repository.
pub fn read(file: &str) -> Value {
    let text = fs::read_to_string(repository().join(file)).unwrap();
    to_json(&Yaml::load_from_str(&text).unwrap()[0])
}

/// Returns the schemas of the document.
pub fn schemas() -> &'static Map<String, Value> {
    DOCUMENT["components"]["schemas"].as_object().unwrap()
}

static SERVER_FRAME: LazyLock<Validator> = LazyLock::new(|| validator("ServerFrame"));

/// Fails if the document does not describe a frame that a client received. A frame with a number that
/// fits no Rust type only has to be JSON.
pub fn check_received(frame: &str) {
    let _: &RawValue = serde_json::from_str(frame).expect(frame);
    let Ok(value) = serde_json::from_str(frame) else {
        return;
    };
    assert!(
        SERVER_FRAME.is_valid(&value),
        "asyncapi.yaml describes no such frame: {frame}"
    );
}

#[local_only("needs no stack")]
#[test]
fn examples_match_their_schemas() {
    for (name, message) in messages() {
        let schema = message["payload"]["$ref"].as_str().unwrap();
        let validator = validator(schema.rsplit('/').next().unwrap());
        for example in examples(message) {
            assert!(validator.is_valid(example), "{name}: {example}");
        }
    }
}

#[local_only("needs no stack")]
#[test]
fn examples_of_client_frames_are_read() {
    for frame in sent_by("receive", "socket").flat_map(examples) {
        let text = frame.to_string();
        let request = Request::parse(&text).unwrap();
        assert_eq!(request.action().as_deref(), frame["action"].as_str());
        assert_eq!(json!(request.id().unwrap()), frame["id"]);
        match frame["action"].as_str().unwrap() {
            "subscribe" => drop(Subscribe::parse(&request).unwrap()),
            "history" => drop(HistoryRequest::parse(&request).unwrap()),
            "sync" => drop(SyncRequest::parse(&request).unwrap()),
            "unsubscribe" | "presence" => drop(request.entity_id().unwrap()),
            "sendMessage" => drop(SendMessage::parse(&request).unwrap()),
            "authenticate" | "ping" => {}
            other => panic!("unknown action: {other}"),
        }
    }
}

#[local_only("needs no stack")]
#[test]
fn examples_of_server_frames_are_written() {
    let replies = ["ack", "pong", "error"].map(|name| &DOCUMENT["components"]["messages"][name]);
    for frame in sent_by("send", "socket").chain(replies).flat_map(examples) {
        let written: Value = serde_json::from_str(&write(frame)).unwrap();
        let mut expected = frame.clone();
        if frame["type"] != "ack" {
            // The log adds them to the frame.
            let fields = expected.as_object_mut().unwrap();
            fields.retain(|name, _| !["epoch", "offset"].contains(&name.as_str()));
        }
        assert_eq!(written, expected);
    }
}

#[local_only("needs no stack")]
#[test]
fn examples_of_events_are_read() {
    let mut kinds = 0;
    for event in sent_by("receive", "bus").flat_map(examples) {
        let mut event = event.clone();
        event["id"] = json!("e-1");
        event["time"] = json!("2026-11-21T10:08:27Z");
        Push::from_queue_body(&event.to_string()).unwrap();
        kinds += 1;
    }
    assert_eq!(kinds, 4);
}

#[local_only("needs no stack")]
#[test]
fn closed_lists_are_complete() {
    let codes: Vec<ErrorCode> = listed("ErrorCode");
    for code in &codes {
        // A new variant must be added here, and to the document.
        match code {
            ErrorCode::BadRequest
            | ErrorCode::UnknownAction
            | ErrorCode::UnknownConnection
            | ErrorCode::Unauthorized
            | ErrorCode::Forbidden
            | ErrorCode::TooLarge
            | ErrorCode::TooMany
            | ErrorCode::PartlySent
            | ErrorCode::Throttled
            | ErrorCode::Internal => {}
        }
    }
    assert_eq!(codes.len(), 10);
    let codes: Vec<DisconnectCode> = listed("DisconnectCode");
    for code in &codes {
        match code {
            DisconnectCode::TokenExpired | DisconnectCode::UserDisconnected => {}
        }
    }
    assert_eq!(codes.len(), 2);
    let text = DOCUMENT.to_string();
    for subprotocol in SUBPROTOCOLS {
        assert!(text.contains(&format!("`{subprotocol}`")), "{subprotocol}");
    }
}

/// Returns the frame that Herald's own type writes for an example. Fields that the type does not have
/// are lost.
fn write(frame: &Value) -> String {
    let text = |name: &str| frame[name].as_str().map(str::to_owned);
    let raw = |name: &str| {
        let field = frame.get(name)?;
        Some(RawValue::from_string(field.to_string()).unwrap())
    };
    let entity = text("entityId").map(|id| EntityId::new(id).unwrap());
    let id: Option<RequestId> = serde_json::from_value(frame["id"].clone()).unwrap();
    let (message, name, callback) = (raw("message"), raw("name"), raw("callback"));
    let (event_id, time) = (text("eventId"), text("time"));
    let message = || message.as_deref().unwrap();
    match frame["type"].as_str().unwrap() {
        "ack" => ServerFrame::from(Ack {
            action: [
                "subscribe",
                "unsubscribe",
                "sendMessage",
                "history",
                "sync",
                "presence",
                "authenticate",
            ]
            .into_iter()
            .find(|action| frame["action"] == *action)
            .unwrap(),
            entity_id: entity,
            entities: frame["entities"].as_object().map(|entities| {
                let result =
                    |(name, value): (&String, &Value)| (name.clone(), entity_result(value));
                entities.iter().map(result).collect()
            }),
            user: frame.get("user").map(entity_result),
            everyone: frame.get("everyone").map(entity_result),
            event_id: event_id.clone(),
            event_ids: serde_json::from_value(frame["eventIds"].clone()).unwrap(),
            positions: serde_json::from_value(frame["positions"].clone()).unwrap(),
            expires_at: frame["expiresAt"].as_u64(),
            keep_alive: frame["keepAlive"].as_u64(),
            id,
            log: log_reply(frame),
            presence: frame.get("presence").map(presence_reply),
        })
        .to_json(),
        "presence" => ServerFrame::Presence(PresenceFrame {
            entity_id: entity.unwrap(),
            version: frame["version"].as_u64().unwrap(),
            count: frame["count"].as_u64().unwrap() as usize,
            changed: frame.get("joined").map(|joined| MembersChanged {
                joined: present_users(joined),
                left: frame["left"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|user| UserLeft {
                        user_id: user_id(user),
                    })
                    .collect(),
            }),
        })
        .to_json(),
        "message" => ServerFrame::Message {
            message: message(),
            name: name.as_deref(),
            entity_id: entity.as_ref(),
            event_id: event_id.as_deref(),
            time: time.as_deref(),
            id,
        }
        .to_json(),
        "pong" => ServerFrame::Pong { id }.to_json(),
        "error" => ServerFrame::Error {
            action: text("action"),
            id,
            code: serde_json::from_value(frame["code"].clone()).unwrap(),
            message: text("message").unwrap(),
            retryable: frame["retryable"].as_bool().unwrap(),
            event_ids: serde_json::from_value(frame["eventIds"].clone()).unwrap(),
        }
        .to_json(),
        "Entity Updated" => ServerFrame::EntityUpdated {
            entity_id: entity.as_ref().unwrap(),
            message: message(),
            event_id: event_id.as_deref().unwrap(),
            time: time.as_deref().unwrap(),
        }
        .to_json(),
        "User Push Notification" => ServerFrame::UserPushNotification {
            message: message(),
            callback: callback.as_deref(),
            event_id: event_id.as_deref().unwrap(),
            time: time.as_deref().unwrap(),
        }
        .to_json(),
        "Broadcast" => ServerFrame::Broadcast {
            message: message(),
            event_id: event_id.as_deref().unwrap(),
            time: time.as_deref().unwrap(),
        }
        .to_json(),
        "disconnect" => ServerFrame::Disconnect {
            code: serde_json::from_value(frame["code"].clone()).unwrap(),
            reason: &text("reason").unwrap(),
            reconnect: frame["reconnect"].as_bool().unwrap(),
        }
        .to_json(),
        other => panic!("unknown frame: {other}"),
    }
}

fn entity_result(result: &Value) -> EntityResult {
    let error = result.get("error").map(|error| EntityError {
        code: serde_json::from_value(error["code"].clone()).unwrap(),
        message: error["message"].as_str().unwrap().to_owned(),
        retryable: error["retryable"].as_bool().unwrap(),
    });
    EntityResult {
        error,
        log: log_reply(result),
        presence: result.get("presence").map(presence_reply),
    }
}

fn presence_reply(presence: &Value) -> PresenceReply {
    PresenceReply {
        version: presence["version"].as_u64().unwrap(),
        count: presence["count"].as_u64().unwrap() as usize,
        members: presence.get("members").map(present_users),
    }
}

fn present_users(users: &Value) -> Vec<PresentUser> {
    let users = users.as_array().unwrap().iter();
    users
        .map(|user| PresentUser {
            user_id: user_id(user),
            connections: user["connections"].as_u64().unwrap() as usize,
            info: user
                .get("info")
                .map(|info| Info::from_json(&info.to_string()).unwrap()),
        })
        .collect()
}

fn user_id(user: &Value) -> UserId {
    serde_json::from_value(user["userId"].clone()).unwrap()
}

fn log_reply(frame: &Value) -> LogReply {
    let messages = frame["messages"].as_array().into_iter().flatten();
    LogReply {
        epoch: serde_json::from_value(frame["epoch"].clone()).unwrap(),
        offset: frame["offset"].as_u64(),
        top: frame["top"].as_u64(),
        recovered: frame["recovered"].as_bool(),
        messages: messages
            .map(|message| RawValue::from_string(message.to_string()).unwrap())
            .collect(),
        more: frame["more"] == true,
    }
}

/// Returns the messages of Herald's operations on a channel.
fn sent_by(action: &'static str, channel: &'static str) -> impl Iterator<Item = &'static Value> {
    let operations = DOCUMENT["operations"].as_object().unwrap().values();
    operations
        .filter(move |operation| operation["action"] == action)
        .filter(move |operation| operation["channel"]["$ref"] == format!("#/channels/{channel}"))
        .flat_map(|operation| operation["messages"].as_array().unwrap())
        .map(|message| resolve(resolve(message)))
}

fn messages() -> &'static Map<String, Value> {
    DOCUMENT["components"]["messages"].as_object().unwrap()
}

fn examples(message: &Value) -> impl Iterator<Item = &Value> {
    let examples = message["examples"].as_array().unwrap();
    examples.iter().map(|example| &example["payload"])
}

/// Returns the target of a reference.
fn resolve(reference: &Value) -> &'static Value {
    let path = reference["$ref"].as_str().unwrap().trim_start_matches('#');
    DOCUMENT.pointer(path).expect(path)
}

/// Returns the values of a schema's closed list.
fn listed<T: DeserializeOwned>(schema: &str) -> Vec<T> {
    let list = &DOCUMENT["components"]["schemas"][schema]["enum"];
    serde_json::from_value(list.clone()).unwrap()
}

fn validator(schema: &str) -> Validator {
    let root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$ref": format!("#/components/schemas/{schema}"),
        "components": DOCUMENT["components"],
    });
    jsonschema::validator_for(&root).unwrap()
}

fn to_json(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(to_json).collect(),
        Yaml::Mapping(entries) => {
            let entry = |(name, value): (&Yaml<'_>, &Yaml<'_>)| {
                (name.as_str().unwrap().to_owned(), to_json(value))
            };
            entries.iter().map(entry).collect::<Map<_, _>>().into()
        }
        other => panic!("not used in the documents: {other:?}"),
    }
}
