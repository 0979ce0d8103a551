//! Callers of URLs with `AWS_IAM`.

use axum::http::Method;
use herald_local::iam::Roles;
use serde_json::{Value, json};

use super::harness::TestUrl;
use crate::gateway::harness::returned;

const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

async fn start() -> TestUrl {
    TestUrl::start("FunctionUrlConfig: { AuthType: AWS_IAM }", |_| {
        std::future::ready(returned(json!({})))
    })
    .await
}

fn authorization(access_key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20261128/us-east-1/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=0"
    )
}

async fn call(url: &TestUrl, authorization: &str) -> (u16, Value) {
    let headers = [
        ("authorization", authorization),
        ("x-amz-date", "20261128T000000Z"),
    ];
    let answer = url.send(Method::GET, "/", &headers, "").await;
    let code = answer.headers.get("x-amzn-errortype");
    assert_eq!(
        code.is_some_and(|code| code == "AccessDeniedException"),
        answer.status == 403
    );
    (answer.status.as_u16(), answer.json())
}

/// Returns the access key of a function's role.
fn access_key(url: &TestUrl, function: &str) -> String {
    let roles = Roles::new(&url.stack, &[]).unwrap();
    roles.credentials()[function]["AWS_ACCESS_KEY_ID"].clone()
}

#[tokio::test]
async fn request_without_signature_for_lambda_is_forbidden() {
    let url = start().await;
    for authorization in ["", "Bearer abc", &authorization("AKID", "execute-api")] {
        let expected = (403, json!({"Message": FORBIDDEN}));
        assert_eq!(call(&url, authorization).await, expected, "{authorization}");
    }
    assert!(url.events().is_empty());
}

#[tokio::test]
async fn owner_of_the_account_is_the_caller() {
    let url = start().await;
    assert_eq!(call(&url, &authorization("AKID", "lambda")).await.0, 200);
    let context = url.event()["requestContext"].take();
    assert_eq!(context["accountId"], "123456789012");
    assert_eq!(
        context["authorizer"],
        json!({"iam": {
            "accessKey": "AKID",
            "accountId": "123456789012",
            "callerId": "123456789012",
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": "arn:aws:iam::123456789012:root",
            "userId": "123456789012",
        }})
    );
}

#[tokio::test]
async fn function_needs_the_right_to_call_another() {
    let url = start().await;
    let stranger = access_key(&url, "Stranger");
    let answer = call(&url, &authorization(&stranger, "lambda")).await;
    assert_eq!(answer, (403, json!({"Message": FORBIDDEN})));
    let caller = access_key(&url, "Caller");
    assert_eq!(call(&url, &authorization(&caller, "lambda")).await.0, 200);
    let iam = url.event()["requestContext"]["authorizer"]["iam"].take();
    assert_eq!(iam["accessKey"], caller);
    assert_eq!(
        iam["userArn"],
        "arn:aws:sts::123456789012:assumed-role/herald-local-CallerRole/herald-local-Caller"
    );
    assert_eq!(iam["userId"], format!("{caller}:herald-local-Caller"));
}
