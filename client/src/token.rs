//! The token that identifies the application.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// A token, and its remaining lifetime if that is known.
///
/// The client reads the lifetime of a JSON Web Token from its claim `exp`. State that of an opaque token, or the
/// client learns of its end when the server closes the connection:
///
/// ```
/// use std::time::Duration;
/// use herald_client::Token;
///
/// let from_its_claims = Token::from("eyJ…");
/// let stated = Token::lasting("opaque", Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct Token {
    pub(crate) text: String,
    pub(crate) expires_in: Option<Duration>,
}

impl Token {
    /// Makes a token that expires in `expires_in` from now.
    pub fn lasting(text: impl Into<String>, expires_in: Duration) -> Self {
        Self {
            text: text.into(),
            expires_in: Some(expires_in),
        }
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        // A new token that has expired by this clock shows that the clock is wrong: its end is unknown.
        let left =
            |(end, now): (Duration, Duration)| end.checked_sub(now).filter(|left| !left.is_zero());
        let expires_in = expires_at(&text).zip(now.ok()).and_then(left);
        Self { text, expires_in }
    }
}

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Debug for Token {
    /// Omits the token: a log must not hold it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Token")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Reads the claim `exp` of a JSON Web Token, as time since the epoch. Verifies nothing: the server does.
fn expires_at(token: &str) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
    }
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Duration::try_from_secs_f64(claims.exp).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn expiry_is_read_from_json_web_tokens_only() {
        for (text, end) in [
            (token(r#"{"exp":1764000000}"#), Some(1_764_000_000)),
            (
                token(r#"{"sub":"ä?>","exp":1764000000.0}"#),
                Some(1_764_000_000),
            ),
            (token("{}"), None),
            (token(r#"{"exp":"soon"}"#), None),
            (token(r#"{"exp":-1}"#), None),
            ("e30.*.c2ln".to_owned(), None),
            ("opaque".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(expires_at(&text), end.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn debug_output_omits_the_token() {
        assert!(!format!("{:?}", Token::from("secret")).contains("secret"));
    }

    #[test]
    fn token_that_seems_to_have_expired_has_no_known_expiry() {
        let later = format!(r#"{{"exp":{}}}"#, 1e12);
        assert!(Token::from(token(&later)).expires_in.is_some());
        assert_eq!(Token::from(token(r#"{"exp":1}"#)).expires_in, None);
    }
}
