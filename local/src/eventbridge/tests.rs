//! Tests of the service through its API and its targets' queues.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    input::{Input, Transformer},
    *,
};
use crate::template::{Bus, Target, WebSocketApi};

const ORDERS: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
const AUDIT: &str = "arn:aws:sqs:us-east-1:123456789012:audit";
const FAILED: &str = "arn:aws:sqs:us-east-1:123456789012:failed";
const MISSING: &str = "arn:aws:sqs:us-east-1:123456789012:missing";
const SMALL: &str = "arn:aws:sqs:us-east-1:123456789012:small";

#[derive(Clone, Debug, PartialEq)]
struct Message {
    queue: String,
    body: String,
    attributes: BTreeMap<String, String>,
}

/// Accepts messages for all queues except [`MISSING`] and [`SMALL`].
#[derive(Default)]
struct Queues(Mutex<Vec<Message>>);

impl Deliver for Queues {
    fn check(
        &self,
        queue: &str,
        _: &str,
        _: &BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        match queue {
            MISSING => Err(DeliveryError::NoSuchQueue),
            SMALL => Err(DeliveryError::Refused("the message is too large".into())),
            _ => Ok(()),
        }
    }

    fn deliver(
        &self,
        queue: &str,
        body: String,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), DeliveryError> {
        self.check(queue, &body, &attributes)?;
        self.0.lock().expect("not poisoned").push(Message {
            queue: queue.to_owned(),
            body,
            attributes,
        });
        Ok(())
    }
}

impl Queues {
    fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.0.lock().expect("not poisoned"))
    }

    fn take_names(&self) -> Vec<String> {
        self.take()
            .into_iter()
            .map(|message| message.queue)
            .collect()
    }
}

fn rule(name: &str, pattern: Value, queues: &[&str]) -> Rule {
    Rule {
        logical_id: format!("{name}Rule"),
        name: name.to_owned(),
        arn: format!("arn:aws:events:us-east-1:123456789012:rule/{name}"),
        bus: DEFAULT_BUS.to_owned(),
        pattern,
        enabled: true,
        targets: queues.iter().map(|queue| target(queue)).collect(),
    }
}

fn target(queue: &str) -> Target {
    Target {
        id: "Queue".to_owned(),
        queue: queue.to_owned(),
        input: Input::default(),
        dead_letter_queue: None,
    }
}

fn stack(rules: Vec<Rule>) -> Stack {
    Stack {
        name: "herald".into(),
        region: "us-east-1".into(),
        account_id: "123456789012".into(),
        parameters: BTreeMap::new(),
        web_socket_api: WebSocketApi {
            logical_id: "Api".into(),
            api_id: "a1b2c3d4e5".into(),
            stage: "dev".into(),
            route_selection_expression: "$request.body.action".into(),
            routes: vec![],
            authorizer: None,
            stage_variables: BTreeMap::new(),
            throttle: None,
        },
        functions: vec![],
        roles: vec![],
        tables: vec![],
        queues: vec![],
        event_source_mappings: vec![],
        buses: [DEFAULT_BUS, "shop"]
            .map(|name| Bus {
                logical_id: None,
                name: name.into(),
            })
            .into(),
        rules,
        secrets: Vec::new(),
        function_urls: Vec::new(),
        outputs: BTreeMap::new(),
        exports: BTreeMap::new(),
        not_run: vec![],
    }
}

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00.5Z".parse().expect("a time")
}

fn event_bridge(rules: Vec<Rule>) -> (EventBridge, Arc<Queues>) {
    let queues = Arc::new(Queues::default());
    let event_bridge = EventBridge::new(&stack(rules), queues.clone(), noon, Activity::default())
        .expect("valid rules");
    (event_bridge, queues)
}

fn put(event_bridge: &EventBridge, entry: Value) -> Value {
    event_bridge
        .call("PutEvents", json!({ "Entries": [entry] }))
        .expect("accepted")
}

fn order() -> Value {
    json!({ "Source": "shop", "DetailType": "order", "Detail": r#"{"state":"paid"}"# })
}

fn on_bus(mut entry: Value, bus: &str) -> Value {
    entry["EventBusName"] = json!(bus);
    entry
}

#[test]
fn target_receives_the_event_with_the_returned_id() {
    let (event_bridge, queues) =
        event_bridge(vec![rule("all", json!({"source": ["shop"]}), &[ORDERS])]);
    let answer = put(
        &event_bridge,
        json!({
            "Source": "shop", "DetailType": "order", "Detail": r#"{"ü":"🚀","n":1.50}"#,
            "Resources": ["order/1"],
        }),
    );
    assert_eq!(answer["FailedEntryCount"], 0);
    let id = answer["Entries"][0]["EventId"].as_str().expect("an id");
    let expected = Message {
        queue: ORDERS.to_owned(),
        body: format!(
            r#"{{"version":"0","id":"{id}","detail-type":"order","source":"shop","account":"123456789012","time":"2026-11-20T12:00:00Z","region":"us-east-1","resources":["order/1"],"detail":{{"ü":"🚀","n":1.50}}}}"#
        ),
        attributes: BTreeMap::new(),
    };
    assert_eq!(queues.take(), [expected]);
}

#[test]
fn each_matching_enabled_rule_sends_once_to_each_target() {
    let paid = json!({ "detail": { "state": ["paid"] } });
    let mut disabled = rule("disabled", paid.clone(), &[FAILED]);
    disabled.enabled = false;
    let (event_bridge, queues) = event_bridge(vec![
        rule("paid", paid, &[ORDERS, AUDIT]),
        rule(
            "sent",
            json!({ "detail": { "state": ["sent"] } }),
            &[FAILED],
        ),
        disabled,
        rule("all", json!({ "source": ["shop"] }), &[ORDERS]),
    ]);
    put(&event_bridge, order());
    assert_eq!(queues.take_names(), [ORDERS, AUDIT, ORDERS]);
}

#[test]
fn rule_receives_only_events_of_its_bus() {
    let everything = json!({ "source": [{ "exists": true }] });
    let mut shop = rule("shop", everything.clone(), &[AUDIT]);
    shop.bus = "shop".into();
    let (event_bridge, queues) = event_bridge(vec![rule("default", everything, &[ORDERS]), shop]);
    let receivers = |entry| {
        let answer = put(&event_bridge, entry);
        assert_eq!(answer["FailedEntryCount"], 0);
        queues.take_names()
    };
    assert_eq!(receivers(order()), [ORDERS]);
    assert_eq!(receivers(on_bus(order(), "default")), [ORDERS]);
    assert_eq!(receivers(on_bus(order(), "shop")), [AUDIT]);
    let arn = "arn:aws:events:us-east-1:123456789012:event-bus/shop";
    assert_eq!(receivers(on_bus(order(), arn)), [AUDIT]);
}

#[test]
fn invalid_entry_does_not_affect_the_others() {
    let (event_bridge, queues) =
        event_bridge(vec![rule("all", json!({"source": ["shop"]}), &[ORDERS])]);
    let answer = event_bridge
        .call(
            "PutEvents",
            json!({ "Entries": [{ "Source": "shop" }, order()] }),
        )
        .expect("accepted");
    assert_eq!(answer["FailedEntryCount"], 1);
    assert_eq!(
        answer["Entries"][0],
        json!({
            "ErrorCode": "InvalidArgument",
            "ErrorMessage": "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
        })
    );
    assert!(answer["Entries"][1]["EventId"].is_string());
    assert_eq!(queues.take_names(), [ORDERS]);
}

#[test]
fn invalid_request_puts_no_event() {
    let (event_bridge, queues) =
        event_bridge(vec![rule("all", json!({"source": ["shop"]}), &[ORDERS])]);
    for (request, code) in [
        (
            json!({ "Entries": vec![order(); 11] }),
            "ValidationException",
        ),
        (json!({ "Entries": [] }), "ValidationException"),
        (json!({}), "SerializationException"),
        (
            json!({ "Entries": { "Source": "shop" } }),
            "SerializationException",
        ),
    ] {
        let error = event_bridge
            .call("PutEvents", request)
            .expect_err("refused");
        assert_eq!(error.code, code);
    }
    assert!(queues.take().is_empty());
}

#[test]
fn event_refused_by_its_target_goes_to_the_dead_letter_queue() {
    let cases = [
        (
            MISSING,
            json!({ "ERROR_CODE": "NO_RESOURCE", "ERROR_MESSAGE": "the queue does not exist" }),
        ),
        (
            SMALL,
            json!({
                "ERROR_CODE": "ERROR_FROM_TARGET", "ERROR_MESSAGE": "the message is too large",
                "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
            }),
        ),
    ];
    for (queue, mut expected) in cases {
        let mut all = rule("all", json!({ "source": ["shop"] }), &[queue, AUDIT]);
        all.targets[0].dead_letter_queue = Some(FAILED.to_owned());
        let (event_bridge, queues) = event_bridge(vec![all]);
        put(&event_bridge, order());

        let messages = queues.take();
        let [dead, live] = messages.as_slice() else {
            panic!("expected two messages, got {messages:?}");
        };
        assert_eq!([&dead.queue, &live.queue], [FAILED, AUDIT]);
        assert_eq!(dead.body, live.body);
        expected["RULE_ARN"] = json!("arn:aws:events:us-east-1:123456789012:rule/all");
        expected["TARGET_ARN"] = json!(queue);
        expected["RETRY_ATTEMPTS"] = json!("0");
        assert_eq!(json!(dead.attributes), expected);
    }
}

#[test]
fn target_receives_its_own_input() {
    let transformer = Transformer::parse(
        [("order".to_owned(), "$.detail.order".to_owned())],
        r#"{"rule":<aws.events.rule-name>,"entityId":"order-<order>"}"#,
    );
    let inputs = [
        (Input::path("$.source").expect("valid"), r#""shop""#),
        (Input::constant("[1]".to_owned()).expect("valid"), "[1]"),
        (
            Input::transformer(transformer.expect("valid")),
            r#"{"rule":"all","entityId":"order-7"}"#,
        ),
    ];
    for (input, expected) in inputs {
        let mut all = rule("all", json!({ "source": ["shop"] }), &[ORDERS, AUDIT]);
        all.targets[0].input = input;
        let (event_bridge, queues) = event_bridge(vec![all]);
        let mut entry = order();
        entry["Detail"] = json!(r#"{"order":"7"}"#);
        put(&event_bridge, entry);
        let messages = queues.take();
        assert_eq!(messages[0].body, expected);
        let event: Value = serde_json::from_str(&messages[1].body).expect("valid");
        assert_eq!(event["detail"]["order"], "7");
    }
}

#[test]
fn event_too_large_for_target_and_dead_letter_queue_is_refused_and_sent_nowhere() {
    for dead_letter_queue in [None, Some(SMALL.to_owned()), Some(MISSING.to_owned())] {
        let mut all = rule("all", json!({ "source": ["shop"] }), &[AUDIT, SMALL]);
        all.targets[1].dead_letter_queue = dead_letter_queue;
        let (event_bridge, queues) = event_bridge(vec![all]);
        let answer = put(&event_bridge, order());
        assert_eq!(answer["FailedEntryCount"], 1);
        let message = format!(
            "The event is not valid. Reason: queue {SMALL} refuses the event and no dead-letter queue accepts it: the message is too large."
        );
        assert_eq!(
            answer["Entries"][0],
            json!({ "ErrorCode": "InvalidArgument", "ErrorMessage": message })
        );
        assert!(queues.take().is_empty());
    }
}

/// The limit is the queue's own `MaximumMessageSize`, not the largest one of SQS.
#[test]
fn event_larger_than_the_maximum_message_size_is_dead_lettered_or_refused() {
    let order = order();
    let size = {
        let (event_bridge, queues) =
            event_bridge(vec![rule("all", json!({ "source": ["shop"] }), &[ORDERS])]);
        put(&event_bridge, order.clone());
        queues.take()[0].body.len()
    };
    let largest = 1024 * 1024;
    // The limits of the target and its dead-letter queue, and the queues that hold the event.
    for (target, dead_letter, expected) in [
        (size, size, Some(["orders"])),
        (size - 1, largest, Some(["failed"])),
        // The attributes of a dead letter count as well.
        (size - 1, size, None),
    ] {
        let definitions = [
            sqs_queue("orders", target),
            sqs_queue("failed", dead_letter),
        ];
        let queues = crate::sqs::Queues::new(&definitions, Activity::default()).expect("queues");
        let queues = Arc::new(queues);
        let mut all = rule("all", json!({ "source": ["shop"] }), &[ORDERS]);
        all.targets[0].dead_letter_queue = Some(FAILED.to_owned());
        let event_bridge =
            EventBridge::new(&stack(vec![all]), queues.clone(), noon, Activity::default())
                .expect("a valid rule");
        let answer = put(&event_bridge, order.clone());
        assert_eq!(answer["FailedEntryCount"], usize::from(expected.is_none()));
        let holding = queues.ids().filter(|id| !queues.messages(*id).is_empty());
        let holding: Vec<_> = holding.map(|id| &*queues.definition(id).name).collect();
        assert_eq!(holding, expected.as_ref().map_or(&[][..], |names| names));
    }
}

fn sqs_queue(name: &str, maximum_message_size: usize) -> crate::template::Queue {
    crate::template::Queue {
        logical_id: name.to_owned(),
        name: name.to_owned(),
        arn: format!("arn:aws:sqs:us-east-1:123456789012:{name}"),
        url: format!("http://127.0.0.1/123456789012/{name}"),
        visibility_timeout: Duration::from_secs(30),
        delay: Duration::ZERO,
        retention: Duration::from_secs(345_600),
        receive_wait: Duration::ZERO,
        maximum_message_size,
        redrive: None,
    }
}

#[test]
fn event_lost_for_a_missing_queue_is_logged_and_accepted() {
    for dead_letter_queue in [None, Some(MISSING.to_owned())] {
        let mut all = rule("all", json!({ "source": ["shop"] }), &[MISSING, AUDIT]);
        all.targets[0].dead_letter_queue = dead_letter_queue;
        let (event_bridge, queues) = event_bridge(vec![all]);
        let log = Log::default();
        let answer =
            tracing::subscriber::with_default(log.subscriber(), || put(&event_bridge, order()));
        assert_eq!(answer["FailedEntryCount"], 0);
        assert_eq!(queues.take_names(), [AUDIT]);
        let log = log.text();
        assert!(log.contains("ERROR") && log.contains("event lost"), "{log}");
        assert!(
            !log.contains("paid"),
            "the log shows the event's detail: {log}"
        );
    }
}

#[test]
fn event_for_unknown_bus_is_accepted_dropped_and_logged() {
    let everything = json!({ "source": [{ "exists": true }] });
    let (event_bridge, queues) = event_bridge(vec![rule("all", everything, &[ORDERS])]);
    let log = Log::default();
    let answer = tracing::subscriber::with_default(log.subscriber(), || {
        put(&event_bridge, on_bus(order(), "nowhere"))
    });
    assert_eq!(answer["FailedEntryCount"], 0);
    assert!(queues.take().is_empty());
    let log = log.text();
    assert!(
        log.contains("WARN") && log.contains(r#"bus="nowhere""#),
        "{log}"
    );
    assert!(log.contains(r#"known_buses="default, shop""#), "{log}");
}

#[test]
fn invalid_rule_is_named_with_the_reason() {
    let refused = |rule| {
        let error = EventBridge::new(
            &stack(vec![rule]),
            Arc::new(Queues::default()),
            noon,
            Activity::default(),
        )
        .err()
        .expect("refused");
        format!("{:#}", anyhow::Error::new(error))
    };
    assert_eq!(
        refused(rule("bad", json!({ "detail": { "state": "paid" } }), &[])),
        "rule badRule has an invalid event pattern: \"state\" must be an object or an array, at detail.state"
    );
    let mut lost = rule("lost", json!({ "source": ["shop"] }), &[]);
    lost.bus = "nowhere".into();
    assert_eq!(
        refused(lost),
        "rule lostRule listens to event bus nowhere, which the template does not have; add the bus or correct the rule's EventBusName"
    );
}

#[test]
fn buses_rules_and_targets_are_described() {
    let mut shop = rule("orders", json!({ "source": ["shop"] }), &[ORDERS, AUDIT]);
    shop.bus = "shop".into();
    shop.enabled = false;
    shop.targets[1].dead_letter_queue = Some(FAILED.to_owned());
    let described = json!({
        "Name": "orders", "Arn": shop.arn, "EventBusName": "shop",
        "EventPattern": r#"{"source":["shop"]}"#, "State": "DISABLED",
    });
    let bus =
        json!({ "Name": "shop", "Arn": "arn:aws:events:us-east-1:123456789012:event-bus/shop" });
    let default = json!({ "Name": "default", "Arn": "arn:aws:events:us-east-1:123456789012:event-bus/default" });
    let mut described_alone = described.clone();
    described_alone["CreatedBy"] = json!("123456789012");
    let (event_bridge, _queues) = event_bridge(vec![shop]);

    for (operation, request, expected) in [
        (
            "ListEventBuses",
            json!({}),
            json!({ "EventBuses": [default, bus] }),
        ),
        (
            "ListEventBuses",
            json!({ "NamePrefix": "sh" }),
            json!({ "EventBuses": [bus] }),
        ),
        ("DescribeEventBus", json!({}), default.clone()),
        ("DescribeEventBus", json!({ "Name": "shop" }), bus.clone()),
        (
            "DescribeEventBus",
            json!({ "Name": bus["Arn"] }),
            bus.clone(),
        ),
        ("ListRules", json!({}), json!({ "Rules": [] })),
        (
            "ListRules",
            json!({ "EventBusName": "shop" }),
            json!({ "Rules": [described] }),
        ),
        (
            "ListRules",
            json!({ "EventBusName": "shop", "NamePrefix": "x" }),
            json!({ "Rules": [] }),
        ),
        (
            "DescribeRule",
            json!({ "Name": "orders", "EventBusName": "shop" }),
            described_alone,
        ),
        (
            "ListTargetsByRule",
            json!({ "Rule": "orders", "EventBusName": "shop" }),
            json!({ "Targets": [
                { "Id": "Queue", "Arn": ORDERS },
                { "Id": "Queue", "Arn": AUDIT, "DeadLetterConfig": { "Arn": FAILED } },
            ] }),
        ),
    ] {
        assert_eq!(
            event_bridge.call(operation, request.clone()),
            Ok(expected),
            "{operation} {request}"
        );
    }
}

#[test]
fn unknown_bus_rule_or_operation_is_named() {
    let (event_bridge, _queues) = event_bridge(vec![]);
    for (operation, request, code, message) in [
        (
            "DescribeEventBus",
            json!({ "Name": "nowhere" }),
            "ResourceNotFoundException",
            "Event bus nowhere does not exist.",
        ),
        (
            "DescribeRule",
            json!({ "Name": "none" }),
            "ResourceNotFoundException",
            "Rule none does not exist on EventBus default.",
        ),
        (
            "ListTargetsByRule",
            json!({ "Rule": "none", "EventBusName": "nowhere" }),
            "ResourceNotFoundException",
            "Event bus nowhere does not exist.",
        ),
        (
            "PutRule",
            json!({}),
            "UnknownOperationException",
            "herald-local does not support PutRule; it supports PutEvents, ListEventBuses, DescribeEventBus, ListRules, DescribeRule, ListTargetsByRule and TestEventPattern; change buses and rules in the template",
        ),
    ] {
        let expected = ServiceError::bad_request(code, message);
        assert_eq!(
            event_bridge.call(operation, request),
            Err(expected),
            "{operation}"
        );
    }
}

#[test]
fn test_event_pattern_answers_match_or_error() {
    let (event_bridge, _queues) = event_bridge(vec![]);
    let result = |pattern: &str, event: &str| {
        event_bridge.call(
            "TestEventPattern",
            json!({ "EventPattern": pattern, "Event": event }),
        )
    };
    let failure = |code, message| Err(ServiceError::bad_request(code, message));
    let pattern = r#"{"id":["1"]}"#;
    assert_eq!(
        result(pattern, r#"{"id":"1"}"#),
        Ok(json!({ "Result": true }))
    );
    assert_eq!(
        result(pattern, r#"{"id":"2"}"#),
        Ok(json!({ "Result": false }))
    );
    for event in ["text", r#""text""#, "[]"] {
        assert_eq!(
            result(pattern, event),
            failure("ValidationException", "Parameter Event is not valid.")
        );
    }
    assert_eq!(
        result(r#"{"id":42}"#, "{}"),
        failure(
            "InvalidEventPatternException",
            r#"Event pattern is not valid. Reason: "id" must be an object or an array, at id"#
        )
    );
    assert_eq!(
        result("{'id'}", "{}"),
        failure(
            "InvalidEventPatternException",
            "Event pattern is not valid. Reason: key must be a string at line 1 column 2"
        )
    );
}

/// A buffer of log lines. No other test may log a line that a test looks for: `tracing` decides
/// once per line whether it is enabled, on the first thread that logs it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + use<> {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
