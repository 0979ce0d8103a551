//! The promises of the store, as assertions on the rows of a run.

use herald_shared::{
    audience::{Range, Recipient, slot},
    store::{Rows, StoredConnection},
    token_expiry::TokenExpiry,
};

use super::run::{AudienceKind, Role, Run, State, connection, entity};

/// The rows of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) own: Option<StoredConnection>,
    pub(crate) listeners: Vec<(AudienceKind, Recipient)>,
}

/// Reads the rows of the connection.
pub(crate) async fn stored<R: Rows>(rows: &R) -> Stored {
    let own = rows.connection(&connection()).await;
    let slot = slot(&connection());
    let range = Range {
        first: slot,
        last: slot,
        after: None,
    };
    let mut listeners = Vec::new();
    for kind in AudienceKind::ALL {
        let page = rows.listeners(&kind.audience(), &range).await;
        let recipients = page.expect("rows that answer").recipients;
        listeners.extend(recipients.into_iter().map(|recipient| (kind, recipient)));
    }
    Stored {
        own: own.expect("rows that answer"),
        listeners,
    }
}

impl Stored {
    fn listens(&self, kind: AudienceKind) -> bool {
        self.listeners.iter().any(|(audience, _)| *audience == kind)
    }

    fn subscribed(&self) -> bool {
        let own = self.own.as_ref();
        own.is_some_and(|own| own.entities.contains(&entity()))
    }
}

/// Checks the promises that hold after every step, and returns one that is broken.
pub(crate) fn broken<R: Rows>(run: &Run<'_, R>, stored: &Stored) -> Option<String> {
    if !run.open.get() {
        return None;
    }
    let Some(own) = &stored.own else {
        return Some("an open connection lost its own row".to_owned());
    };
    if !stored.listens(AudienceKind::User) || !stored.listens(AudienceKind::Everyone) {
        return Some("an open connection lost the row of its user or of everyone".to_owned());
    }
    if own.entities.len() > run.world.limit as usize {
        return Some("the connection has more subscriptions than its limit".to_owned());
    }
    if !acknowledged(run) {
        return None;
    }
    if !stored.subscribed() {
        return Some("an acknowledged subscription is not in the set".to_owned());
    }
    if !stored.listens(AudienceKind::Entity) {
        return Some("an acknowledged subscription is not in the audience".to_owned());
    }
    None
}

/// Returns whether a subscription was acknowledged and no later change ended it.
fn acknowledged<R: Rows>(run: &Run<'_, R>) -> bool {
    let state = run.scheduler.state();
    let last = |role| {
        let of_role = |actor: &usize| run.roles[*actor] == role;
        state.changes.iter().rposition(of_role)
    };
    let ended = last(Role::Unsubscribe);
    let subscribers = (0..run.roles.len()).filter(|&actor| run.roles[actor] == Role::Subscribe);
    subscribers
        .filter(|&actor| run.states[actor] == State::Done)
        .any(|actor| state.changes.iter().rposition(|by| *by == actor) > ended)
}

/// Checks the promises that hold once every function has ended. If the socket is closed, a push prunes
/// the connection first.
pub(crate) async fn broken_at_the_end<R: Rows>(
    run: &mut Run<'_, R>,
    stored: &Stored,
) -> Option<String> {
    let crashed = run.states.contains(&State::Crashed);
    let tidy = !crashed && run.world.late_writes == 0 && !run.world.late_connect;
    if run.open.get() {
        if tidy && stored.subscribed() != stored.listens(AudienceKind::Entity) {
            return Some("the set and the audience disagree".to_owned());
        }
        return tidy.then(|| other_token(stored)).flatten();
    }
    let disconnected = run
        .roles
        .iter()
        .zip(&run.states)
        .any(|(role, state)| *role == Role::Disconnect && *state == State::Done);
    if tidy && disconnected && (stored.own.is_some() || !stored.listeners.is_empty()) {
        return Some(format!("$disconnect ended and left {stored:?}"));
    }
    left_by_pushes(run).await
}

/// Returns the complaint about a listener row whose token has another end than its connection's.
fn other_token(stored: &Stored) -> Option<String> {
    let token = |expiry: Option<TokenExpiry>| expiry.map(TokenExpiry::epoch_seconds);
    let own = token(stored.own.as_ref()?.token_expires_at);
    let mut listeners = stored.listeners.iter();
    let (kind, _) = listeners.find(|(_, recipient)| token(recipient.token_expires_at) != own)?;
    Some(format!("the row of {kind:?} has an older token"))
}

/// Pushes to each audience that has the connection, and returns the complaint about a row that is left.
async fn left_by_pushes<R: Rows>(run: &mut Run<'_, R>) -> Option<String> {
    for kind in AudienceKind::ALL {
        if stored(run.rows).await.listens(kind) {
            run.push_to(kind).await;
            if stored(run.rows).await.listens(kind) {
                return Some(format!(
                    "a push to {kind:?} left the listener row in that audience"
                ));
            }
        }
    }
    None
}
