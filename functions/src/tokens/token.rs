//! The text of a token, before anything is known of it.

use super::InvalidToken;

/// The most bytes of a token. API Gateway takes 10 KB of headers, and a token is not all of them.
pub const LIMIT: usize = 8 * 1024;

/// A text that is short enough to be a token, and ASCII. Nothing prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token<'a>(&'a str);

impl<'a> Token<'a> {
    /// Errs if `text` is empty, over [`LIMIT`] or not ASCII.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_short_and_ascii() {
        assert!(Token::new("a.b.c").is_ok());
        assert!(Token::new(&"a".repeat(LIMIT)).is_ok());
        for (text, said) in [
            (String::new(), "there is no token"),
            (
                "a".repeat(LIMIT + 1),
                "the token is 8193 bytes, the most is 8192",
            ),
            ("a.b.ç".to_owned(), "the token is not ASCII"),
        ] {
            let refused = Token::new(&text).map(|_| ());
            let refused = refused.map_err(|error| error.to_string());
            assert_eq!(refused, Err(said.to_owned()));
        }
    }
}
