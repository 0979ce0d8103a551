//! A watcher: a client that follows the frames of an entity.

use std::collections::BTreeSet;

use herald_shared::protocol::{PresenceFrame, PresenceReply};

/// The watcher's members, by the rules of docs/clients.md.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Watcher {
    pub(crate) version: u64,
    pub(crate) count: usize,
    pub(crate) users: BTreeSet<String>,
    /// True if a version is missing, until the members were read.
    pub(crate) asks: bool,
}

impl Watcher {
    pub(crate) fn frame(&mut self, frame: &PresenceFrame) {
        if frame.version != self.version + 1 {
            self.asks |= frame.version > self.version;
            return;
        }
        self.version = frame.version;
        self.count = frame.count;
        let changed = frame.changed.clone().expect("a small set");
        let users = changed.joined.iter().map(|user| user.user_id.to_string());
        self.users.extend(users);
        for user in &changed.left {
            self.users.remove(user.user_id.as_str());
        }
    }

    pub(crate) fn snapshot(&mut self, reply: PresenceReply) {
        self.asks = false;
        if reply.version < self.version {
            return;
        }
        let members = reply.members.expect("a small set");
        self.version = reply.version;
        self.count = reply.count;
        self.users = members
            .iter()
            .map(|user| user.user_id.to_string())
            .collect();
    }
}
