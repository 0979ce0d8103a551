//! Where a client connects, and the request that it makes there.

use rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::{
    client::IntoClientRequest,
    handshake::client::Request,
    http::{HeaderValue, Uri, header::AUTHORIZATION},
};

use crate::ConnectError;

/// A WebSocket address that was checked.
#[derive(Clone, Debug)]
pub(crate) struct Address(Request);

impl Address {
    /// Checks an address: `ws://` or `wss://`, and a host.
    pub(crate) fn parse(address: &str) -> Result<Self, ConnectError> {
        let refuse = |reason: &str| ConnectError::InvalidAddress {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let uri: Uri = address
            .parse()
            .map_err(|error| refuse(&format!("{error}")))?;
        if !matches!(uri.scheme_str(), Some("ws" | "wss")) {
            return Err(refuse("it begins neither with ws:// nor with wss://"));
        }
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() == Some("wss") && ServerName::try_from(unbracketed(host)).is_err() {
            return Err(refuse("no certificate can be for its host"));
        }
        let request = uri
            .into_client_request()
            .map_err(|error| refuse(&error.to_string()))?;
        Ok(Self(request))
    }

    /// Returns the request of one attempt.
    ///
    /// # Errors
    ///
    /// Returns what is wrong if the token cannot stand in a header.
    pub(super) fn request(&self, token: Option<&str>) -> Result<Request, &'static str> {
        let uri = self.0.uri().clone();
        let mut request = uri.into_client_request().map_err(|_| UNUSABLE_ADDRESS)?;
        if let Some(token) = token {
            let mut value = bearer(token).ok_or(UNUSABLE_TOKEN)?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }
}

const UNUSABLE_ADDRESS: &str = "the address cannot be requested";

const UNUSABLE_TOKEN: &str = "the token is empty, or holds a space, a control character or one that is not \
                              ASCII, which no header can carry";

/// The host of an IPv6 address stands in brackets.
fn unbracketed(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

fn bearer(token: &str) -> Option<HeaderValue> {
    let usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_checked() {
        for (address, reason) in [
            ("ws://127.0.0.1:3030/dev", None),
            (
                "wss://a1b2.execute-api.eu-central-1.amazonaws.com/prod?x=1",
                None,
            ),
            (
                "https://example.com/prod",
                Some("it begins neither with ws:// nor with wss://"),
            ),
            (
                "example.com",
                Some("it begins neither with ws:// nor with wss://"),
            ),
            ("wss://[::1]:3030/dev", None),
            (
                "wss://two..dots/dev",
                Some("no certificate can be for its host"),
            ),
            ("ws://", Some("empty string")),
            ("", Some("empty string")),
        ] {
            let refused = match Address::parse(address) {
                Ok(_) => None,
                Err(ConnectError::InvalidAddress { reason, .. }) => Some(reason),
                Err(other) => panic!("{address}: {other}"),
            };
            assert_eq!(refused.as_deref(), reason, "{address}");
        }
    }

    #[test]
    fn every_attempt_has_a_key_of_its_own_and_the_token_in_its_header() {
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
    fn token_that_no_header_can_carry_is_refused() {
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
