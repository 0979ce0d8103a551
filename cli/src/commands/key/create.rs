//! `herald key create`

use chrono::{SecondsFormat, Utc};
use clap::Args;
use herald_shared::permissions::Permissions;
use serde_json::{Value, json};

use super::{key_store, store::StoredKey, text::NewKey};
use crate::{
    commands::permissions,
    failure::Failure,
    output::{json, line, note},
    target::TargetArguments,
};

/// The actions of a key: those of a client that reads have no meaning for it.
const ACTIONS: [&str; 3] = ["publish", "broadcast", "user"];

/// Create a key, and print it this once
///
/// The stack keeps only its hash, so a lost key cannot be shown again. It works at once. To replace a key without a gap,
/// create the new one, change the servers that use it, and revoke the old one.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald key create
  herald key create --may 'order-*=publish' --comment 'the shop'
  herald key create --may '**=publish,broadcast,user' --json | jq -r .key
  HERALD_KEY=$(herald key create --may '**=publish') herald publish --http --entity order-1 Hello")]
pub(crate) struct Arguments {
    /// Permissions for the entities that match a pattern: publish, and, with the pattern **, broadcast and user, which
    /// is to send to any user; may be repeated [default: **=publish,broadcast,user]
    #[arg(long = "may", value_name = "PATTERN=ACTION,…", value_parser = permission)]
    may: Vec<(String, Vec<String>)>,

    /// Text that tells the key from others in the list
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// Print JSON with the `id`, the `key` and its permissions `may`
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    // Before the target is looked up: wrong usage needs no stack.
    let may = permissions::merge("--may", &arguments.may).map_err(Failure::Usage)?;
    let may = may_of(may)?;
    let store = key_store(target).await?;
    let key = NewKey::random()?;
    let stored = serde_json::to_value(StoredKey {
        sha256: key.sha256(),
        may: may.clone(),
        comment: arguments.comment.clone(),
        created_at: Some(Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)),
    })?;
    store
        .change(|keys| {
            keys.insert(key.id.clone(), stored.clone());
            Ok(())
        })
        .await?;
    if arguments.json {
        return json(&json!({"id": key.id, "key": key.text(), "may": may}));
    }
    let id = &key.id;
    note(format_args!(
        "created the key {id}, which is not shown again; `herald key revoke {id}` ends it"
    ));
    line(key.text())
}

/// Returns the permissions as JSON; all of them if none are given.
fn may_of(given: Option<Permissions>) -> Result<Value, Failure> {
    Ok(match given {
        Some(permissions) => serde_json::to_value(permissions)?,
        None => json!({"**": ACTIONS}),
    })
}

/// Parses the permissions of one pattern.
fn permission(text: &str) -> Result<(String, Vec<String>), String> {
    let (pattern, actions) = permissions::parse(text)?;
    let unknown = actions
        .iter()
        .find(|action| !ACTIONS.contains(&action.as_str()));
    match unknown {
        None => Ok((pattern, actions)),
        Some(action) => Err(format!("a key may {}, got `{action}`", ACTIONS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::permission;

    #[test]
    fn key_may_only_send() {
        let check = |text: &str, expected: Result<&[&str], &str>| {
            let actual = permission(text).map(|(_, actions)| actions);
            match (actual, expected) {
                (Ok(actions), Ok(expected)) => assert_eq!(actions, expected),
                (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
                (actual, _) => panic!("{text}: {actual:?}"),
            }
        };
        check("order-*=publish", Ok(&["publish"]));
        check("**=broadcast, user", Ok(&["broadcast", "user"]));
        check("order-*=subscribe", Err("got `subscribe`"));
        check("order-*=history", Err("got `history`"));
        check("order-*", Err("PATTERN=ACTION"));
    }
}
