//! The reader of client frames.

use herald_shared::{
    audience::Audience,
    ids::EntityId,
    protocol::{BATCH_LIMIT, ErrorCode, Outgoing, Refusal, Request, RequestId, SendMessage},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

use crate::{edits::edited, json, sentences::is_fit_for_a_client};

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_message(text in any::<String>()) {
        read_all(&text)?;
    }

    #[test]
    fn damaged_frame_is_read_or_refused_with_message(text in edited(frame())) {
        read_all(&text)?;
    }

    #[test]
    fn frame_is_read_like_by_a_plain_reader(text in frame()) {
        let fields: Map<String, Value> = serde_json::from_str(&text)?;
        let request = Request::parse(&text)?;

        let action = fields.get("action").and_then(Value::as_str);
        let action = action.filter(|action| action.len() <= 64).map(str::to_owned);
        prop_assert_eq!(request.action(), action);
        prop_assert_eq!(code(request.id().map(|id| id.map(id_as_json))), request_id(&fields));
        prop_assert_eq!(code(request.entity_id().map(String::from)), entity(&fields).and_then(|entity| entity.ok_or(ErrorCode::BadRequest)));

        let read = SendMessage::parse(&request);
        let found = code(read.as_ref().map(as_found).map_err(Clone::clone));
        prop_assert_eq!(found, send_message(&fields));
        if let Ok(read) = read {
            for outgoing in outgoing(&read) {
                prop_assert!(text.contains(outgoing.message.get()), "the message was rewritten");
            }
        }
    }
}

/// Reads every field that a frame may have. Fails if a refusal is not fit for the client.
fn read_all(text: &str) -> Result<(), TestCaseError> {
    let request = match Request::parse(text) {
        Ok(request) => request,
        Err(refusal) => return fit(Some(refusal)),
    };
    fit(Some(request.unknown_action()))?;
    fit(request.id().err())?;
    fit(request.entity_id().err())?;
    fit(SendMessage::parse(&request).err())
}

fn fit(refusal: Option<Refusal>) -> Result<(), TestCaseError> {
    if let Some(refusal) = refusal {
        prop_assert!(is_fit_for_a_client(&refusal), "{refusal:?}");
    }
    Ok(())
}

/// Returns a frame with some of the protocol's fields, valid and invalid, repeated and in any order.
fn frame() -> impl Strategy<Value = String> {
    json::object(vec(field(), 0..7))
}

fn field() -> impl Strategy<Value = (String, String)> {
    let field = |name: &str, good: BoxedStrategy<String>| {
        let values = prop_oneof![4 => good, 1 => json::value()];
        (json::string(name.to_owned()), values).boxed()
    };
    prop_oneof![
        3 => field("action", prop_oneof!["subscribe|unsubscribe|sendMessage|ping|dance", "[a-z]{60,70}"].prop_flat_map(json::string).boxed()),
        1 => field("id", prop_oneof![json::any_string(), json::number(), "[a-z]{250,260}".prop_flat_map(json::string)].boxed()),
        2 => field("entityId", prop_oneof!["[a-zé:-]{0,6}", "x{250,260}"].prop_flat_map(json::string).boxed()),
        1 => field("broadcast", prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned).boxed()),
        3 => field("message", json::value().boxed()),
        1 => field("name", json::any_string().boxed()),
        1 => field("messages", messages().boxed()),
        1 => (json::any_string(), json::value()),
    ]
}

fn messages() -> impl Strategy<Value = String> {
    let named =
        |name: &str, value: BoxedStrategy<String>| (Just(format!("{name:?}")), value).boxed();
    let entry = prop_oneof![
        8 => json::object(vec(named("message", json::value().boxed()), 1)),
        2 => json::object(vec(prop_oneof![named("message", json::value().boxed()), named("name", json::any_string().boxed())], 0..4)),
        1 => json::value(),
    ];
    prop_oneof![4 => vec(entry.clone(), 0..4), 1 => vec(entry, 24..28)]
        .prop_map(|entries| format!("[{}]", entries.join(",")))
}

/// Reduces a refusal to its code, the part that is promised.
fn code<T>(read: Result<T, Refusal>) -> Result<T, ErrorCode> {
    read.map_err(|refusal| refusal.code)
}

// The second reader, over `serde_json::Value`.

/// The content of a `sendMessage` that both readers can read: the audience, the messages, and whether
/// they were a list.
type Found = (Option<Audience>, Vec<(Value, Option<Value>)>, bool);

fn send_message(fields: &Map<String, Value>) -> Result<Found, ErrorCode> {
    let audience = match (entity(fields)?, broadcast(fields)?) {
        (Some(_), true) => return Err(ErrorCode::BadRequest),
        (Some(entity), false) => Some(Audience::Entity(
            EntityId::new(entity).map_err(|_| ErrorCode::BadRequest)?,
        )),
        (None, true) => Some(Audience::Everyone),
        (None, false) => None,
    };
    let Some(messages) = fields.get("messages") else {
        return Ok((audience, vec![message(fields)?], false));
    };
    if fields.contains_key("message") || fields.contains_key("name") {
        return Err(ErrorCode::BadRequest);
    }
    let entries = messages.as_array().ok_or(ErrorCode::BadRequest)?;
    if entries.is_empty() || !entries.iter().all(Value::is_object) {
        return Err(ErrorCode::BadRequest);
    }
    if entries.len() > BATCH_LIMIT {
        return Err(ErrorCode::TooMany);
    }
    let entries = entries.iter().filter_map(Value::as_object).map(message);
    let entries = entries.collect::<Result<_, _>>()?;
    match audience {
        None => Err(ErrorCode::BadRequest),
        Some(audience) => Ok((Some(audience), entries, true)),
    }
}

fn message(fields: &Map<String, Value>) -> Result<(Value, Option<Value>), ErrorCode> {
    let message = fields.get("message").ok_or(ErrorCode::BadRequest)?;
    match fields.get("name") {
        None => Ok((message.clone(), None)),
        Some(Value::String(name)) => Ok((message.clone(), Some(name.as_str().into()))),
        Some(_) => Err(ErrorCode::BadRequest),
    }
}

fn entity(fields: &Map<String, Value>) -> Result<Option<String>, ErrorCode> {
    match fields.get("entityId") {
        None => Ok(None),
        Some(Value::String(id))
            if (1..=256).contains(&id.len()) && !id.contains(char::is_control) =>
        {
            Ok(Some(id.clone()))
        }
        Some(_) => Err(ErrorCode::BadRequest),
    }
}

fn broadcast(fields: &Map<String, Value>) -> Result<bool, ErrorCode> {
    match fields.get("broadcast") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(broadcast)) => Ok(*broadcast),
        Some(_) => Err(ErrorCode::BadRequest),
    }
}

fn request_id(fields: &Map<String, Value>) -> Result<Option<Value>, ErrorCode> {
    match fields.get("id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.len() > 256 => Err(ErrorCode::BadRequest),
        Some(id @ (Value::String(_) | Value::Number(_))) => Ok(Some(id.clone())),
        Some(_) => Err(ErrorCode::BadRequest),
    }
}

fn as_found(read: &SendMessage<'_>) -> Found {
    let audience = match read {
        SendMessage::Echo(_) => None,
        SendMessage::One(audience, _) | SendMessage::Several(audience, _) => Some(audience.clone()),
    };
    let messages = outgoing(read)
        .into_iter()
        .map(|outgoing| (as_json(outgoing.message), outgoing.name.map(as_json)));
    (
        audience,
        messages.collect(),
        matches!(read, SendMessage::Several(..)),
    )
}

fn outgoing<'a>(read: &SendMessage<'a>) -> Vec<Outgoing<'a>> {
    match read {
        SendMessage::Echo(outgoing) | SendMessage::One(_, outgoing) => vec![*outgoing],
        SendMessage::Several(_, outgoing) => outgoing.clone(),
    }
}

fn as_json(raw: &serde_json::value::RawValue) -> Value {
    serde_json::from_str(raw.get()).expect("valid JSON")
}

fn id_as_json(id: RequestId) -> Value {
    serde_json::to_value(id).expect("an id is JSON")
}
