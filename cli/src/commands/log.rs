//! Logs and positions on the command line: a position is `EPOCH/OFFSET`, and `0` before the first message.

use herald_client::{Epoch, LogName, Position};
use serde_json::{Map, Value, json};

use crate::{
    failure::Failure,
    output::{json as print_json, note},
};

/// Parses a position: `k3J9x2Qa/42`, or `0` or `start`.
pub(super) fn parse_position(text: &str) -> Result<Position, String> {
    if matches!(text, "0" | "start") {
        return Ok(Position::START);
    }
    let invalid = || format!("a position is EPOCH/OFFSET, such as k3J9x2Qa/42, or 0, got `{text}`");
    let (epoch, offset) = text.split_once('/').ok_or_else(invalid)?;
    let epoch = Epoch::new(epoch).map_err(|error| error.to_string())?;
    let offset = offset.parse().map_err(|_| invalid())?;
    Ok(Position::after(epoch, offset))
}

/// Returns a position as the flag `--since` reads it.
pub(super) fn position_text(position: &Position) -> String {
    match &position.epoch {
        Some(epoch) => format!("{epoch}/{}", position.offset),
        None => position.offset.to_string(),
    }
}

/// Returns the name of a log in a sentence.
pub(super) fn words(log: &LogName) -> String {
    match log {
        LogName::Entity(entity) => entity.to_string(),
        LogName::User => "pushes to the user".to_owned(),
        LogName::Everyone => "broadcasts".to_owned(),
    }
}

/// Reports that messages of a log are lost: as a line of JSON, or as a note. The next messages follow `position`, and
/// are without a log if it is `None`.
pub(super) fn report_lost(
    log: &LogName,
    position: Option<&Position>,
    as_json: bool,
) -> Result<(), Failure> {
    if as_json {
        return print_json(&json!({"lost": described(log, position)}));
    }
    let log = words(log);
    match position {
        Some(position) => note(format_args!(
            "lost: the log does not have all messages of {log}; the next one follows {}",
            position_text(position)
        )),
        None => note(format_args!(
            "lost: {log} has no log, so pushes that are sent while herald is not connected are lost"
        )),
    }
    Ok(())
}

/// Reports the position from which `--since` goes on.
pub(super) fn report_end(log: &LogName, position: &Position, as_json: bool) -> Result<(), Failure> {
    let since = position_text(position);
    if as_json {
        let mut end = described(log, Some(position));
        end["since"] = json!(since);
        return print_json(&json!({"end": end}));
    }
    note(format_args!("{}: go on with --since {since}", words(log)));
    Ok(())
}

/// Returns a log, named as in the protocol, and a position in it.
fn described(log: &LogName, position: Option<&Position>) -> Value {
    let (name, value) = match log {
        LogName::Entity(entity) => ("entityId", json!(entity)),
        LogName::User => ("user", json!(true)),
        LogName::Everyone => ("everyone", json!(true)),
    };
    let position = position.map(|position| ("position".to_owned(), json!(position)));
    let fields: Map<_, _> = [(name.to_owned(), value)]
        .into_iter()
        .chain(position)
        .collect();
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_is_read_as_it_is_printed() {
        let epoch = Epoch::new("k3J9x2Qa").expect("an epoch");
        for (text, position) in [
            ("0", Position::START),
            ("k3J9x2Qa/0", Position::after(epoch.clone(), 0)),
            ("k3J9x2Qa/42", Position::after(epoch, 42)),
        ] {
            assert_eq!(parse_position(text).as_ref(), Ok(&position));
            assert_eq!(position_text(&position), text);
        }
        assert_eq!(parse_position("start"), Ok(Position::START));
    }

    #[test]
    fn invalid_position_is_refused_with_the_form() {
        for (text, words) in [
            ("", "EPOCH/OFFSET"),
            ("42", "EPOCH/OFFSET"),
            ("k3J9x2Qa/", "EPOCH/OFFSET"),
            ("k3J9x2Qa/-1", "EPOCH/OFFSET"),
            ("short/1", "8 ASCII letters or digits"),
        ] {
            let error = parse_position(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
