//! The flags for tokens, and `herald token`.

use herald_local::Authentication;
use serde_json::Value;

use crate::harness::{TestStack, herald, json_lines};

/// Subscribes to `order:1` and exits.
const TAIL: [&str; 4] = ["tail", "order:1", "--timeout", "1"];

#[tokio::test]
async fn token_comes_from_herald_local_flag_variable_or_command() {
    let stack = TestStack::start(Authentication::Jwks).await;
    let permission = "order:*=subscribe";
    let token = ["token", "--user", "alice", "--permission", permission];
    let token = stack.done(&token).await;
    let token = token.trim();
    let expired = ["token", "--user", "alice", "--expires-in", "0"];
    let expired = stack.done(&expired).await;
    let other = [
        "token",
        "--user",
        "alice",
        "--permission",
        "room:*=subscribe",
    ];
    let other = stack.done(&other).await;
    let command = format!("echo {token}");
    for (arguments, variable, code) in [
        (vec![], "", 0),
        (vec!["--as", "bob"], "", 0),
        (vec!["--token", token], "", 0),
        (vec![], token, 0),
        (vec!["--token-command", &command], "", 0),
        // A flag overrides the environment.
        (vec!["--token", "bad"], token, 3),
        (vec!["--token", expired.trim()], "", 3),
        (vec!["--token", other.trim()], "", 3),
        (vec!["--token-command", "exit 7"], "", 1),
        (vec!["--token-command", "true"], "", 1),
        (vec!["--as", "bob", "--token", token], "", 2),
    ] {
        let herald = stack.herald(&[&TAIL[..], &arguments].concat());
        let ended = herald.variable("HERALD_TOKEN", variable).run("").await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    }
    stack.stop().await;
}

#[tokio::test]
async fn token_is_signed_with_the_secret_of_file_or_variable() {
    let stack = TestStack::start(Authentication::Secret).await;
    let (secret, audience) = stack.token_secret().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{secret}\n")).expect("written");
    let path = file.path().to_str().expect("a path");
    let claims = ["token", "--user", "alice", "--permission", "**=subscribe"];
    for from in [["--secret-file", path], ["--secret-env", "SECRET"]] {
        let arguments = [&claims[..], &from, &["--audience", &audience, "--json"]].concat();
        // Signing needs no stack.
        let signed = herald(&arguments).variable("SECRET", &secret).run("").await;
        assert_eq!(signed.code, Some(0), "{}", signed.stderr);
        let signed: Value = json_lines(&signed.stdout).remove(0);
        assert!(signed["expiresAt"].is_u64());
        let token = signed["token"].as_str().expect("a token");
        stack.done(&[&TAIL[..], &["--token", token]].concat()).await;
    }
    let arguments = [&claims[..], &["--secret-env", "SECRET"]].concat();
    let short = herald(&arguments).variable("SECRET", "short").run("").await;
    assert_eq!(short.code, Some(1));
    assert!(
        short
            .stderr
            .contains("the secret must have at least 32 bytes, got 5"),
        "{}",
        short.stderr
    );
    stack.stop().await;
}

#[tokio::test]
async fn as_and_token_are_wrong_usage_where_no_tokens_are_minted() {
    let stack = TestStack::start(Authentication::Open).await;
    stack.done(&TAIL).await;
    for (arguments, words) in [
        (
            &[&TAIL[..], &["--as", "alice"]].concat(),
            "--as alice needs a token, and the herald-local at http://127.0.0.1:",
        ),
        (
            &["token", "--user", "alice"].to_vec(),
            "this herald-local mints no tokens",
        ),
    ] {
        let ended = stack.herald(arguments).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    stack.stop().await;
}
