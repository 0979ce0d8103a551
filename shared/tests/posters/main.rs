//! Tests of the calls to the management API, against a gateway with scripted answers.

mod gateway;
mod signature;

use std::time::Duration;

use aws_sdk_apigatewaymanagement::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig},
};
use herald_shared::{
    ids::ConnectionId,
    post::{ManagementApi, Post, PostError},
};

use self::gateway::{Answer, Gateway};

const REGION: &str = "eu-central-1";

fn credentials() -> Credentials {
    let token = Some("IQoJb3JpZ2luX2VjEJr//+/=".to_owned());
    Credentials::new("AKIDEXAMPLE", "secret", token, None, "test")
}

fn management_api(endpoint: &str) -> ManagementApi {
    let region = Region::from_static(REGION);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials())
        .region(region.clone())
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .build();
    let provider = SharedCredentialsProvider::new(credentials());
    ManagementApi::new(endpoint, region, provider, Client::from_conf(config)).expect("an API")
}

fn connection(id: &str) -> ConnectionId {
    ConnectionId::new(id).expect("an id")
}

/// Returns the name of a result.
fn name(posted: &Result<(), PostError>) -> &'static str {
    match posted {
        Ok(()) => "accepted",
        Err(PostError::Gone) => "gone",
        Err(PostError::Throttled) => "throttled",
        Err(PostError::TimedOut) => "timed out",
        Err(PostError::Unavailable(_)) => "unavailable",
        Err(PostError::Forbidden(_)) => "forbidden",
        Err(PostError::TooLarge) => "too large",
    }
}

#[tokio::test]
async fn answer_maps_to_its_error() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    let invalid = r#"{"message":"Invalid connectionId: PcQ="}"#;
    let other = r#"{"message":"Invalid body"}"#;
    for (status, error_type, body, meaning) in [
        (200, None, "", "accepted"),
        (200, None, "{}", "accepted"),
        (204, None, "", "accepted"),
        (410, Some("GoneException"), "", "gone"),
        (410, Some("GoneException"), "no JSON", "gone"),
        (410, None, "", "gone"),
        (400, Some("BadRequestException"), invalid, "gone"),
        (400, Some("BadRequestException"), other, "forbidden"),
        (400, None, invalid, "gone"),
        (400, None, &invalid.replace("message", "Message"), "gone"),
        (400, None, "no JSON", "forbidden"),
        (
            403,
            Some("ForbiddenException"),
            r#"{"message":"Forbidden"}"#,
            "forbidden",
        ),
        (
            403,
            Some("AccessDeniedException"),
            r#"{"message":"User: x"}"#,
            "forbidden",
        ),
        (403, None, "", "forbidden"),
        (413, Some("PayloadTooLargeException"), other, "too large"),
        (413, None, "", "too large"),
        (429, Some("LimitExceededException"), "", "throttled"),
        (429, None, "", "throttled"),
        (500, Some("InternalServerErrorException"), "", "unavailable"),
        (502, None, "<html>", "unavailable"),
        (503, None, "", "unavailable"),
        (301, None, "", "unavailable"),
    ] {
        gateway.answer(Answer::Status {
            status,
            error_type,
            body: body.to_owned(),
        });
        let posted = poster.post(&connection("PcQ="), "{}").await;
        let case = format!("{status} {error_type:?} {body:?}: {posted:?}");
        assert_eq!(name(&posted), meaning, "{case}");
    }
}

#[tokio::test]
async fn disconnect_deletes_the_connection() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    let connection = connection("a/b+c-d_e=");
    for (status, meaning) in [
        (204, "accepted"),
        (410, "gone"),
        (403, "forbidden"),
        (429, "throttled"),
        (500, "unavailable"),
    ] {
        gateway.answer(Answer::Status {
            status,
            error_type: None,
            body: String::new(),
        });
        let disconnected = poster.disconnect(&connection).await;
        assert_eq!(name(&disconnected), meaning, "{status}: {disconnected:?}");
        let request = gateway.accepted();
        assert_eq!(request.method(), "DELETE");
        assert_eq!(request.uri().path(), "/dev/@connections/a%2Fb%2Bc-d_e%3D");
        assert!(request.body().is_empty());
        let expected = signature::of(&request, &gateway.endpoint(), REGION, credentials());
        assert_eq!(request.headers()["authorization"], expected);
    }
}

#[tokio::test]
async fn missing_answer_is_unavailable() {
    let gateway = Gateway::start().await;
    gateway.answer(Answer::HangUp);
    let hung_up = management_api(&gateway.endpoint())
        .post(&connection("PcQ="), "{}")
        .await;
    assert_eq!(name(&hung_up), "unavailable", "{hung_up:?}");
    let stopped = gateway.stop().await;
    let refused = management_api(&stopped)
        .post(&connection("PcQ="), "{}")
        .await;
    assert_eq!(name(&refused), "unavailable", "{refused:?}");
}

#[tokio::test]
async fn any_id_and_any_character_arrives() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    for (id, path, frame) in [
        (
            "PcQeDRO4gIEm4LQ=",
            "PcQeDRO4gIEm4LQ%3D",
            r#"{"a":"Träger & Söhne 🎉"}"#,
        ),
        (
            "a/b+c-d_e=",
            "a%2Fb%2Bc-d_e%3D",
            "\u{0}\u{2028}\u{ffff}\"\\",
        ),
        ("~a.b c%3D", "~a.b%20c%253D", ""),
        ("ä", "%C3%A4", &"x".repeat(128 * 1024)),
    ] {
        poster.post(&connection(id), frame).await.expect("accepted");
        let request = gateway.accepted();
        assert_eq!(request.uri().path(), format!("/dev/@connections/{path}"));
        assert_eq!(request.method(), "POST");
        assert_eq!(
            request.headers()["content-type"],
            "application/octet-stream"
        );
        assert_eq!(request.headers()["content-length"], frame.len().to_string());
        assert!(request.body() == frame.as_bytes(), "{id}");
    }
}

/// A custom domain maps a base path, which may be empty, to the stage. The stage is not in the path.
#[tokio::test]
async fn custom_domain_with_or_without_path_is_called() {
    let gateway = Gateway::start().await;
    let endpoint = gateway.endpoint();
    let domain = endpoint.strip_suffix("/dev").expect("a stage");
    for (endpoint, path) in [
        (domain.to_owned(), "/@connections/PcQ%3D"),
        (format!("{domain}/"), "/@connections/PcQ%3D"),
        (format!("{domain}/push"), "/push/@connections/PcQ%3D"),
    ] {
        let posted = management_api(&endpoint)
            .post(&connection("PcQ="), "{}")
            .await;
        posted.expect("accepted");
        assert_eq!(gateway.accepted().uri().path(), path, "{endpoint}");
    }
}

#[tokio::test]
async fn posts_are_signed() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    for (id, frame) in [("PcQeDRO4gIEm4LQ=", "{}"), ("a/b+c-d_e=", "🎉"), ("~", "")] {
        poster.post(&connection(id), frame).await.expect("accepted");
        let request = gateway.accepted();
        let expected = signature::of(&request, &gateway.endpoint(), REGION, credentials());
        assert_eq!(request.headers()["authorization"], expected, "{id}");
        let token = request.headers()["x-amz-security-token"].to_str();
        assert_eq!(token.ok(), credentials().session_token());
    }
}

#[tokio::test]
async fn connection_is_reused() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    for status in [200, 410, 403, 429, 500, 200] {
        gateway.answer(Answer::Status {
            status,
            error_type: None,
            body: "{}".to_owned(),
        });
        poster.post(&connection("PcQ="), "{}").await.ok();
    }
    assert_eq!(gateway.connections(), 1);
}

#[tokio::test]
async fn connection_closed_while_idle_is_replaced() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    poster.post(&connection("PcQ="), "1").await.expect("open");
    gateway.close_connections().await;
    // The runtime learns of the close when it waits, and it waits for a timer.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let posted = poster.post(&connection("PcQ="), "2").await;
    posted.expect("accepted");
    assert_eq!(gateway.connections(), 2);
}

#[tokio::test]
async fn connection_of_refused_keep_alive_is_replaced() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    gateway.answer(Answer::Last);
    for number in 1..=3 {
        poster
            .post(&connection("PcQ="), "")
            .await
            .expect("accepted");
        assert_eq!(gateway.connections(), number);
    }
}

#[tokio::test]
async fn connection_unused_for_long_is_replaced() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    poster.post(&connection("PcQ="), "1").await.expect("open");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(91)).await;
    poster
        .post(&connection("PcQ="), "2")
        .await
        .expect("accepted");
    assert_eq!(gateway.connections(), 2);
}

#[tokio::test]
async fn cancelled_post_does_not_break_the_next() {
    let gateway = Gateway::start().await;
    let poster = management_api(&gateway.endpoint());
    gateway.answer(Answer::Never);
    let connection = connection("PcQ=");
    tokio::select! {
        posted = poster.post(&connection, "first") => panic!("{posted:?}"),
        () = gateway.arrival() => {}
    }
    gateway.answer(Answer::OK);
    poster.post(&connection, "second").await.expect("accepted");
    assert_eq!(gateway.accepted().body(), "second");
}
