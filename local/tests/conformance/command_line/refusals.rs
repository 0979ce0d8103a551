//! What cannot be run is refused in one sentence on standard error; nothing is printed elsewhere.

use std::{fs, net::TcpListener, path::PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::harness::{Ended, Run};
use crate::programs::{function_names, template};

#[tokio::test]
async fn a_port_in_use() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sentence = refusal(&["--port", &address.port().to_string()]).await;
    let start = format!(
        "{address} cannot be listened on: choose another port with --port, 0 for any that is free, \
         or another address of this machine with --host: Address already in use"
    );
    assert!(sentence.starts_with(&start), "{sentence}");
}

#[tokio::test]
async fn a_template_that_is_not_there() {
    let sentence = refusal(&["--template", "/no/such/template.yaml"]).await;
    let start = "the template /no/such/template.yaml cannot be read: start in its folder, or name it \
                 with --template: No such file or directory";
    assert!(sentence.starts_with(start), "{sentence}");
}

#[tokio::test]
async fn a_template_that_is_not_yaml() {
    let template = EditedTemplate::new("\nOutputs:\n", "\nOutputs: ]\n");
    let line = template.line("Outputs: ]");
    let sentence = refusal(&["--template", &template.path()]).await;
    let start = format!("{}:{line}:10: not valid YAML: ", template.path());
    assert!(sentence.starts_with(&start), "{sentence}");
}

#[tokio::test]
async fn a_template_with_an_unknown_intrinsic_function() {
    let template = EditedTemplate::new("StageName: !Ref StageName", "StageName: !Reff StageName");
    let line = template.line("!Reff");
    let sentence = refusal(&["--template", &template.path()]).await;
    assert_eq!(
        sentence,
        format!(
            "{}:{line}:18: Resources.WebSocketApi.Properties.StageName: Fn::Reff is not known to the \
             local stack: write its value out or use a parameter\n",
            template.path()
        )
    );
}

#[tokio::test]
async fn a_function_without_a_binary() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let sentence = refusal(&["--binaries", folder]).await;
    let binary = function_names().remove(0);
    let start = format!(
        " needs the binary {binary}, which the folder {folder} does not have; run `cargo build --bins` \
         in "
    );
    assert!(sentence.contains(&start), "{sentence}");
    let end = "/functions and give cargo's output folder\n";
    assert!(sentence.ends_with(end), "{sentence}");
}

#[tokio::test]
async fn a_function_that_dies_at_start() {
    let variable = "SUBSCRIPTIONS_PER_CONNECTION: !Ref SubscriptionsPerConnection";
    let template = EditedTemplate::new(variable, "AT_START: exit");
    let sentence = refusal(&["--template", &template.path()]).await;
    assert_eq!(
        sentence,
        "function SubscribeFunction failed at start: Runtime exited with error: exit status 3; \
         it printed:\n    the table has no name\n"
    );
}

#[tokio::test]
async fn a_parameter_that_the_template_does_not_take() {
    let template = template().display().to_string();
    let cases = [
        (
            "Stage=prod",
            "Parameters.Stage: there is no such parameter: the template has ",
        ),
        (
            "AccessLog=maybe",
            "Parameters.AccessLog: must be one of true, false, is `maybe`\n",
        ),
        (
            "SubscriptionsPerConnection=many",
            "Parameters.SubscriptionsPerConnection: must be a number, is `many`\n",
        ),
    ];
    for (parameter, expected) in cases {
        let sentence = refusal(&["--parameter", parameter]).await;
        assert!(sentence.starts_with(&template), "{sentence}");
        assert!(sentence.contains(expected), "{sentence}");
    }
}

#[tokio::test]
async fn a_log_level_that_there_is_not() {
    for level in ["loud", "info,loud", "herald_local=loud"] {
        assert_eq!(
            refusal(&["--log", level]).await,
            format!(
                "--log {level} is no log level: give error, warn, info, debug or trace, or a filter \
                 like herald_local=debug,warn\n"
            )
        );
    }
}

#[tokio::test]
async fn an_address_that_cannot_run_functions() {
    for url in ["127.0.0.1:9000", "https://127.0.0.1", "not an address"] {
        assert_eq!(
            refusal(&["--functions", url]).await,
            format!(
                "the address of the Invoke API must be an http URL such as http://127.0.0.1:9000, got {url}\n"
            )
        );
    }
}

#[tokio::test]
async fn a_data_file_that_is_none() {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), "no table was ever in here").unwrap();
    let file = file.path().to_str().unwrap();
    let sentence = refusal(&["--data", file]).await;
    let start = format!(
        "the data file {file} cannot be opened: name one that was made here, or a new one in a \
         folder that exists: "
    );
    assert!(sentence.starts_with(&start), "{sentence}");
}

#[tokio::test]
async fn arguments_that_do_not_parse() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["--auth", "password"],
            "[possible values: open, secret, jwks]",
        ),
        (&["--parameter", "StageName"], "write it as NAME=VALUE"),
        (&["--parameter", "=prod"], "write it as NAME=VALUE"),
        (
            &["--port", "http"],
            "invalid value 'http' for '--port <PORT>'",
        ),
        (&["--watch"], "unexpected argument '--watch' found"),
    ];
    for (arguments, expected) in cases {
        let ended = refused(arguments).await;
        assert_eq!(ended.status.code(), Some(2));
        assert!(ended.errors.starts_with("error: "), "{}", ended.errors);
        assert!(ended.errors.contains(expected), "{}", ended.errors);
    }
}

/// What is said of a run with these arguments.
async fn refusal(arguments: &[&str]) -> String {
    let ended = refused(arguments).await;
    assert_eq!(ended.status.code(), Some(1));
    let (_, sentence) = ended.errors.split_once("herald-local: ").unwrap();
    sentence.to_owned()
}

async fn refused(arguments: &[&str]) -> Ended {
    let ended = Run::start(arguments).end().await;
    assert_eq!(ended.output, "", "{arguments:?}");
    ended
}

/// The template of this repository with a text replaced.
struct EditedTemplate {
    folder: TempDir,
    text: String,
}

impl EditedTemplate {
    fn new(old: &str, new: &str) -> Self {
        let text = fs::read_to_string(template()).unwrap();
        assert!(text.contains(old), "{old}");
        let text = text.replacen(old, new, 1);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("template.yaml"), &text).unwrap();
        Self { folder, text }
    }

    fn path(&self) -> String {
        let path: PathBuf = self.folder.path().join("template.yaml");
        path.to_str().unwrap().to_owned()
    }

    /// The number of the first line that contains this.
    fn line(&self, part: &str) -> usize {
        1 + self
            .text
            .lines()
            .position(|line| line.contains(part))
            .unwrap()
    }
}
