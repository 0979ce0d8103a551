//! The application's readers of pushes.

use std::collections::HashMap;

use herald_shared::{ids::EntityId, log::Position};
use tokio::sync::watch;

use crate::{
    Push, RequestError,
    machine::{Audience, Route},
    mailbox::Mailbox,
    presence::ToldPresence,
};

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

impl Feed {
    /// Returns the audience whose log has the pushes. `None` if they are those of subscriptions.
    pub(super) fn audience(&self) -> Option<Audience> {
        match self {
            Self::Notifications => Some(Audience::User),
            Self::Broadcasts => Some(Audience::Everyone),
            Self::Type(kind) => match kind.as_str() {
                "User Push Notification" => Some(Audience::User),
                "Broadcast" | "message" => Some(Audience::Everyone),
                _ => None,
            },
        }
    }
}

/// The receiving ends of a subscription.
pub(super) struct Subscriber {
    pub(super) mailbox: Mailbox,
    /// Gets the presence of the entity. `None` if the subscriber does not ask for it.
    pub(super) presence: Option<watch::Sender<Option<ToldPresence>>>,
}

/// All readers of a client.
#[derive(Default)]
pub(super) struct Readers {
    entity_of: HashMap<SubscriberId, EntityId>,
    subscribers: HashMap<EntityId, HashMap<SubscriberId, Subscriber>>,
    feeds: HashMap<Feed, Vec<Mailbox>>,
}

impl Readers {
    pub(super) fn subscribe(
        &mut self,
        subscriber: SubscriberId,
        entity: EntityId,
        reader: Subscriber,
    ) {
        self.entity_of.insert(subscriber, entity.clone());
        self.subscribers
            .entry(entity)
            .or_default()
            .insert(subscriber, reader);
    }

    /// Removes a subscriber and returns it with its entity. `None` if the subscription failed or ended before.
    pub(super) fn unsubscribe(
        &mut self,
        subscriber: SubscriberId,
    ) -> Option<(EntityId, Subscriber)> {
        let entity = self.entity_of.remove(&subscriber)?;
        let subscribers = self.subscribers.get_mut(&entity)?;
        let reader = subscribers.remove(&subscriber)?;
        if subscribers.is_empty() {
            self.subscribers.remove(&entity);
        }
        Some((entity, reader))
    }

    /// Tells a subscriber its position, which is that before the pushes that it has not read.
    pub(super) fn start(&mut self, subscriber: SubscriberId, position: Option<Position>) {
        let entity = self.entity_of.get(&subscriber);
        let subscribers = entity.and_then(|entity| self.subscribers.get(entity));
        if let Some(reader) = subscribers.and_then(|subscribers| subscribers.get(&subscriber)) {
            reader.mailbox.start(position);
        }
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
                for reader in subscribers.into_iter().flat_map(HashMap::values) {
                    reader.mailbox.put(push.clone());
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

    /// Tells the readers of a route that messages may be lost. Readers of a type are not told.
    pub(super) fn lost(&mut self, to: &Route, position: Option<&Position>) {
        let feed = match to {
            Route::Entity(entity) => {
                let subscribers = self.subscribers.get(entity);
                for reader in subscribers.into_iter().flat_map(HashMap::values) {
                    reader.mailbox.put_lost(position.cloned());
                }
                return;
            }
            Route::Notifications => Feed::Notifications,
            Route::Broadcasts => Feed::Broadcasts,
            Route::Other => return,
        };
        for mailbox in self.feeds.get(&feed).into_iter().flatten() {
            mailbox.put_lost(position.cloned());
        }
    }

    /// Tells the presence of an entity to the subscribers that ask for it.
    pub(super) fn tell_presence(&self, entity: &EntityId, told: &ToldPresence) {
        let subscribers = self.subscribers.get(entity);
        for reader in subscribers.into_iter().flat_map(HashMap::values) {
            if let Some(presence) = &reader.presence {
                presence.send_if_modified(|known| {
                    let differs = known
                        .as_ref()
                        .is_none_or(|known| known.presence != told.presence);
                    *known = Some(told.clone());
                    differs
                });
            }
        }
    }

    /// Ends the subscriptions to an entity, with the error that its readers get.
    pub(super) fn end(&mut self, entity: &EntityId, error: &RequestError) {
        for (subscriber, reader) in self.subscribers.remove(entity).unwrap_or_default() {
            self.entity_of.remove(&subscriber);
            reader.mailbox.end(error.clone());
        }
    }
}
