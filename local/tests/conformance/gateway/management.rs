//! Tests of the management API with the AWS SDK.

use aws_sdk_apigatewaymanagement::{
    error::ProvideErrorMetadata, operation::post_to_connection::PostToConnectionError,
    primitives::Blob,
};
use herald_local::{gateway::Faults, template::Throttle};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::harness::{TestGateway, next_text};

const UNKNOWN: &str = "PcQeDRO4gIEm4LQ=";

async fn post_error(
    client: aws_sdk_apigatewaymanagement::Client,
    connection_id: &str,
    bytes: usize,
) -> PostToConnectionError {
    client
        .post_to_connection()
        .connection_id(connection_id)
        .data(Blob::new(vec![b'x'; bytes]))
        .send()
        .await
        .unwrap_err()
        .into_service_error()
}

#[tokio::test]
async fn post_larger_than_128_kb_is_413() {
    let gateway = TestGateway::builder().start().await;
    let (mut socket, id) = gateway.connect_known().await;
    gateway.post(&id, &"x".repeat(128 * 1024)).await;
    assert_eq!(next_text(&mut socket).await.len(), 128 * 1024);
    let error = post_error(gateway.management(), &id, 128 * 1024 + 1).await;
    assert!(error.is_payload_too_large_exception(), "{error:?}");
}

#[tokio::test]
async fn unknown_id_malformed_id_and_wrong_stage_have_distinct_errors() {
    let gateway = TestGateway::builder().start().await;
    let gone = post_error(gateway.management(), UNKNOWN, 1).await;
    assert!(gone.is_gone_exception());

    let malformed = post_error(gateway.management(), "a-b-c", 1).await;
    assert_eq!(malformed.code(), Some("BadRequestException"));
    assert_eq!(malformed.message(), Some("Invalid connectionId: a-b-c"));

    for wrong_stage in ["", "/dev", "/prod/more"] {
        let error = post_error(gateway.management_at(wrong_stage), UNKNOWN, 1).await;
        assert!(error.is_forbidden_exception(), "{wrong_stage}: {error:?}");
        assert_eq!(error.message(), Some("Forbidden"));
    }
}

#[tokio::test]
async fn gone_connection_is_410_with_error_code_and_empty_body() {
    let gateway = TestGateway::builder().start().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    for method in ["POST", "GET", "DELETE"] {
        let request = hyper::Request::builder()
            .method(method)
            .uri(format!(
                "http://{}/prod/%40connections/{UNKNOWN}",
                gateway.address
            ))
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/execute-api/aws4_request",
            )
            .body(Full::default())
            .unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), 410);
        assert_eq!(response.headers()["x-amzn-errortype"], "GoneException");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.is_empty());
    }
}

/// See docs/local-vs-aws.md: "Signatures are not verified".
#[tokio::test]
async fn unsigned_call_is_refused() {
    let gateway = TestGateway::builder().start().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let uri = format!("http://{}/prod/@connections/{UNKNOWN}", gateway.address);
    let response = client.get(uri.parse().unwrap()).await.unwrap();
    assert_eq!(response.status(), 403);
    let code = &response.headers()["x-amzn-errortype"];
    assert_eq!(code, "MissingAuthenticationTokenException");
}

/// By default, the SDK makes three attempts.
#[tokio::test]
async fn throttled_post_is_retried_twice_by_the_sdk() {
    let gateway = TestGateway::builder().start().await;
    let (_socket, id) = gateway.connect_known().await;
    gateway.gateway.set_faults(Faults {
        throttle: Some(Throttle {
            rate: 0.0,
            burst: 0,
        }),
        ..Faults::default()
    });
    let before = gateway.requests();
    let error = post_error(gateway.management(), &id, 1).await;
    assert!(error.is_limit_exceeded_exception(), "{error:?}");
    assert_eq!(gateway.requests() - before, 3);
}

#[tokio::test]
async fn get_connection_returns_identity_and_times() {
    let gateway = TestGateway::builder().start().await;
    let headers = [("user-agent", "push-client/1.0")];
    let (_socket, _) = gateway.try_connect(&gateway.url(), &headers).await.unwrap();
    let id = gateway.gateway.open_connections()[0].connection_id.clone();
    let get = || async {
        let management = gateway.management();
        management
            .get_connection()
            .connection_id(&id)
            .send()
            .await
            .unwrap()
    };
    let before = get().await;
    let identity = before.identity().unwrap();
    assert_eq!(identity.source_ip(), Some("127.0.0.1"));
    assert_eq!(identity.user_agent(), Some("push-client/1.0"));
    gateway.post(&id, "x").await;
    let after = get().await;
    assert_eq!(before.connected_at(), after.connected_at());
    assert!(after.last_active_at() >= before.last_active_at());
}

#[tokio::test]
async fn plain_request_under_the_stage_is_426() {
    let gateway = TestGateway::builder().start().await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let uri = format!("http://{}/prod", gateway.address);
    let response = client.get(uri.parse().unwrap()).await.unwrap();
    assert_eq!(response.status(), 426);
}

#[tokio::test]
async fn injected_faults_fail_posts_with_410_and_500() {
    let gateway = TestGateway::builder().start().await;
    let (mut socket, id) = gateway.connect_known().await;
    let set = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        gateway.gateway.set_faults(faults);
    };
    set(|faults| faults.gone = 1.0);
    assert!(
        post_error(gateway.management(), &id, 1)
            .await
            .is_gone_exception()
    );
    set(|faults| faults.failing = 1.0);
    let failing = post_error(gateway.management(), &id, 1).await;
    assert_eq!(failing.code(), Some("InternalServerErrorException"));
    set(|_| {});
    gateway.post(&id, "no fault").await;
    assert_eq!(next_text(&mut socket).await, "no fault");
}

/// See docs/local-vs-aws.md: "The meaning of a successful post".
#[tokio::test]
async fn hidden_post_is_accepted_and_never_arrives() {
    let gateway = TestGateway::builder().start().await;
    let (mut socket, id) = gateway.connect_known().await;
    let set = |hidden| {
        gateway.gateway.set_faults(Faults {
            hidden,
            ..Faults::default()
        });
    };
    set(1.0);
    gateway.post(&id, "hidden").await;
    let gone = post_error(gateway.management(), UNKNOWN, 1).await;
    assert!(gone.is_gone_exception());
    set(0.0);
    gateway.post(&id, "no fault").await;
    assert_eq!(next_text(&mut socket).await, "no fault");
}
