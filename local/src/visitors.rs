//! The guard of the one port: it lets in programs on this machine and the pages that the stack itself
//! serves, and refuses every other web page that a browser on this machine has open.
//!
//! A browser sends `Host`, `Origin` and `Sec-Fetch-Site` as they are; a page cannot change them. No
//! answer has CORS headers, so a page elsewhere cannot read one; the guard is for what a request
//! changes, and for pages whose name was led to this machine (DNS rebinding).
//!
//! Only the opening of a WebSocket passes: the template's authorizer has the list of origins for it.

use std::net::IpAddr;

use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header, uri::Authority};

/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The reason a request is refused, in a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// Checks where a request comes from.
///
/// # Errors
///
/// Returns a [`Refusal`] if the request has more than one `Host`, calls the server by a foreign
/// name, or is of a page of another origin.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let host = host(request)?;
    if opens_web_socket(request) {
        return Ok(());
    }
    if !is_own_name(&host) {
        return Err(Refusal::forbidden(format!(
            "`{host}` is not a name of this server: call it by its IP address or as localhost"
        )));
    }
    let origins = request.headers().get_all(header::ORIGIN);
    let own_origin = format!("http://{host}");
    let is_foreign = |origin: &HeaderValue| {
        !own_origin
            .as_bytes()
            .eq_ignore_ascii_case(origin.as_bytes())
    };
    if comes_from_another_site(request) || origins.iter().any(is_foreign) {
        return Err(Refusal::forbidden(
            "pages of other origins may not ask for this: ask from a program, or have your own \
             server ask",
        ));
    }
    Ok(())
}

impl Refusal {
    fn forbidden(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            message: message.into(),
        }
    }
}

/// Returns the name that the request calls the server by. A second one is an error by RFC 9112,
/// section 3.2, and a name in the request line stands for the one in the header.
fn host<B>(request: &Request<B>) -> Result<String, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map_or(&[][..], HeaderValue::as_bytes);
    let host = String::from_utf8_lossy(host).into_owned();
    let in_line = request.uri().authority().map(Authority::as_str);
    if hosts.next().is_some() || in_line.is_some_and(|name| !name.eq_ignore_ascii_case(&host)) {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: "the request names more than one Host: send one".to_owned(),
        });
    }
    Ok(host)
}

/// Returns whether a browser opens a WebSocket: no page can set `Upgrade` for any other request.
fn opens_web_socket<B>(request: &Request<B>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    let is_web_socket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    request.method() == Method::GET && upgrade.is_some_and(is_web_socket)
}

/// Returns whether a page of another site sends the request. A link that is followed is not the page's: its
/// answer is shown, and the page does not get it.
fn comes_from_another_site<B>(request: &Request<B>) -> bool {
    let is = |name, value: &str| {
        let mut values = request.headers().get_all(name).iter();
        values.any(|sent| sent == value)
    };
    let is_followed_link = request.method() == Method::GET
        && is(SEC_FETCH_MODE, "navigate")
        && is(SEC_FETCH_DEST, "document");
    let mut sites = request.headers().get_all(SEC_FETCH_SITE).iter();
    sites.any(|site| site != "same-origin" && site != "none") && !is_followed_link
}

/// Returns whether a name can only mean this server. Another's name server could lead any other name here,
/// and a page of that name would be of the same origin. An address cannot be led anywhere, and
/// browsers ask no name server about `localhost`.
fn is_own_name(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    !host.contains('@')
        && (name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, StatusCode};

    use super::check;

    /// Returns the status of the refusal, if any.
    fn refused(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        check(&request).err().map(|refusal| refusal.status)
    }

    const FORBIDDEN: Option<StatusCode> = Some(StatusCode::FORBIDDEN);
    const BAD_REQUEST: Option<StatusCode> = Some(StatusCode::BAD_REQUEST);

    #[test]
    fn a_server_is_called_by_its_address_or_as_localhost() {
        for (host, expected) in [
            ("127.0.0.1:3030", None),
            ("192.168.0.7:3030", None),
            ("[::1]:3030", None),
            ("localhost:3030", None),
            ("LOCALHOST", None),
            ("evil.example:3030", FORBIDDEN),
            ("localhost.evil.example", FORBIDDEN),
            ("127.0.0.1.evil.example", FORBIDDEN),
            ("localhost@evil.example", FORBIDDEN),
            ("evil@127.0.0.1", FORBIDDEN),
            ("", FORBIDDEN),
        ] {
            assert_eq!(refused("POST", "/", &[("host", host)]), expected, "{host}");
        }
        assert_eq!(refused("POST", "/", &[]), FORBIDDEN);
    }

    #[test]
    fn second_host_is_refused() {
        let own = ("host", "127.0.0.1:3030");
        for (uri, hosts) in [
            ("/", &[own, ("host", "evil.example")][..]),
            ("/", &[own, own]),
            ("http://evil.example/", &[own]),
            ("http://127.0.0.1:3030/", &[("host", "evil.example")]),
        ] {
            assert_eq!(refused("GET", uri, hosts), BAD_REQUEST, "{uri} {hosts:?}");
            let upgrade = [hosts, &[("upgrade", "websocket")]].concat();
            assert_eq!(
                refused("GET", uri, &upgrade),
                BAD_REQUEST,
                "{uri} {hosts:?}"
            );
        }
        assert_eq!(refused("GET", "http://127.0.0.1:3030/", &[own]), None);
    }

    #[test]
    fn a_page_elsewhere_is_refused() {
        for (header, value, expected) in [
            ("origin", "http://127.0.0.1:3030", None),
            ("origin", "http://127.0.0.1:8080", FORBIDDEN),
            ("origin", "https://127.0.0.1:3030", FORBIDDEN),
            ("origin", "http://localhost:3030", FORBIDDEN),
            ("origin", "https://evil.example", FORBIDDEN),
            ("origin", "null", FORBIDDEN),
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
            ("sec-fetch-site", "same-site", FORBIDDEN),
            ("sec-fetch-site", "cross-site", FORBIDDEN),
        ] {
            let headers = [("host", "127.0.0.1:3030"), (header, value)];
            assert_eq!(
                refused("POST", "/", &headers),
                expected,
                "{header}: {value}"
            );
        }
    }

    #[test]
    fn second_origin_is_checked_as_well() {
        let headers = [
            ("host", "127.0.0.1:3030"),
            ("origin", "http://127.0.0.1:3030"),
            ("origin", "https://evil.example"),
        ];
        assert_eq!(refused("POST", "/", &headers), FORBIDDEN);
    }

    #[test]
    fn followed_link_is_let_in_and_posted_form_is_not() {
        let headers = [
            ("host", "127.0.0.1:3030"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(refused("GET", "/", &headers), None);
        assert_eq!(refused("POST", "/", &headers), FORBIDDEN);
        let mut framed = headers;
        framed[3].1 = "iframe";
        assert_eq!(refused("GET", "/", &framed), FORBIDDEN);
    }

    #[test]
    fn opening_of_a_web_socket_is_left_to_the_authorizer() {
        let headers = [
            ("host", "evil.example"),
            ("origin", "https://evil.example"),
            ("upgrade", "WebSocket"),
        ];
        assert_eq!(refused("GET", "/dev", &headers), None);
        assert_eq!(refused("POST", "/dev", &headers), FORBIDDEN);
    }
}
