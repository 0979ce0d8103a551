//! The refusal of pages with an origin that is not allowed.

use herald_testkit::local_only;

use super::upgrade::Upgrade;
use crate::harness::TestStack;

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn page_of_another_origin_is_refused() {
    let stack = TestStack::start_with_parameters(&[
        ("Authentication", "open"),
        (
            "AllowedOrigins",
            "https://app.example.com,http://localhost:5173",
        ),
    ])
    .await;
    let from = |origin: &'static str| Upgrade::default().header("Origin", origin);
    for (upgrade, expected) in [
        (Upgrade::default(), 101),
        (from("https://app.example.com"), 101),
        (from("https://App.Example.com:443"), 101),
        (from("http://localhost:5173"), 101),
        (from("https://evil.example"), 403),
        (from("http://app.example.com"), 403),
        (from("https://app.example.com.evil.example"), 403),
        (from("http://localhost"), 403),
        (from("null"), 403),
        (from(""), 403),
        (
            from("https://app.example.com").header("Origin", "https://evil.example"),
            403,
        ),
    ] {
        let status = upgrade.status(&stack.web_socket()).await;
        assert_eq!(status, expected, "{upgrade:?}");
    }
    stack.stop().await;
}
