//! What a typed line means.

use herald_client::EntityId;
use serde_json::{json, value::RawValue};

use crate::commands::message;

/// What a typed line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// To send these frames.
    Frames(Vec<String>),
    /// To send a new token.
    Authenticate,
    Help,
    Quit,
}

/// All commands.
pub(super) const HELP: &str = "Commands:
  sub ENTITY…           subscribe
  unsub ENTITY…         unsubscribe
  send ENTITY MESSAGE   to the other subscribers of an entity
  broadcast MESSAGE     to everybody else
  echo MESSAGE          back to you
  ping                  answered by pong
  auth                  renew the token of this connection
  {…}                   a frame as it is; so is anything that begins with {, [ or \"
  raw TEXT              any text as a frame
  help, quit            or Ctrl-D

A MESSAGE is JSON, and anything that is no JSON is a text.";

impl Input {
    /// Reads a line. Errs, in a sentence, with what is wrong with it.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let line = line.trim();
        if line.starts_with(['{', '[', '"']) {
            return Ok(Self::frame(line));
        }
        let (command, rest) = first_word(line);
        match (command, rest) {
            ("", _) => Ok(Self::Frames(vec![])),
            ("sub", rest) => about_entities("subscribe", rest),
            ("unsub", rest) => about_entities("unsubscribe", rest),
            ("send", rest) => {
                let (entity, message) = first_word(rest);
                let entity = entity_id(entity)?;
                let message = said(message)?;
                let target = format!(r#""entityId":{}"#, json!(entity));
                Ok(Self::frame(&send_message(&target, &message)))
            }
            ("broadcast", rest) => {
                let message = said(rest)?;
                Ok(Self::frame(&send_message(r#""broadcast":true"#, &message)))
            }
            ("echo", rest) => {
                let message = said(rest)?;
                Ok(Self::frame(&format!(
                    r#"{{"action":"sendMessage","message":{message}}}"#
                )))
            }
            ("raw", rest) => Ok(Self::frame(rest)),
            ("ping", "") => Ok(Self::frame(r#"{"action":"ping"}"#)),
            ("auth", "") => Ok(Self::Authenticate),
            ("help" | "?", "") => Ok(Self::Help),
            ("quit" | "exit", "") => Ok(Self::Quit),
            _ => Err(format!("{line:?} is neither a command nor JSON: try help")),
        }
    }

    fn frame(text: &str) -> Self {
        Self::Frames(vec![text.to_owned()])
    }
}

/// The frame that subscribes to an entity.
pub(super) fn subscribe(entity: &EntityId) -> String {
    about_entity("subscribe", entity)
}

/// The frame that renews a token.
pub(super) fn authenticate(token: &str) -> String {
    format!(r#"{{"action":"authenticate","token":{}}}"#, json!(token))
}

fn about_entities(action: &str, entities: &str) -> Result<Input, String> {
    let entities: Result<Vec<_>, _> = entities.split_whitespace().map(entity_id).collect();
    let entities = entities?;
    if entities.is_empty() {
        // Says that an entity is missing.
        entity_id("")?;
    }
    let frames = entities.iter().map(|entity| about_entity(action, entity));
    Ok(Input::Frames(frames.collect()))
}

fn about_entity(action: &str, entity: &EntityId) -> String {
    format!(r#"{{"action":"{action}","entityId":{}}}"#, json!(entity))
}

fn send_message(target: &str, message: &RawValue) -> String {
    format!(r#"{{"action":"sendMessage",{target},"message":{message}}}"#)
}

fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn entity_id(text: &str) -> Result<EntityId, String> {
    match text {
        "" => Err("say which entity, as in: sub order-1".to_owned()),
        text => EntityId::new(text).map_err(|error| format!("the entity {error}")),
    }
}

fn said(text: &str) -> Result<Box<RawValue>, String> {
    match text {
        "" => Err("say what, as in: send order-1 Hello".to_owned()),
        text => message::read(text, false).map_err(|error| format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_commands_are_frames() {
        let frames = |frames: &[&str]| {
            Ok(Input::Frames(
                frames.iter().map(|frame| (*frame).to_owned()).collect(),
            ))
        };
        for (line, expected) in [
            ("", frames(&[])),
            (
                " sub order-1 ",
                frames(&[r#"{"action":"subscribe","entityId":"order-1"}"#]),
            ),
            (
                "sub a\tb",
                frames(&[
                    r#"{"action":"subscribe","entityId":"a"}"#,
                    r#"{"action":"subscribe","entityId":"b"}"#,
                ]),
            ),
            (
                r#"unsub or"der"#,
                frames(&[r#"{"action":"unsubscribe","entityId":"or\"der"}"#]),
            ),
            (
                r#"send order-1 {"a": 1.0}"#,
                frames(&[r#"{"action":"sendMessage","entityId":"order-1","message":{"a": 1.0}}"#]),
            ),
            (
                "send order-1 Hello  there",
                frames(&[
                    r#"{"action":"sendMessage","entityId":"order-1","message":"Hello  there"}"#,
                ]),
            ),
            (
                "broadcast 1",
                frames(&[r#"{"action":"sendMessage","broadcast":true,"message":1}"#]),
            ),
            (
                "echo Hello",
                frames(&[r#"{"action":"sendMessage","message":"Hello"}"#]),
            ),
            ("ping", frames(&[r#"{"action":"ping"}"#])),
            (r#"{"action""#, frames(&[r#"{"action""#])),
            ("raw hello", frames(&["hello"])),
            ("auth", Ok(Input::Authenticate)),
            ("?", Ok(Input::Help)),
            ("exit", Ok(Input::Quit)),
            ("sub", Err("say which entity")),
            ("send", Err("say which entity")),
            ("send order-1", Err("say what")),
            ("broadcast", Err("say what")),
            ("send order-1 {", Err("begins like JSON and is none")),
            ("hello", Err("neither a command nor JSON")),
            ("ping now", Err("neither a command nor JSON")),
        ] {
            match (Input::read(line), expected) {
                (Err(error), Err(words)) => assert!(error.contains(words), "{line}: {error}"),
                (input, expected) => {
                    assert_eq!(input, expected.map_err(str::to_owned), "{line}");
                }
            }
        }
    }

    #[test]
    fn every_command_is_in_the_help() {
        for command in [
            "sub",
            "unsub",
            "send",
            "broadcast",
            "echo",
            "raw",
            "ping",
            "auth",
            "help",
            "quit",
        ] {
            assert!(HELP.contains(command), "{command}");
        }
    }
}
