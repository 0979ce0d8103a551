//! Exit codes and errors that need no stack.

use axum::{Router, http::StatusCode};
use tokio::net::TcpListener;

use crate::harness::{FakeServer, herald};

/// Returns an address without a listener.
async fn closed_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").to_string()
}

#[tokio::test]
async fn wrong_usage_is_reported_before_any_work() {
    for (arguments, words) in [
        (&["beep"][..], "unrecognized subcommand"),
        (&["tail"], "<ENTITY|--user|--broadcast>"),
        (&["tail", ""], "must not be empty"),
        (&["tail", "a", "--count", "0"], "0 is not in"),
        (
            &["tail", "a", "b", "--since", "k3J9x2Qa/1"],
            "--since needs exactly one ENTITY",
        ),
        (&["tail", "a", "--since", "1"], "a position is EPOCH/OFFSET"),
        (&["tail", "--user", "--since", "0"], "required"),
        (
            &["tail", "a", "--since", "0", "--rewind", "1"],
            "cannot be used with",
        ),
        (&["tail", "a", "--rewind", "301"], "301 is not in"),
        (&["history"], "<ENTITY|--user|--everyone>"),
        (&["history", "a", "--user"], "cannot be used with"),
        (
            &["history", "a", "--last", "1", "--since", "0"],
            "cannot be used with",
        ),
        (&["history", "a", "--before", "0"], "0 is not in"),
        (&["presence"], "<ENTITY>"),
        (&["presence", ""], "must not be empty"),
        (&["presence", "a", "b"], "unexpected argument 'b'"),
        (
            &["presence", "a", "--as", "b", "--token", "c"],
            "cannot be used with",
        ),
        (
            &["--endpoint", "http://a", "--stack", "b", "tail", "a"],
            "cannot be used with",
        ),
        (
            &["--endpoint", "https://a", "tail", "a"],
            "--endpoint must begin with http://",
        ),
        (&["--web-socket", "http://a", "tail", "a"], "http://a"),
        (
            &["--table", "a", "tail", "a"],
            "the WebSocket address is unknown: pass --web-socket",
        ),
        (
            &["send", "--entity", "a", "{"],
            "begins like JSON but is not valid",
        ),
        (&["send", "Hello"], "required"),
        (
            &["publish", "--entity", "a", "--user", "b", "c"],
            "cannot be used with",
        ),
        (
            &["publish", "--broadcast", "a", "--callback", "{}"],
            "cannot be used with",
        ),
        (
            &["publish", "--user", "a", "b", "--callback", "{"],
            "EOF while parsing",
        ),
        (
            &["publish", "--broadcast", "--file", "/no/such/file"],
            "cannot read /no/such/file",
        ),
        (
            &["token", "--user", "a", "--permission", "b"],
            "PATTERN=ACTION",
        ),
        (
            &["token", "--user", "a", "--permission", "b=read"],
            "unknown variant `read`",
        ),
        (&["completions", "cmd"], "invalid value 'cmd'"),
    ] {
        let ended = herald(arguments).run("").await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(words),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

#[tokio::test]
async fn unreachable_target_error_says_what_to_do() {
    let address = closed_address().await;
    let endpoint = format!("http://{address}");
    let web_socket = format!("ws://{address}/dev");
    for arguments in [
        &["--endpoint", &endpoint, "tail", "a"][..],
        &["--endpoint", &endpoint, "history", "a"],
        &["--endpoint", &endpoint, "presence", "a"],
        &["--endpoint", &endpoint, "publish", "--broadcast", "a"],
        &["--endpoint", &endpoint, "token", "--user", "a"],
        &["--web-socket", &web_socket, "tail", "a"],
        &["--web-socket", &web_socket, "send", "--broadcast", "a"],
    ] {
        let ended = herald(arguments).run("").await;
        assert_eq!(ended.code, Some(4), "{arguments:?}: {}", ended.stderr);
        for words in [&*address, "Connection refused", "cargo run -p herald-local"] {
            assert!(
                ended.stderr.contains(words),
                "{arguments:?}: {}",
                ended.stderr
            );
        }
    }
}

#[tokio::test]
async fn server_that_is_no_herald_local_is_named_with_what_to_pass() {
    for (status, body, cause) in [
        (
            StatusCode::FORBIDDEN,
            "Forbidden",
            "responded with 403: Forbidden",
        ),
        (StatusCode::OK, "<html>", "cannot be read"),
    ] {
        let server =
            FakeServer::start(|_| Router::new().fallback(async move || (status, body))).await;
        let endpoint = format!("{}/dev", server.url);
        let ended = herald(&["--endpoint", &endpoint, "tail", "a"])
            .run("")
            .await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        let advice = format!("{endpoint} is not the AWS endpoint of a herald-local");
        for words in [&*advice, "--endpoint", cause] {
            assert!(ended.stderr.contains(words), "{}", ended.stderr);
        }
    }
}

#[tokio::test]
async fn errors_are_coloured_only_when_colours_are_wanted() {
    for (variables, is_coloured) in [
        (&[][..], false),
        (&["CLICOLOR_FORCE"], true),
        (&["CLICOLOR_FORCE", "NO_COLOR"], false),
    ] {
        let mut herald = herald(&["--endpoint", "https://a", "tail", "a"]);
        for name in variables {
            herald = herald.variable(name, "1");
        }
        let ended = herald.run("").await;
        let red = "\u{1b}[31m";
        assert_eq!(ended.stderr.contains(red), is_coloured, "{variables:?}");
        assert!(ended.stderr.contains("herald:"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn help_lists_flags_of_the_target_only_where_they_have_an_effect() {
    for (command, has_target) in [
        ("tail", true),
        ("token", true),
        ("cost", false),
        ("completions", false),
    ] {
        let ended = herald(&[command, "--help"]).run("").await;
        assert_eq!(ended.code, Some(0), "{command}");
        for flag in ["--region", "--profile", "--stack", "--table"] {
            assert_eq!(ended.stdout.contains(flag), has_target, "{command} {flag}");
        }
    }
    let ended = herald(&["--stack", "a", "completions", "bash"])
        .run("")
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn help_wraps_to_the_width_of_the_terminal() {
    let help = async |columns: &str| {
        let herald = herald(&["cost", "--help"]).variable("COLUMNS", columns);
        herald.run("").await.stdout
    };
    let (narrow, wide) = (help("50").await, help("120").await);
    let options = |help: &str| help.split("Examples:").next().map(str::to_owned);
    let widest = |help: &str| {
        options(help)
            .iter()
            .flat_map(|text| text.lines())
            .map(str::len)
            .max()
    };
    assert!(widest(&narrow) <= Some(50), "{narrow}");
    assert!(widest(&wide) > Some(80), "{wide}");
}

#[tokio::test]
async fn completions_exist_for_every_shell() {
    for (shell, words) in [
        ("bash", "complete -F _herald"),
        ("zsh", "#compdef herald"),
        ("fish", "complete -c herald"),
        ("elvish", "edit:completion:arg-completer[herald]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ended = herald(&["completions", shell]).run("").await;
        assert_eq!(ended.code, Some(0), "{shell}");
        assert!(ended.stdout.contains(words), "{shell}");
        assert!(ended.stdout.contains("publish"), "{shell}");
    }
}
