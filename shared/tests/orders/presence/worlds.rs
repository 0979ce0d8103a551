//! The worlds of presence: the functions that run at the same time, and the faults that may occur.

use herald_shared::ids::{ConnectionId, UserId};

/// A connection of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Connection {
    /// The first connection of the user `ann`.
    Phone,
    /// The second connection of `ann`.
    Laptop,
    /// The connection of the user `bob`.
    Tablet,
}

impl Connection {
    pub(crate) const ALL: [Self; 3] = [Self::Phone, Self::Laptop, Self::Tablet];

    pub(crate) fn id(self) -> ConnectionId {
        ConnectionId::new(format!("{self:?}")).expect("an id")
    }

    pub(crate) fn user(self) -> UserId {
        let user = match self {
            Self::Phone | Self::Laptop => "ann",
            Self::Tablet => "bob",
        };
        UserId::new(user).expect("an id")
    }
}

/// The task of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    Subscribe(Connection),
    Unsubscribe(Connection),
    Forget(Connection),
    Renew(Connection),
}

/// The age of a member row when the functions start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Stale,
    Expired,
}

/// One world.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) roles: Vec<Role>,
    /// Connections that are subscribed and announced from the start.
    pub(crate) announced: Vec<Connection>,
    /// Connections that were, and left a moment ago.
    pub(crate) left: Vec<Connection>,
    pub(crate) age: Option<Age>,
    /// The maximum number of functions that stop between two requests.
    pub(crate) crashes: usize,
    /// The maximum number of writes of member rows that time out, are sent again, and are applied late.
    pub(crate) late_writes: usize,
    /// True if the requests to the rows of connections are applied at once, so that the world is smaller.
    pub(crate) quiet: bool,
}

/// Returns a world with open connections and no function.
pub(crate) fn world() -> World {
    World::default()
}

impl World {
    fn role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    pub(crate) fn subscribes(self, connection: Connection) -> Self {
        self.role(Role::Subscribe(connection))
    }

    pub(crate) fn unsubscribes(self, connection: Connection) -> Self {
        self.role(Role::Unsubscribe(connection))
    }

    pub(crate) fn forgets(self, connection: Connection) -> Self {
        self.role(Role::Forget(connection))
    }

    pub(crate) fn renews(self, connection: Connection) -> Self {
        self.role(Role::Renew(connection))
    }

    pub(crate) fn announced(mut self, connection: Connection) -> Self {
        self.announced.push(connection);
        self
    }

    pub(crate) fn left(mut self, connection: Connection) -> Self {
        self.left.push(connection);
        self
    }

    /// The member rows are due for a renewal.
    pub(crate) fn stale(self) -> Self {
        let age = Some(Age::Stale);
        Self { age, ..self }
    }

    /// The time of the member rows has just ended.
    pub(crate) fn expired(self) -> Self {
        let age = Some(Age::Expired);
        Self { age, ..self }
    }

    pub(crate) fn crashes(self, crashes: usize) -> Self {
        Self { crashes, ..self }
    }

    pub(crate) fn late_writes(self, late_writes: usize) -> Self {
        Self {
            late_writes,
            ..self
        }
    }

    pub(crate) fn quiet(self) -> Self {
        Self {
            quiet: true,
            ..self
        }
    }
}
