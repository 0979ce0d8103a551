//! The ids of connections, users and entities. Each is checked once, where it enters, and trusted from
//! then on.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The reason a text is not an id. A client that sent the text may see the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is too long.
    #[error("is {length} bytes long, the limit is {limit}")]
    TooLong {
        /// The text's length in UTF-8 bytes.
        length: usize,
        /// The limit in UTF-8 bytes.
        limit: usize,
    },
    /// The text holds a control character (Unicode category Cc).
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl From<Infallible> for InvalidId {
    /// Converts the error of an id that needs no check, for callers that accept any `TryInto<EntityId>`.
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn check(text: &str, limit: usize) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > limit {
        return Err(InvalidId::TooLong {
            length: text.len(),
            limit,
        });
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidId::ControlCharacter);
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The maximum length in bytes of UTF-8.
            pub const LIMIT: usize = $limit;

            /// Returns the id if `text` is not empty, has at most [`Self::LIMIT`] bytes and contains no
            /// control characters.
            ///
            /// # Errors
            ///
            /// Returns [`InvalidId`] otherwise.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text, Self::LIMIT)?;
                Ok(Self(text))
            }

            /// Returns the id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = InvalidId;

            fn try_from(text: &String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id! {
    /// The gateway's id of a connection, e.g. `PcQeDRO4gIEm4LQ=`.
    ConnectionId, 128
}

id! {
    /// The id of a user, as the authorizer names it.
    UserId, 256
}

id! {
    /// The id of an entity that clients subscribe to: the application's own, e.g. `order-1`.
    EntityId, 256
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_without_control_characters_is_an_id() {
        for good in [
            "order-1",
            " ",
            "träume",
            "日本",
            "🎉",
            "a:b/c#d",
            &"x".repeat(256),
        ] {
            assert_eq!(
                EntityId::new(good).map(String::from),
                Ok(good.to_owned()),
                "{good:?}"
            );
        }
    }

    #[test]
    fn invalid_id_is_refused_with_the_reason() {
        for (bad, message) in [
            (String::new(), "must not be empty"),
            ("é".repeat(129), "is 258 bytes long, the limit is 256"),
            ("a\u{0}b".to_owned(), "must not contain control characters"),
            ("line\n".to_owned(), "must not contain control characters"),
            ("\u{85}".to_owned(), "must not contain control characters"),
        ] {
            let refused = EntityId::new(bad.clone()).map_err(|error| error.to_string());
            assert_eq!(refused, Err(message.to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn invalid_id_does_not_deserialise() {
        assert!(serde_json::from_str::<EntityId>(r#""order-1""#).is_ok());
        assert!(serde_json::from_str::<EntityId>(r#""""#).is_err());
        assert!(serde_json::from_str::<EntityId>("7").is_err());
    }
}
