//! Renewal of a connection's token.
//!
//! The connection's own row comes first. A subscription that is stored meanwhile is either in the set on
//! that row, or finds the new end when it reads the row.

use super::subscribing::write_all;
use crate::{
    audience::Audience,
    ids::ConnectionId,
    store::{Rows, StoreError},
    token_expiry::TokenExpiry,
};

/// Writes the end of the token on every row of the connection. Returns false if the connection is not
/// stored.
pub(super) async fn renew<R: Rows>(
    rows: &R,
    connection: &ConnectionId,
    expiry: TokenExpiry,
) -> Result<bool, StoreError> {
    let Some(stored) = rows.set_token_expiry(connection, expiry).await? else {
        return Ok(false);
    };
    let entities = stored.entities.into_iter().map(Audience::Entity);
    let audiences: Vec<_> = entities
        .chain(stored.user.map(Audience::User))
        .chain([Audience::Everyone])
        .collect();
    let writes = audiences
        .iter()
        .map(|audience| rows.set_listener_token_expiry(connection, audience, expiry));
    write_all(writes).await?;
    Ok(true)
}
