//! Permissions on the command line.

use std::collections::BTreeMap;

use anyhow::Context;
use herald_shared::permissions::Permissions;

/// Parses the actions that are allowed for one pattern: `order:*=subscribe,publish`.
pub(super) fn parse(text: &str) -> Result<(String, Vec<String>), String> {
    // A pattern may contain `=`, and actions do not.
    let (pattern, actions) = text
        .rsplit_once('=')
        .ok_or("expected PATTERN=ACTION,…, such as order:*=subscribe,publish")?;
    let actions = actions.split(',').map(|action| action.trim().to_owned());
    Ok((pattern.to_owned(), actions.collect()))
}

/// Merges the permissions of several flags `flag`. `None` if there are none.
pub(super) fn merge(
    flag: &str,
    given: &[(String, Vec<String>)],
) -> anyhow::Result<Option<Permissions>> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut merged: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (pattern, actions) in given {
        let merged_actions = merged.entry(pattern).or_default();
        merged_actions.extend(actions.iter().map(String::as_str));
    }
    let text = serde_json::to_string(&merged)?;
    let permissions =
        Permissions::from_json(&text).with_context(|| format!("{flag} is invalid"))?;
    Ok(Some(permissions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_of_several_flags_are_merged_by_pattern() {
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
            (vec!["order-1"], Err("expected PATTERN=ACTION")),
            (vec!["order-1=read"], Err("read")),
            (
                vec!["order-1=broadcast"],
                Err("broadcast concerns no entity"),
            ),
            (vec!["order-1="], Err("unknown variant ``")),
        ] {
            let parsed: Result<Vec<_>, _> = given.iter().map(|text| parse(text)).collect();
            let result = parsed.and_then(|given| {
                let permissions =
                    merge("--permission", &given).map_err(|error| format!("{error:#}"))?;
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
