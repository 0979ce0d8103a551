//! Tests of the number of a function's processes and of the wait for one.

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
async fn invocations_beyond_the_environments_are_served_in_order() {
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
async fn dropped_waiting_invocation_never_reaches_the_function() {
    let host = host_with_one_process(TIMEOUT);
    let (gate, dropped) = (Gate::new(), Gate::new());
    let drop_one_of_two = async {
        gate.reached().await;
        let mut first = Box::pin(invoke(&host, dropped.meet()));
        let mut second = Box::pin(invoke(&host, json!({ "do": "echo" })));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        drop(first);
        gate.open();
        second.await
    };
    let (_, second) = tokio::join!(invoke(&host, gate.meet()), drop_one_of_two);
    returned(second);
    assert!(!dropped.is_reached());
    host.shutdown().await;
}

#[tokio::test]
async fn dropped_running_invocation_keeps_its_slot() {
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
async fn failed_invocation_frees_its_slot() {
    let cases = [
        ("error", TIMEOUT),
        ("panic", TIMEOUT),
        ("exit", TIMEOUT),
        ("large", TIMEOUT),
        ("hang", Duration::from_millis(250)),
    ];
    for (action, timeout) in cases {
        let host = host_with_one_process(timeout);
        let (ended, next) = tokio::join!(
            invoke(&host, json!({ "do": action })),
            invoke(&host, json!({ "do": "pid" }))
        );
        failed(ended);
        returned(next);
        host.shutdown().await;
    }
}

#[tokio::test]
async fn killed_process_frees_its_slot() {
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
async fn time_limit_starts_after_the_wait_for_a_process() {
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
