//! The guard of the stack's port. It admits programs and the stack's own pages, and refuses every
//! other web page that a browser on this machine has open.
//!
//! A browser sets `Host`, `Origin` and `Sec-Fetch-Site`; a page cannot change them. No answer has
//! CORS headers, so pages of other origins cannot read one; the guard prevents requests with
//! effects, and requests of pages whose name was resolved to this machine (DNS rebinding).
//!
//! WebSocket upgrades are exempt: the template's authorizer has the list of origins for them.

use std::net::IpAddr;

use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode, header, uri::Authority};

/// The relation of the page's site to this server:
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The refusal of a request, with a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// Checks the origin of a request.
///
/// # Errors
///
/// Returns a [`Refusal`] if the request has more than one `Host`, names another host, or comes from
/// a page of another origin.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let host = host(request)?;
    if opens_web_socket(request) {
        return Ok(());
    }
    if !is_own_name(&host) {
        return Err(Refusal::forbidden(format!(
            "the Host must be localhost or an IP address, got `{host}`"
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
            "requests of web pages of other origins are refused; send the request from a program or \
             from your own server",
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

/// Returns the request's host. A second `Host` is an error by RFC 9112, section 3.2, and so is
/// another host in the request line.
fn host<B>(request: &Request<B>) -> Result<String, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().map_or(&[][..], HeaderValue::as_bytes);
    let host = String::from_utf8_lossy(host).into_owned();
    let in_line = request.uri().authority().map(Authority::as_str);
    if hosts.next().is_some() || in_line.is_some_and(|name| !name.eq_ignore_ascii_case(&host)) {
        return Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            message: "the request has more than one Host; send exactly one".to_owned(),
        });
    }
    Ok(host)
}

/// Returns whether the request opens a WebSocket. No page can set `Upgrade` on any other request.
fn opens_web_socket<B>(request: &Request<B>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    let is_web_socket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    request.method() == Method::GET && upgrade.is_some_and(is_web_socket)
}

/// Returns whether a page of another site sends the request. A followed link does not count: the
/// browser shows its answer, and the page cannot read it.
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

/// Returns whether a host can only be this server. An attacker's name server could resolve any
/// other name to this machine, and a page of that name would have the same origin. An IP address
/// needs no name server, and browsers resolve `localhost` themselves.
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
    fn host_other_than_localhost_or_ip_address_is_refused() {
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
    fn page_of_another_origin_is_refused() {
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
    fn followed_link_is_allowed_and_posted_form_is_refused() {
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
    fn web_socket_upgrade_is_left_to_the_authorizer() {
        let headers = [
            ("host", "evil.example"),
            ("origin", "https://evil.example"),
            ("upgrade", "WebSocket"),
        ];
        assert_eq!(refused("GET", "/dev", &headers), None);
        assert_eq!(refused("POST", "/dev", &headers), FORBIDDEN);
    }
}
