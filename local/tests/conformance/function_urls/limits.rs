//! The sizes of requests, and the concurrency of functions.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::http::Method;
use futures_util::future::join_all;
use herald_testkit::until;
use serde_json::json;
use tokio::sync::Semaphore;

use super::harness::{PUBLIC, TestUrl};
use crate::gateway::harness::returned;

const LIMIT: usize = 6 * 1024 * 1024;
const TEXT: (&str, &str) = ("content-type", "text/plain");

async fn start(properties: &str) -> TestUrl {
    TestUrl::start(properties, |_| std::future::ready(returned(json!({})))).await
}

#[tokio::test]
async fn request_over_6_mb_is_413() {
    let url = start(PUBLIC).await;
    let message = "Request must be smaller than 6291556 bytes for the InvokeFunction operation";
    // A little room for the rest of the event.
    let fits = "x".repeat(LIMIT - 2048);
    assert_eq!(
        url.send(Method::POST, "/", &[TEXT], &fits).await.status,
        200
    );
    let too_large = "x".repeat(LIMIT + 1);
    // As base64 it is a third longer.
    let binary = "x".repeat(LIMIT / 4 * 3);
    let escaped = "\"".repeat(LIMIT / 2);
    for (headers, body) in [
        (&[TEXT][..], &too_large),
        (&[TEXT], &escaped),
        (&[], &binary),
    ] {
        let answer = url.send(Method::POST, "/", headers, body).await;
        assert_eq!(answer.status, 413);
        assert_eq!(answer.json(), json!({"Message": message}));
    }
    assert_eq!(url.events().len(), 1);
}

/// See docs/local-vs-aws.md: "Reserved concurrency"
#[tokio::test]
async fn request_over_the_reserved_concurrency_is_429() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let properties = format!("{PUBLIC}, ReservedConcurrentExecutions: 2");
    let url = TestUrl::start(&properties, move |_| {
        let opened = opened.clone();
        async move {
            drop(opened.acquire().await);
            returned(json!({}))
        }
    })
    .await;
    let url = &url;
    let running = join_all((0..2).map(|_| url.get("/")));
    let refused = async {
        until("both run", || url.events().len() == 2).await;
        let answer = url.get("/").await;
        gate.add_permits(2);
        answer
    };
    let (running, refused) = tokio::join!(running, refused);
    assert!(running.iter().all(|answer| answer.status == 200));
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json(), json!({"Message": "Rate Exceeded."}));
    assert_eq!(
        refused.headers["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    assert_eq!(url.get("/").await.status, 200);
}

#[tokio::test]
async fn burst_never_exceeds_the_reserved_concurrency() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (running.clone(), most.clone());
    let properties = format!("{PUBLIC}, ReservedConcurrentExecutions: 3");
    let url = TestUrl::start(&properties, move |_| {
        let (running, most) = counted.clone();
        async move {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::task::yield_now().await;
            running.fetch_sub(1, SeqCst);
            returned(json!({}))
        }
    })
    .await;
    let answers = join_all((0..300).map(|_| url.get("/"))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(served + refused, 300);
    assert_eq!(url.events().len(), served);
    assert!(most.load(SeqCst) <= 3);
}

#[tokio::test]
async fn reserved_concurrency_of_zero_turns_the_url_off() {
    let url = start(&format!("{PUBLIC}, ReservedConcurrentExecutions: 0")).await;
    assert_eq!(url.get("/").await.status, 429);
    assert!(url.events().is_empty());
}

#[tokio::test]
async fn invocation_counts_until_its_end_although_its_client_has_gone() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let properties = format!("{PUBLIC}, ReservedConcurrentExecutions: 1");
    let url = TestUrl::start(&properties, move |_| {
        let opened = opened.clone();
        async move {
            drop(opened.acquire().await);
            returned(json!({}))
        }
    })
    .await;
    {
        let abandoned = std::pin::pin!(url.get("/"));
        let started = std::pin::pin!(until("it runs", || url.events().len() == 1));
        futures_util::future::select(abandoned, started).await;
    }
    assert_eq!(url.get("/").await.status, 429);
    gate.add_permits(1);
    herald_testkit::until_async("it has ended", async || url.get("/").await.status == 200).await;
}
