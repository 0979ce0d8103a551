//! Whether somebody we trust signed a token. The work is `jsonwebtoken`'s; this says how it is asked.

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};

use super::{InvalidToken, Token, claims::Claims};

/// The token's header, of which nothing is proven yet. Errs if it demands what nobody understands.
///
/// Source: RFC 7515, section 4.1.11.
pub(super) fn header(token: Token<'_>) -> Result<Header, InvalidToken> {
    let header = decode_header(token.as_str()).map_err(|error| InvalidToken::found(&error))?;
    match header.crit {
        None => Ok(header),
        Some(_) => Err(InvalidToken::Critical),
    }
}

/// The claims, if the token is of this algorithm and this key signed it. None of them is checked.
pub(super) fn verified(
    token: Token<'_>,
    algorithm: Algorithm,
    key: &DecodingKey,
) -> Result<Claims, InvalidToken> {
    let mut validation = Validation::new(algorithm);
    // The claims have rules of their own.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode(token.as_str(), key, &validation)
        .map(|verified| verified.claims)
        .map_err(|error| InvalidToken::found(&error))
}
