//! Who may ask for what would be secret anywhere else, a token for any user: programs on this machine,
//! and pages that this stack serves itself. Not a page on the web, which a browser on this machine
//! would let send requests here.
//!
//! A browser tells where a request comes from, and no page can make it lie. The answers have no CORS
//! headers, so a page elsewhere could not read them; but it must not have tokens minted, or a secret
//! changed, either.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header, uri::Authority};

/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Errs, in a sentence for whoever asked, if a request with these headers is refused.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), String> {
    let host = text(headers.get(header::HOST));
    if !is_own_name(&host) {
        return Err(format!(
            "`{host}` is not a name of this server: call it by its IP address or as localhost"
        ));
    }
    let site = headers.get(SEC_FETCH_SITE);
    let from_elsewhere = site.is_some_and(|site| site != "same-origin" && site != "none");
    let origin = headers.get(header::ORIGIN);
    let own_origin = format!("http://{host}");
    let of_another =
        origin.is_some_and(|origin| !own_origin.eq_ignore_ascii_case(&text(Some(origin))));
    if from_elsewhere || of_another {
        return Err(
            "pages of other origins may not ask for this: ask from a program, or have your own \
             server ask"
                .to_owned(),
        );
    }
    Ok(())
}

/// A name that somebody else's name server could lead here is not: a page of that name would be of the
/// same origin as this server (DNS rebinding). An address cannot be led anywhere, and browsers ask no
/// name server about `localhost`.
fn is_own_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok())
}

fn text(value: Option<&HeaderValue>) -> String {
    let bytes = value.map_or(&[][..], HeaderValue::as_bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    use super::check;

    fn is_let_in(headers: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        check(&headers).is_ok()
    }

    #[test]
    fn a_server_is_called_by_its_address_or_as_localhost() {
        for (host, expected) in [
            ("127.0.0.1:3030", true),
            ("192.168.0.7:3030", true),
            ("[::1]:3030", true),
            ("localhost:3030", true),
            ("LOCALHOST", true),
            ("evil.example:3030", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost@evil.example", false),
            ("evil@127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(is_let_in(&[("host", host)]), expected, "{host}");
        }
        assert!(!is_let_in(&[]));
    }

    #[test]
    fn a_page_elsewhere_is_refused() {
        for (header, value, expected) in [
            ("origin", "http://127.0.0.1:3030", true),
            ("origin", "http://127.0.0.1:8080", false),
            ("origin", "https://127.0.0.1:3030", false),
            ("origin", "http://localhost:3030", false),
            ("origin", "https://evil.example", false),
            ("origin", "null", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "none", true),
            ("sec-fetch-site", "same-site", false),
            ("sec-fetch-site", "cross-site", false),
        ] {
            let headers = [("host", "127.0.0.1:3030"), (header, value)];
            assert_eq!(is_let_in(&headers), expected, "{header}: {value}");
        }
    }
}
