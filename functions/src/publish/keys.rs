//! API keys, as texts of callers and as hashes in the secret.

use std::collections::HashMap;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, SHA256_OUTPUT_LEN, digest},
};
use herald_shared::permissions::Permissions;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The beginning of every key.
const PREFIX: &str = "hk_";

/// The length of a key's id.
const ID_LENGTH: usize = 12;

/// The lengths of a key's secret part that are accepted.
const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 32..=128;

/// A text of the form of a key: `hk_<id>_<secret>`. It has no `Debug`, so that it is never printed.
#[derive(Clone, Copy)]
pub(super) struct PresentedKey<'a> {
    pub(super) id: &'a str,
    secret: &'a str,
}

impl<'a> PresentedKey<'a> {
    /// Returns the key. `None` if the text has another form.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let is_id = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let has_form = id.len() == ID_LENGTH
            && id.bytes().all(is_id)
            && SECRET_LENGTHS.contains(&secret.len())
            && secret.bytes().all(|byte| byte.is_ascii_alphanumeric());
        has_form.then_some(Self { id, secret })
    }
}

/// The keys of a stack.
#[derive(Debug, Default)]
pub(super) struct ApiKeys {
    keys: HashMap<String, ApiKey>,
}

#[derive(Debug)]
struct ApiKey {
    sha256: [u8; SHA256_OUTPUT_LEN],
    may: Permissions,
}

/// A key as the secret has it. It may have other fields, for people.
#[derive(Deserialize)]
struct Written {
    sha256: String,
    may: Permissions,
}

/// The reason a text is not a set of keys. It quotes nothing of the text.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret of PublishKeys must be a JSON object from the id of a key to its sha256 and may"
)]
pub(super) struct InvalidKeys;

impl ApiKeys {
    /// Reads the secret's JSON: `{"<id>":{"sha256":"<hex>","may":{…}}}`. Skips and logs a key that is
    /// malformed, so that it does not disable the others.
    pub(super) fn from_json(json: &str) -> Result<Self, InvalidKeys> {
        let written: HashMap<String, &RawValue> =
            serde_json::from_str(json).map_err(|_| InvalidKeys)?;
        let keys = written.into_iter().filter_map(|(id, written)| {
            let key = ApiKey::read(written);
            if key.is_none() {
                tracing::error!(
                    key = id,
                    "an API key has no valid sha256 and may: it is skipped"
                );
            }
            Some((id, key?))
        });
        Ok(Self {
            keys: keys.collect(),
        })
    }

    /// Returns the permissions of the key. `None` if it is unknown, or its secret part is wrong: both take the
    /// same steps, and the comparison takes the same time wherever the hashes differ.
    pub(super) fn permissions(&self, presented: PresentedKey<'_>) -> Option<&Permissions> {
        let known = self.keys.get(presented.id);
        let expected = known.map_or([0; SHA256_OUTPUT_LEN], |key| key.sha256);
        let actual = digest(&SHA256, presented.secret.as_bytes());
        let equal = verify_slices_are_equal(actual.as_ref(), &expected).is_ok();
        known.filter(|_| equal).map(|key| &key.may)
    }
}

impl ApiKey {
    fn read(json: &RawValue) -> Option<Self> {
        let Written { sha256, may } = serde_json::from_str(json.get()).ok()?;
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        hex::decode_to_slice(sha256, &mut bytes).ok()?;
        Some(Self { sha256: bytes, may })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdefABCDEF0123456789abcdefABCDE";

    fn hash(secret: &str) -> String {
        hex::encode(digest(&SHA256, secret.as_bytes()))
    }

    fn may(keys: &ApiKeys, text: &str) -> Option<String> {
        let permissions = keys.permissions(PresentedKey::read(text)?);
        permissions.map(Permissions::to_json)
    }

    #[test]
    fn each_key_has_its_own_permissions() {
        let other = SECRET.to_ascii_uppercase();
        let json = format!(
            r#"{{"k1aaaaaaaaaa":{{"sha256":"{}","may":{{"a":["publish"]}},"comment":"x"}},
                "k2aaaaaaaaaa":{{"sha256":"{}","may":{{"**":["user"]}}}}}}"#,
            hash(SECRET),
            hash(&other).to_ascii_uppercase(),
        );
        let keys = ApiKeys::from_json(&json).expect("keys");
        for (key, expected) in [
            (
                format!("hk_k1aaaaaaaaaa_{SECRET}"),
                Some(r#"{"a":["publish"]}"#),
            ),
            (
                format!("hk_k2aaaaaaaaaa_{other}"),
                Some(r#"{"**":["user"]}"#),
            ),
            (format!("hk_k1aaaaaaaaaa_{other}"), None),
            (format!("hk_k2aaaaaaaaaa_{SECRET}"), None),
            (format!("hk_k3aaaaaaaaaa_{SECRET}"), None),
            (format!("hk_k1aaaaaaaaaa_{SECRET}x"), None),
        ] {
            assert_eq!(may(&keys, &key).as_deref(), expected, "{key}");
        }
    }

    #[test]
    fn text_of_another_form_is_no_key() {
        assert!(PresentedKey::read(&format!("hk_k1aaaaaaaaaa_{SECRET}")).is_some());
        for text in [
            String::new(),
            SECRET.to_owned(),
            format!("hk_{SECRET}"),
            format!("hk_short_{SECRET}"),
            format!("hk_K1AAAAAAAAAA_{SECRET}"),
            format!("HK_k1aaaaaaaaaa_{SECRET}"),
            format!("hk_k1aaaaaaaaaa_{}", &SECRET[..31]),
            format!("hk_k1aaaaaaaaaa_{}", "x".repeat(129)),
            format!("hk_k1aaaaaaaaaa_{SECRET}_"),
            format!("hk_k1aaaaaaaaaa_{SECRET}é"),
        ] {
            assert!(PresentedKey::read(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn malformed_key_does_not_disable_the_others() {
        let json = format!(
            r#"{{"k1aaaaaaaaaa":{{"sha256":"{}","may":{{}}}},"k2aaaaaaaaaa":{{"sha256":"ab","may":{{}}}},
                "k3aaaaaaaaaa":{{"sha256":"{}","may":{{"a":["broadcast"]}}}},"k4aaaaaaaaaa":1}}"#,
            hash(SECRET),
            hash(SECRET),
        );
        let keys = ApiKeys::from_json(&json).expect("keys");
        for (id, expected) in [(1, Some("{}")), (2, None), (3, None), (4, None)] {
            let key = format!("hk_k{id}aaaaaaaaaa_{SECRET}");
            assert_eq!(may(&keys, &key).as_deref(), expected, "{key}");
        }
        assert!(ApiKeys::from_json("[]").is_err() && ApiKeys::from_json("").is_err());
    }
}
