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

use std::time::{SystemTime, UNIX_EPOCH};

/// The time as claims have it: in epoch seconds.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}
