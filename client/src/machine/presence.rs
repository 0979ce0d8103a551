//! Presence: the users at an entity, as snapshots and changes of the server tell them.
//!
//! A change has the next version and names who joined and who left. One that arrives too early is held, and the
//! client asks for a snapshot if those before it do not arrive soon.

use std::{collections::BTreeMap, sync::Arc};

use herald_shared::{ids::EntityId, presence::MEMBERS_LIMIT};
use serde_json::json;

use super::{
    Machine,
    back_off::{BackOff, share},
    frame::presence_of,
    link::{Link, RequestKind},
    presence_frame::{PresenceFrame, PresenceSnapshot, by_id},
    signals::{Effect, Moment, RequestBody, SocketId},
};
use crate::{Presence, Push, Reply, RequestError, presence::ToldPresence};

/// The presence of an entity, from the first subscriber that asks for it to the last.
#[derive(Debug, Default)]
pub(super) struct EntityPresence {
    subscribers: usize,
    set: Known,
    /// The set that the application was told.
    told: Known,
    /// The version of the set. `None` until the server tells it on the present connection.
    version: Option<u64>,
    /// The changes that are ahead of the set, by their versions.
    held: BTreeMap<u64, PresenceFrame>,
    /// True if an acknowledgement may have had no room for the members.
    lacks_members: bool,
    /// The time to ask for a snapshot. `None` if nothing is missing, or an answer is on its way.
    ask_at: Option<Moment>,
    back_off: BackOff,
    /// The reason for which the server refused to tell it.
    error: Option<RequestError>,
}

/// The known users at an entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    /// There is no presence.
    Absent,
    Set(Arc<Presence>),
}

impl EntityPresence {
    fn members(&self) -> Option<&BTreeMap<String, crate::Member>> {
        match &self.set {
            Known::Set(presence) => presence.members.as_ref(),
            Known::Nothing | Known::Absent => None,
        }
    }

    /// Returns true if the members are unknown, and few enough to be listed.
    fn may_lack_members(&self) -> bool {
        match &self.set {
            Known::Set(presence) => {
                presence.members.is_none() && presence.count <= MEMBERS_LIMIT as u64
            }
            Known::Nothing | Known::Absent => false,
        }
    }

    /// Returns true if the server is to be asked.
    fn is_behind(&self) -> bool {
        !self.held.is_empty() || self.lacks_members
    }

    fn move_to(&mut self, version: u64, presence: Presence) {
        self.version = Some(version);
        self.set = Known::Set(Arc::new(presence));
        self.lacks_members = false;
        self.held.retain(|held, _| *held > version);
    }

    /// Applies the held changes that come next. One that tells the count alone needs none of those before it.
    fn catch_up(&mut self) {
        for (version, frame) in std::mem::take(&mut self.held) {
            let PresenceFrame { count, members, .. } = frame;
            let next = self.version.map(|known| known + 1);
            match (members, self.members()) {
                (None, _) => self.move_to(version, Presence::new(count, None)),
                (Some((joined, left)), Some(known)) if next == Some(version) => {
                    let mut members = known.clone();
                    members.retain(|user, _| !left.contains(user));
                    members.extend(by_id(joined.into_iter()));
                    self.move_to(version, Presence::new(count, Some(members)));
                }
                (members, _) => {
                    let frame = PresenceFrame {
                        version,
                        count,
                        members,
                    };
                    self.held.insert(version, frame);
                }
            }
        }
    }

    /// Forgets the version: the next snapshot replaces the set.
    fn forget_version(&mut self) {
        self.version = None;
        self.lacks_members = false;
        self.held.clear();
    }

    fn has_none(&mut self) {
        self.forget_version();
        self.set = Known::Absent;
    }
}

impl Machine {
    /// Adds a subscriber that asks for presence.
    pub(super) fn join_presence(&mut self, entity: &EntityId) {
        let presence = self.presences.entry(entity.clone()).or_default();
        presence.subscribers += 1;
        if presence.told != Known::Nothing {
            self.tell_presence(entity);
        }
    }

    /// Removes a subscriber that asked for presence.
    pub(super) fn leave_presence(&mut self, entity: &EntityId) {
        if let Some(presence) = self.presences.get_mut(entity) {
            presence.subscribers -= 1;
            if presence.subscribers == 0 {
                self.end_presence(entity);
            }
        }
    }

    /// Forgets the presence of an entity.
    pub(super) fn end_presence(&mut self, entity: &EntityId) {
        self.presences.remove(entity);
    }

    /// Returns true if a subscription on a socket is to ask for presence. A link that polls has none.
    pub(super) fn asks_for_presence(&self, socket: SocketId, entity: &EntityId) -> bool {
        let presence = self.presences.get(entity);
        presence.is_some_and(|presence| presence.error.is_none()) && !self.polls(socket)
    }

    /// Takes the snapshot of an acknowledgement, which may have had no room for the members.
    pub(super) fn presence_acknowledged(
        &mut self,
        now: Moment,
        entity: &EntityId,
        snapshot: Option<PresenceSnapshot>,
    ) {
        let version = snapshot.as_ref().map(|snapshot| snapshot.version);
        self.snapshot_arrived(now, entity, snapshot);
        if let Some(presence) = self.presences.get_mut(entity)
            && presence.version == version
        {
            presence.lacks_members = presence.may_lack_members();
            self.await_presence(now, entity);
        }
    }

    /// Notes that a link that polls acknowledged an entity. Its presence is unknown then, unless a WebSocket tells it.
    pub(super) fn polled(&mut self, now: Moment, entity: &EntityId) {
        let tells = |link: &Link| {
            let acknowledged = link.acknowledged(entity);
            link.accepts_requests()
                && acknowledged.is_some_and(|acknowledged| acknowledged.presence)
        };
        if !self.links.iter().any(tells) {
            self.snapshot_arrived(now, entity, None);
        }
    }

    /// Takes a snapshot, unless a newer version is known. `None` says that the entity has no presence.
    pub(super) fn snapshot_arrived(
        &mut self,
        now: Moment,
        entity: &EntityId,
        snapshot: Option<PresenceSnapshot>,
    ) {
        let snapshot = snapshot.filter(|_| !self.polls_alone());
        let Some(presence) = self.told_presence(entity) else {
            return;
        };
        presence.back_off.reset();
        match snapshot {
            None => presence.has_none(),
            Some(PresenceSnapshot {
                version,
                presence: set,
            }) if Some(version) >= presence.version => presence.move_to(version, set),
            Some(_) => {}
        }
        self.proceed_with_presence(now, entity);
    }

    /// Applies a change, or holds it.
    pub(super) fn presence_arrived(&mut self, now: Moment, push: &Push) {
        let Some((entity, frame)) = push.entity_id().zip(PresenceFrame::read(push.json())) else {
            return;
        };
        if !self.polls_alone()
            && let Some(presence) = self.told_presence(entity)
            && Some(frame.version) > presence.version
        {
            presence.held.insert(frame.version, frame);
            self.proceed_with_presence(now, entity);
        }
    }

    pub(super) fn presence_answered(
        &mut self,
        now: Moment,
        entity: &EntityId,
        result: Result<Reply, RequestError>,
    ) {
        match result {
            Ok(reply) => self.snapshot_arrived(now, entity, presence_of(&reply)),
            Err(error) if error.is_retryable() => self.ask_for_presence_later(now, entity),
            Err(error) => self.refuse_presence(now, entity, error),
        }
    }

    /// Goes on without presence, since the server refuses it.
    pub(super) fn refuse_presence(&mut self, now: Moment, entity: &EntityId, error: RequestError) {
        if let Some(presence) = self.presences.get_mut(entity) {
            presence.error = Some(error);
            presence.has_none();
            self.proceed_with_presence(now, entity);
            self.recheck(entity);
        }
    }

    /// Plans anew what a connection that ended was asked for. Without another, every set is stale, and unknown if the
    /// client polls.
    pub(super) fn presence_link_ended(&mut self, now: Moment) {
        let is_connected = self.presence_socket().is_some();
        let entities: Vec<_> = self.presences.keys().cloned().collect();
        for entity in entities {
            if let Some(presence) = self.presences.get_mut(&entity)
                && !is_connected
            {
                presence.forget_version();
            }
            self.await_presence(now, &entity);
            if self.polls_alone() {
                self.snapshot_arrived(now, &entity, None);
            }
        }
    }

    /// Asks for the snapshot that is due first, unless an answer is on its way.
    pub(super) fn ask_for_presence(&mut self, now: Moment) {
        let due = self.presences.iter_mut();
        let due = due.filter(|(_, presence)| presence.ask_at.is_some_and(|at| at <= now));
        let Some((entity, presence)) = due.min_by_key(|(_, presence)| presence.ask_at) else {
            return;
        };
        presence.ask_at = None;
        let entity = entity.clone();
        if let Some(socket) = self.presence_socket()
            && !self.is_presence_asked(&entity)
        {
            let body = json!({"action": "presence", "entityId": entity}).to_string();
            let kind = RequestKind::Presence(entity);
            self.send_request(now, socket, &RequestBody::new(body), kind);
        }
    }

    pub(super) fn next_presence_request(&self) -> Option<Moment> {
        let presences = self.presences.values();
        presences.filter_map(|presence| presence.ask_at).min()
    }

    /// Returns the socket whose server tells presence. `None` without a WebSocket.
    fn presence_socket(&self) -> Option<SocketId> {
        let mut links = self.links.iter();
        let socket = links.find(|link| link.accepts_requests() && link.polling.is_none());
        socket.map(|link| link.socket)
    }

    /// Returns true if the client polls without a WebSocket beside it. One that lingers tells no later change.
    fn polls_alone(&self) -> bool {
        self.is_polling() && self.presence_socket().is_none()
    }

    /// Returns the presence of an entity, if the server does not refuse it.
    fn told_presence(&mut self, entity: &EntityId) -> Option<&mut EntityPresence> {
        let presence = self.presences.get_mut(entity)?;
        presence.error.is_none().then_some(presence)
    }

    /// Applies what is held, tells a difference, and starts or ends the wait for what is missing.
    fn proceed_with_presence(&mut self, now: Moment, entity: &EntityId) {
        let Some(presence) = self.presences.get_mut(entity) else {
            return;
        };
        presence.catch_up();
        if presence.held.len() > self.rules.held_limit {
            presence.held.pop_first();
        }
        if presence.told != presence.set {
            self.tell_presence(entity);
        }
        self.await_presence(now, entity);
    }

    /// Tells the subscribers of an entity its set.
    fn tell_presence(&mut self, entity: &EntityId) {
        let Some(presence) = self.presences.get_mut(entity) else {
            return;
        };
        presence.told = presence.set.clone();
        let told = ToldPresence {
            presence: match &presence.set {
                Known::Set(presence) => Some(presence.clone()),
                Known::Nothing | Known::Absent => None,
            },
            error: presence.error.clone(),
        };
        let entity = entity.clone();
        self.effects.push(Effect::Presence { entity, told });
    }

    /// Starts the wait for what is missing, with a random delay, so that the subscribers of one entity do not ask
    /// together. Ends it if nothing is missing.
    fn await_presence(&mut self, now: Moment, entity: &EntityId) {
        let is_asked = self.is_presence_asked(entity);
        let spread = share(self.rules.presence_spread, self.jitter());
        if let Some(presence) = self.presences.get_mut(entity) {
            if !presence.is_behind() {
                presence.ask_at = None;
            } else if !is_asked {
                presence.ask_at.get_or_insert(now + spread);
            }
        }
    }

    /// Asks again after the back-off, if a change is still missing.
    fn ask_for_presence_later(&mut self, now: Moment, entity: &EntityId) {
        let jitter = self.jitter();
        if let Some(presence) = self.presences.get_mut(entity)
            && presence.is_behind()
        {
            presence.ask_at = Some(now + presence.back_off.next(&self.rules, jitter));
        }
    }

    fn is_presence_asked(&self, entity: &EntityId) -> bool {
        let mut requests = self.links.iter().flat_map(|link| link.in_flight.values());
        requests.any(|request| match &request.kind {
            RequestKind::Presence(asked) => asked == entity,
            RequestKind::Subscribe(entities) => entities.iter().any(|one| one.entity == *entity),
            _ => false,
        })
    }
}
