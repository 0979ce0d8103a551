//! A ping soon after a subscribe, whose member row is not due for a renewal.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use herald_shared::{
    presence::{Members, Presence, RenewMembers, memory::MemoryMemberRows},
    protocol::PresenceFrame,
    queue::memory::MemoryQueues,
    store::{Connection as Opened, ConnectionStore, Connections, Subscription, memory::MemoryRows},
};

use super::{run::entity, worlds::Connection::Phone};

#[tokio::test]
async fn ping_schedules_a_flush_of_a_member_whose_flush_is_lost_and_of_no_other() {
    let clock = Arc::new(AtomicU64::new(4_000_000_000));
    let now = clock.clone();
    let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(now.load(Ordering::Relaxed));
    let presence = Presence::from_json(r#"{"**":{}}"#).expect("policies");
    let rows = MemoryMemberRows::new(10);
    let members = Members::new(rows, MemoryQueues::default(), presence, now);
    let store = Connections::over(MemoryRows::new(10)).tracking(members);
    let (id, user) = (Phone.id(), Phone.user());
    let opened = Opened {
        id: id.clone(),
        connected_at: SystemTime::UNIX_EPOCH,
        ip_address: None,
        user_agent: None,
        user: Some(user.clone()),
        token_expires_at: None,
    };
    store.connect(&opened).await.expect("rows that answer");
    let subscription = Subscription {
        connection: &id,
        connected_at: SystemTime::UNIX_EPOCH,
        token_expires_at: None,
        entities: &[entity()],
        watched: &[],
        user: Some(&user),
        info: None,
    };
    let subscribed = store.subscribe(subscription, 10).await;
    subscribed.expect("rows that answer");
    let queue = store.members().queue();
    let ping = async || {
        clock.fetch_add(10, Ordering::Relaxed);
        let renewed = store.renew_members(&id, Some(&user), None).await;
        renewed.expect("rows that answer");
        queue.take_flushes()
    };

    // The queue loses the flush, or a function stopped before it put it there.
    assert_eq!(queue.take_flushes().len(), 1);
    let flushes = ping().await;
    let [(flush, _)] = &flushes[..] else {
        panic!("the ping scheduled {flushes:?}");
    };
    let post = async |_: PresenceFrame| Ok::<_, std::io::Error>(());
    let flushed = store.members().flush(flush, post).await;
    flushed.expect("rows that answer");
    // The flush of the first expiry.
    assert_eq!(queue.take_flushes().len(), 1);
    assert_eq!(ping().await, []);
}
