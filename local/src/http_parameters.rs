//! The template's parameters for publishing and polling over HTTP. On AWS they are off by default, because
//! a secret and reserved concurrency have a price; on this machine `herald-local` turns them on.

use std::collections::BTreeMap;

/// The parameters and their values.
const PARAMETERS: [(&str, &str); 2] = [("PublishKeys", "create"), ("Poll", "on")];

/// Returns defaults for the template's parameters with which everything is served over HTTP.
pub fn http_parameters() -> BTreeMap<String, String> {
    PARAMETERS
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
