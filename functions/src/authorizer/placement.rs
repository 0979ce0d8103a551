//! Where a client puts its token: in the header `Authorization`, among its subprotocols, or in the
//! query string. A client that puts one in two places is refused, as each place may be written by
//! somebody else.

use herald_shared::protocol::SUBPROTOCOLS;

use super::request::AuthorizerRequest;
use crate::tokens::{InvalidToken, Token};

const QUERY_PARAMETER: &str = "access_token";

/// The one token of a request.
pub(super) fn token(request: &AuthorizerRequest) -> Result<Token<'_>, InvalidToken> {
    let mut tokens: Vec<_> = bearer(request)?;
    tokens.extend(beside_subprotocols(request));
    tokens.extend(request.query(QUERY_PARAMETER));
    match tokens.as_slice() {
        [] => Err(InvalidToken::Missing),
        [one] => Token::new(one),
        _ => Err(InvalidToken::Several),
    }
}

/// `Authorization: Bearer <token>`. Source: RFC 6750, section 2.1.
fn bearer(request: &AuthorizerRequest) -> Result<Vec<&str>, InvalidToken> {
    request
        .header("authorization")
        .map(|value| match value.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token.trim()),
            _ => Err(InvalidToken::NotBearer),
        })
        .collect()
}

/// `Sec-WebSocket-Protocol: herald.v1, <token>`: what is offered and is no subprotocol of Herald's. A
/// client that offers none of those is no client of Herald's, and its protocols are no tokens.
fn beside_subprotocols(request: &AuthorizerRequest) -> Vec<&str> {
    let (ours, others): (Vec<&str>, Vec<&str>) = request
        .header("sec-websocket-protocol")
        .flat_map(|offered| offered.split(','))
        .map(str::trim)
        .partition(|offered| SUBPROTOCOLS.contains(offered));
    if ours.is_empty() { Vec::new() } else { others }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AUTHORIZATION: &str = "Authorization";
    const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
    const QUERY: &str = "?access_token";

    fn request(given: &[(&str, &str)]) -> AuthorizerRequest {
        let values = |wanted: &str| {
            let values = given.iter().filter(|(name, _)| *name == wanted);
            values.map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let request = json!({
            "methodArn": "arn",
            "multiValueHeaders": {
                "authorization": values(AUTHORIZATION),
                "SEC-WEBSOCKET-PROTOCOL": values(SUBPROTOCOL),
                "Host": ["example"],
            },
            "multiValueQueryStringParameters": {"access_token": values(QUERY), "other": ["x"]},
        });
        serde_json::from_value(request).expect("a request")
    }

    #[test]
    fn a_token_is_found_in_one_place() {
        for given in [
            &[(AUTHORIZATION, "Bearer a.b.c")][..],
            &[(AUTHORIZATION, "bearer  a.b.c ")],
            &[(SUBPROTOCOL, "herald.v1, a.b.c")],
            &[(SUBPROTOCOL, "websocket,a.b.c")],
            &[(SUBPROTOCOL, "a.b.c, herald.v1")],
            &[(SUBPROTOCOL, "herald.v1"), (SUBPROTOCOL, "a.b.c")],
            &[(QUERY, "a.b.c")],
            &[(SUBPROTOCOL, "herald.v1"), (QUERY, "a.b.c")],
            &[(SUBPROTOCOL, "graphql-ws"), (AUTHORIZATION, "Bearer a.b.c")],
        ] {
            let request = request(given);
            let expected = Token::new("a.b.c").expect("a token");
            assert!(
                token(&request).is_ok_and(|token| token == expected),
                "{given:?}"
            );
        }
    }

    #[test]
    fn what_is_no_one_token_is_refused() {
        for (given, said) in [
            (&[][..], "there is no token"),
            (&[(SUBPROTOCOL, "herald.v1")], "there is no token"),
            (&[(SUBPROTOCOL, "a.b.c")], "there is no token"),
            (&[(QUERY, "")], "there is no token"),
            (&[(AUTHORIZATION, "Bearer")], "not of the scheme Bearer"),
            (&[(AUTHORIZATION, "a.b.c")], "not of the scheme Bearer"),
            (&[(AUTHORIZATION, "Basic YTpi")], "not of the scheme Bearer"),
            (
                &[(AUTHORIZATION, "Bearer a.b.c"), (QUERY, "a.b.c")],
                "more than one",
            ),
            (
                &[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")],
                "more than one",
            ),
            (
                &[(AUTHORIZATION, "Bearer a"), (SUBPROTOCOL, "herald.v1, b")],
                "more than one",
            ),
            (&[(SUBPROTOCOL, "herald.v1, a, b")], "more than one"),
            (&[(QUERY, "a"), (QUERY, "b")], "more than one"),
        ] {
            let request = request(given);
            let error = token(&request).map(|_| ()).expect_err(said).to_string();
            assert!(error.contains(said), "{given:?}: {error}");
        }
    }

    #[test]
    fn a_request_without_any_maps_has_no_token() {
        let bare = r#"{"methodArn":"arn","multiValueQueryStringParameters":null}"#;
        let bare = serde_json::from_str(bare).expect("a request");
        assert!(matches!(token(&bare), Err(InvalidToken::Missing)));
    }
}
