//! Functions behind an Invoke API: how AWS and how `cargo lambda watch` answer.

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
async fn an_answer_is_returned() {
    let remote = remote(StatusCode::OK, None, r#"{"statusCode":200}"#).await;
    let returned = Invocation::Returned(r#"{"statusCode":200}"#.into());
    assert_eq!(remote.invoke(FUNCTION, "{}".into()).await, returned);
}

#[tokio::test]
async fn both_styles_of_a_function_error_are_understood() {
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
async fn another_status_is_a_refusal() {
    let remote = remote(StatusCode::TOO_MANY_REQUESTS, None, "slow down").await;
    let reason = "the Invoke API answered 429 Too Many Requests: slow down";
    let refused = Invocation::Refused(reason.to_owned());
    assert_eq!(remote.invoke(FUNCTION, "{}".into()).await, refused);
}

#[tokio::test]
async fn a_function_runs_on_when_its_caller_stops_waiting() {
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
    // By the time of a second answer, the end of the first connection would have been seen.
    remote.invoke(FUNCTION, "{}".into()).await;
    let_end.send(()).expect("the function was cut off");
    has_ended.await.expect("the function was cut off");
}

#[tokio::test]
async fn an_address_where_nothing_listens_is_a_sentence_that_says_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let remote = Remote::new(&url, &[function()], Activity::default()).unwrap();
    let Invocation::Refused(reason) = remote.invoke(FUNCTION, "{}".into()).await else {
        panic!("nothing listens there");
    };
    let sentence = format!("no function runs at {url}: start `cargo lambda watch`");
    assert!(reason.starts_with(&sentence), "{reason}");
}

#[test]
fn only_an_http_address_is_taken() {
    for url in ["127.0.0.1:9000", "https://example.com", "not an address"] {
        assert!(Remote::new(url, &[], Activity::default()).is_err(), "{url}");
    }
}

/// A remote whose API answers every invocation of the binary `echo` like this.
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
