//! Why a token is not accepted. A client learns no more than the kind; the words are for the log, and
//! hold nothing of a token but its issuer, user and key id. So what a JSON reader says of a claim is left
//! out: it quotes.

use std::error::Error;

use herald_shared::ids::InvalidId;
use jsonwebtoken::errors::ErrorKind;

use super::token::LIMIT;

/// Why a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// There is no token, or it is not good. Another one may be.
    #[error("there is no good token")]
    Unauthorized(#[from] InvalidToken),
    /// The token is good, and what it says of permissions cannot be understood.
    #[error(
        "the claim `herald` of user {0:?} is no object from entity pattern to a list of permissions"
    )]
    Forbidden(String),
    /// What tokens are checked with cannot be had. The same token may be accepted later.
    #[error("there is nothing to check a token with")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// What is wrong with a token.
#[derive(Debug, thiserror::Error)]
pub enum InvalidToken {
    /// There is none.
    #[error("there is no token")]
    Missing,
    /// There are several; which one counts would be a guess.
    #[error("there is more than one token")]
    Several,
    /// The `Authorization` header names another scheme.
    #[error("the Authorization header is not of the scheme Bearer")]
    NotBearer,
    /// It is longer than a token may be.
    #[error("the token is {0} bytes, the most is {LIMIT}")]
    TooLong(usize),
    /// It holds other characters than a token does.
    #[error("the token is not ASCII")]
    NotAscii,
    /// It is no JWT, or its header or claims are of the wrong types.
    #[error("the token cannot be read: {0}")]
    Unreadable(&'static str),
    /// It is of an algorithm that nobody checks.
    #[error("the token is of another algorithm than its key")]
    Algorithm,
    /// Its header demands something that has to be understood, and nothing of the kind is.
    #[error("the token's header has the field crit")]
    Critical,
    /// No key that checks its algorithm has its key id.
    #[error("there is no key with the id {:?} for the token's algorithm", text(.0))]
    UnknownKey(Option<String>),
    /// Nobody who may did sign it.
    #[error("the token's signature is wrong; its key id is {:?}", text(.0))]
    Signature(Option<String>),
    /// It does not end.
    #[error("the token of user {:?} has no exp", text(.0))]
    Endless(Option<String>),
    /// It has ended.
    #[error("the token of user {:?} has expired", text(.0))]
    Expired(Option<String>),
    /// It is for later.
    #[error("the token of user {:?} is not valid yet", text(.0))]
    NotYetValid(Option<String>),
    /// Somebody else issued it.
    #[error("the token's iss is {:?}, which is not TokenIssuer", text(.0))]
    Issuer(Option<String>),
    /// It is for somebody else.
    #[error("the token of user {:?} is for another audience than TokenAudience", text(.0))]
    Audience(Option<String>),
    /// It is nobody's.
    #[error("the token has no sub")]
    Nobody,
    /// Its user cannot be one.
    #[error("the token's sub")]
    User(#[source] InvalidId),
}

/// Nothing is written as an empty text.
fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

impl InvalidToken {
    /// What `jsonwebtoken` found wrong, in words that quote nothing.
    pub(super) fn found(error: &jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature(None),
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::InvalidToken => Self::Unreadable("it has not three parts"),
            ErrorKind::Base64(_) => Self::Unreadable("a part is not base64"),
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
                Self::Unreadable("its header or claims are not those of a token")
            }
            _ => Self::Unreadable("its signature or key is malformed"),
        }
    }
}
