//! The ids that the gateway makes: connection, request and message ids all look the same.

use base64::{Engine, engine::general_purpose::URL_SAFE};

/// Eleven random bytes as sixteen characters of URL-safe base64, the last a `=`.
pub(super) fn new() -> String {
    URL_SAFE.encode(rand::random::<[u8; 11]>())
}

/// Whether a text could be an id that the gateway gave out.
pub(super) fn is_well_formed(id: &str) -> bool {
    URL_SAFE.decode(id).is_ok_and(|bytes| bytes.len() == 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_looks_like_the_gateways() {
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
