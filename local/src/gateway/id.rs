//! The gateway's ids: connection, request and message ids have the same form.

use base64::{Engine, engine::general_purpose::URL_SAFE};

/// Returns a new id: eleven random bytes as sixteen characters of URL-safe base64, the last a `=`.
pub(super) fn new() -> String {
    URL_SAFE.encode(rand::random::<[u8; 11]>())
}

/// Returns whether a text has the form of an id.
pub(super) fn is_well_formed(id: &str) -> bool {
    URL_SAFE.decode(id).is_ok_and(|bytes| bytes.len() == 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_id_is_well_formed_and_other_texts_are_not() {
        let id = new();
        assert_eq!(id.len(), 16);
        assert!(id.ends_with('='));
        assert!(is_well_formed(&id));
        assert!(is_well_formed("PcQeDRO4gIEm4LQ="));
        for malformed in [
            "",
            "abc",
            "PcQeDRO4gIEm4LQ",
            "PcQeDRO4gIEm4L!=",
            "a-uuid-of-36",
        ] {
            assert!(!is_well_formed(malformed), "{malformed}");
        }
    }
}
