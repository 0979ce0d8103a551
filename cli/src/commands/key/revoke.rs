//! `herald key revoke`

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::store::KeyStore;
use crate::{
    failure::Failure,
    output::{json, note},
};

/// Revoke keys
///
/// Running functions accept a revoked key for at most a minute longer.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald key revoke k3j9x2qa41zm
  herald key list --json | jq -r .id | xargs herald key revoke")]
pub(crate) struct Arguments {
    /// Ids of keys, as `herald key list` prints them: the part between hk_ and the next _
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,

    /// Print one line of JSON for each key
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments, store: &KeyStore) -> Result<(), Failure> {
    let ids = distinct_ids(&arguments.ids);
    store
        .change(|keys| {
            // All or none: a mistyped id must not pass for a revoked key.
            for &id in &ids {
                if keys.remove(id).is_none() {
                    return Err(Failure::usage(format!(
                        "the stack has no key {id}: `herald key list` lists its keys"
                    )));
                }
            }
            Ok(())
        })
        .await?;
    for id in ids {
        match arguments.json {
            true => json(&json!({"id": id}))?,
            false => note(format_args!(
                "revoked the key {id}: within a minute it is accepted no longer"
            )),
        }
    }
    Ok(())
}

/// Returns the id in each text, and each id once.
fn distinct_ids(texts: &[String]) -> BTreeSet<&str> {
    texts.iter().map(|text| id_of(text)).collect()
}

/// Returns the id in a text, which may be the whole key.
fn id_of(text: &str) -> &str {
    let id = text
        .strip_prefix("hk_")
        .and_then(|rest| rest.split('_').next());
    id.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::distinct_ids;

    #[test]
    fn repeated_id_is_revoked_once() {
        let texts = ["k3j9x2qa41zm", "hk_k3j9x2qa41zm_secret", "k1aaaaaaaaaa"].map(str::to_owned);
        let ids: Vec<_> = distinct_ids(&texts).into_iter().collect();
        assert_eq!(ids, ["k1aaaaaaaaaa", "k3j9x2qa41zm"]);
    }
}
