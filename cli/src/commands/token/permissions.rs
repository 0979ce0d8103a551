//! Permissions, as they are given on the command line.

use std::collections::BTreeMap;

use anyhow::Context;
use herald_shared::permissions::Permissions;

/// One pattern with what is allowed there, as `order:*=subscribe,publish`.
pub(super) fn one(text: &str) -> Result<(String, Vec<String>), String> {
    // The last: a pattern may hold others.
    let (pattern, words) = text
        .rsplit_once('=')
        .ok_or("write it as PATTERN=WHAT,…, like order:*=subscribe,publish")?;
    let words = words.split(',').map(|word| word.trim().to_owned());
    Ok((pattern.to_owned(), words.collect()))
}

/// All of them together; none if there are none. Errs if one is no permission.
pub(super) fn all(given: &[(String, Vec<String>)]) -> anyhow::Result<Option<Permissions>> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (pattern, words) in given {
        let of_pattern = all.entry(pattern).or_default();
        of_pattern.extend(words.iter().map(String::as_str));
    }
    let text = serde_json::to_string(&all)?;
    let permissions = Permissions::from_json(&text).context("--permission cannot be understood")?;
    Ok(Some(permissions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_given_pattern_by_pattern() {
        for (given, expected) in [
            (vec![], Ok(None)),
            (
                vec!["order:*=subscribe,publish", "**=broadcast"],
                Ok(Some(
                    r#"{"**":["broadcast"],"order:*":["subscribe","publish"]}"#,
                )),
            ),
            (
                vec!["a=b=subscribe", "a=b=publish"],
                Ok(Some(r#"{"a=b":["subscribe","publish"]}"#)),
            ),
            (vec!["order-1"], Err("write it as")),
            (vec!["order-1=read"], Err("read")),
            (
                vec!["order-1=broadcast"],
                Err("broadcast is about no entity"),
            ),
            (vec!["order-1="], Err("unknown variant ``")),
        ] {
            let parsed: Result<Vec<_>, _> = given.iter().map(|text| one(text)).collect();
            let result = parsed.and_then(|given| {
                let permissions = all(&given).map_err(|error| format!("{error:#}"))?;
                Ok(permissions.map(|permissions| permissions.to_json()))
            });
            match (result, expected) {
                (Ok(json), Ok(expected)) => assert_eq!(json.as_deref(), expected, "{given:?}"),
                (Err(error), Err(words)) => assert!(error.contains(words), "{given:?}: {error}"),
                (result, _) => panic!("{given:?}: {result:?}"),
            }
        }
    }
}
