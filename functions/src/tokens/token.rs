//! The text of a token before any check of its content.

use super::InvalidToken;

/// The maximum length of a token in bytes. API Gateway accepts 10 KB of headers, and a token is only a
/// part of them.
pub(super) const LIMIT: usize = 8 * 1024;

/// A text that is short enough to be a token, and ASCII. It has no `Debug`, so that it is never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    /// Returns the token.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidToken`] if `text` is empty, too long or not ASCII.
    pub fn new(text: &'a str) -> Result<Self, InvalidToken> {
        if text.is_empty() {
            return Err(InvalidToken::Missing);
        }
        if text.len() > LIMIT {
            return Err(InvalidToken::TooLong(text.len()));
        }
        if !text.is_ascii() {
            return Err(InvalidToken::NotAscii);
        }
        Ok(Self(text))
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }
}

/// Returns the token in the value of an `Authorization` header: `Bearer <token>`.
///
/// Source: RFC 6750, section 2.1.
///
/// # Errors
///
/// Returns [`InvalidToken::NotBearer`] if the value has another form.
pub fn bearer(authorization: &str) -> Result<&str, InvalidToken> {
    match authorization.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
        _ => Err(InvalidToken::NotBearer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_or_non_ascii_token_is_refused() {
        assert!(Token::new("a.b.c").is_ok());
        assert!(Token::new(&"a".repeat(LIMIT)).is_ok());
        for (text, message) in [
            (String::new(), "the request has no token"),
            (
                "a".repeat(LIMIT + 1),
                "the token is 8193 bytes long, the limit is 8192",
            ),
            ("a.b.ç".to_owned(), "the token is not ASCII"),
        ] {
            let refused = Token::new(&text).map(|_| ());
            let refused = refused.map_err(|error| error.to_string());
            assert_eq!(refused, Err(message.to_owned()));
        }
    }
}
