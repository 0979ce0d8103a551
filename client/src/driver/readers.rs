//! The application's readers of pushes.

use std::collections::HashMap;

use herald_shared::ids::EntityId;

use crate::{Push, RequestError, machine::Route, mailbox::Mailbox};

/// One of the application's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SubscriberId(pub(crate) u64);

/// A source of pushes other than an entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Feed {
    Notifications,
    Broadcasts,
    Type(String),
}

/// All readers of a client.
#[derive(Default)]
pub(super) struct Readers {
    entity_of: HashMap<SubscriberId, EntityId>,
    subscribers: HashMap<EntityId, HashMap<SubscriberId, Mailbox>>,
    feeds: HashMap<Feed, Vec<Mailbox>>,
}

impl Readers {
    pub(super) fn subscribe(
        &mut self,
        subscriber: SubscriberId,
        entity: EntityId,
        mailbox: Mailbox,
    ) {
        self.entity_of.insert(subscriber, entity.clone());
        self.subscribers
            .entry(entity)
            .or_default()
            .insert(subscriber, mailbox);
    }

    /// Removes a subscriber and returns its entity. `None` if the subscription failed or ended before.
    pub(super) fn unsubscribe(&mut self, subscriber: SubscriberId) -> Option<EntityId> {
        let entity = self.entity_of.remove(&subscriber)?;
        if let Some(subscribers) = self.subscribers.get_mut(&entity) {
            subscribers.remove(&subscriber);
            if subscribers.is_empty() {
                self.subscribers.remove(&entity);
            }
        }
        Some(entity)
    }

    pub(super) fn add(&mut self, feed: Feed, mailbox: Mailbox) {
        let mailboxes = self.feeds.entry(feed).or_default();
        mailboxes.retain(|mailbox| !mailbox.is_abandoned());
        mailboxes.push(mailbox);
    }

    pub(super) fn deliver(&mut self, to: &Route, push: &Push) {
        match to {
            Route::Entity(entity) => {
                let subscribers = self.subscribers.get(entity);
                for mailbox in subscribers.into_iter().flat_map(HashMap::values) {
                    mailbox.put(push.clone());
                }
            }
            Route::Notifications => self.deliver_to(&Feed::Notifications, push),
            Route::Broadcasts => self.deliver_to(&Feed::Broadcasts, push),
            Route::Other => {}
        }
        self.deliver_to(&Feed::Type(push.kind().to_owned()), push);
    }

    fn deliver_to(&mut self, feed: &Feed, push: &Push) {
        if let Some(mailboxes) = self.feeds.get_mut(feed) {
            mailboxes.retain(|mailbox| !mailbox.is_abandoned());
            for mailbox in mailboxes {
                mailbox.put(push.clone());
            }
        }
    }

    /// Ends the subscriptions to an entity, with the error that its readers get.
    pub(super) fn end(&mut self, entity: &EntityId, error: &RequestError) {
        for (subscriber, mailbox) in self.subscribers.remove(entity).unwrap_or_default() {
            self.entity_of.remove(&subscriber);
            mailbox.end(error.clone());
        }
    }
}
