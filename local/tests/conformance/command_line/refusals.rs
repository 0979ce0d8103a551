//! Refusals of unusable arguments and files: an error on standard error, and no other output.

use std::{fs, net::TcpListener, path::PathBuf};

use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};

use super::harness::{EndedRun, Run, Stack};
use crate::programs::{function_names, template};

#[tokio::test]
async fn port_in_use_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let error = refusal(&["--port", &address.port().to_string()]).await;
    let start = format!(
        "cannot listen on {address}: choose another port with --port (0 for a free one), or another \
         address of this machine with --host: Address already in use"
    );
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn missing_template_is_refused() {
    let error = refusal(&["--template", "/no/such/template.yaml"]).await;
    let start = "the template /no/such/template.yaml cannot be read: run herald-local in its folder, or \
                 name the file with --template: No such file or directory";
    assert!(error.starts_with(start), "{error}");
}

#[tokio::test]
async fn unusable_rules_are_refused() {
    let error = refusal(&["--rules", "/no/such/rules.yaml"]).await;
    let start = "the rules in /no/such/rules.yaml cannot be read: name a CloudFormation template with --rules: No \
                 such file or directory";
    assert!(error.starts_with(start), "{error}");
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), "Resources: {}").unwrap();
    let path = file.path().display().to_string();
    let error = refusal(&["--rules", &path]).await;
    let expected = format!(
        "{path}:1:1: Resources: must hold an AWS::Events::Rule with a queue of the stack as its target\n"
    );
    assert_eq!(error, expected);
}

#[tokio::test]
async fn template_that_is_not_yaml_is_refused() {
    let template = EditedTemplate::new("\nOutputs:\n", "\nOutputs: ]\n");
    let line = template.line("Outputs: ]");
    let error = refusal(&["--template", &template.path()]).await;
    let start = format!("{}:{line}:10: not valid YAML: ", template.path());
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn template_with_unknown_intrinsic_function_is_refused() {
    let template = EditedTemplate::new("StageName: !Ref StageName", "StageName: !Reff StageName");
    let line = template.line("!Reff");
    let error = refusal(&["--template", &template.path()]).await;
    assert_eq!(
        error,
        format!(
            "{}:{line}:18: Resources.WebSocketApi.Properties.StageName: Fn::Reff is not supported by \
             the local stack: write its value out, or use a parameter\n",
            template.path()
        )
    );
}

#[tokio::test]
async fn all_problems_of_a_template_are_listed() {
    let template = EditedTemplate::new(
        "StageName: !Ref StageName",
        "StageName: !Ref Stag\n      Colour: red",
    );
    let parameters = [
        "--template",
        &template.path(),
        "--parameter",
        "AccessLog=maybe",
    ];
    let error = refusal(&parameters).await;
    let file = template.path();
    let mut lines = error.lines();
    assert_eq!(
        lines.next(),
        Some(format!("{file} has 3 problems:").as_str())
    );
    for expected in [
        "Parameters.AccessLog: must be one of true, false, got `maybe`",
        "Resources.WebSocketApi.Properties.StageName: Stag is neither a resource nor a parameter of the template",
        "Resources.WebSocketApi.Properties.Colour: is not supported by the local stack: remove it, or \
         make it conditional with !If",
    ] {
        let line = lines.next().unwrap();
        assert!(line.starts_with(&format!("  {file}:")), "{line}");
        assert!(line.ends_with(expected), "{line}");
    }
    assert_eq!(lines.next(), None);
}

#[tokio::test]
async fn missing_binary_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    let error = refusal(&["--binaries", folder]).await;
    let binary = function_names().remove(0);
    let start = format!(
        " needs the binary {binary}, which the folder {folder} does not have; run `cargo build --workspace --bins` \
         in "
    );
    assert!(error.contains(&start), "{error}");
    let end = "/functions and give cargo's output folder\n";
    assert!(error.ends_with(end), "{error}");
}

#[tokio::test]
async fn function_that_ends_at_start_is_refused_with_its_output() {
    let variable = "SUBSCRIPTIONS_PER_CONNECTION: !Ref SubscriptionsPerConnection";
    let template = EditedTemplate::new(variable, "AT_START: exit");
    let error = refusal(&["--template", &template.path()]).await;
    assert_eq!(
        error,
        "function SubscribeFunction failed at start: Runtime exited with error: exit status 3; \
         it printed:\n    the table has no name\n"
    );
}

#[tokio::test]
async fn unusable_parameter_is_refused() {
    let template = template().display().to_string();
    let cases = [
        (
            "Stage=prod",
            "Parameters.Stage: the template has no such parameter, only ",
        ),
        (
            "AccessLog=maybe",
            "Parameters.AccessLog: must be one of true, false, got `maybe`\n",
        ),
        (
            "SubscriptionsPerConnection=many",
            "Parameters.SubscriptionsPerConnection: must be a number, got `many`\n",
        ),
    ];
    for (parameter, expected) in cases {
        let error = refusal(&["--parameter", parameter]).await;
        assert!(error.starts_with(&template), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn unknown_log_level_is_refused() {
    for level in ["loud", "info,loud", "herald_local=loud"] {
        assert_eq!(
            refusal(&["--log", level]).await,
            format!(
                "--log must be error, warn, info, debug or trace, or a filter like \
                 herald_local=debug,warn, got `{level}`\n"
            )
        );
    }
}

#[tokio::test]
async fn unusable_address_of_functions_is_refused() {
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
async fn functions_that_do_not_build_are_refused_after_the_errors_of_cargo() {
    let template = EditedTemplate::new("", "");
    let package = template.folder.path().join("functions");
    let manifest = "[package]\nname = \"test_errors_of_cargo\"\nedition = \"2024\"\n[workspace]\n";
    let targets = package.join("src/bin");
    fs::create_dir_all(&targets).unwrap();
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    for binary in function_names() {
        let program = targets.join(binary).with_extension("rs");
        fs::write(program, "fn main() { missing() }").unwrap();
    }
    let ended = refused(&["--template", &template.path(), "--release"]).await;
    assert_eq!(ended.status.code(), Some(1));
    let (before, error) = ended.errors.split_once("herald-local: ").unwrap();
    assert!(before.contains("building the functions in "), "{before}");
    assert!(
        before.contains("cannot find function `missing`"),
        "{before}"
    );
    assert!(
        error.ends_with(" do not build; correct the errors of cargo above\n"),
        "{error}"
    );
}

#[tokio::test]
async fn data_file_of_another_run_is_refused_until_that_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("herald.db");
    let data = data.to_str().unwrap();
    let first = Stack::start(&["--data", data]).await;
    let error = refusal(&["--data", data]).await;
    assert_eq!(
        error,
        format!(
            "the data file {data} is in use: end the other herald-local that uses it, or name another file\n"
        )
    );
    first.run.end_with(Signal::KILL).await;
    Stack::start(&["--data", data]).await;
}

#[tokio::test]
async fn expiry_of_rows_in_a_data_file_is_refused() {
    let error = refusal(&["--data", "/no/such/herald.db", "--fault", "expire-rows=1s"]).await;
    assert_eq!(
        error,
        "--fault expire-rows expires rows in memory only: remove it, or remove --data\n"
    );
}

#[tokio::test]
async fn file_that_is_no_database_is_refused() {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), "not a database").unwrap();
    let file = file.path().to_str().unwrap();
    let error = refusal(&["--data", file]).await;
    let start = format!(
        "the data file {file} cannot be opened: name a file that herald-local created, or a new one in \
         an existing folder: "
    );
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn invalid_argument_is_refused_with_usage() {
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

/// Returns the error of a run with these arguments.
async fn refusal(arguments: &[&str]) -> String {
    let ended = refused(arguments).await;
    assert_eq!(ended.status.code(), Some(1));
    let (_, error) = ended.errors.split_once("herald-local: ").unwrap();
    error.to_owned()
}

async fn refused(arguments: &[&str]) -> EndedRun {
    let ended = Run::start(arguments).end().await;
    assert_eq!(ended.output, "", "{arguments:?}");
    ended
}

/// The template of this repository with one text replaced.
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

    /// Returns the number of the first line that contains this.
    fn line(&self, part: &str) -> usize {
        1 + self
            .text
            .lines()
            .position(|line| line.contains(part))
            .unwrap()
    }
}
