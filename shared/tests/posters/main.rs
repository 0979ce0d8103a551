//! What every poster has to do: one body of tests, run with the one that posts and with the AWS SDK's
//! client, which is the measure of what is right.

mod gateway;
mod signature;

use aws_sdk_apigatewaymanagement::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider, retry::RetryConfig},
};
use herald_shared::{
    ids::ConnectionId,
    post::{ManagementApi, Post, PostError, SdkManagementApi},
};

use self::gateway::{Answer, Gateway};

const REGION: &str = "eu-central-1";

fn credentials() -> Credentials {
    let token = Some("IQoJb3JpZ2luX2VjEJr//+/=".to_owned());
    Credentials::new("AKIDEXAMPLE", "secret", token, None, "test")
}

fn plain(endpoint: &str) -> ManagementApi {
    let credentials = SharedCredentialsProvider::new(credentials());
    ManagementApi::new(endpoint, Region::from_static(REGION), credentials).expect("a poster")
}

fn sdk(endpoint: &str) -> SdkManagementApi {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials())
        .region(Region::from_static(REGION))
        .endpoint_url(endpoint)
        .retry_config(RetryConfig::disabled())
        .build();
    SdkManagementApi::new(Client::from_conf(config))
}

macro_rules! for_both {
    ($($test:ident),*) => {
        mod of_the_plain_poster {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::plain).await;
            })*
        }
        mod of_the_sdk {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::sdk).await;
            })*
        }
    };
}

for_both!(
    every_answer_has_its_meaning,
    a_connection_is_disconnected,
    no_answer_may_pass,
    every_id_and_every_character_arrives,
    a_domain_of_ones_own_has_a_path_or_none,
    posts_are_signed,
    a_connection_is_used_again,
    a_post_that_is_given_up_spoils_no_other
);

fn connection(id: &str) -> ConnectionId {
    ConnectionId::new(id).expect("an id")
}

/// The name of an outcome.
fn name(posted: &Result<(), PostError>) -> &'static str {
    match posted {
        Ok(()) => "taken",
        Err(PostError::Gone) => "gone",
        Err(PostError::Throttled) => "throttled",
        Err(PostError::TimedOut) => "timed out",
        Err(PostError::Unavailable(_)) => "unavailable",
        Err(PostError::Forbidden(_)) => "forbidden",
        Err(PostError::TooLarge) => "too large",
    }
}

async fn every_answer_has_its_meaning<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
    let invalid = r#"{"message":"Invalid connectionId: PcQ="}"#;
    let other = r#"{"message":"Invalid body"}"#;
    for (status, error_type, body, meaning) in [
        (200, None, "", "taken"),
        (200, None, "{}", "taken"),
        (204, None, "", "taken"),
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

async fn a_connection_is_disconnected<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
    let connection = connection("a/b+c-d_e=");
    for (status, meaning) in [
        (204, "taken"),
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
        let request = gateway.taken();
        assert_eq!(request.method(), "DELETE");
        assert_eq!(request.uri().path(), "/dev/@connections/a%2Fb%2Bc-d_e%3D");
        assert!(request.body().is_empty());
        let expected = signature::of(&request, &gateway.endpoint(), REGION, credentials());
        assert_eq!(request.headers()["authorization"], expected);
    }
}

async fn no_answer_may_pass<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    gateway.answer(Answer::HangUp);
    let hung_up = poster(&gateway.endpoint())
        .post(&connection("PcQ="), "{}")
        .await;
    assert_eq!(name(&hung_up), "unavailable", "{hung_up:?}");
    let nobody = gateway.stop().await;
    let refused = poster(&nobody).post(&connection("PcQ="), "{}").await;
    assert_eq!(name(&refused), "unavailable", "{refused:?}");
}

async fn every_id_and_every_character_arrives<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
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
        poster.post(&connection(id), frame).await.expect("taken");
        let request = gateway.taken();
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

/// A custom domain maps a path of its own, or none, to the stage, and the stage is not in the path.
async fn a_domain_of_ones_own_has_a_path_or_none<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let endpoint = gateway.endpoint();
    let domain = endpoint.strip_suffix("/dev").expect("a stage");
    for (endpoint, path) in [
        (domain.to_owned(), "/@connections/PcQ%3D"),
        (format!("{domain}/"), "/@connections/PcQ%3D"),
        (format!("{domain}/push"), "/push/@connections/PcQ%3D"),
    ] {
        let posted = poster(&endpoint).post(&connection("PcQ="), "{}").await;
        posted.expect("taken");
        assert_eq!(gateway.taken().uri().path(), path, "{endpoint}");
    }
}

async fn posts_are_signed<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
    for (id, frame) in [("PcQeDRO4gIEm4LQ=", "{}"), ("a/b+c-d_e=", "🎉"), ("~", "")] {
        poster.post(&connection(id), frame).await.expect("taken");
        let request = gateway.taken();
        let expected = signature::of(&request, &gateway.endpoint(), REGION, credentials());
        assert_eq!(request.headers()["authorization"], expected, "{id}");
        let token = request.headers()["x-amz-security-token"].to_str();
        assert_eq!(token.ok(), credentials().session_token());
    }
}

async fn a_connection_is_used_again<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
    // Not after a 500: the SDK gives up the connection then.
    for status in [200, 410, 403, 429, 200] {
        gateway.answer(Answer::Status {
            status,
            error_type: None,
            body: "{}".to_owned(),
        });
        poster.post(&connection("PcQ="), "{}").await.ok();
    }
    assert_eq!(gateway.connections(), 1);
}

async fn a_post_that_is_given_up_spoils_no_other<P: Post>(poster: fn(&str) -> P) {
    let gateway = Gateway::start().await;
    let poster = poster(&gateway.endpoint());
    gateway.answer(Answer::Never);
    let connection = connection("PcQ=");
    tokio::select! {
        posted = poster.post(&connection, "first") => panic!("{posted:?}"),
        () = gateway.arrival() => {}
    }
    gateway.answer(Answer::OK);
    poster.post(&connection, "second").await.expect("taken");
    assert_eq!(gateway.taken().body(), "second");
}
