//! The content of a message: a body with attributes, its rules, and the MD5 sums that SDKs check.
//!
//! The rules are those of "Message metadata for Amazon SQS" in the developer guide and of
//! `SendMessage` in the API reference.

use std::{collections::BTreeMap, time::Duration};

/// A message's id, a UUID.
pub type MessageId = String;

/// The largest number of attributes of one message.
const MAXIMUM_ATTRIBUTES: usize = 10;
/// The longest name and the longest data type of an attribute.
const MAXIMUM_NAME: usize = 256;
/// The longest delay of a message.
const MAXIMUM_DELAY: Duration = Duration::from_secs(900);

/// A message's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The text.
    pub body: String,
    /// The sender's attributes by name.
    pub attributes: BTreeMap<String, MessageAttribute>,
    /// The system attributes by name: `AWSTraceHeader`, `MessageGroupId`.
    pub system_attributes: BTreeMap<String, String>,
}

/// One attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with the sender's own suffix if any: `Number.int`.
    pub data_type: String,
    /// The value.
    pub value: AttributeValue,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// The value of a `String` or a `Number`.
    Text(String),
    /// The value of a `Binary`.
    Binary(Vec<u8>),
}

/// The reason why a queue refused a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No queue has this ARN.
    #[error("no queue has the ARN {0}; only the template's queues exist")]
    UnknownQueue(String),
    /// The body is empty.
    #[error("the message body is empty; it must hold at least one character")]
    EmptyBody,
    /// The body or an attribute holds a character that XML 1.0 does not allow.
    #[error(
        "the message holds the character {0:?}; allowed are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
    )]
    ForbiddenCharacter(char),
    /// Body and attributes together are too large.
    #[error("the message has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// The size of the message, in bytes.
        size: usize,
        /// The queue's maximum message size, in bytes.
        limit: usize,
    },
    /// An attribute breaks a rule; holds its name and the rule.
    #[error("message attribute {0:?} is invalid: {1}")]
    InvalidAttribute(String, &'static str),
    /// More than ten attributes.
    #[error("the message has {0} attributes, {MAXIMUM_ATTRIBUTES} are allowed")]
    TooManyAttributes(usize),
    /// A delay beyond fifteen minutes.
    #[error("the delay is {0:?}, 15 minutes are allowed")]
    DelayTooLong(Duration),
}

impl Content {
    /// Makes a message without attributes.
    pub fn text(body: impl Into<String>) -> Self {
        Self {
            body: body.into(),
            ..Self::default()
        }
    }

    /// Returns the size in bytes that counts against limits: the body, and the name, data type and
    /// value of each attribute.
    pub fn size(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, attribute)| name.len() + attribute.data_type.len() + attribute.value.len())
            .sum::<usize>();
        self.body.len() + attributes
    }

    /// Checks the message against the rules of a queue with this `maximum_size` in bytes.
    ///
    /// # Errors
    ///
    /// Returns the first broken rule.
    pub fn check(&self, maximum_size: usize) -> Result<(), SendError> {
        if self.body.is_empty() {
            return Err(SendError::EmptyBody);
        }
        check_characters(&self.body)?;
        if self.attributes.len() > MAXIMUM_ATTRIBUTES {
            return Err(SendError::TooManyAttributes(self.attributes.len()));
        }
        for (name, attribute) in &self.attributes {
            check_attribute(name, attribute)?;
        }
        match self.size() {
            size if size > maximum_size => Err(SendError::TooLarge {
                size,
                limit: maximum_size,
            }),
            _ => Ok(()),
        }
    }
}

impl MessageAttribute {
    /// Makes an attribute of type `String`.
    pub fn string(value: impl Into<String>) -> Self {
        Self {
            data_type: "String".to_owned(),
            value: AttributeValue::Text(value.into()),
        }
    }
}

impl AttributeValue {
    fn len(&self) -> usize {
        self.as_bytes().len()
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

/// Checks a message's delay.
pub(super) fn check_delay(delay: Duration) -> Result<(), SendError> {
    if delay > MAXIMUM_DELAY {
        return Err(SendError::DelayTooLong(delay));
    }
    Ok(())
}

/// Returns the MD5 sum of a text in hexadecimal.
pub(super) fn md5_of_text(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}

/// Returns the MD5 sum of attributes in hexadecimal. `None` without attributes.
///
/// The sum covers, in the order of names: name, data type, one byte for the kind of value, and
/// value. The length precedes each but the byte, as four bytes in big-endian order.
pub(super) fn md5_of_attributes(attributes: &BTreeMap<String, MessageAttribute>) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut digest = md5::Context::new();
    for (name, attribute) in attributes {
        consume_with_length(&mut digest, name.as_bytes());
        consume_with_length(&mut digest, attribute.data_type.as_bytes());
        digest.consume(match attribute.value {
            AttributeValue::Text(_) => [1],
            AttributeValue::Binary(_) => [2],
        });
        consume_with_length(&mut digest, attribute.value.as_bytes());
    }
    Some(format!("{:x}", digest.compute()))
}

fn consume_with_length(digest: &mut md5::Context, bytes: &[u8]) {
    // The length fits: a message is at most 1 MiB, which was checked before.
    digest.consume((bytes.len() as u32).to_be_bytes());
    digest.consume(bytes);
}

fn check_characters(text: &str) -> Result<(), SendError> {
    let forbidden = |character: &char| !matches!(character, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    match text.chars().find(forbidden) {
        Some(character) => Err(SendError::ForbiddenCharacter(character)),
        None => Ok(()),
    }
}

fn check_attribute(name: &str, attribute: &MessageAttribute) -> Result<(), SendError> {
    let invalid = |rule| Err(SendError::InvalidAttribute(name.to_owned(), rule));
    if let Err(rule) = check_attribute_name(name) {
        return invalid(rule);
    }
    if attribute.data_type.len() > MAXIMUM_NAME {
        return invalid("its data type must have at most 256 characters");
    }
    let kind = attribute.data_type.split('.').next().unwrap_or_default();
    match (kind, &attribute.value) {
        (_, value) if value.len() == 0 => invalid("its value must not be empty"),
        ("Number", AttributeValue::Text(text)) if !is_number(text) => {
            invalid("its value must be a number")
        }
        ("String" | "Number", AttributeValue::Text(text)) => check_characters(text),
        ("Binary", AttributeValue::Binary(_)) => Ok(()),
        ("String" | "Number" | "Binary", _) => invalid("its value does not match its data type"),
        _ => invalid("its data type must start with String, Number or Binary"),
    }
}

fn check_attribute_name(name: &str) -> Result<(), &'static str> {
    let lower = name.to_ascii_lowercase();
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_-.".contains(character);
    if name.is_empty() || name.len() > MAXIMUM_NAME {
        Err("its name must have 1 to 256 characters")
    } else if !name.chars().all(allowed) {
        Err("its name may only hold A-Z, a-z, 0-9, underscore, hyphen and period")
    } else if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        Err("names that start with AWS. or Amazon. are reserved")
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        Err("its name may not start or end with a period or hold two in a row")
    } else {
        Ok(())
    }
}

/// Returns whether a text is a number for SQS. Rust would also parse `inf` and `nan`.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite) && text.contains(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: usize = 1 << 20;

    fn attribute(data_type: &str, value: AttributeValue) -> MessageAttribute {
        MessageAttribute {
            data_type: data_type.to_owned(),
            value,
        }
    }

    fn text(value: &str) -> AttributeValue {
        AttributeValue::Text(value.to_owned())
    }

    fn with_attribute(name: &str, attribute: MessageAttribute) -> Content {
        Content {
            attributes: BTreeMap::from([(name.to_owned(), attribute)]),
            ..Content::text("b")
        }
    }

    #[test]
    fn md5_sums_match_those_of_sdks() {
        assert_eq!(md5_of_text("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(md5_of_attributes(&BTreeMap::new()), None);
        let timestamp = attribute("Number", text("1493147359900"));
        assert_eq!(
            md5_of_attributes(&BTreeMap::from([("timestamp".to_owned(), timestamp)])).as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
        let mixed = BTreeMap::from([
            ("reason".to_owned(), MessageAttribute::string("too late")),
            (
                "blob".to_owned(),
                attribute("Binary.png", AttributeValue::Binary(vec![0, 255])),
            ),
            ("attempt".to_owned(), attribute("Number.int", text("2"))),
        ]);
        assert_eq!(
            md5_of_attributes(&mixed).as_deref(),
            Some("bdfd1b0ca2341c3a597ba6a0f9f25ddd")
        );
    }

    #[test]
    fn only_xml_characters_are_accepted() {
        for allowed in [
            "\t\n\r",
            " ~",
            "\u{d7ff}",
            "\u{e000}",
            "\u{fffd}",
            "\u{10000}",
            "\u{10ffff}",
        ] {
            assert_eq!(
                Content::text(allowed).check(MEBIBYTE),
                Ok(()),
                "{allowed:?}"
            );
        }
        for forbidden in [
            '\0', '\u{8}', '\u{b}', '\u{c}', '\u{1f}', '\u{fffe}', '\u{ffff}',
        ] {
            let expected = Err(SendError::ForbiddenCharacter(forbidden));
            let in_body = Content::text(format!("a{forbidden}"));
            assert_eq!(in_body.check(MEBIBYTE), expected);
            let in_attribute = with_attribute("a", MessageAttribute::string(forbidden.to_string()));
            assert_eq!(in_attribute.check(MEBIBYTE), expected);
        }
    }

    #[test]
    fn attributes_count_towards_the_size() {
        let content = with_attribute("name", MessageAttribute::string("value"));
        let size = "b".len() + "name".len() + "String".len() + "value".len();
        assert_eq!(content.size(), size);
        assert_eq!(content.check(size), Ok(()));
        let limit = size - 1;
        assert_eq!(
            content.check(limit),
            Err(SendError::TooLarge { size, limit })
        );
    }

    #[test]
    fn attributes_with_invalid_name_type_or_value_are_refused() {
        let binary = || AttributeValue::Binary(vec![1]);
        let long = "n".repeat(MAXIMUM_NAME);
        for (name, data_type, value) in [
            ("a", "String", text("x")),
            ("a.b-c_D9", "String.label", text("x")),
            ("a", "Number", text("-1.5e3")),
            ("a", "Binary.png", binary()),
            (&long, "String", text("x")),
        ] {
            let content = with_attribute(name, attribute(data_type, value));
            assert_eq!(content.check(MEBIBYTE), Ok(()), "{content:?}");
        }
        let longer = "n".repeat(MAXIMUM_NAME + 1);
        for (name, data_type, value) in [
            ("", "String", text("x")),
            (&longer, "String", text("x")),
            ("a b", "String", text("x")),
            ("Aws.a", "String", text("x")),
            ("AMAZON.a", "String", text("x")),
            (".a", "String", text("x")),
            ("a.", "String", text("x")),
            ("a..b", "String", text("x")),
            ("a", "", text("x")),
            ("a", "Boolean", text("x")),
            ("a", &longer, text("x")),
            ("a", "String", text("")),
            ("a", "Binary", AttributeValue::Binary(vec![])),
            ("a", "Number", text("one")),
            ("a", "Number", text("inf")),
            ("a", "String", binary()),
            ("a", "Binary", text("x")),
        ] {
            let content = with_attribute(name, attribute(data_type, value));
            let checked = content.check(MEBIBYTE);
            assert!(
                matches!(checked, Err(SendError::InvalidAttribute(..))),
                "{content:?}: {checked:?}"
            );
        }
    }

    #[test]
    fn empty_body_and_more_than_10_attributes_are_refused() {
        assert_eq!(Content::text("").check(MEBIBYTE), Err(SendError::EmptyBody));
        let mut content = Content::text("b");
        for index in 0..11 {
            assert_eq!(content.check(MEBIBYTE), Ok(()));
            let name = format!("a{index}");
            content
                .attributes
                .insert(name, MessageAttribute::string("x"));
        }
        let too_many = Err(SendError::TooManyAttributes(11));
        assert_eq!(content.check(MEBIBYTE), too_many);
    }

    #[test]
    fn delay_beyond_15_minutes_is_refused() {
        assert_eq!(check_delay(Duration::from_secs(900)), Ok(()));
        let longer = Duration::from_secs(901);
        assert_eq!(check_delay(longer), Err(SendError::DelayTooLong(longer)));
    }
}
