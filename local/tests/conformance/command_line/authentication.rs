//! The option `--auth`: output, refusals, and secrets that are not logged.

use std::fs;

use axum::http::Method;
use rustix::process::Signal;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};

use super::harness::{Run, Stack};
use crate::authentication::harness::{binaries, secrets_at, send, template};

/// Returns the arguments for the template that has the parameters for tokens.
fn arguments<'a>(more: &[&'a str], template: &'a str, binaries: &'a str) -> Vec<&'a str> {
    [&["--template", template, "--binaries", binaries], more].concat()
}

async fn stack(more: &[&str]) -> Stack {
    let (template, binaries) = (template(), binaries());
    let (template, folder) = (
        template.to_str().unwrap(),
        binaries.path().to_str().unwrap(),
    );
    Stack::start(&arguments(more, template, folder)).await
}

#[tokio::test]
async fn json_has_the_authentication_and_the_address_that_mints_tokens() {
    for (mode, mints) in [("open", false), ("secret", true), ("jwks", true)] {
        let stack = stack(&["--auth", mode]).await;
        assert_eq!(stack.addresses["authentication"], mode);
        let tokens = stack
            .addresses
            .get("tokens")
            .and_then(|tokens| tokens.as_str());
        let expected = format!("{}/auth/token", stack.address("endpoint"));
        assert_eq!(tokens, mints.then_some(expected.as_str()), "{mode}");
    }
    let default = stack(&[]).await;
    assert_eq!(default.addresses["authentication"], "open");
}

#[tokio::test]
async fn text_has_the_authentication_and_the_command_to_connect() {
    let (template, binaries) = (template(), binaries());
    let (template, folder) = (
        template.to_str().unwrap(),
        binaries.path().to_str().unwrap(),
    );
    for (mode, expected, header) in [
        (
            "open",
            "Clients need no token and have no user id: --auth open. ",
            "",
        ),
        (
            "secret",
            "Clients need a token: --auth secret. ",
            r#" -H "Authorization: Bearer $TOKEN""#,
        ),
        (
            "jwks",
            "Clients need a token: --auth jwks. ",
            r#" -H "Authorization: Bearer $TOKEN""#,
        ),
    ] {
        let mut run = Run::start(&arguments(&["--auth", mode], template, folder));
        let mut text = String::new();
        while !text.contains("put-events") {
            text += &run.line().await;
        }
        assert!(text.contains(expected), "{text}");
        let (_, address) = text.split_once("ws://").unwrap();
        let (address, _) = address.split_once("/dev\n").unwrap();
        let connect = format!("\n  npx wscat -c ws://{address}/dev{header} -x '");
        assert!(text.contains(&connect), "{connect} is not in {text}");
        let curl = format!("\n  TOKEN=$(curl -s http://{address}/auth/token -d ");
        assert_eq!(text.contains(&curl), mode != "open", "{text}");
        run.end_with(Signal::TERM).await;
    }
}

/// A shell runs the printed command, which stores a token in TOKEN.
#[tokio::test]
async fn printed_command_mints_a_token() {
    let (template, binaries) = (template(), binaries());
    let (template, folder) = (
        template.to_str().unwrap(),
        binaries.path().to_str().unwrap(),
    );
    let mut run = Run::start(&arguments(&["--auth", "jwks"], template, folder));
    let mut line = String::new();
    while !line.contains("curl") {
        line = run.line().await;
    }
    let script = format!("{line}\nprintf %s \"$TOKEN\"");
    let shell = tokio::process::Command::new("sh")
        .args(["-c", &script])
        .output();
    let output = shell.await.unwrap();
    let token = String::from_utf8(output.stdout).unwrap();
    let header = jsonwebtoken::decode_header(&token);
    assert!(header.is_ok(), "{line} gave {token}");
}

#[tokio::test]
async fn secrets_and_tokens_are_not_logged() {
    let stack = stack(&["--auth", "secret", "--log", "trace"]).await;
    let secrets = secrets_at(stack.address("endpoint"));
    let read = secrets.get_secret_value();
    let read = read.secret_id("herald-local-TokenSecret");
    let secret = read.send().await.unwrap().secret_string.unwrap();
    let alice = r#"{"userId":"alice"}"#;
    let minted = send(Method::POST, stack.address("tokens"), &[], alice).await;
    let token = minted.json()["token"].as_str().unwrap().to_owned();
    connect_with(&stack, &token).await;

    let ended = stack.run.end_with(Signal::TERM).await;
    let log = ended.errors;
    assert!(log.contains("function invoked"), "{log}");
    let (_, signature) = token.rsplit_once('.').unwrap();
    for hidden in [secret.as_str(), signature, "a text of the template"] {
        assert!(!log.contains(hidden), "{log}");
    }
}

/// Connects with a token in every place where clients may put it.
async fn connect_with(stack: &Stack, token: &str) {
    let url = format!("{}?access_token={token}", stack.address("webSocket"));
    let mut request = url.into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    connect_async(request).await.unwrap();
}

#[tokio::test]
async fn template_without_the_parameter_supports_open_only() {
    let text = fs::read_to_string(template()).unwrap();
    let text = text.replace("Authentication", "Access");
    let text = text.replace(r#"Default: """#, "Default: open");
    let (folder, binaries) = (tempfile::tempdir().unwrap(), binaries());
    let template = folder.path().join("template.yaml");
    fs::write(&template, text).unwrap();
    let (template, binaries) = (
        template.to_str().unwrap(),
        binaries.path().to_str().unwrap(),
    );
    for mode in ["secret", "jwks"] {
        let run = Run::start(&arguments(&["--auth", mode], template, binaries));
        let ended = run.end().await;
        assert_eq!(ended.output, "");
        assert_eq!(
            ended.errors,
            format!(
                "herald-local: --auth {mode} needs a template with the parameter Authentication: add it, \
                 or use --auth open\n"
            )
        );
    }
    let stack = Stack::start(&arguments(&[], template, binaries)).await;
    assert_eq!(stack.addresses["authentication"], "open");
    stack.connect().await;
}
