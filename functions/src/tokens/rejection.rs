//! The reasons that a token is not accepted. A client learns only the kind; the texts are for the log
//! and contain nothing of a token but its issuer, user and key id. They omit the JSON reader's messages,
//! because those quote.

use std::error::Error;

use herald_shared::{ids::InvalidId, presence::InvalidInfo};
use jsonwebtoken::errors::ErrorKind;

use super::token::LIMIT;

/// The reason a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The token is missing or invalid. Another token may be accepted.
    #[error("the client has no valid token")]
    Unauthorized(#[from] InvalidToken),
    /// The token is valid, but its permissions are not.
    #[error(
        "the claim `herald` of user {0:?} is not an object from entity pattern to a list of permissions"
    )]
    Forbidden(String),
    /// The token is valid, but its info about the user is not.
    #[error("the claim `heraldInfo` of user {user:?} is invalid")]
    Info {
        /// The user.
        user: String,
        /// The defect.
        #[source]
        source: InvalidInfo,
    },
    /// The keys or the secret could not be loaded. The same token may be accepted later.
    #[error("the keys or the secret to check tokens with could not be loaded")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

/// The defect of a token.
#[derive(Debug, thiserror::Error)]
pub enum InvalidToken {
    /// The token is missing.
    #[error("the request has no token")]
    Missing,
    /// There are several tokens, and choosing one would be a guess.
    #[error("the request has several tokens: send one")]
    Several,
    /// The `Authorization` header names another scheme.
    #[error("the Authorization header must have the scheme Bearer")]
    NotBearer,
    /// The token is too long.
    #[error("the token is {0} bytes long, the limit is {LIMIT}")]
    TooLong(usize),
    /// The token contains characters that a token never has.
    #[error("the token is not ASCII")]
    NotAscii,
    /// The token is not a JWT, or its header or claims have wrong types.
    #[error("the token cannot be read: {0}")]
    Unreadable(&'static str),
    /// The token's algorithm is not one that a key verifies.
    #[error("the token's algorithm is not that of its key")]
    Algorithm,
    /// The token's header demands an extension, and Herald supports none.
    #[error("the token's header has the field crit, which is not supported")]
    Critical,
    /// No key for the token's algorithm has its key id.
    #[error("no key for the token's algorithm has the id {:?}", text(.0))]
    UnknownKey(Option<String>),
    /// No trusted key made the signature.
    #[error("the token's signature is invalid; its key id is {:?}", text(.0))]
    Signature(Option<String>),
    /// The token has no end.
    #[error("the token of user {:?} has no exp", text(.0))]
    NoExpiry(Option<String>),
    /// The token has ended.
    #[error("the token of user {:?} has expired", text(.0))]
    Expired(Option<String>),
    /// The token is not valid yet.
    #[error("the token of user {:?} is not valid yet", text(.0))]
    NotYetValid(Option<String>),
    /// Another issuer issued the token.
    #[error("the token's iss is {:?}, which differs from TokenIssuer", text(.0))]
    Issuer(Option<String>),
    /// The token is for another audience.
    #[error("the token of user {:?} is for another audience than TokenAudience", text(.0))]
    Audience(Option<String>),
    /// The token names no user.
    #[error("the token has no sub")]
    NoSubject,
    /// The token's user is not a valid id.
    #[error("the token's sub is invalid")]
    User(#[source] InvalidId),
}

/// Returns the text. Empty if there is none.
fn text(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

impl InvalidToken {
    /// Returns the defect that `jsonwebtoken` found, in a text that quotes nothing of the token.
    pub(super) fn found(error: &jsonwebtoken::errors::Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature(None),
            ErrorKind::InvalidAlgorithm => Self::Algorithm,
            ErrorKind::InvalidToken => Self::Unreadable("it does not have three parts"),
            ErrorKind::Base64(_) => Self::Unreadable("a part is not base64"),
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
                Self::Unreadable("its header or claims are malformed")
            }
            _ => Self::Unreadable("its signature or key is malformed"),
        }
    }
}
