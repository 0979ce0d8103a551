//! Removing the rows of a connection that is gone.

use crate::{
    audience::Audience,
    ids::ConnectionId,
    store::{Rows, StoreError, Superseded, TrackMembers},
};

/// Removes every row but that of the charges, which expires. Returns the audiences that the connection
/// was removed from.
pub(super) async fn forget<R: Rows, M: TrackMembers>(
    rows: &R,
    members: &M,
    connection: &ConnectionId,
) -> Result<Vec<Audience>, StoreError> {
    let stored = rows.delete_connection(connection).await?;
    let mut user = None;
    let mut audiences = Vec::new();
    if let Some(stored) = stored {
        // No change follows the last one.
        let superseded = Superseded::Below(stored.changes + 1);
        let entities: Vec<_> = stored.entities.into_iter().collect();
        let left = members.leave(connection, stored.user.as_ref(), &entities, superseded);
        left.await?;
        audiences.extend(entities.into_iter().map(Audience::Entity));
        user = stored.user;
    }
    // The key of this row follows from the connection's id, so no stored row has to name it.
    audiences.push(Audience::Everyone);
    rows.delete_listeners(connection, &audiences).await?;
    if let Some(user) = user {
        let user = Audience::User(user);
        rows.delete_listeners(connection, std::slice::from_ref(&user))
            .await?;
        audiences.push(user);
    }
    Ok(audiences)
}

/// Forgets a connection that was found in `audience`. A crash may have left that listener row without
/// the others, and then no other row names it.
pub(super) async fn prune<R: Rows, M: TrackMembers>(
    rows: &R,
    members: &M,
    connection: &ConnectionId,
    audience: &Audience,
) -> Result<(), StoreError> {
    let forgotten = forget(rows, members, connection).await?;
    if forgotten.contains(audience) {
        return Ok(());
    }
    rows.delete_listeners(connection, std::slice::from_ref(audience))
        .await
}
