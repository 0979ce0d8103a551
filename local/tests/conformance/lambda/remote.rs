//! Tests of functions behind an Invoke API, with answers as from AWS and from `cargo lambda watch`.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode},
    routing::post,
};
use bytes::Bytes;
use herald_local::{
    activity::Activity,
    lambda::{FunctionError, Invocation, Invoke, Remote},
};
use tokio::{net::TcpListener, sync::oneshot};

use super::harness::{FUNCTION, function};

#[tokio::test]
async fn answer_of_the_function_is_returned() {
    let remote = remote(StatusCode::OK, None, r#"{"statusCode":200}"#).await;
    let returned = Invocation::Returned(r#"{"statusCode":200}"#.into());
    assert_eq!(remote.invoke(FUNCTION, "{}".into()).await, returned);
}

#[tokio::test]
async fn function_errors_of_aws_and_cargo_lambda_are_recognised() {
    let body = r#"{"errorType":"A","errorMessage":"b"}"#;
    let error = FunctionError {
        error_type: "A".to_owned(),
        error_message: "b".to_owned(),
    };
    let styles = [
        (StatusCode::OK, Some("Unhandled")),
        (StatusCode::INTERNAL_SERVER_ERROR, None),
    ];
    for (status, header) in styles {
        let remote = remote(status, header, body).await;
        let invocation = remote.invoke(FUNCTION, "{}".into()).await;
        assert_eq!(invocation, Invocation::Failed(error.clone()), "{status}");
    }
}

#[tokio::test]
async fn other_status_is_a_refusal() {
    let remote = remote(StatusCode::TOO_MANY_REQUESTS, None, "slow down").await;
    let reason = "the Invoke API answered 429 Too Many Requests: slow down";
    let refused = Invocation::Refused(reason.to_owned());
    assert_eq!(remote.invoke(FUNCTION, "{}".into()).await, refused);
}

#[tokio::test]
async fn function_continues_when_its_caller_stops_waiting() {
    let (begun, has_begun) = oneshot::channel();
    let (let_end, may_end) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let first = Arc::new(Mutex::new(Some((begun, may_end, ended))));
    let function = async move || {
        let first = first.lock().unwrap().take();
        if let Some((begun, may_end, ended)) = first {
            begun.send(()).unwrap();
            may_end.await.unwrap();
            ended.send(()).unwrap();
        }
    };
    let remote = remote_at(Router::new().fallback(function)).await;
    tokio::select! {
        invocation = remote.invoke(FUNCTION, "{}".into()) => panic!("not yet: {invocation:?}"),
        begun = has_begun => begun.unwrap(),
    }
    // If the first connection had been closed, the server would have seen it before the second
    // answer.
    remote.invoke(FUNCTION, "{}".into()).await;
    let_end.send(()).expect("a running function");
    has_ended.await.expect("a function that continued");
}

#[tokio::test]
async fn closed_port_is_a_refusal_with_the_command_to_run() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let remote = Remote::new(&url, &[function()], Activity::default()).unwrap();
    let Invocation::Refused(reason) = remote.invoke(FUNCTION, "{}".into()).await else {
        panic!("the port is closed");
    };
    let sentence = format!("no Invoke API answers at {url}; start `cargo lambda watch`");
    assert!(reason.starts_with(&sentence), "{reason}");
}

#[test]
fn address_that_is_not_an_http_url_is_refused() {
    for url in ["127.0.0.1:9000", "https://example.com", "not an address"] {
        assert!(Remote::new(url, &[], Activity::default()).is_err(), "{url}");
    }
}

/// Returns a remote whose API answers every invocation with these values.
async fn remote(
    status: StatusCode,
    function_error: Option<&'static str>,
    body: &'static str,
) -> Remote {
    let invoke = move |Path(binary): Path<String>, _event: Bytes| async move {
        assert_eq!(binary, function().binary);
        let mut headers = HeaderMap::new();
        if let Some(kind) = function_error {
            headers.insert("x-amz-function-error", HeaderValue::from_static(kind));
        }
        (status, headers, body)
    };
    let route = "/2015-03-31/functions/{binary}/invocations";
    remote_at(Router::new().route(route, post(invoke))).await
}

async fn remote_at(routes: Router) -> Remote {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Remote::new(&url, &[function()], Activity::default()).unwrap()
}
