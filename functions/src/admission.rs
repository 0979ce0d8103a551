//! Whether a connection may send another message: how fast it sends, and whether its token is still good.
//!
//! The count is on the connection's row, where every process of every function charges it, but not for
//! each message: a process that meets a connection again and again charges it for several messages
//! ahead and gives them out by itself. So over its life a connection never sends more than its rate and
//! one burst, while a message costs a fraction of a write. What a process charged ahead and did not give
//! out is lost to the connection. The first charge is for one message, because a client that says much
//! at once meets as many processes, and loses nothing by it then.
//!
//! A refusal is remembered, so that a flood costs no writes either.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use herald_shared::{
    ids::ConnectionId,
    protocol::{ErrorCode, Refusal},
    store::{Admitted, ConnectionStore, MessageRate},
    token_expiry::TokenExpiry,
};

use crate::{
    message::Message,
    reply::{not_known, store_failed},
};

/// A process charges for at most the messages of a second divided by this.
const PARTS: u32 = 4;

/// After a pause, and when it is new, a connection may send the messages of so many seconds at once. By
/// default these are as many as it may have subscriptions: a client that comes back has all of them to
/// make again.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// How many connections a process remembers. Forgetting one costs a write when it sends again.
const REMEMBERED: usize = 10_000;

/// Admits the messages of connections.
#[derive(Debug)]
pub struct Admission<'a, S> {
    store: &'a S,
    rate: MessageRate,
    connections: Mutex<HashMap<ConnectionId, Known>>,
}

/// What this process knows of a connection.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// It is charged for so many messages more, of so many that it was charged for at once.
    Admitted {
        left: u32,
        charged: NonZeroU32,
        /// When its token ends, if it has one.
        expiry: Option<TokenExpiry>,
    },
    /// Nothing of it is admitted before then.
    Refused { until: SystemTime },
}

impl<'a, S: ConnectionStore> Admission<'a, S> {
    /// Admits `per_second` messages a second in the long run.
    pub fn new(store: &'a S, per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(BURST_SECONDS);
        Self {
            store,
            rate: MessageRate { per_second, burst },
            connections: Mutex::default(),
        }
    }

    /// The store it charges connections in.
    pub fn store(&self) -> &'a S {
        self.store
    }

    /// Admits a message of a connection whose token is good: `throttled` if it sends too fast,
    /// `unauthorized` if its token has ended and was not renewed.
    pub async fn admit(&self, message: &Message) -> Result<(), Refusal> {
        let expiry = self.charge(message).await?;
        if expiry.is_some_and(|expiry| expiry.has_passed(message.received_at)) {
            return Err(Refusal::new(
                ErrorCode::Unauthorized,
                "the token has ended: send authenticate with a new one, or connect again",
            ));
        }
        Ok(())
    }

    /// Admits a message whether or not the token is good: `throttled` if the connection sends too fast.
    pub async fn admit_with_any_token(&self, message: &Message) -> Result<(), Refusal> {
        self.charge(message).await.map(drop)
    }

    /// Returns when the token of the connection ends, if it has one.
    async fn charge(&self, message: &Message) -> Result<Option<TokenExpiry>, Refusal> {
        match self.recall(message) {
            Some(Known::Refused { .. }) => Err(self.too_fast()),
            Some(Known::Admitted { expiry, .. }) => Ok(expiry),
            None => self.charge_ahead(message).await,
        }
    }

    /// What is known of the connection; none if the store has to be asked.
    fn recall(&self, message: &Message) -> Option<Known> {
        let mut connections = self.connections();
        let known = connections.get_mut(&message.connection)?;
        match known {
            Known::Refused { until } => (message.received_at < *until).then_some(*known),
            // It may have been renewed since.
            Known::Admitted { expiry, .. }
                if expiry.is_some_and(|expiry| expiry.has_passed(message.received_at)) =>
            {
                None
            }
            Known::Admitted { left, .. } => {
                *left = left.checked_sub(1)?;
                Some(*known)
            }
        }
    }

    async fn charge_ahead(&self, message: &Message) -> Result<Option<TokenExpiry>, Refusal> {
        let now = message.received_at;
        let messages = self.next_charge(message);
        let admitted = self
            .store
            .admit(&message.connection, messages, self.rate, now)
            .await
            .map_err(|error| store_failed(&error))?;
        match admitted {
            Admitted::Admitted {
                token_expires_at: expiry,
            } => {
                let known = Known::Admitted {
                    left: messages.get() - 1,
                    charged: messages,
                    expiry,
                };
                self.remember(message, known);
                Ok(expiry)
            }
            Admitted::TooFast => {
                let until = now + self.rate.time_for(messages);
                self.remember(message, Known::Refused { until });
                Err(self.too_fast())
            }
            Admitted::ConnectionGone => Err(not_known()),
        }
    }

    /// Twice as many messages as the last time, and one if there was none.
    fn next_charge(&self, message: &Message) -> NonZeroU32 {
        let most = NonZeroU32::new(self.rate.per_second.get() / PARTS).unwrap_or(NonZeroU32::MIN);
        match self.connections().get(&message.connection) {
            Some(Known::Admitted { charged, .. }) => {
                charged.saturating_add(charged.get()).min(most)
            }
            Some(Known::Refused { .. }) | None => NonZeroU32::MIN,
        }
    }

    fn remember(&self, message: &Message, known: Known) {
        let mut connections = self.connections();
        if connections.len() >= REMEMBERED {
            connections.clear();
        }
        connections.insert(message.connection.clone(), known);
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<ConnectionId, Known>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn too_fast(&self) -> Refusal {
        let per_second = self.rate.per_second;
        Refusal::new(
            ErrorCode::Throttled,
            format!(
                "this connection sends more than {per_second} messages a second: send it again in a moment"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use herald_shared::store::{Connection, memory::MemoryStore};
    use tokio::time::Instant;

    use super::*;
    use crate::caller::Caller;

    const RATE: NonZeroU32 = NonZeroU32::new(20).expect("not zero");

    fn message(millis: u64) -> Message {
        Message {
            connection: ConnectionId::new("c-1").expect("an id"),
            connected_at: UNIX_EPOCH,
            received_at: UNIX_EPOCH + Duration::from_millis(millis),
            answer_by: Instant::now(),
            caller: Caller::default(),
            body: String::new(),
        }
    }

    async fn connected(token_expires_at: Option<TokenExpiry>) -> MemoryStore {
        let store = MemoryStore::new(10);
        let connection = Connection {
            id: message(0).connection,
            connected_at: UNIX_EPOCH,
            ip_address: None,
            user_agent: None,
            user: None,
            token_expires_at,
        };
        store.connect(&connection).await.expect("a store");
        store
    }

    async fn refusal(admission: &Admission<'_, MemoryStore>, millis: u64) -> Option<ErrorCode> {
        let admitted = admission.admit(&message(millis)).await;
        admitted.err().map(|refusal| refusal.code)
    }

    #[tokio::test]
    async fn a_connection_sends_no_more_than_its_rate_and_a_burst_through_any_number_of_processes()
    {
        for processes in [1, 3, 7] {
            let store = connected(None).await;
            let processes: Vec<_> = (0..processes)
                .map(|_| Admission::new(&store, RATE))
                .collect();
            let mut admitted = 0;
            // A hundred a second for ten seconds.
            for number in 0..1_000 {
                let process = &processes[number as usize % processes.len()];
                admitted += u32::from(refusal(process, number * 10).await.is_none());
            }
            let most = 10 * RATE.get() + BURST_SECONDS.get() * RATE.get();
            let stranded = processes.len() as u32 * RATE.get() / PARTS;
            // A refusal is remembered for a moment, in which the connection earns some messages more.
            let least = most - stranded - RATE.get();
            assert!((least..=most).contains(&admitted), "{admitted}");
        }
    }

    #[tokio::test]
    async fn a_burst_is_not_lost_to_the_many_processes_it_meets() {
        let store = connected(None).await;
        let burst = RATE.get() * BURST_SECONDS.get();
        for _ in 0..burst {
            let process = Admission::new(&store, RATE);
            assert_eq!(refusal(&process, 0).await, None);
        }
        let process = Admission::new(&store, RATE);
        assert_eq!(refusal(&process, 0).await, Some(ErrorCode::Throttled));
    }

    #[tokio::test]
    async fn a_connection_under_its_rate_is_never_refused() {
        let store = connected(None).await;
        let admission = Admission::new(&store, RATE);
        for number in 0..1_000 {
            assert_eq!(refusal(&admission, number * 50).await, None, "{number}");
        }
    }

    #[tokio::test]
    async fn a_token_that_ended_is_refused_until_it_is_renewed() {
        let expiry = TokenExpiry::from_epoch_seconds(100);
        let store = connected(Some(expiry)).await;
        let admission = Admission::new(&store, RATE);
        assert_eq!(refusal(&admission, 129_000).await, None);
        let unauthorized = Some(ErrorCode::Unauthorized);
        assert_eq!(refusal(&admission, 130_000).await, unauthorized);
        let any = admission.admit_with_any_token(&message(131_000)).await;
        any.expect("admitted");
        let later = TokenExpiry::from_epoch_seconds(1_000);
        store
            .renew(&message(0).connection, later)
            .await
            .expect("a store");
        assert_eq!(refusal(&admission, 132_000).await, None);
    }

    #[tokio::test]
    async fn a_connection_that_was_forgotten_is_told_to_connect_again() {
        let store = MemoryStore::new(10);
        let admission = Admission::new(&store, RATE);
        assert_eq!(
            refusal(&admission, 0).await,
            Some(ErrorCode::UnknownConnection)
        );
    }
}
