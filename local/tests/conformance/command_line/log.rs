//! The log on standard error.

use rustix::process::Signal;

use super::harness::{Run, Stack};

#[tokio::test]
async fn invocation_is_one_line_without_colours_in_a_pipe() {
    let stack = Stack::start(&[]).await;
    for _ in 0..2 {
        stack.connect().await;
    }
    let log = stack.run.end_with(Signal::TERM).await.errors;
    let of_connect = |line: &&str| line.contains(r#"function="ConnectFunction""#);
    let lines: Vec<_> = log.lines().filter(of_connect).collect();
    assert_eq!(lines.len(), 2, "{log}");
    for line in lines {
        for part in [
            " INFO ",
            r#"route="$connect""#,
            ": function invoked ",
            "duration_ms=",
            r#"start="warm" outcome="returned""#,
        ] {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
    assert!(!log.contains('\x1b'), "{log}");
}

#[tokio::test]
async fn log_has_colours_where_the_environment_has_them() {
    let mut run = Run::start_after("export CLICOLOR_FORCE=1", &["--json"]);
    let addresses = serde_json::from_str(&run.line().await).unwrap();
    let stack = Stack { run, addresses };
    stack.connect().await;
    let log = stack.run.end_with(Signal::TERM).await.errors;
    assert!(log.contains("\x1b[32m INFO\x1b[0m"), "{log}");
}
