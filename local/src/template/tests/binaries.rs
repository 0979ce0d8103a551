//! The binary of a function: named, derived from its logical id, or the only one of the package.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::super::{Settings, Stack, error::Problem};
use super::{parse, settings};

/// A workspace of its own, so that cargo does not look for one above.
fn package(binaries: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("src/bin");
    fs::create_dir_all(&source).expect("a folder");
    let manifest = "[package]\nname = \"functions\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).expect("written");
    fs::write(folder.path().join("src/lib.rs"), "").expect("written");
    for binary in binaries {
        fs::write(source.join(format!("{binary}.rs")), "fn main() {}").expect("written");
    }
    folder
}

/// Reads a template whose one function has these attributes beside its type.
fn read(
    folder: &Path,
    logical_id: &str,
    function: &str,
    settings: &Settings,
) -> Result<Stack, Vec<Problem>> {
    let text = format!(
        "
Resources:
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Routes: {{ $connect: {{ FunctionArn: !GetAtt {logical_id}.Arn }} }}
  {logical_id}: {{ Type: AWS::Serverless::Function, {function} }}
"
    );
    parse(&text, folder, settings)
}

const RUST: &str = "Properties: { CodeUri: ., Runtime: provided.al2023 }";

fn binary(stack: &Stack) -> &str {
    &stack.functions[0].binary
}

#[test]
fn binary_is_derived_from_logical_id_or_is_the_only_one() {
    let many = package(&["connect", "sendMessage", "subscribe"]);
    let one = package(&["bootstrap"]);
    for (package, logical_id, expected) in [
        (&many, "SubscribeFunction", "subscribe"),
        (&many, "Subscribe", "subscribe"),
        (&many, "SendMessageFunction", "sendMessage"),
        (&one, "Echo", "bootstrap"),
    ] {
        let stack = read(package.path(), logical_id, RUST, &settings()).expect(logical_id);
        assert_eq!(binary(&stack), expected, "{logical_id}");
    }
}

#[test]
fn undecidable_binary_is_refused_with_the_binaries_there_are() {
    let many = package(&["connect", "subscribe"]);
    let none = package(&[]);
    let missing = many.path().join("missing");
    let remedy =
        "write Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: NAME } }";
    for (folder, expected) in [
        (
            many.path(),
            format!(
                "Echo does not tell which binary of the package in {} it runs: {remedy} with one of \
                 the names connect, subscribe",
                many.path().display()
            ),
        ),
        (
            none.path(),
            format!(
                "the package of Echo in {} has no binary: add one, or correct CodeUri",
                none.path().display()
            ),
        ),
        (
            &missing,
            format!(
                "the binary of Echo is not named, and cargo cannot list those of the package in {} (it has \
                 no Cargo.toml): {remedy} with its name, or correct CodeUri",
                missing.display()
            ),
        ),
    ] {
        let problems = read(folder, "Echo", RUST, &settings()).expect_err("undecidable");
        let [problem] = problems.as_slice() else {
            panic!("{problems:#?}");
        };
        assert_eq!(problem.path, "Resources.Echo.Metadata");
        assert_eq!(problem.reason, expected);
        assert_eq!(problem.position.line, 8);
    }
}

#[test]
fn remote_function_needs_neither_runtime_nor_binary() {
    let settings = Settings {
        remote_functions: true,
        ..settings()
    };
    let many = package(&["connect", "subscribe"]);
    for (logical_id, function, expected) in [
        (
            "Echo",
            "Properties: { CodeUri: ., Runtime: nodejs22.x, Handler: a.b }",
            "Echo",
        ),
        (
            "Echo",
            "Properties: { InlineCode: a, Runtime: nodejs22.x, Layers: [] }",
            "Echo",
        ),
        (
            "Echo",
            "Properties: { PackageType: Image, ImageUri: a }",
            "Echo",
        ),
        (
            "Echo",
            "Properties: { CodeUri: { Bucket: a, Key: b }, Runtime: nodejs22.x }",
            "Echo",
        ),
        (
            "SubscribeFunction",
            "Properties: { CodeUri: . }",
            "subscribe",
        ),
        (
            "SubscribeFunction",
            "Properties: { Runtime: nodejs22.x, InlineCode: a }",
            "SubscribeFunction",
        ),
        (
            "Echo",
            "Metadata: { BuildProperties: { Binary: other } }",
            "other",
        ),
    ] {
        let stack = read(many.path(), logical_id, function, &settings).expect(function);
        assert_eq!(binary(&stack), expected, "{function}");
    }
}
