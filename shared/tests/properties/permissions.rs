//! Entity patterns and permissions.

use std::collections::BTreeMap;

use herald_shared::{
    ids::EntityId,
    permissions::{EntityPattern, Permissions},
};
use proptest::{collection::vec, prelude::*, sample::subsequence};
use serde_json::json;

use crate::{edits::edited, json, sentences::is_described};

proptest! {
    #[test]
    fn pattern_matches_like_a_plain_matcher(pattern in pattern(), id in id()) {
        let parsed = EntityPattern::new(pattern.as_str())?;
        let entity = EntityId::new(id.as_str())?;
        prop_assert_eq!(parsed.matches(&entity), plain_match(&pattern, &id));
    }

    #[test]
    fn pattern_matches_its_own_expansion((pattern, id) in filled_in()) {
        let parsed = EntityPattern::new(pattern)?;
        prop_assert!(parsed.matches(&EntityId::new(id)?));
    }

    #[test]
    fn only_a_pattern_is_accepted(text in prop_oneof!["[a*:]{0,8}", any::<String>()]) {
        let pattern = EntityPattern::new(text.as_str());
        prop_assert_eq!(pattern.is_ok(), is_pattern(&text), "{:?}", pattern);
        match pattern {
            Ok(pattern) => prop_assert_eq!(pattern.to_string(), text),
            Err(error) => prop_assert!(is_described(&error), "{error}"),
        }
    }

    #[test]
    fn permissions_grant_what_one_of_their_patterns_grants(grants in grants(), id in id()) {
        let permissions = Permissions::from_json(&json!(grants).to_string())?;
        let given = |permission: &str| {
            grants.iter().any(|(pattern, given)| given.contains(&permission) && plain_match(pattern, &id))
        };
        let entity = EntityId::new(id.as_str())?;
        prop_assert_eq!(permissions.may_subscribe(&entity), given("subscribe"));
        prop_assert_eq!(permissions.may_publish(&entity), given("publish"));
        prop_assert!(!permissions.may_broadcast());
        prop_assert_eq!(Permissions::from_json(&permissions.to_json())?, permissions);
    }

    #[test]
    fn damaged_claim_is_read_or_refused_with_message(claim in edited(claim())) {
        match Permissions::from_json(&claim) {
            Ok(permissions) => prop_assert_eq!(Permissions::from_json(&permissions.to_json())?, permissions),
            Err(error) => prop_assert!(is_described(&error), "{error:?}"),
        }
    }
}

/// Returns an id of few different characters, so that patterns often match.
fn id() -> impl Strategy<Value = String> {
    prop_oneof![9 => "[ab:]{1,10}", 1 => "[aé日*:]{1,10}"]
}

fn pattern() -> impl Strategy<Value = String> {
    (
        vec(segment(), 0..4),
        prop_oneof![segment(), Just("**".to_owned())],
    )
        .prop_map(|(mut segments, last)| {
            segments.push(last);
            segments.join(":")
        })
        .prop_filter("an empty text is no pattern", |pattern| !pattern.is_empty())
}

fn segment() -> impl Strategy<Value = String> {
    "(\\*?[abé]){0,6}\\*?"
}

/// Returns a pattern, and an id made by replacing each of its stars.
fn filled_in() -> impl Strategy<Value = (String, String)> {
    (pattern(), vec("[ab*é日 ]{0,4}", 32), "[ab:]{1,8}")
        .prop_map(|(pattern, fillings, rest)| {
            let (text, rest) = match pattern.strip_suffix("**") {
                Some(before) => (before, rest.as_str()),
                None => (pattern.as_str(), ""),
            };
            let pieces = text
                .split('*')
                .zip(std::iter::once("").chain(fillings.iter().map(String::as_str)));
            let id: String = pieces.flat_map(|(piece, before)| [before, piece]).collect();
            (pattern.clone(), id + rest)
        })
        .prop_filter("no id", |(pattern, id)| {
            !id.is_empty() && pattern.matches('*').count() <= 32
        })
}

fn grants() -> impl Strategy<Value = BTreeMap<String, Vec<&'static str>>> {
    let given = subsequence(vec!["subscribe", "publish"], 0..=2);
    prop::collection::btree_map(pattern(), given, 0..4)
}

fn claim() -> impl Strategy<Value = String> {
    let name = prop_oneof![pattern(), Just("**".to_owned())].prop_flat_map(json::string);
    let given = subsequence(
        vec![r#""subscribe""#, r#""publish""#, r#""broadcast""#],
        0..=3,
    )
    .prop_map(|given| format!("[{}]", given.join(",")));
    json::object(vec(
        (name, prop_oneof![5 => given, 1 => json::value()]),
        0..4,
    ))
}

/// Returns whether the whole id matches, character by character, with every possible length of every
/// star.
fn plain_match(pattern: &str, id: &str) -> bool {
    if pattern == "**" {
        return true;
    }
    let after_first = |text: &str| {
        text.chars()
            .next()
            .map(|first| text[first.len_utf8()..].to_owned())
    };
    match pattern.chars().next() {
        None => id.is_empty(),
        Some('*') => {
            plain_match(&pattern[1..], id)
                || !id.starts_with(':')
                    && after_first(id).is_some_and(|id| plain_match(pattern, &id))
        }
        Some(literal) => {
            id.starts_with(literal)
                && plain_match(&pattern[literal.len_utf8()..], &id[literal.len_utf8()..])
        }
    }
}

fn is_pattern(text: &str) -> bool {
    let segments: Vec<_> = text.split(':').collect();
    let (last, others) = segments.split_last().expect("a text has a segment");
    EntityId::new(text).is_ok()
        && !others.iter().any(|segment| segment.contains("**"))
        && (*last == "**" || !last.contains("**"))
}
