//! Who may connect: tokens of an issuer, of a secret, and none.

mod authenticating;
mod issuer;
mod issuers;
mod key_endpoint;
mod keys;
mod logs;
mod open;
mod origins;
mod secret;
mod tokens;
mod upgrade;
