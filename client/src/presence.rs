//! The users at an entity.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use tokio::sync::watch;

use crate::RequestError;

/// A user at an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// The user's id.
    pub user_id: String,
    /// The number of the user's connections when the server counted them last. A change of it alone is not told.
    pub connections: u64,
    /// The claim `heraldInfo` of the user's token.
    pub info: Option<Value>,
}

impl Member {
    pub(crate) fn new(user_id: String, connections: u64, info: Option<Value>) -> Self {
        Self {
            user_id,
            connections,
            info,
        }
    }
}

/// The users at an entity, at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// The number of users, and of connections without a user.
    pub count: u64,
    /// The users by their ids. `None` if there are more than the stack lists.
    pub members: Option<BTreeMap<String, Member>>,
}

impl Presence {
    pub(crate) fn new(count: u64, members: Option<BTreeMap<String, Member>>) -> Self {
        Self { count, members }
    }
}

/// A change of the users at an entity. While the members are unknown, `joined` and `left` are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresenceChange {
    /// The users that are new, or of whom something else is known than before.
    pub joined: Vec<Member>,
    /// The users that left, as they were known.
    pub left: Vec<Member>,
    /// The users now. `None` if there is no presence: the stack has no policy for the entity, or refused it.
    pub presence: Option<Arc<Presence>>,
    /// The error with which the server refused presence. The subscription goes on without.
    pub error: Option<RequestError>,
}

impl PresenceChange {
    /// Returns what differs between two sets. Unknown members neither join nor leave.
    pub(crate) fn between(previous: Option<&Presence>, told: ToldPresence) -> Self {
        let none = BTreeMap::new();
        let before = previous.and_then(|presence| presence.members.as_ref());
        let before = before.unwrap_or(&none);
        let presence = told.presence.as_deref();
        let members = presence.and_then(|presence| presence.members.as_ref());
        let is_new = |member: &&Member| before.get(&member.user_id) != Some(*member);
        let has_left = |member: &&Member| {
            members.is_some_and(|members| !members.contains_key(&member.user_id))
        };
        Self {
            joined: members
                .unwrap_or(&none)
                .values()
                .filter(is_new)
                .cloned()
                .collect(),
            left: before.values().filter(has_left).cloned().collect(),
            presence: told.presence,
            error: told.error,
        }
    }
}

/// The presence that the machine told last.
#[derive(Clone, Debug)]
pub(crate) struct ToldPresence {
    /// The set. `None` if there is none.
    pub(crate) presence: Option<Arc<Presence>>,
    /// The reason for which there is none, if the server refused it.
    pub(crate) error: Option<RequestError>,
}

/// The changes of the users at an entity: [`Subscription::presence_changes`](crate::Subscription::presence_changes).
///
/// A slow reader gets several changes as one: the difference between what it read last and what is known now.
#[derive(Debug)]
pub struct PresenceChanges {
    told: watch::Receiver<Option<ToldPresence>>,
    previous: Option<Arc<Presence>>,
}

impl PresenceChanges {
    pub(crate) fn new(mut told: watch::Receiver<Option<ToldPresence>>) -> Self {
        if told.borrow().is_some() {
            told.mark_changed();
        }
        Self {
            told,
            previous: None,
        }
    }

    /// Waits for the next change. The first has all users as joined. `None` once the subscription has
    /// ended or the client has stopped, and at once if the subscription does not ask for presence.
    ///
    /// The future may be dropped at any time: nothing is lost by that.
    pub async fn next(&mut self) -> Option<PresenceChange> {
        loop {
            self.told.changed().await.ok()?;
            let told = self.told.borrow_and_update().clone();
            if let Some(told) = told {
                let presence = told.presence.clone();
                let change = PresenceChange::between(self.previous.as_deref(), told);
                self.previous = presence;
                return Some(change);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(users: &[&str]) -> ToldPresence {
        let members = users
            .iter()
            .map(|user| ((*user).to_owned(), Member::new((*user).to_owned(), 1, None)));
        ToldPresence {
            presence: Some(Arc::new(Presence::new(
                users.len() as u64,
                Some(members.collect()),
            ))),
            error: None,
        }
    }

    fn ids(members: &[Member]) -> Vec<&str> {
        let ids = members.iter().map(|member| member.user_id.as_str());
        ids.collect()
    }

    #[tokio::test]
    async fn slow_reader_gets_several_changes_as_one() {
        let (sender, receiver) = watch::channel(Some(told(&["alice", "bob"])));
        let mut changes = PresenceChanges::new(receiver);
        let first = changes.next().await.expect("a change");
        assert_eq!(ids(&first.joined), ["alice", "bob"]);
        sender.send_replace(Some(told(&["alice", "bob", "carol"])));
        sender.send_replace(Some(told(&["alice", "carol", "dave"])));
        drop(sender);
        let second = changes.next().await.expect("a change");
        assert_eq!(
            (ids(&second.joined), ids(&second.left)),
            (vec!["carol", "dave"], vec!["bob"])
        );
        assert_eq!(changes.next().await, None);
    }
}
