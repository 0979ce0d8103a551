//! `herald key list`

use clap::Args;
use herald_shared::permissions::Permissions;
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::KeyStore;
use crate::{
    failure::Failure,
    output::{json, line, note},
};

/// List the keys, the oldest first
///
/// Prints the id, the time of creation, the permissions and the comment of each. The keys themselves are not stored.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald key list
  herald key list --stack herald --json | jq -r .id")]
pub(crate) struct Arguments {
    /// Print one line of JSON for each key
    #[arg(long)]
    json: bool,
}

/// A key that the functions accept, with the fields that they do not read if they are texts.
struct ListedKey {
    may: Value,
    comment: Option<String>,
    created_at: Option<String>,
}

/// The length of a hash in hexadecimal digits.
const HASH_LENGTH: usize = 64;

impl ListedKey {
    /// Reads a key by the rules of the functions. Returns `None` if they ignore it.
    fn read(key: &Value) -> Option<Self> {
        let hash = key.get("sha256")?.as_str()?;
        let may = key.get("may")?;
        Permissions::deserialize(may).ok()?;
        let is_hash =
            hash.len() == HASH_LENGTH && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let text = |name| key.get(name).and_then(Value::as_str).map(str::to_owned);
        is_hash.then(|| Self {
            may: may.clone(),
            comment: text("comment"),
            created_at: text("createdAt"),
        })
    }
}

pub(super) async fn run(arguments: &Arguments, store: &KeyStore) -> Result<(), Failure> {
    let keys = store.keys().await?;
    if keys.is_empty() {
        note("no keys found");
    }
    let mut keys: Vec<_> = keys
        .into_iter()
        .map(|(id, key)| (id, ListedKey::read(&key)))
        .collect();
    keys.sort_by_key(|(id, key)| {
        (
            key.as_ref().and_then(|key| key.created_at.clone()),
            id.clone(),
        )
    });
    for (id, key) in keys {
        match arguments.json {
            true => json(&as_json(&id, key))?,
            false => line(as_text(&id, key))?,
        }
    }
    Ok(())
}

fn as_json(id: &str, key: Option<ListedKey>) -> Value {
    let Some(key) = key else {
        return json!({"id": id, "isValid": false});
    };
    json!({
        "id": id,
        "createdAt": key.created_at,
        "may": key.may,
        "comment": key.comment,
        "isValid": true,
    })
}

fn as_text(id: &str, key: Option<ListedKey>) -> String {
    let Some(key) = key else {
        return format!("{id}  invalid: the functions ignore it");
    };
    let created_at = key.created_at.as_deref().unwrap_or("-");
    let comment = key.comment.map(|comment| format!("  {comment}"));
    format!(
        "{id}  {created_at:<20}  {}{}",
        key.may,
        comment.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_valid_if_the_functions_accept_it() {
        let hash = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdef0123";
        let may = json!({"order-*": ["publish"]});
        for (key, is_valid) in [
            (json!({"sha256": hash, "may": may}), true),
            (
                json!({"sha256": hash, "may": may, "comment": 7, "createdAt": {}, "other": 1}),
                true,
            ),
            (json!({"sha256": "abc", "may": may}), false),
            (json!({"sha256": hash.replace('0', "g"), "may": may}), false),
            (json!({"sha256": hash, "may": {"a": ["write"]}}), false),
            (json!({"sha256": hash, "may": {"a": ["user"]}}), false),
            (json!({"sha256": hash}), false),
            (json!("key"), false),
        ] {
            let listed = as_json("k1aaaaaaaaaa", ListedKey::read(&key));
            assert_eq!(listed["isValid"], is_valid, "{key}");
        }
    }
}
