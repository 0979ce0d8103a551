//! `herald key list`

use clap::Args;
use serde_json::{Value, json};

use super::store::{KeyStore, StoredKey};
use crate::{
    failure::Failure,
    output::{json, line},
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

pub(super) async fn run(arguments: &Arguments, store: &KeyStore) -> Result<(), Failure> {
    let keys = store.keys().await?;
    let mut keys: Vec<_> = keys
        .into_iter()
        .map(|(id, key)| (id, serde_json::from_value::<StoredKey>(key).ok()))
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

fn as_json(id: &str, key: Option<StoredKey>) -> Value {
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

fn as_text(id: &str, key: Option<StoredKey>) -> String {
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
