//! `herald bench`: its report against the pushes on the wire.

use herald_local::{Authentication, gateway, sqs};
use serde_json::{Value, json};

use crate::{
    counting_proxy::{CountingProxy, Pushes},
    harness::{Ended, TestStack, until},
};

/// 20 connections, each to 2 of 4 entities, so that each of 60 events is for 10 of them.
const SMALL: [&str; 11] = [
    "bench",
    "--connections",
    "20",
    "--entities",
    "4",
    "--subscriptions",
    "2",
    "--rate",
    "60",
    "--duration",
    "1s",
];
const EVENTS: u64 = 60;
const EXPECTED: u64 = 600;

/// A run through a counting proxy.
struct Measured {
    ended: Ended,
    report: Value,
    wire: Pushes,
}

impl Measured {
    async fn run(stack: &TestStack, kind: &str, arguments: &[&str]) -> Self {
        let proxy = CountingProxy::start(stack.address()).await;
        let address = proxy.web_socket();
        let through_the_proxy = ["--json", "--web-socket", &address];
        let arguments = [arguments, &through_the_proxy].concat();
        let ended = stack.herald(&arguments).run("").await;
        let report = serde_json::from_str(&ended.stdout);
        Self {
            report: report.unwrap_or_else(|_| panic!("no report: {}", ended.stderr)),
            ended,
            wire: proxy.pushes(kind),
        }
    }

    fn deliveries(&self, name: &str) -> u64 {
        self.report["deliveries"][name].as_u64().expect("a number")
    }

    /// Asserts what holds with any fault: the report agrees with the wire.
    fn assert_consistent(&self, expected: u64) {
        let deliveries = |name| self.deliveries(name);
        assert_eq!(deliveries("expected"), expected);
        assert_eq!(deliveries("delivered") + deliveries("lost"), expected);
        assert_eq!(deliveries("delivered"), self.wire.distinct);
        assert_eq!(
            deliveries("delivered") + deliveries("repeated"),
            self.wire.all
        );
        assert_eq!(deliveries("unexpected"), 0);
    }
}

#[tokio::test]
async fn bench_without_faults_reports_every_delivery_once() {
    let stack = TestStack::start_with(Authentication::Open, &[("History", "{}")]).await;
    let measured = Measured::run(&stack, "Entity Updated", &SMALL).await;
    measured.assert_consistent(EXPECTED);
    assert_eq!(measured.deliveries("lost"), 0);
    assert_eq!(measured.deliveries("repeated"), 0);
    assert_eq!(measured.ended.code, Some(0), "{}", measured.ended.stderr);
    let Measured { report, .. } = &measured;
    assert_eq!(report["positions"], Value::Null);
    assert_eq!(report["reconnect"], Value::Null);
    assert_eq!(report["connections"]["open"], 20);
    assert_eq!(report["events"]["published"], EVENTS);
    let latency = |name: &str| report["latency"][name].as_f64().expect("milliseconds");
    let ascending = ["p50", "p90", "p99", "p99.9", "max"].map(latency);
    assert!(ascending[0] > 0.0 && ascending.is_sorted(), "{ascending:?}");

    let report = stack.done(&SMALL).await;
    assert!(report.contains("600 of 600 expected, 0 lost"), "{report}");
    // The bars of the chart add up to the deliveries.
    let bars = report
        .lines()
        .filter_map(|line| line.trim().strip_prefix("<= "));
    let counts = bars.map(|bar| bar.split_whitespace().rev().nth(2).expect("a count"));
    let sum: u64 = counts
        .map(|count| count.parse::<u64>().expect("a count"))
        .sum();
    assert_eq!(sum, EXPECTED, "{report}");
    stack.stop().await;
}

#[tokio::test]
async fn duplicates_and_failing_posts_are_reported() {
    // One attempt, so that no delivery is late, and no logs, from which clients recover.
    let once = [("DeliveryAttempts", "1"), ("History", "{}")];
    let stack = TestStack::start_with(Authentication::Open, &once).await;
    stack.running.queues().set_faults(sqs::Faults {
        duplicates: 0.5,
        shuffle: true,
        ..sqs::Faults::default()
    });
    let measured = Measured::run(&stack, "Entity Updated", &SMALL).await;
    measured.assert_consistent(EXPECTED);
    assert!(measured.deliveries("repeated") > 0, "{}", measured.report);
    assert_eq!(measured.deliveries("lost"), 0);
    assert_eq!(measured.ended.code, Some(0), "{}", measured.ended.stderr);
    stack.running.queues().set_faults(sqs::Faults::default());

    for (failing, code) in [(0.5, 5), (1.0, 1)] {
        stack.running.gateway().set_faults(gateway::Faults {
            failing,
            ..gateway::Faults::default()
        });
        let arguments = [&SMALL[..], &["--drain", "3s"]].concat();
        let measured = Measured::run(&stack, "Entity Updated", &arguments).await;
        measured.assert_consistent(EXPECTED);
        let lost = measured.deliveries("lost");
        assert!(lost > 0, "{}", measured.report);
        assert_eq!(lost == EXPECTED, failing == 1.0);
        assert_eq!(measured.ended.code, Some(code), "{}", measured.ended.stderr);
        let words = format!("{lost} of {EXPECTED} deliveries lost");
        assert!(
            measured.ended.stderr.contains(&words),
            "{}",
            measured.ended.stderr
        );
    }
    stack.stop().await;
}

/// The parameter `History` with a log of every entity.
const HISTORY: (&str, &str) = ("History", r#"{"**": {"messages": 300, "seconds": 600}}"#);

#[tokio::test]
async fn duplicates_and_shuffled_messages_of_logs_arrive_in_order_without_gaps() {
    let stack = TestStack::start_with(Authentication::Open, &[HISTORY]).await;
    stack.running.queues().set_faults(sqs::Faults {
        duplicates: 0.5,
        shuffle: true,
        ..sqs::Faults::default()
    });
    let measured = Measured::run(&stack, "Entity Updated", &SMALL).await;
    let Measured { report, ended, .. } = &measured;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(measured.deliveries("delivered"), EXPECTED, "{report}");
    let positions = &report["positions"];
    assert_eq!(positions["logs"], 4, "{report}");
    for fault in ["outOfOrder", "missing", "reportedLost"] {
        assert_eq!(positions[fault], 0, "{report}");
    }
    // A log remembers the last events. A repeat of an older one has a position of its own.
    let entities = positions["entities"].as_array().expect("a list");
    let repeated = entities.iter().map(|entity| entity["repeated"].as_u64());
    let repeated: u64 = repeated.map(|count| count.expect("a number")).sum();
    assert_eq!(measured.deliveries("repeated"), repeated, "{report}");

    let report = stack.done(&SMALL).await;
    let words = "positions    4 logs: 0 out of order, 0 missing, 0 reported as lost";
    assert!(report.contains(words), "{report}");
    stack.stop().await;
}

#[tokio::test]
async fn dropped_connections_return_and_recover_what_they_missed() {
    let stack = TestStack::start_with(Authentication::Open, &[HISTORY]).await;
    let arguments = [&SMALL[..], &["--reconnect"]].concat();
    let measured = Measured::run(&stack, "Entity Updated", &arguments).await;
    let Measured { report, ended, .. } = &measured;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(measured.deliveries("delivered"), EXPECTED, "{report}");
    assert_eq!(report["positions"]["missing"], 0, "{report}");
    assert_eq!(report["connections"]["broken"], 0, "{report}");
    let reconnect = &report["reconnect"];
    assert_eq!(
        (&reconnect["dropped"], &reconnect["live"]),
        (&json!(20), &json!(20))
    );
    assert!(reconnect["missed"].as_u64() > Some(0), "{report}");
    assert_eq!(
        reconnect["missed"], reconnect["missedDelivered"],
        "{report}"
    );
    assert!(reconnect["times"]["p99"].as_f64() > Some(0.0), "{report}");
    let usage = &reconnect["usage"];
    assert_eq!(usage["framesReceived"], 20, "one subscribe each: {usage}");
    for function in ["ConnectFunction", "SubscribeFunction", "DisconnectFunction"] {
        assert_eq!(usage["invocations"][function], 20, "{usage}");
    }
    assert!(usage["writeUnits"].as_f64() > Some(0.0), "{usage}");

    let report = stack.done(&arguments).await;
    assert!(
        report.contains("reconnect    20 of 20 live again"),
        "{report}"
    );
    assert!(report.contains("20 of SubscribeFunction"), "{report}");
    stack.stop().await;
}

#[tokio::test]
async fn deliveries_that_dropped_connections_missed_are_lost_without_logs() {
    let stack = TestStack::start_with(Authentication::Open, &[("History", "{}")]).await;
    let arguments = [&SMALL[..], &["--reconnect", "--drain", "3s"]].concat();
    let measured = Measured::run(&stack, "Entity Updated", &arguments).await;
    let Measured { report, ended, .. } = &measured;
    assert_eq!(report["reconnect"]["live"], 20, "{report}");
    assert!(measured.deliveries("lost") > 0, "{report}");
    assert_eq!(report["positions"], Value::Null);
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    stack.stop().await;
}

#[tokio::test]
async fn bench_by_clients_uses_one_user_per_connection() {
    let one = [("ConnectionsPerUser", "1"), ("History", "{}")];
    let stack = TestStack::start_with(Authentication::Secret, &one).await;
    // Each message goes to an entity with five subscribers, and one of them is its sender.
    let arguments = [
        "bench",
        "-c",
        "10",
        "-e",
        "2",
        "-s",
        "1",
        "-r",
        "20",
        "-d",
        "1s",
        "--by-clients",
    ];
    let measured = Measured::run(&stack, "message", &arguments).await;
    measured.assert_consistent(80);
    assert_eq!(measured.deliveries("lost"), 0);
    assert_eq!(measured.ended.code, Some(0), "{}", measured.ended.stderr);
    stack.stop().await;
}

#[tokio::test]
async fn interrupted_bench_prints_its_report() {
    let stack = TestStack::start(Authentication::Open).await;
    let long = [
        "bench", "-c", "2", "-e", "1", "-r", "20", "-d", "1h", "--json",
    ];
    let bench = stack.herald(&long).start();
    let gateway = stack.running.gateway();
    until("both connections are open", || {
        gateway.open_connections().len() == 2
    })
    .await;
    let queues = stack.running.queues();
    let queue = queues
        .with_name("herald-local-NotificationQueue")
        .expect("a queue");
    until("events are published", || queues.ever_sent(queue) > 3).await;
    bench.signal("INT").await;
    let ended = bench.ended().await;
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout).expect("a report");
    assert_eq!(report["interrupted"], true);
    let published = report["events"]["published"].as_u64().expect("a number");
    assert!(published > 3 && published < 72_000);
    assert_eq!(report["deliveries"]["expected"], 2 * published);
    assert_eq!(report["deliveries"]["lost"], 0);
    stack.stop().await;
}

#[tokio::test]
async fn impossible_plan_is_wrong_usage() {
    let stack = TestStack::start(Authentication::Open).await;
    for (arguments, words) in [
        (
            &["-c", "1", "-e", "1", "-s", "2"][..],
            "--subscriptions 2 exceeds --entities 1",
        ),
        (&["-c", "2", "-e", "5", "-s", "2"], "without a subscriber"),
        (&["-c", "900000", "-e", "1"], "`ulimit -n 900064`"),
        (&["-r", "0"], "expected a number from 0.001"),
    ] {
        let arguments = [&["bench"], arguments].concat();
        let ended = stack.herald(&arguments).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    stack.stop().await;
}
