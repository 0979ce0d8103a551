//! Tests of the Lambda authorizer.

use std::time::Duration;

use herald_local::lambda::Invocation;
use serde_json::{Value, json};

use super::harness::{TestGateway, failed, returned, status};

const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/$connect";

fn answer(effect: &str, resource: &str) -> Value {
    json!({
        "principalId": "user-42",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
        "context": {"tenantId": "acme", "plan": 2, "beta": true},
    })
}

#[tokio::test]
async fn authorizer_answer_determines_the_status_of_the_upgrade() {
    let mut too_long = answer("Allow", ARN);
    too_long["context"]["long"] = json!("x".repeat(8192));
    for (invocation, expected) in [
        (returned(answer("Allow", ARN)), 101),
        (
            returned(answer("Allow", "arn:aws:execute-api:*/prod/*")),
            101,
        ),
        (
            returned(answer("Allow", "arn:aws:execute-api:*/prod/*/*")),
            403,
        ),
        (returned(answer("Deny", ARN)), 403),
        (failed("Unauthorized"), 401),
        (failed("unauthorized"), 500),
        (failed("anything else"), 500),
        (Invocation::Refused("throttled".to_owned()), 500),
        (returned(too_long), 500),
    ] {
        let context = format!("{invocation:?}");
        let gateway = TestGateway::builder()
            .route("$connect", |_| status(200))
            .authorizer(&[], move |_| invocation.clone())
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, expected, "{context}");
        let connects = usize::from(expected == 101);
        assert_eq!(gateway.events("$connect").len(), connects, "{context}");
    }
}

/// See docs/local-vs-aws.md: "An authorizer that takes too long".
#[tokio::test]
async fn authorizer_time_out_is_500_without_connect() {
    let gateway = TestGateway::builder()
        .limits(|limits| limits.authorizer = Duration::from_millis(50))
        .slow_authorizer(&[], |_| std::future::pending())
        .route("$connect", |_| status(200))
        .start()
        .await;
    assert_eq!(gateway.status(&gateway.url()).await, 500);
    assert_eq!(gateway.events("authorizer").len(), 1);
    assert!(gateway.events("$connect").is_empty());
}

#[tokio::test]
async fn refusal_reveals_only_the_status_text() {
    for (invocation, status, body) in [
        (failed("Unauthorized"), 401, r#"{"message":"Unauthorized"}"#),
        (
            returned(answer("Deny", ARN)),
            403,
            r#"{"message":"Forbidden"}"#,
        ),
        (
            failed("no key for kid 7"),
            500,
            r#"{"message":"Internal server error"}"#,
        ),
    ] {
        let gateway = TestGateway::builder()
            .authorizer(&[], move |_| invocation.clone())
            .start()
            .await;
        let refused = gateway.try_connect(&gateway.url(), &[]).await;
        let Err(tokio_tungstenite::tungstenite::Error::Http(response)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(response.status(), status);
        let actual = response.body().as_deref().unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(actual), body);
    }
}

/// A browser can send a token only as a subprotocol, and its page's origin only in `Origin`. The
/// gateway itself checks neither.
#[tokio::test]
async fn subprotocols_and_origin_reach_authorizer_and_connect_unchanged() {
    let gateway = TestGateway::builder()
        .authorizer(&[], |_| returned(answer("Allow", ARN)))
        .route("$connect", |_| {
            let result =
                json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "herald.v1"}});
            std::future::ready(returned(result))
        })
        .start()
        .await;
    let headers = [
        ("sec-websocket-protocol", "herald.v1, a.token-_1"),
        ("origin", "https://evil.example"),
    ];
    let connected = gateway.try_connect(&gateway.url(), &headers).await;
    let (_, response) = connected.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "herald.v1");
    for function in ["authorizer", "$connect"] {
        let event = &gateway.events(function)[0];
        let sent = &event["headers"];
        assert_eq!(sent["Sec-WebSocket-Protocol"], headers[0].1, "{function}");
        assert_eq!(sent["Origin"], headers[1].1, "{function}");
    }
}

#[tokio::test]
async fn stage_variable_can_be_an_identity_source() {
    for (value, expected) in [("acme", 101), ("", 401)] {
        let gateway = TestGateway::builder()
            .authorizer(&["stageVariables.tenant", "context.connectionId"], |_| {
                returned(answer("Allow", ARN))
            })
            .api(|api| {
                let variable = ("tenant".to_owned(), value.to_owned());
                api.stage_variables.extend([variable]);
            })
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, expected, "{value}");
    }
}

#[tokio::test]
async fn missing_identity_source_is_401_without_authorizer() {
    let sources = [
        "route.request.header.X-Key",
        "route.request.querystring.token",
    ];
    let gateway = TestGateway::builder()
        .authorizer(&sources, |_| returned(answer("Allow", ARN)))
        .start()
        .await;
    let status = async |query: &str, headers: &[(&'static str, &str)]| {
        let url = format!("{}{query}", gateway.url());
        match gateway.try_connect(&url, headers).await {
            Ok(_) => 101,
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                response.status().as_u16()
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(status("?token=t", &[]).await, 401);
    assert_eq!(status("", &[("x-key", "k")]).await, 401);
    assert_eq!(status("?token=", &[("x-key", "k")]).await, 401);
    assert!(gateway.events("authorizer").is_empty());
    assert_eq!(status("?token=t", &[("x-key", "k")]).await, 101);
    assert_eq!(gateway.events("authorizer").len(), 1);
}

/// See docs/local-vs-aws.md: "The authorizer's context".
#[tokio::test]
async fn authorizer_context_is_in_later_events_as_strings() {
    let (disconnected, mut disconnects) = super::harness::reporting();
    let gateway = TestGateway::builder()
        .authorizer(&[], |_| returned(answer("Allow", ARN)))
        .route("$connect", |_| status(200))
        .route("$disconnect", disconnected)
        .start()
        .await;
    drop(gateway.connect().await);
    let of_disconnect = disconnects.recv().await.unwrap()["requestContext"]["authorizer"].clone();
    let expected =
        json!({"tenantId": "acme", "plan": "2", "beta": "true", "principalId": "user-42"});
    assert_eq!(of_disconnect, expected);

    let mut of_connect = gateway.events("$connect")[0]["requestContext"]["authorizer"].clone();
    let latency = of_connect
        .as_object_mut()
        .unwrap()
        .remove("integrationLatency");
    assert!(latency.unwrap().is_u64());
    assert_eq!(of_connect, expected);
}
