//! The place of a client's token: the header `Authorization`, the list of subprotocols or the query
//! string. A client with tokens in two places is refused, because different parties may have written
//! them.

use herald_shared::protocol::SUBPROTOCOLS;

use super::request::AuthorizerRequest;
use crate::tokens::{InvalidToken, Token, bearer};

const QUERY_PARAMETER: &str = "access_token";

/// Returns the only token of a request.
///
/// # Errors
///
/// Returns [`InvalidToken`] if the request has no token or several, or its `Authorization` is not a
/// bearer token.
pub(super) fn token(request: &AuthorizerRequest) -> Result<Token<'_>, InvalidToken> {
    let authorization = request.header("authorization").map(bearer);
    let mut tokens = authorization.collect::<Result<Vec<_>, _>>()?;
    tokens.extend(beside_subprotocols(request));
    tokens.extend(request.query(QUERY_PARAMETER));
    match tokens.as_slice() {
        [] => Err(InvalidToken::Missing),
        [one] => Token::new(one),
        _ => Err(InvalidToken::Several),
    }
}

/// Returns the tokens of `Sec-WebSocket-Protocol: herald.v1, <token>`: the offered values that are not
/// subprotocols of Herald's. If none of Herald's is offered, the other values are not tokens.
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
    fn token_is_found_in_any_single_place() {
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
    fn missing_or_repeated_token_is_refused() {
        for (given, message) in [
            (&[][..], "the request has no token"),
            (&[(SUBPROTOCOL, "herald.v1")], "the request has no token"),
            (&[(SUBPROTOCOL, "a.b.c")], "the request has no token"),
            (&[(QUERY, "")], "the request has no token"),
            (&[(AUTHORIZATION, "Bearer")], "must have the scheme Bearer"),
            (&[(AUTHORIZATION, "a.b.c")], "must have the scheme Bearer"),
            (
                &[(AUTHORIZATION, "Basic YTpi")],
                "must have the scheme Bearer",
            ),
            (
                &[(AUTHORIZATION, "Bearer a.b.c"), (QUERY, "a.b.c")],
                "several tokens",
            ),
            (
                &[(AUTHORIZATION, "Bearer a"), (AUTHORIZATION, "Bearer b")],
                "several tokens",
            ),
            (
                &[(AUTHORIZATION, "Bearer a"), (SUBPROTOCOL, "herald.v1, b")],
                "several tokens",
            ),
            (&[(SUBPROTOCOL, "herald.v1, a, b")], "several tokens"),
            (&[(QUERY, "a"), (QUERY, "b")], "several tokens"),
        ] {
            let request = request(given);
            let error = token(&request).map(|_| ()).expect_err(message).to_string();
            assert!(error.contains(message), "{given:?}: {error}");
        }
    }

    #[test]
    fn request_without_headers_and_query_has_no_token() {
        let bare = r#"{"methodArn":"arn","multiValueQueryStringParameters":null}"#;
        let bare = serde_json::from_str(bare).expect("a request");
        assert!(matches!(token(&bare), Err(InvalidToken::Missing)));
    }
}
