//! The signature of a token, verified by `jsonwebtoken`.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};

use super::{InvalidToken, Token, claims::Claims};

/// Returns the token's header, which is not proven yet.
///
/// # Errors
///
/// Returns [`InvalidToken`] if the header is malformed or demands an extension.
///
/// Source: RFC 7515, section 4.1.11.
pub(super) fn header(token: Token<'_>) -> Result<Header, InvalidToken> {
    let header = decode_header(token.as_str()).map_err(|error| InvalidToken::found(&error))?;
    match header.crit {
        None => Ok(header),
        Some(_) => Err(InvalidToken::Critical),
    }
}

/// Returns the claims, unchecked, if the token has this algorithm and this key signed it.
///
/// # Errors
///
/// Returns [`InvalidToken`] otherwise.
pub(super) fn verified(
    token: Token<'_>,
    algorithm: Algorithm,
    key: &DecodingKey,
) -> Result<Claims, InvalidToken> {
    let mut validation = Validation::new(algorithm);
    // The claims have their own rules.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode(token.as_str(), key, &validation)
        .map(|verified| verified.claims)
        .map_err(|error| InvalidToken::found(&error))
}
