//! The URLs that keys are fetched from.

use std::net::IpAddr;

use hyper::Uri;

/// The reason nothing is fetched from a URL.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidUrl {
    /// The text is not a URL.
    #[error("{0:?} is not a URL")]
    Unreadable(String),
    /// The scheme is not https. Over http, anyone on the network could answer with other keys.
    #[error("{0:?} must be an https URL; http is allowed only for loopback addresses")]
    NotHttps(String),
}

/// Returns a URL that is `https`, or `http` with a loopback address.
///
/// # Errors
///
/// Returns [`InvalidUrl`] for any other text.
pub(super) fn url(text: &str) -> Result<Uri, InvalidUrl> {
    let unreadable = || InvalidUrl::Unreadable(text.to_owned());
    let url: Uri = text.parse().map_err(|_| unreadable())?;
    let host = url.host().ok_or_else(unreadable)?;
    match url.scheme_str() {
        Some("https") => Ok(url),
        Some("http") if is_loopback(host) => Ok(url),
        Some(_) => Err(InvalidUrl::NotHttps(text.to_owned())),
        None => Err(unreadable()),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_or_loopback_urls_are_allowed() {
        for (text, good) in [
            ("https://issuer.example/pool", true),
            ("http://127.0.0.1:3030/auth", true),
            ("http://[::1]:3030/auth", true),
            ("http://localhost:3030", true),
            ("http://issuer.example", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("ftp://127.0.0.1", false),
            ("issuer.example", false),
            ("/keys", false),
            ("", false),
        ] {
            assert_eq!(url(text).is_ok(), good, "{text}");
        }
    }
}
