//! The text of a key: `hk_<id>_<secret>`.

use anyhow::anyhow;
use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};

/// The characters of the secret part.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The characters of the id: the digits and the lower-case letters of [`BASE62`].
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

const ID_LENGTH: usize = 12;

/// The length of the secret part: 43 characters have as many values as 32 bytes.
const SECRET_LENGTH: usize = 43;

/// A new key. It has no `Debug`, so that it is never printed by mistake.
pub(super) struct NewKey {
    pub(super) id: String,
    secret: String,
}

impl NewKey {
    /// Makes a key from the system's random source.
    pub(super) fn random() -> anyhow::Result<Self> {
        Ok(Self {
            id: characters(BASE36, ID_LENGTH)?,
            secret: characters(BASE62, SECRET_LENGTH)?,
        })
    }

    /// Returns the whole text, for the caller of the stack.
    pub(super) fn text(&self) -> String {
        format!("hk_{}_{}", self.id, self.secret)
    }

    /// Returns the hash that the stack keeps, in hexadecimal digits.
    pub(super) fn sha256(&self) -> String {
        sha256(&self.secret)
    }
}

/// Returns the SHA-256 of a text in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    let hash = digest(&SHA256, text.as_bytes());
    hash.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns characters of an alphabet, each with the same probability.
fn characters(alphabet: &[u8], length: usize) -> anyhow::Result<String> {
    // The largest multiple of the alphabet's length: a remainder of larger bytes would favour the first characters.
    let limit = 256 / alphabet.len() * alphabet.len();
    let random = SystemRandom::new();
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        random
            .fill(&mut bytes)
            .map_err(|_| anyhow!("the system has no random numbers"))?;
        let drawn = bytes.iter().map(|byte| usize::from(*byte));
        let drawn = drawn.filter(|byte| *byte < limit);
        let drawn = drawn.map(|byte| char::from(alphabet[byte % alphabet.len()]));
        text.extend(drawn.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_has_its_form_and_differs_each_time() {
        let key = NewKey::random().expect("a key");
        let text = key.text();
        let parts: Vec<_> = text.split('_').collect();
        let [prefix, id, secret] = parts[..] else {
            panic!("{text}")
        };
        assert_eq!((prefix, id.len(), secret.len()), ("hk", 12, 43));
        assert!(id.bytes().all(|byte| BASE36.contains(&byte)), "{id}");
        assert!(secret.bytes().all(|byte| BASE62.contains(&byte)));
        assert_eq!(key.sha256(), sha256(secret));
        let other = NewKey::random().expect("a key");
        assert_ne!((other.id, other.secret), (key.id, key.secret));
    }

    /// <https://www.di-mgt.com.au/sha_testvectors.html>
    #[test]
    fn hash_is_sha256_in_lower_case() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), expected);
    }

    #[test]
    fn every_character_of_the_alphabet_is_drawn() {
        let drawn = characters(BASE62, 62 * 100).expect("characters");
        assert!(BASE62.iter().all(|one| drawn.contains(char::from(*one))));
    }
}
