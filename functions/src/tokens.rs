//! Tokens: whether one is good, whose it is, what it allows and when it ends.
//!
//! A token is a JWT (RFC 7519) that an OpenID Connect issuer or the holder of a shared secret signed.
//! Signatures and encodings are `jsonwebtoken`'s; the rules on claims are ours (`claims`), because
//! they are told the time and because Cognito's access tokens name their audience in a claim of their
//! own. Where a client puts its token is the authorizer's to know.

mod cached;
mod claims;
mod issuer;
mod key_set;
mod rejection;
mod secret;
mod settings;
mod signature;
mod token;
mod url;
mod verifier;

pub use claims::Identity;
pub use rejection::{InvalidToken, Rejection};
pub use settings::{InvalidSetting, Settings};
pub use token::{LIMIT as TOKEN_LIMIT, Token};
pub use verifier::Verifier;
