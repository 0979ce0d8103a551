//! The audiences whose logs the client follows.

use herald_shared::ids::EntityId;

use super::signals::Route;
use crate::Push;

/// An audience with a log, as the client names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Audience {
    /// The subscribers of an entity.
    Entity(EntityId),
    /// The client's own user.
    User,
    /// Everyone.
    Everyone,
}

impl Audience {
    /// Returns the audience of a push. `None` for a push of an unknown type.
    pub(super) fn of(push: &Push) -> Option<Self> {
        match (push.entity_id(), push.kind()) {
            (Some(entity), _) => Some(Self::Entity(entity.clone())),
            (None, "User Push Notification") => Some(Self::User),
            (None, "Broadcast" | "message") => Some(Self::Everyone),
            (None, _) => None,
        }
    }

    /// Returns the route of the audience's pushes.
    pub(super) fn route(&self) -> Route {
        match self {
            Self::Entity(entity) => Route::Entity(entity.clone()),
            Self::User => Route::Notifications,
            Self::Everyone => Route::Broadcasts,
        }
    }
}
