//! Authentication: tokens of an issuer, tokens of a secret, and no tokens.

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

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the current time in the format of claims: epoch seconds.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}
