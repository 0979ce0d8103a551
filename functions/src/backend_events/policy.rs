//! The parameter `BackendEvents`: the changes that are put on the bus.

use std::collections::{BTreeMap, BTreeSet};

use herald_shared::{
    ids::EntityId,
    permissions::{ByPattern, EntityPattern, InvalidPattern},
};

/// The key of the kinds that concern whole connections.
const CONNECTIONS: &str = "$connections";

/// A kind of events, as the parameter names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A connection was opened.
    Opened,
    /// A connection ended.
    Closed,
    /// A connection subscribed to an entity.
    Subscribed,
    /// A subscription ended.
    Unsubscribed,
    /// The members of an entity with presence changed.
    Presence,
}

impl Kind {
    /// The kinds under `$connections`.
    const OF_CONNECTIONS: [Self; 2] = [Self::Opened, Self::Closed];

    /// The kinds under an entity pattern.
    const OF_ENTITIES: [Self; 3] = [Self::Subscribed, Self::Unsubscribed, Self::Presence];

    fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Presence => "presence",
        }
    }
}

/// The kinds of events that the stack puts on the bus.
///
/// As JSON an object from entity pattern to kinds; `$connections` has the kinds that concern whole
/// connections. An entity has the kinds of the most specific pattern that matches it. `{}` switches all
/// events off.
///
/// ```json
/// {"$connections": ["opened", "closed"], "room:**": ["subscribed", "presence"], "room:lobby": null}
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendEvents {
    connections: BTreeSet<Kind>,
    entities: ByPattern<BTreeSet<Kind>>,
}

/// The reason a text is not a valid [`BackendEvents`].
#[derive(Debug, thiserror::Error)]
pub enum InvalidBackendEvents {
    /// The text is not a JSON object of lists.
    #[error(
        "BackendEvents must be a JSON object from entity pattern or $connections to a list of kinds or null"
    )]
    Unreadable(#[source] serde_json::Error),
    /// A key is not a pattern.
    #[error(
        "BackendEvents has the key {key:?}, which is neither an entity pattern nor $connections"
    )]
    BadPattern {
        /// The key.
        key: String,
        /// The reason it is not a pattern.
        #[source]
        source: InvalidPattern,
    },
    /// A key begins with `$` and is not Herald's.
    #[error(
        "BackendEvents has the unknown key {0:?}: use $connections, or an entity pattern that does not begin \
         with $"
    )]
    UnknownKey(String),
    /// A kind is unknown, or is not one of the key.
    #[error("BackendEvents of {key:?} has the kind {kind:?}: use {known}")]
    UnknownKind {
        /// The key.
        key: String,
        /// The kind.
        kind: String,
        /// The kinds of the key.
        known: String,
    },
}

impl BackendEvents {
    /// Reads the JSON object.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidBackendEvents`] if the text is not JSON of that form, or a key or kind is unknown.
    pub fn from_json(text: &str) -> Result<Self, InvalidBackendEvents> {
        let written: BTreeMap<String, Option<Vec<String>>> =
            serde_json::from_str(text).map_err(InvalidBackendEvents::Unreadable)?;
        let mut connections = BTreeSet::new();
        let mut entities = Vec::new();
        for (key, names) in written {
            let names = names.unwrap_or_default();
            match key.as_str() {
                CONNECTIONS => connections = kinds(&key, names, &Kind::OF_CONNECTIONS)?,
                _ if key.starts_with('$') => return Err(InvalidBackendEvents::UnknownKey(key)),
                _ => {
                    let kinds = kinds(&key, names, &Kind::OF_ENTITIES)?;
                    entities.push((pattern(key)?, kinds));
                }
            }
        }
        Ok(Self {
            connections,
            entities: entities.into_iter().collect(),
        })
    }

    /// Returns whether no event is ever put.
    pub fn is_off(&self) -> bool {
        self.connections.is_empty() && self.entities.values().all(BTreeSet::is_empty)
    }

    /// Returns whether events of a kind that concerns connections are put.
    pub(super) fn has(&self, kind: Kind) -> bool {
        self.connections.contains(&kind)
    }

    /// Returns whether events of a kind about an entity are put.
    pub(super) fn has_about(&self, kind: Kind, entity: &EntityId) -> bool {
        let kinds = self.entities.of(entity);
        kinds.is_some_and(|kinds| kinds.contains(&kind))
    }
}

fn pattern(key: String) -> Result<EntityPattern, InvalidBackendEvents> {
    EntityPattern::new(key.clone())
        .map_err(|source| InvalidBackendEvents::BadPattern { key, source })
}

fn kinds(
    key: &str,
    names: Vec<String>,
    known: &[Kind],
) -> Result<BTreeSet<Kind>, InvalidBackendEvents> {
    let read = |name: String| {
        let kind = known.iter().find(|kind| kind.name() == name);
        kind.copied().ok_or_else(|| {
            let known: Vec<_> = known.iter().map(|kind| kind.name()).collect();
            InvalidBackendEvents::UnknownKind {
                key: key.to_owned(),
                kind: name,
                known: known.join(", "),
            }
        })
    };
    names.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use herald_shared::error_chain::error_chain;
    use proptest::{collection::vec, prelude::*, sample::select};
    use serde_json::json;

    use super::*;

    fn entity(text: &str) -> EntityId {
        EntityId::new(text).expect("an id")
    }

    #[test]
    fn object_without_kinds_is_off() {
        for (json, off) in [
            ("{}", true),
            (r#"{"$connections":[]}"#, true),
            (r#"{"a":[],"**":null,"$connections":null}"#, true),
            (r#"{"$connections":["closed"]}"#, false),
            (r#"{"a":["subscribed"]}"#, false),
        ] {
            let events = BackendEvents::from_json(json).expect(json);
            assert_eq!(events.is_off(), off, "{json}");
        }
    }

    #[test]
    fn most_specific_pattern_decides() {
        let json = r#"{"$connections":["opened"],"room:**":["subscribed","unsubscribed"],"room:a":["unsubscribed"],"room:b":null}"#;
        let events = BackendEvents::from_json(json).expect(json);
        assert!(events.has(Kind::Opened) && !events.has(Kind::Closed));
        for (id, subscribed, unsubscribed) in [
            ("room:1:2", true, true),
            ("room:a", false, true),
            ("room:b", false, false),
            ("order:1", false, false),
        ] {
            let entity = entity(id);
            let has = |kind| events.has_about(kind, &entity);
            let found = (has(Kind::Subscribed), has(Kind::Unsubscribed));
            assert_eq!(found, (subscribed, unsubscribed), "{id}");
        }
    }

    #[test]
    fn error_names_the_key_and_the_remedy() {
        for (json, expected) in [
            (
                "[]",
                "BackendEvents must be a JSON object from entity pattern or $connections to",
            ),
            (
                r#"{"a":"subscribed"}"#,
                "BackendEvents must be a JSON object",
            ),
            (
                r#"{"$connection":["opened"]}"#,
                r#"unknown key "$connection": use $connections, or an entity pattern"#,
            ),
            (
                r#"{"a**":["subscribed"]}"#,
                r#"the key "a**", which is neither an entity pattern nor $connections"#,
            ),
            (
                r#"{"a":["opened"]}"#,
                r#"BackendEvents of "a" has the kind "opened": use subscribed, unsubscribed, presence"#,
            ),
            (
                r#"{"$connections":["subscribed"]}"#,
                r#"BackendEvents of "$connections" has the kind "subscribed": use opened, closed"#,
            ),
        ] {
            let error = error_chain(&BackendEvents::from_json(json).expect_err(json));
            assert!(error.contains(expected), "{json}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in any::<String>()) {
            let _ = BackendEvents::from_json(&text);
        }

        #[test]
        fn written_kinds_are_read(
            connections in vec(select(&["opened", "closed"][..]), 0..4),
            kinds in vec(select(&["subscribed", "unsubscribed", "presence"][..]), 0..4),
            id in "[a-z]{1,4}(:[a-z]{1,4}){0,2}",
        ) {
            let json = json!({"$connections": connections, (id.clone()): kinds});
            let events = BackendEvents::from_json(&json.to_string()).expect("kinds");
            prop_assert_eq!(events.is_off(), connections.is_empty() && kinds.is_empty());
            for kind in Kind::OF_CONNECTIONS {
                prop_assert_eq!(events.has(kind), connections.contains(&kind.name()));
            }
            for kind in Kind::OF_ENTITIES {
                prop_assert_eq!(events.has_about(kind, &entity(&id)), kinds.contains(&kind.name()));
                prop_assert!(!events.has_about(kind, &entity("A")));
            }
        }
    }
}
