//! The token that says who the application is.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

/// A token, and how long it lasts if that is known.
///
/// A JSON Web Token says so itself. For any other, say it, or the client finds out from the server:
///
/// ```
/// use std::time::Duration;
/// use herald_client::Token;
///
/// let read_from_the_token_itself = Token::from("eyJ…");
/// let said = Token::lasting("opaque", Duration::from_secs(3600));
/// ```
#[derive(Clone)]
pub struct Token {
    pub(crate) text: String,
    pub(crate) expires_in: Option<Duration>,
}

impl Token {
    /// A token that lasts for `expires_in` from now.
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
        // Past its end by our clock, but not by its maker's: it is the clock that is wrong.
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
    /// Not the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Token")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// The claim `exp` of a JSON Web Token, since the epoch. Nothing is verified: that is the server's part.
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
    fn the_end_of_a_json_web_token_is_read() {
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
    fn a_token_is_not_printed() {
        assert!(!format!("{:?}", Token::from("secret")).contains("secret"));
    }

    #[test]
    fn a_token_that_seems_to_have_ended_has_no_known_end() {
        let in_a_while = format!(r#"{{"exp":{}}}"#, 1e12);
        assert!(Token::from(token(&in_a_while)).expires_in.is_some());
        assert_eq!(Token::from(token(r#"{"exp":1}"#)).expires_in, None);
    }
}
