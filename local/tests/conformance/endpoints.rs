//! The endpoints of the stack's port: the guard before each service, and the errors of requests
//! without a known service.

use axum::http::{HeaderMap, Method, StatusCode};
use herald_local::Authentication;

use crate::{
    authentication::harness::{Answer, TestStack},
    console::harness::TestStack as ConsoleStack,
};

const CREDENTIALS: (&str, &str) = (
    "authorization",
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261128/us-east-1/execute-api/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=0",
);
const DATE: (&str, &str) = ("x-amz-date", "20261128T000000Z");

/// A request of one service, with the status of its answer if the guard allows it.
struct Endpoint {
    method: Method,
    path: &'static str,
    target: Option<&'static str>,
    body: &'static str,
    status: u16,
}

const fn aws(target: &'static str, body: &'static str) -> Endpoint {
    Endpoint {
        method: Method::POST,
        path: "/",
        target: Some(target),
        body,
        status: 200,
    }
}

const fn path(method: Method, path: &'static str, status: u16) -> Endpoint {
    Endpoint {
        method,
        path,
        target: None,
        body: "{\"userId\":\"alice\"}",
        status,
    }
}

fn endpoints() -> Vec<Endpoint> {
    vec![
        aws("DynamoDB_20120810.ListTables", "{}"),
        aws("DynamoDBStreams_20120810.ListStreams", "{}"),
        aws("AmazonSQS.ListQueues", "{}"),
        aws(
            "AWSEvents.PutEvents",
            r#"{"Entries":[{"Source":"a","DetailType":"b","Detail":"{}"}]}"#,
        ),
        aws(
            "secretsmanager.DescribeSecret",
            r#"{"SecretId":"herald/fixed"}"#,
        ),
        path(Method::POST, "/auth/token", 200),
        path(Method::GET, "/console/stack.json", 200),
        path(Method::GET, "/console/console.js", 200),
        path(Method::GET, "/", 200),
        path(Method::POST, "/?Action=ListQueues", 400),
        path(Method::GET, "/dev", 426),
        path(Method::POST, "/dev/@connections/AAAAAAAAAAAAAAA=", 410),
        path(Method::DELETE, "/dev/@connections/AAAAAAAAAAAAAAA=", 410),
    ]
}

impl Endpoint {
    async fn send(&self, stack: &TestStack, headers: &[(&str, &str)]) -> Answer {
        let target = self.target.map(|target| ("x-amz-target", target));
        let headers: Vec<_> = [CREDENTIALS, DATE]
            .into_iter()
            .chain(target)
            .chain(headers.iter().copied())
            .collect();
        stack
            .send(self.method.clone(), self.path, &headers, self.body)
            .await
    }

    fn name(&self) -> &str {
        self.target.unwrap_or(self.path)
    }
}

fn has_cors(headers: &HeaderMap) -> bool {
    let mut names = headers.keys();
    names.any(|name| name.as_str().starts_with("access-control-"))
}

/// See docs/local-vs-aws.md: "Web pages are refused".
#[tokio::test]
async fn every_endpoint_refuses_pages_of_other_origins_and_foreign_hosts() {
    let stack = TestStack::start(Authentication::Secret, &[]).await;
    let own = stack.endpoint().trim_start_matches("http://").to_owned();
    let port = own.rsplit(':').next().unwrap();
    let localhost = format!("localhost:{port}");
    let localhost_origin = format!("http://{localhost}");
    let v6 = format!("[::1]:{port}");
    let refused: [(&[(&str, &str)], u16); 8] = [
        (&[("host", "evil.example")], 403),
        (&[("host", &format!("evil.example:{port}"))], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("origin", "null")], 403),
        (&[("origin", &localhost_origin)], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("host", &own), ("host", "evil.example")], 400),
        (&[("host", &own), ("host", &own)], 400),
    ];
    let allowed: [&[(&str, &str)]; 6] = [
        &[],
        &[("host", &own)],
        &[("host", &localhost)],
        &[("host", &v6)],
        &[
            ("origin", stack.endpoint()),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("host", &localhost), ("origin", &localhost_origin)],
    ];
    for endpoint in endpoints() {
        for (headers, status) in &refused {
            let answer = endpoint.send(&stack, headers).await;
            let context = format!("{} {headers:?}: {answer:?}", endpoint.name());
            assert_eq!(answer.status.as_u16(), *status, "{context}");
            assert!(answer.json()["message"].is_string(), "{context}");
            assert!(!has_cors(&answer.headers), "{context}");
        }
        for headers in allowed {
            let answer = endpoint.send(&stack, headers).await;
            let context = format!("{} {headers:?}: {answer:?}", endpoint.name());
            assert_eq!(answer.status.as_u16(), endpoint.status, "{context}");
            assert!(!has_cors(&answer.headers), "{context}");
        }
    }
}

/// A browser sends a preflight before a page's request with a header of AWS.
#[tokio::test]
async fn preflight_of_another_origin_is_refused_at_every_endpoint() {
    let stack = TestStack::start(Authentication::Secret, &[]).await;
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-amz-target"),
    ];
    for endpoint in endpoints() {
        let answer = stack
            .send(Method::OPTIONS, endpoint.path, &preflight, "")
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", endpoint.name());
        assert!(!has_cors(&answer.headers), "{}", endpoint.name());
    }
}

/// The DynamoDB engine has no port of its own that a page could call. Function URLs have, and leave pages to their
/// `Cors`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn tables_add_no_listening_port() {
    let run = crate::command_line::harness::Stack::start(&[]).await;
    let ports = crate::processes::listening_ports(run.run.process());
    assert!(!ports.is_empty());
    let function_urls = run.addresses["functionUrls"].to_string();
    for port in ports {
        let url = format!("http://127.0.0.1:{port}/");
        if function_urls.contains(&url) {
            continue;
        }
        let headers = [
            ("x-amz-target", "DynamoDB_20120810.ListTables"),
            ("origin", "https://evil.example"),
            CREDENTIALS,
            DATE,
        ];
        let answer = crate::authentication::harness::send(Method::POST, &url, &headers, "{}").await;
        assert_ne!(answer.status, StatusCode::OK, "{port}: {answer:?}");
        assert!(!has_cors(&answer.headers), "{port}: {answer:?}");
    }
}

#[tokio::test]
async fn refused_page_is_shown_in_the_console() {
    let stack = ConsoleStack::start().await;
    let mut watcher = stack.watch().await;
    let page = [("origin", "https://evil.example")];
    let answer = stack.send(Method::POST, "/", &page).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let record = watcher.record().await;
    assert_eq!(record["kind"], "refused");
    assert_eq!(record["status"], 403);
}

/// SDKs for SQS before November 2023 use the query protocol, and all SDKs for STS.
#[tokio::test]
async fn request_of_the_query_protocol_gets_an_xml_error() {
    let stack = TestStack::start(Authentication::Open, &[]).await;
    let form = (
        "content-type",
        "application/x-www-form-urlencoded; charset=utf-8",
    );
    let sqs = "Action=SendMessage&MessageBody=a&Version=2012-11-05";
    let sts = "Action=GetCallerIdentity&Version=2011-06-15";
    let queue = "/123456789012/orders";
    for (method, path, body, code, named) in [
        (
            Method::POST,
            "/",
            sqs,
            "UnsupportedOperation",
            "SendMessage uses",
        ),
        (
            Method::POST,
            queue,
            sqs,
            "UnsupportedOperation",
            "X-Amz-Target",
        ),
        (
            Method::POST,
            "/",
            sts,
            "UnsupportedOperation",
            "the service of GetCallerIdentity;",
        ),
        (
            Method::POST,
            "/",
            "Version=2012-11-05",
            "MissingAction",
            "Action",
        ),
        (Method::POST, "/", "", "MissingAction", "Action"),
        (
            Method::POST,
            "/",
            "Action=%3Cb%3E%26",
            "UnsupportedOperation",
            "the service of &lt;b&gt;&amp;;",
        ),
        (
            Method::GET,
            "/?Action=ListQueues&Version=2012-11-05",
            "",
            "UnsupportedOperation",
            "ListQueues",
        ),
        (
            Method::GET,
            "/123456789012/orders?Action=ReceiveMessage",
            "",
            "UnsupportedOperation",
            "ReceiveMessage",
        ),
    ] {
        let answer = stack.send(method, path, &[form], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {body}");
        assert_eq!(answer.headers["content-type"], "text/xml");
        let xml = answer.body;
        let error =
            format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>");
        assert!(xml.contains(&error), "{path} {body}: {xml}");
        assert!(xml.contains(named), "{path} {body}: {xml}");
        assert!(xml.ends_with("</RequestId></ErrorResponse>"), "{xml}");
    }
}

#[tokio::test]
async fn request_of_the_json_protocol_without_target_names_the_missing_header() {
    let stack = TestStack::start(Authentication::Open, &[]).await;
    let json = ("content-type", "application/x-amz-json-1.0");
    let answer = stack.send(Method::POST, "/", &[json], "{}").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.json()["__type"], "UnknownOperationException");
    assert!(answer.message().contains("X-Amz-Target"), "{answer:?}");
}
