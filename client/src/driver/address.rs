//! The address of a server, and the request of a handshake.

use rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::{
    client::IntoClientRequest,
    handshake::client::Request,
    http::{HeaderValue, Uri, header::AUTHORIZATION, uri::InvalidUri},
};

use crate::{Cause, ConnectError};

/// A WebSocket address that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Address(Request);

impl Address {
    /// Checks an address: `ws://` or `wss://`, and a host.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError::InvalidAddress`] if the address is not a WebSocket address.
    pub(crate) fn parse(address: &str) -> Result<Self, ConnectError> {
        let invalid = |cause: Cause| ConnectError::InvalidAddress {
            address: address.to_owned(),
            cause,
        };
        let uri: Uri = address
            .parse()
            .map_err(|error: InvalidUri| invalid(Cause::new(error)))?;
        if !matches!(uri.scheme_str(), Some("ws" | "wss")) {
            return Err(invalid(Cause::new(
                "an address must begin with `ws://` or `wss://`",
            )));
        }
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() == Some("wss") && !is_certifiable(host) {
            return Err(invalid(Cause::new("no certificate can name its host")));
        }
        let request = uri
            .into_client_request()
            .map_err(|error| invalid(Cause::new(error)))?;
        Ok(Self(request))
    }

    /// Returns the request of one attempt.
    ///
    /// # Errors
    ///
    /// Returns the problem with the token if no header can carry it.
    pub(super) fn request(&self, token: Option<&str>) -> Result<Request, &'static str> {
        let uri = self.0.uri().clone();
        let mut request = uri.into_client_request().map_err(|_| UNUSABLE_ADDRESS)?;
        if let Some(token) = token {
            let value = bearer(token).ok_or(UNUSABLE_TOKEN)?;
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

const UNUSABLE_ADDRESS: &str = "the address cannot be requested";

pub(super) const UNUSABLE_TOKEN: &str = "no header can carry the token: it must be visible ASCII without spaces, and \
                              not empty";

/// Returns true if a certificate can name a host of a URL.
pub(super) fn is_certifiable(host: &str) -> bool {
    ServerName::try_from(unbracketed(host)).is_ok()
}

/// Returns a host without the brackets of an IPv6 address.
fn unbracketed(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// Returns the value of the header `Authorization`. `None` if it cannot carry the token.
pub(super) fn bearer(token: &str) -> Option<HeaderValue> {
    let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    let mut value = usable.then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok())??;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_a_web_socket_scheme_and_a_host() {
        for (address, reason) in [
            ("ws://127.0.0.1:3030/dev", None),
            (
                "wss://a1b2.execute-api.eu-central-1.amazonaws.com/prod?x=1",
                None,
            ),
            (
                "https://example.com/prod",
                Some("an address must begin with `ws://` or `wss://`"),
            ),
            (
                "example.com",
                Some("an address must begin with `ws://` or `wss://`"),
            ),
            ("wss://[::1]:3030/dev", None),
            (
                "wss://two..dots/dev",
                Some("no certificate can name its host"),
            ),
            ("ws://", Some("empty string")),
            ("", Some("empty string")),
        ] {
            let refused = match Address::parse(address) {
                Ok(_) => None,
                Err(ConnectError::InvalidAddress { cause, .. }) => Some(cause.to_string()),
                Err(other) => panic!("{address}: {other}"),
            };
            assert_eq!(refused.as_deref(), reason, "{address}");
        }
    }

    #[test]
    fn request_has_a_new_key_and_the_token_in_its_header() {
        let address = Address::parse("ws://127.0.0.1/dev").expect("an address");
        let header = |token: Option<&str>, name: &str| {
            let request = address.request(token).expect("a request");
            let value = request.headers().get(name)?;
            Some(value.to_str().expect("a text").to_owned())
        };
        assert_eq!(
            header(Some("t1"), "authorization").as_deref(),
            Some("Bearer t1")
        );
        assert_eq!(header(None, "authorization"), None);
        assert_ne!(
            header(None, "sec-websocket-key"),
            header(None, "sec-websocket-key")
        );
    }

    #[test]
    fn token_that_no_header_can_carry_is_invalid() {
        let address = Address::parse("ws://127.0.0.1/dev").expect("an address");
        for token in [
            "",
            "no\nheader",
            "no header",
            " padded",
            "tab\t",
            "träume",
            "\u{7f}",
        ] {
            assert_eq!(
                address.request(Some(token)).err(),
                Some(UNUSABLE_TOKEN),
                "{token:?}"
            );
        }
        assert!(address.request(Some("e30.e30/+==._-~")).is_ok());
    }
}
