//! Herald's own template, the one that is deployed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::super::{Redrive, Settings, Stack, Target, TemplateError, Throttle};
use super::settings;
use crate::{Authentication, eventbridge::input::Input};

/// The default of the parameter `History`.
const HISTORY: &str = r#"{"**":{"messages":100,"seconds":600},"$user":{"messages":100,"seconds":600},"$everyone":{"messages":20,"seconds":600}}"#;

#[test]
fn routes_have_their_functions() {
    let stack = own_stack();
    let routes: Vec<_> = stack
        .web_socket_api
        .routes
        .iter()
        .map(|route| (route.key.as_str(), route.function.as_str(), route.two_way))
        .collect();
    assert_eq!(
        routes,
        [
            ("$connect", "ConnectFunction", false),
            ("$disconnect", "DisconnectFunction", false),
            ("$default", "DefaultFunction", true),
            ("authenticate", "AuthenticateFunction", true),
            ("history", "HistoryFunction", true),
            ("presence", "SubscribeFunction", true),
            ("sendMessage", "SendMessageFunction", true),
            ("subscribe", "SubscribeFunction", true),
            ("sync", "HistoryFunction", true),
            ("unsubscribe", "UnsubscribeFunction", true),
        ]
    );
    let api = &stack.web_socket_api;
    assert_eq!(api.stage, "dev");
    assert_eq!(api.route_selection_expression, "$request.body.action");
    assert_eq!(
        api.throttle,
        Some(Throttle {
            rate: 5_000.0,
            burst: 2_500
        })
    );
    let authorizer = api.authorizer.as_ref().expect("an authorizer");
    assert_eq!(authorizer.function, "AuthorizerFunction");
    // A token may be in three places, and with open authentication a client has none.
    assert!(authorizer.identity_sources.is_empty());
}

#[test]
fn functions_get_the_environment_they_read() {
    let stack = own_stack();
    let queue = "http://127.0.0.1:3030/123456789012/herald-local-NotificationQueue";
    let dead_letter_queue =
        "http://127.0.0.1:3030/123456789012/herald-local-NotificationDeadLetterQueue";
    let connections = format!(
        "https://{}.execute-api.us-east-1.amazonaws.com/dev",
        stack.web_socket_api.api_id
    );
    let table = "herald-local-Table";
    let history_table = "herald-local-HistoryTable";
    let of_members = json!({
        "TABLE_NAME": table,
        "PRESENCE": "{}",
        "NOTIFICATION_QUEUE_URL": queue,
    });
    for (binary, environment) in [
        (
            "authorizer",
            json!({
                "AUTHENTICATION": "open",
                "TOKEN_ISSUER": "",
                "TOKEN_AUDIENCE": "",
                "TOKEN_SECRET_ARN": "",
                "DEFAULT_PERMISSIONS": "",
                "ALLOWED_ORIGINS": "*",
            }),
        ),
        (
            "authenticate",
            json!({
                "TABLE_NAME": table,
                "MESSAGES_PER_SECOND": "20",
                "AUTHENTICATION": "open",
                "TOKEN_ISSUER": "",
                "TOKEN_AUDIENCE": "",
                "TOKEN_SECRET_ARN": "",
                "DEFAULT_PERMISSIONS": "",
            }),
        ),
        (
            "connect",
            json!({
                "TABLE_NAME": table,
                "CONNECTIONS_ENDPOINT": connections,
                "CONNECTIONS_PER_USER": "100",
                "BACKEND_EVENTS": "{}",
                "BACKEND_EVENT_BUS_NAME": "default",
                "PRESENCE": "{}",
                "NOTIFICATION_QUEUE_URL": queue,
            }),
        ),
        (
            "disconnect",
            json!({
                "TABLE_NAME": table,
                "PRESENCE": "{}",
                "NOTIFICATION_QUEUE_URL": queue,
                "BACKEND_EVENTS": "{}",
                "BACKEND_EVENT_BUS_NAME": "default",
            }),
        ),
        ("default", of_members),
        (
            "history",
            json!({
                "TABLE_NAME": table,
                "HISTORY_TABLE_NAME": history_table,
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "MESSAGES_PER_SECOND": "20",
                "PRESENCE": "{}",
                "NOTIFICATION_QUEUE_URL": queue,
            }),
        ),
        (
            "sendMessage",
            json!({
                "TABLE_NAME": table,
                "HISTORY_TABLE_NAME": history_table,
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "NOTIFICATION_QUEUE_URL": queue,
                "MESSAGES_PER_SECOND": "20",
                "MESSAGE_BYTES": "131072",
            }),
        ),
        (
            "subscribe",
            json!({
                "TABLE_NAME": table,
                "HISTORY_TABLE_NAME": history_table,
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "SUBSCRIPTIONS_PER_CONNECTION": "100",
                "BACKEND_EVENTS": "{}",
                "BACKEND_EVENT_BUS_NAME": "default",
                "MESSAGES_PER_SECOND": "20",
                "PRESENCE": "{}",
                "NOTIFICATION_QUEUE_URL": queue,
            }),
        ),
        (
            "unsubscribe",
            json!({
                "TABLE_NAME": table,
                "BACKEND_EVENTS": "{}",
                "BACKEND_EVENT_BUS_NAME": "default",
                "MESSAGES_PER_SECOND": "20",
                "PRESENCE": "{}",
                "NOTIFICATION_QUEUE_URL": queue,
            }),
        ),
        (
            "notifier",
            json!({
                "TABLE_NAME": table,
                "HISTORY_TABLE_NAME": history_table,
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "CONNECTIONS_ENDPOINT": connections,
                "NOTIFICATION_QUEUE_URL": queue,
                "NOTIFICATION_DEAD_LETTER_QUEUE_URL": dead_letter_queue,
                "DELIVERY_ATTEMPTS": "6",
                "POSTS_PER_SECOND": "10000",
                "NOTIFICATION_RECEIVES": "8",
                "BACKEND_EVENTS": "{}",
                "BACKEND_EVENT_BUS_NAME": "default",
                "PRESENCE": "{}",
            }),
        ),
    ] {
        let mut functions = stack.functions.iter();
        let function = functions
            .find(|function| function.binary == binary)
            .expect(binary);
        assert_eq!(json!(function.environment), environment, "{binary}");
        assert!(function.code.is_absolute() && function.code.ends_with("functions"));
    }
    assert_eq!(stack.functions.len(), 10);
}

#[test]
fn functions_behind_urls_get_the_environment_they_read() {
    let open = ("Authentication", "open");
    let stack = read_with(&[open, ("PublishKeys", "create"), ("Poll", "on")]).expect("a stack");
    let queue = "http://127.0.0.1:3030/123456789012/herald-local-NotificationQueue";
    for (binary, environment) in [
        (
            "publish",
            json!({
                "PUBLISH_KEYS_ARN": stack.outputs["PublishKeysArn"],
                "HISTORY_TABLE_NAME": "herald-local-HistoryTable",
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "NOTIFICATION_QUEUE_URL": queue,
                "EVENT_BUS_NAME": "default",
                "EVENT_SOURCE": "",
            }),
        ),
        (
            "poll",
            json!({
                "TABLE_NAME": "herald-local-Table",
                "HISTORY_TABLE_NAME": "herald-local-HistoryTable",
                "HISTORY": HISTORY,
                "RECOVER_SECONDS": "300",
                "NOTIFICATION_QUEUE_URL": queue,
                "MESSAGES_PER_SECOND": "20",
                "MESSAGE_BYTES": "131072",
                "AUTHENTICATION": "open",
                "TOKEN_ISSUER": "",
                "TOKEN_AUDIENCE": "",
                "TOKEN_SECRET_ARN": "",
                "DEFAULT_PERMISSIONS": "",
                "ALLOWED_ORIGINS": "*",
            }),
        ),
    ] {
        let mut functions = stack.functions.iter();
        let function = functions.find(|function| function.binary == binary);
        let function = function.expect(binary);
        assert_eq!(json!(function.environment), environment, "{binary}");
    }
}

#[test]
fn template_without_authentication_is_refused() {
    let jwks = ("Authentication", "jwks");
    let issuer = ("TokenIssuer", "https://issuer.example");
    for (chosen, expected) in [
        (
            &[][..],
            "Choose who may connect: set the parameter Authentication",
        ),
        (&[jwks], "needs TokenIssuer"),
        (&[jwks, issuer], "needs TokenAudience"),
    ] {
        let error = read_with(chosen).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let audience = ("TokenAudience", "app");
    read_with(&[jwks, issuer, audience]).expect("all that jwks needs");
}

#[test]
fn half_a_domain_is_refused() {
    let open = ("Authentication", "open");
    let domain = ("DomainName", "push.example.com");
    let certificate = (
        "CertificateArn",
        "arn:aws:acm:us-east-1:123456789012:certificate/c-1",
    );
    let path = ("BasePath", "push");
    let zone = ("HostedZoneId", "Z123");
    for (chosen, expected) in [
        (&[open, domain][..], "DomainName needs CertificateArn"),
        (
            &[open, domain, path, zone],
            "DomainName needs CertificateArn",
        ),
        (&[open, certificate], "CertificateArn is for DomainName"),
        (&[open, path], "BasePath is a path under DomainName"),
        (
            &[open, zone],
            "HostedZoneId is for the record of DomainName",
        ),
    ] {
        let error = read_with(chosen).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    read_with(&[open, domain, certificate]).expect("a domain with its certificate");
    read_with(&[open, domain, certificate, path, zone]).expect("all of a domain");
}

#[test]
fn secret_arn_without_suffix_is_refused() {
    let secret = |arn| [("Authentication", "secret"), ("TokenSecretArn", arn)];
    for arn in [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald/tokens-AbC123",
        "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:a-b-Zz9Zz9",
        "",
    ] {
        read_with(&secret(arn)).expect(arn);
    }
    for arn in [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald/tokens",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald-signing-key",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:herald/tokens-AbC12",
        "herald/tokens-AbC123",
    ] {
        let error = read_with(&secret(arn)).expect_err(arn).to_string();
        assert!(error.contains("its six-character suffix"), "{error}");
    }
}

/// SAM cuts a JSON object given as `NAME=VALUE` to `{`.
#[test]
fn json_cut_at_the_first_quotation_mark_is_refused() {
    let open = ("Authentication", "open");
    for (parameter, whole) in [
        ("DefaultPermissions", r#"{"news:*":["subscribe"]}"#),
        ("History", r#"{"room:**":{"messages":200,"seconds":86400}}"#),
    ] {
        read_with(&[open, (parameter, whole)]).expect(whole);
        let error = read_with(&[open, (parameter, "{")]).expect_err("half of it");
        assert!(
            error.to_string().contains("must be a JSON object"),
            "{error}"
        );
    }
}

#[test]
fn secret_for_tokens_is_created_if_none_is_given() {
    let stack = own_stack_with(Authentication::Secret);
    let [secret] = stack.secrets.as_slice() else {
        panic!("one secret, not {:?}", stack.secrets);
    };
    assert_eq!(stack.outputs["TokenSecretArn"], secret.arn);
    for binary in ["authorizer", "authenticate"] {
        let mut functions = stack.functions.iter();
        let function = functions.find(|function| function.binary == binary);
        let environment = &function.expect(binary).environment;
        assert_eq!(environment["TOKEN_SECRET_ARN"], secret.arn);
    }
    assert!(own_stack().secrets.is_empty());
}

#[test]
fn functions_have_no_permission_on_every_resource_but_logs() {
    for role in own_stack().roles {
        let everywhere = |resources: &[String]| resources.iter().any(|resource| resource == "*");
        let mut statements = role.policies.iter().chain(&role.managed);
        assert!(
            statements.all(|statement| {
                let mut actions = statement.actions.iter();
                !everywhere(&statement.resources)
                    || actions.all(|action| action.starts_with("logs:"))
            }),
            "{role:?}"
        );
    }
}

#[test]
fn events_go_to_the_queue_and_to_the_notifier() {
    let stack = own_stack();
    let arn = |name: &str| format!("arn:aws:sqs:us-east-1:123456789012:herald-local-{name}");
    let [rule] = stack.rules.as_slice() else {
        panic!("one rule, not {:?}", stack.rules);
    };
    assert_eq!(
        rule.pattern,
        json!({
            "detail-type": [
                "Entity Updated",
                "Send User Push Notification",
                "Broadcast",
                "Disconnect User",
            ]
        })
    );
    assert!(rule.enabled);
    assert_eq!(rule.bus, "default");
    assert_eq!(
        rule.targets,
        [Target {
            id: "notification-queue".to_owned(),
            queue: arn("NotificationQueue"),
            input: Input::default(),
            dead_letter_queue: Some(arn("EventsDeadLetterQueue")),
        }]
    );

    let [mapping] = stack.event_source_mappings.as_slice() else {
        panic!("one mapping, not {:?}", stack.event_source_mappings);
    };
    assert_eq!(mapping.function, "NotifierFunction");
    assert_eq!(mapping.queue, arn("NotificationQueue"));
    assert_eq!(mapping.batch_size, 10);
    assert_eq!(mapping.maximum_concurrency, Some(10));
    assert!(mapping.report_batch_item_failures);
}

#[test]
fn event_source_restricts_the_rule_to_named_sources() {
    let open = ("Authentication", "open");
    for (sources, expected) in [
        ("shop", json!(["shop"])),
        ("shop,shop.returns", json!(["shop", "shop.returns"])),
        ("", json!(null)),
    ] {
        let stack = read_with(&[open, ("EventSource", sources)]).expect(sources);
        assert_eq!(stack.rules[0].pattern["source"], expected, "{sources:?}");
        let detail_types = stack.rules[0].pattern["detail-type"].as_array();
        assert_eq!(detail_types.map(Vec::len), Some(4));
    }
    let error = read_with(&[open, ("EventSource", "shop, shop.returns")]);
    let error = error.expect_err("a space").to_string();
    assert!(error.contains("without spaces"), "{error}");
}

#[test]
fn queue_hides_messages_and_keeps_dead_letters() {
    let stack = own_stack();
    let queue = |logical_id: &str| {
        let mut queues = stack.queues.iter();
        queues
            .find(|queue| queue.logical_id == logical_id)
            .expect(logical_id)
    };
    let notifier = stack
        .functions
        .iter()
        .find(|function| function.binary == "notifier")
        .expect("the notifier");
    let notifications = queue("NotificationQueue");
    assert!(notifications.visibility_timeout >= 6 * notifier.timeout);
    assert_eq!(
        notifications.redrive,
        Some(Redrive {
            dead_letter_queue: queue("NotificationDeadLetterQueue").arn.clone(),
            max_receive_count: 8,
        })
    );
    let fourteen_days = Duration::from_secs(14 * 24 * 60 * 60);
    for dead_letters in ["NotificationDeadLetterQueue", "EventsDeadLetterQueue"] {
        assert_eq!(queue(dead_letters).retention, fourteen_days);
    }
}

#[test]
fn tables_have_no_index() {
    let stack = own_stack();
    let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let expected = |name: &str| {
        json!({
            "TableName": format!("herald-local-{name}"),
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk"), attribute("sk")],
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        })
    };
    let created: Vec<_> = stack
        .tables
        .iter()
        .map(|table| &table.create_table)
        .collect();
    assert_eq!(created, [&expected("Table"), &expected("HistoryTable")]);
    for table in &stack.tables {
        assert_eq!(table.time_to_live_attribute.as_deref(), Some("expiresAt"));
    }
}

#[test]
fn outputs_and_resources_that_are_not_run_are_listed() {
    let stack = own_stack();
    let outputs: Vec<_> = stack.outputs.keys().map(String::as_str).collect();
    assert_eq!(
        outputs,
        [
            "EventBusName",
            "EventsDeadLetterQueueUrl",
            "HistoryTableName",
            "NotificationDeadLetterQueueUrl",
            "NotificationQueueArn",
            "NotificationQueueUrl",
            "TableName",
            "WebSocketUri",
        ]
    );
    assert_eq!(stack.outputs["TableName"], "herald-local-Table");
    let output = &stack.exports["herald-local-NotificationQueueArn"];
    assert_eq!(output, "NotificationQueueArn");
    let not_run: Vec<_> = stack
        .not_run
        .iter()
        .map(|resource| resource.logical_id.as_str())
        .collect();
    assert_eq!(
        not_run,
        [
            "NotificationQueuePolicy",
            "EventsDeadLetterQueuePolicy",
            "FunctionLogGroup",
            "Observability",
        ]
    );
}

fn own_stack() -> Stack {
    own_stack_with(Authentication::Open)
}

fn own_stack_with(authentication: Authentication) -> Stack {
    let settings = Settings {
        defaults: authentication.parameters(""),
        ..settings()
    };
    Stack::read(&own_template(), &settings).expect("our own template")
}

fn read_with(parameters: &[(&str, &str)]) -> Result<Stack, TemplateError> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let settings = Settings {
        parameters: parameters.iter().map(owned).collect(),
        ..settings()
    };
    Stack::read(&own_template(), &settings)
}

fn own_template() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")
}
