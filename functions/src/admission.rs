//! The admission of a connection's messages: the rate of the connection and the end of its token.
//!
//! The unit is messages, not frames: a frame with several in `messages` is charged for each. The count
//! is on a row of the table, which every process of every function charges, but not for each message: a
//! process that sees a connection repeatedly charges it for several messages ahead and admits them
//! without the store. Over its life, a connection therefore never sends more than its rate and one
//! burst, while a message costs a fraction of a write. Messages that a process charged ahead and did not
//! admit are lost to the connection. The first charge is for one frame, because a client that sends a
//! burst reaches as many processes, and then loses nothing.
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
    store::{Admit, Admitted, MessageRate},
    token_expiry::TokenExpiry,
};

use crate::{
    message::Message,
    reply::{store_failure, unknown_connection},
};

/// A process charges for at most the messages of one second divided by this.
const PARTS: u32 = 4;

/// The length of a burst: a new connection, or one after a pause, may send the messages of this many
/// seconds at once. By default these are as many as its subscriptions, because a client that reconnects
/// makes all of them again.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::new(5).expect("not zero");

/// The number of connections that a process remembers. A forgotten connection costs a write when it
/// sends again.
const REMEMBERED: usize = 10_000;

/// The rate limiter of connections' messages.
#[derive(Debug)]
pub struct Admission<'a, S> {
    store: &'a S,
    rate: MessageRate,
    connections: Mutex<HashMap<ConnectionId, Known>>,
}

/// The state of a connection in this process.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The messages that are charged and not yet sent.
    prepaid: u32,
    /// The messages of the last charge ahead. 0 if there was none since the last refusal.
    charged: u32,
    /// The end of its token. `None` if it has no token.
    expiry: Option<TokenExpiry>,
    /// The last refusal.
    refused: Option<Refused>,
}

/// A charge that the store refused.
#[derive(Clone, Copy, Debug)]
struct Refused {
    /// The messages that were not prepaid. Until `until`, as many or more are refused.
    missing: u32,
    until: SystemTime,
}

/// The decision of this process without the store.
enum LocalDecision {
    /// The messages are prepaid. The value is the end of the connection's token, if it has one.
    Prepaid(Option<TokenExpiry>),
    /// The messages are refused, as the last ones were.
    Refused,
    /// This many messages are not prepaid, so the store decides.
    AskStore(NonZeroU32),
}

impl<'a, S: Admit> Admission<'a, S> {
    /// Returns a limiter that admits `per_second` messages per second in the long run.
    pub fn new(store: &'a S, per_second: NonZeroU32) -> Self {
        let burst = per_second.saturating_mul(BURST_SECONDS);
        Self {
            store,
            rate: MessageRate { per_second, burst },
            connections: Mutex::default(),
        }
    }

    /// Admits one message of a connection whose token has not ended.
    ///
    /// # Errors
    ///
    /// Returns `throttled` if the connection sends too fast, and `unauthorized` if its token has ended
    /// and was not renewed.
    pub async fn admit(&self, message: &Message) -> Result<(), Refusal> {
        self.admit_several(message, NonZeroU32::MIN).await
    }

    /// Admits a frame that contains several requests. Each is charged as a message, but all together never
    /// more than a burst: a client that reconnects must be able to subscribe to everything with one
    /// frame.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`admit`](Self::admit).
    pub async fn admit_up_to_burst(
        &self,
        message: &Message,
        requests: NonZeroU32,
    ) -> Result<(), Refusal> {
        self.admit_several(message, requests.min(self.rate.burst))
            .await
    }

    /// Admits a frame with this many messages of a connection whose token has not ended: all of them or
    /// none.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`admit`](Self::admit), and `too_many` if the messages exceed the
    /// burst.
    pub async fn admit_several(
        &self,
        message: &Message,
        messages: NonZeroU32,
    ) -> Result<(), Refusal> {
        if messages > self.rate.burst {
            return Err(self.over_burst(messages));
        }
        let expiry = self.charge(message, messages).await?;
        if expiry.is_some_and(|expiry| expiry.has_passed(message.received_at)) {
            return Err(Refusal::new(
                ErrorCode::Unauthorized,
                "the connection's token has ended: send authenticate with a new token, or connect again",
            ));
        }
        Ok(())
    }

    /// Admits one message, even if the token has ended.
    ///
    /// # Errors
    ///
    /// Returns `throttled` if the connection sends too fast.
    pub async fn admit_with_any_token(&self, message: &Message) -> Result<(), Refusal> {
        self.charge(message, NonZeroU32::MIN).await.map(drop)
    }

    /// Charges the connection and returns the end of its token. `None` if it has no token.
    async fn charge(
        &self,
        message: &Message,
        messages: NonZeroU32,
    ) -> Result<Option<TokenExpiry>, Refusal> {
        match self.decide_locally(message, messages) {
            LocalDecision::Prepaid(expiry) => Ok(expiry),
            LocalDecision::Refused => Err(self.too_fast()),
            LocalDecision::AskStore(missing) => self.charge_ahead(message, missing).await,
        }
    }

    /// Uses the connection's prepaid messages. If they do not suffice, uses them all and returns the
    /// number that is missing.
    fn decide_locally(&self, message: &Message, messages: NonZeroU32) -> LocalDecision {
        let now = message.received_at;
        let mut connections = self.connections();
        let Some(known) = connections.get_mut(&message.connection) else {
            return LocalDecision::AskStore(messages);
        };
        if known.expiry.is_some_and(|expiry| expiry.has_passed(now)) {
            // The token may have been renewed since, so the store decides.
            known.prepaid = 0;
        }
        let Some(missing) = NonZeroU32::new(messages.get().saturating_sub(known.prepaid)) else {
            known.prepaid -= messages.get();
            return LocalDecision::Prepaid(known.expiry);
        };
        let refused = known
            .refused
            .is_some_and(|refused| missing.get() >= refused.missing && now < refused.until);
        if refused {
            return LocalDecision::Refused;
        }
        known.prepaid = 0;
        LocalDecision::AskStore(missing)
    }

    async fn charge_ahead(
        &self,
        message: &Message,
        missing: NonZeroU32,
    ) -> Result<Option<TokenExpiry>, Refusal> {
        let now = message.received_at;
        let charge = self.next_charge(message).max(missing);
        let admitted = self
            .store
            .admit(&message.connection, charge, self.rate, now)
            .await
            .map_err(|error| store_failure(&error))?;
        match admitted {
            Admitted::Admitted {
                token_expires_at: expiry,
            } => {
                let known = Known {
                    prepaid: charge.get() - missing.get(),
                    charged: charge.get().min(self.max_ahead().get()),
                    expiry,
                    refused: None,
                };
                self.remember(message, known);
                Ok(expiry)
            }
            Admitted::TooFast => {
                let refused = Refused {
                    missing: missing.get(),
                    until: now + self.rate.time_for(charge),
                };
                let known = Known {
                    refused: Some(refused),
                    ..Known::default()
                };
                self.remember(message, known);
                Err(self.too_fast())
            }
            Admitted::ConnectionGone => Err(unknown_connection()),
        }
    }

    /// Returns twice as many messages as the last time. One if there was no last time.
    fn next_charge(&self, message: &Message) -> NonZeroU32 {
        let known = self.connections().get(&message.connection).copied();
        let doubled = known.unwrap_or_default().charged.saturating_mul(2);
        let doubled = NonZeroU32::new(doubled).unwrap_or(NonZeroU32::MIN);
        doubled.min(self.max_ahead())
    }

    fn max_ahead(&self) -> NonZeroU32 {
        NonZeroU32::new(self.rate.per_second.get() / PARTS).unwrap_or(NonZeroU32::MIN)
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

    fn over_burst(&self, messages: NonZeroU32) -> Refusal {
        let burst = self.rate.burst;
        Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the frame has {messages} messages, the limit is {burst} at once: send the others in another frame"
            ),
        )
    }

    fn too_fast(&self) -> Refusal {
        let per_second = self.rate.per_second;
        Refusal::new(
            ErrorCode::Throttled,
            format!(
                "the connection sends more than {per_second} messages per second: send the frame again in a moment"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use herald_shared::store::{Connection, ConnectionStore, memory::MemoryStore};
    use proptest::prelude::*;
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
    async fn connection_over_many_processes_sends_at_most_its_rate_and_a_burst() {
        for processes in [1, 3, 7] {
            let store = connected(None).await;
            let processes: Vec<_> = (0..processes)
                .map(|_| Admission::new(&store, RATE))
                .collect();
            let mut admitted = 0;
            // A hundred per second for ten seconds.
            for number in 0..1_000 {
                let process = &processes[number as usize % processes.len()];
                admitted += u32::from(refusal(process, number * 10).await.is_none());
            }
            let most = 10 * RATE.get() + BURST_SECONDS.get() * RATE.get();
            let stranded = processes.len() as u32 * RATE.get() / PARTS;
            // A refusal is remembered for a moment, in which the connection would earn further messages.
            let least = most - stranded - RATE.get();
            assert!((least..=most).contains(&admitted), "{admitted}");
        }
    }

    async fn admits(admission: &Admission<'_, MemoryStore>, millis: u64, messages: u32) -> bool {
        let messages = NonZeroU32::new(messages).expect("not zero");
        let admitted = admission.admit_several(&message(millis), messages).await;
        admitted.is_ok()
    }

    #[tokio::test]
    async fn frame_is_charged_for_each_of_its_messages() {
        let store = connected(None).await;
        let admission = Admission::new(&store, RATE);
        // The burst is 100 messages.
        for frame in 0..4 {
            assert!(admits(&admission, 0, 25).await, "{frame}");
        }
        assert!(!admits(&admission, 0, 25).await);
        assert_eq!(refusal(&admission, 0).await, Some(ErrorCode::Throttled));
        // A second later it has earned 20.
        assert!(!admits(&admission, 1_000, 21).await);
        assert!(admits(&admission, 1_000, 20).await);
        assert_eq!(refusal(&admission, 1_000).await, Some(ErrorCode::Throttled));
    }

    #[tokio::test]
    async fn frame_over_the_burst_is_refused_with_message() {
        let store = connected(None).await;
        let admission = Admission::new(&store, NonZeroU32::MIN);
        assert!(admits(&admission, 0, 5).await);
        let six = NonZeroU32::new(6).expect("not zero");
        let refused = admission.admit_several(&message(60_000), six).await;
        let expected = Refusal::new(
            ErrorCode::TooMany,
            "the frame has 6 messages, the limit is 5 at once: send the others in another frame",
        );
        assert_eq!(refused, Err(expected));
        // The refused frame was not charged.
        assert!(admits(&admission, 60_000, 5).await);
    }

    #[tokio::test]
    async fn refused_frame_is_not_charged_until_it_can_be_admitted() {
        let store = connected(None).await;
        let admission = Admission::new(&store, RATE);
        for _ in 0..4 {
            assert!(admits(&admission, 0, 25).await);
        }
        assert!(!admits(&admission, 0, 25).await);
        for millis in (0..1_250).step_by(10) {
            assert!(!admits(&admission, millis, 25).await, "{millis}");
        }
        assert!(admits(&admission, 1_250, 25).await);
    }

    proptest! {
        #[test]
        fn admitted_messages_never_exceed_rate_and_burst(
            per_second in 1_u32..50,
            processes in 1_usize..4,
            frames in prop::collection::vec((0_u64..400, 1_u32..=25, 0_usize..4), 1..200),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.expect("a runtime").block_on(async {
                let store = connected(None).await;
                let rate = NonZeroU32::new(per_second).expect("not zero");
                let processes: Vec<_> =
                    (0..processes).map(|_| Admission::new(&store, rate)).collect();
                let (mut millis, mut admitted) = (0, 0);
                for (pause, messages, process) in frames {
                    millis += pause;
                    let process = &processes[process % processes.len()];
                    if admits(process, millis, messages).await {
                        admitted += u64::from(messages);
                    }
                    let most = u64::from(per_second) * (millis + 5_000);
                    prop_assert!(admitted * 1_000 <= most, "{admitted} after {millis} ms");
                }
                Ok(())
            })?;
        }
    }

    #[tokio::test]
    async fn burst_over_many_processes_is_admitted_whole() {
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
    async fn connection_under_its_rate_is_never_refused() {
        let store = connected(None).await;
        let admission = Admission::new(&store, RATE);
        for number in 0..1_000 {
            assert_eq!(refusal(&admission, number * 50).await, None, "{number}");
        }
    }

    #[tokio::test]
    async fn ended_token_is_refused_until_renewed() {
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
    async fn forgotten_connection_is_refused_as_unknown() {
        let store = MemoryStore::new(10);
        let admission = Admission::new(&store, RATE);
        assert_eq!(
            refusal(&admission, 0).await,
            Some(ErrorCode::UnknownConnection)
        );
    }
}
