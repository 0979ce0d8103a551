//! The web pages that may connect. Browsers let pages open WebSockets to any host and send the page's
//! origin in `Origin`. Other clients send no `Origin`, or any value.
//!
//! Source: RFC 6455, section 10.2, and RFC 6454.

use hyper::Uri;

/// The origins whose pages may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Any origin.
    Any,
    /// Only these origins.
    Only(Vec<Origin>),
}

/// The scheme, host and port of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

/// The refusal of a text in the list that is not an origin.
#[derive(Debug, thiserror::Error)]
#[error("//app.example.com, or * for any")]
pub struct InvalidOrigin(String);

impl AllowedOrigins {
    /// Reads a list separated by commas; `*` allows any origin.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidOrigin`] if an entry is not an origin.
    pub fn parse(list: &str) -> Result<Self, InvalidOrigin> {
        let origins: Vec<_> = list.split(',').map(str::trim).collect();
        if origins.contains(&"*") {
            return Ok(Self::Any);
        }
        let origins = origins.into_iter().filter(|origin| !origin.is_empty());
        origins
            .map(|text| Origin::parse(text).ok_or_else(|| InvalidOrigin(text.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }

    /// Returns whether a page with this `Origin` header may connect. An unreadable header, `null`
    /// included, is not the origin of any listed page.
    pub(crate) fn allow(&self, header: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(allowed) => {
                Origin::parse(header).is_some_and(|origin| allowed.contains(&origin))
            }
        }
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let url: Uri = text.parse().ok()?;
        let parts = url.clone().into_parts();
        let scheme = url.scheme_str()?.to_ascii_lowercase();
        let authority = parts.authority?;
        let bare = !authority.as_str().contains('@')
            && parts.path_and_query.is_none_or(|path| path == "/")
            && !text.ends_with('/');
        let origin = Self {
            host: authority.host().to_ascii_lowercase(),
            port: authority.port_u16().or(default_port(&scheme)),
            scheme,
        };
        bare.then_some(origin)
    }
}

/// Returns the port that an origin omits because it is the default of its scheme.
fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_must_all_match() {
        let list = "https://app.example.com, http://localhost:5173,capacitor://localhost";
        let allowed = AllowedOrigins::parse(list).expect("origins");
        for (origin, may) in [
            ("https://app.example.com", true),
            ("https://APP.example.com", true),
            ("https://app.example.com:443", true),
            ("http://localhost:5173", true),
            ("capacitor://localhost", true),
            ("http://app.example.com", false),
            ("https://app.example.com:8443", false),
            ("https://app.example.com.evil.example", false),
            ("https://evil.example", false),
            ("https://xapp.example.com", false),
            ("https://user@app.example.com", false),
            ("https://app.example.com/", false),
            ("http://localhost", false),
            ("app.example.com", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(allowed.allow(origin), may, "{origin}");
        }
    }

    #[test]
    fn star_allows_any_origin_and_empty_list_none() {
        let any = AllowedOrigins::parse("*").expect("origins");
        assert!(any.allow("https://anything.example") && any.allow("null"));
        let none = AllowedOrigins::parse("").expect("origins");
        assert!(!none.allow("https://anything.example"));
    }

    #[test]
    fn list_with_an_invalid_origin_is_refused() {
        for list in [
            "app.example.com",
            "https://a.example,b",
            "https://*.example/x",
        ] {
            assert!(AllowedOrigins::parse(list).is_err(), "{list}");
        }
    }
}
