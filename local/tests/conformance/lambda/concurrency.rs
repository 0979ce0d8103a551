//! How many processes a function has, and who waits for one.

use std::{sync::Mutex, time::Duration};

use futures_util::poll;
use herald_local::lambda::HostSettings;
use serde_json::{Value, json};

use super::harness::{
    FUNCTION, Gate, TIMEOUT, failed, host, host_with_one_process, invoke, returned, since_the_epoch,
};

#[tokio::test]
async fn sequential_invocations_share_one_process() {
    let host = host(HostSettings::default());
    let first = returned(invoke(&host, json!({ "do": "pid" })).await);
    let second = returned(invoke(&host, json!({ "do": "pid" })).await);
    assert_eq!(first, second);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn concurrent_invocations_get_a_process_each() {
    let host = host(HostSettings::default());
    let (first, second) = (Gate::new(), Gate::new());
    let open_both = async {
        first.reached().await;
        second.reached().await;
        first.open();
        second.open();
    };
    let (one, other, ()) = tokio::join!(
        invoke(&host, first.meet()),
        invoke(&host, second.meet()),
        open_both
    );
    assert_ne!(returned(one), returned(other));
    assert_eq!(host.started(FUNCTION), 2);
    host.shutdown().await;
}

#[tokio::test]
async fn more_invocations_than_environments_wait_and_are_served_in_their_order() {
    let host = host_with_one_process(TIMEOUT);
    let gate = Gate::new();
    let served = Mutex::new(Vec::new());
    let serve = async |number: usize, event: Value| {
        returned(invoke(&host, event).await);
        served.lock().unwrap().push(number);
    };
    tokio::join!(
        serve(0, gate.meet()),
        serve(1, json!({ "do": "pid" })),
        serve(2, json!({ "do": "pid" })),
        serve(3, json!({ "do": "pid" })),
        async {
            gate.reached().await;
            assert!(served.lock().unwrap().is_empty());
            gate.open();
        }
    );
    assert_eq!(served.into_inner().unwrap(), [0, 1, 2, 3]);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn a_caller_that_waits_no_longer_takes_its_event_back() {
    let host = host_with_one_process(TIMEOUT);
    let (gate, forgotten) = (Gate::new(), Gate::new());
    let give_up_and_stay = async {
        gate.reached().await;
        let mut gives_up = Box::pin(invoke(&host, forgotten.meet()));
        let mut stays = Box::pin(invoke(&host, json!({ "do": "echo" })));
        assert!(poll!(&mut gives_up).is_pending());
        assert!(poll!(&mut stays).is_pending());
        drop(gives_up);
        gate.open();
        stays.await
    };
    let (_, stayed) = tokio::join!(invoke(&host, gate.meet()), give_up_and_stay);
    returned(stayed);
    assert!(!forgotten.is_reached());
    host.shutdown().await;
}

#[tokio::test]
async fn an_invocation_keeps_its_place_when_its_caller_stops_waiting() {
    let host = host_with_one_process(TIMEOUT);
    let gate = Gate::new();
    let mut abandoned = Box::pin(invoke(&host, gate.meet()));
    tokio::select! {
        _ = &mut abandoned => panic!("the gate is closed"),
        () = gate.reached() => {}
    }
    drop(abandoned);
    let mut next = Box::pin(invoke(&host, json!({ "do": "echo" })));
    assert!(poll!(&mut next).is_pending());
    assert_eq!(host.started(FUNCTION), 1);
    gate.open();
    returned(next.await);
    assert_eq!(host.started(FUNCTION), 1);
    host.shutdown().await;
}

#[tokio::test]
async fn every_end_of_an_invocation_gives_its_place_to_the_next() {
    let cases = [
        ("error", TIMEOUT),
        ("panic", TIMEOUT),
        ("exit", TIMEOUT),
        ("large", TIMEOUT),
        ("hang", Duration::from_millis(250)),
    ];
    for (how, timeout) in cases {
        let host = host_with_one_process(timeout);
        let (ended, next) = tokio::join!(
            invoke(&host, json!({ "do": how })),
            invoke(&host, json!({ "do": "pid" }))
        );
        failed(ended);
        returned(next);
        host.shutdown().await;
    }
}

#[tokio::test]
async fn a_killed_process_gives_its_place_to_the_next() {
    let host = host_with_one_process(TIMEOUT);
    let gate = Gate::new();
    let kill = async {
        gate.reached().await;
        host.kill(FUNCTION);
    };
    let (killed, next, ()) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "pid" })),
        kill
    );
    failed(killed);
    returned(next);
    host.shutdown().await;
}

#[tokio::test]
async fn the_time_limit_starts_after_the_wait_for_a_process() {
    let host = host_with_one_process(TIMEOUT);
    let gate = Gate::new();
    let open = async {
        gate.reached().await;
        let opened_at = since_the_epoch();
        gate.open();
        opened_at
    };
    let (_, context, opened_at) = tokio::join!(
        invoke(&host, gate.meet()),
        invoke(&host, json!({ "do": "context" })),
        open
    );
    let deadline = u128::from(returned(context)["deadline"].as_u64().unwrap());
    assert!(deadline >= (opened_at + TIMEOUT).as_millis(), "{deadline}");
    host.shutdown().await;
}
