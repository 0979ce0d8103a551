//! Why nobody is let in. A client learns no more than the kind; the words are for the log, and hold
//! nothing of a token but its issuer, user and key id.

use std::error::Error;

use herald_shared::{ids::InvalidId, permissions::InvalidPermissions};

use super::token::LIMIT;

/// Why a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// There is no token, or it is not good. Another one may be.
    #[error("there is no good token")]
    Unauthorized(#[from] InvalidToken),
    /// The token is good, and what it says of permissions cannot be understood.
    #[error("the claim `herald` of user {user:?} cannot be understood")]
    Forbidden {
        /// The token's `sub`.
        user: String,
        /// What is wrong with the claim.
        source: InvalidPermissions,
    },
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
    /// It is no JWT, is of an algorithm that nobody checks, or its claims are of the wrong types.
    #[error("the token cannot be read")]
    Unreadable(#[source] jsonwebtoken::errors::Error),
    /// Its header demands something that has to be understood, and nothing of the kind is.
    #[error("the token's header has the field crit")]
    Critical,
    /// No key that checks its algorithm has its key id.
    #[error("there is no key with the id {0:?} for the token's algorithm")]
    UnknownKey(Option<String>),
    /// Nobody who may did sign it.
    #[error("the token's signature is wrong; its key id is {0:?}")]
    Signature(Option<String>),
    /// It does not end.
    #[error("the token of user {0:?} has no exp")]
    Endless(Option<String>),
    /// It has ended.
    #[error("the token of user {0:?} has expired")]
    Expired(Option<String>),
    /// It is for later.
    #[error("the token of user {0:?} is not valid yet")]
    NotYetValid(Option<String>),
    /// Somebody else issued it.
    #[error("the token's iss is {0:?}, which is not TokenIssuer")]
    Issuer(Option<String>),
    /// It is for somebody else.
    #[error("the token of user {0:?} is for another audience than TokenAudience")]
    Audience(Option<String>),
    /// It is nobody's.
    #[error("the token has no sub")]
    Nobody,
    /// Its user cannot be one.
    #[error("the token's sub")]
    User(#[source] InvalidId),
}
