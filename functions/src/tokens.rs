//! The check of tokens and the identity that they prove.
//!
//! A token is a JWT (RFC 7519) signed by an OpenID Connect issuer or with a shared secret.
//! `jsonwebtoken` does signatures and encodings; the rules on claims are ours (`claims`), because they
//! receive the time as an argument and because Cognito's access tokens name their audience in a claim of
//! their own. The authorizer finds the token in a client's request.

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
pub use token::{Token, bearer};
pub use verifier::Verifier;
