//! Consistency of the documents with the tests and the program: each name or heading that
//! `docs/local-vs-aws.md` or a test mentions exists in the other, and `docs/local.md` lists every fault.

use std::{
    fs,
    path::{Path, PathBuf},
};

use herald_local::faults::{NOTATIONS, Notation};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document() -> String {
    fs::read_to_string(repository().join("docs/local-vs-aws.md")).unwrap()
}

/// Returns the texts between pairs of `mark`.
fn quoted(line: &str, mark: char) -> impl Iterator<Item = &str> {
    line.split(mark).skip(1).step_by(2)
}

#[test]
fn every_test_named_in_the_document_exists() {
    let document = document();
    let mut named = 0;
    for line in document
        .lines()
        .filter(|line| line.starts_with("- **Test**"))
    {
        let mut source = String::new();
        for name in quoted(line, '`') {
            if name.ends_with(".rs") {
                source = read(name);
            } else if !name.contains('.') {
                assert!(source.contains(&format!("fn {name}(")), "{name}: {line}");
                named += 1;
            }
        }
    }
    assert!(named > 50, "only {named} tests were found in the document");
}

/// Reads a file by its path in the document.
fn read(path: &str) -> String {
    let conformance = repository().join("local/tests/conformance").join(path);
    fs::read_to_string(conformance)
        .or_else(|_| fs::read_to_string(repository().join(path)))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_heading_quoted_by_a_test_exists() {
    let document = document();
    let mut found = 0;
    for source in sources(&repository().join("local/tests/conformance")) {
        for line in source.lines() {
            if let Some(quote) = line.strip_prefix("/// See docs/local-vs-aws.md: ") {
                let heading = quoted(quote, '"').next().unwrap();
                assert!(document.contains(&format!("\n### {heading}\n")), "{line}");
                found += 1;
            }
        }
    }
    assert!(found > 10, "only {found} tests quote the document");
}

#[test]
fn every_fault_is_in_the_document() {
    let document = fs::read_to_string(repository().join("docs/local.md")).unwrap();
    let (_, table) = document.split_once("\n| `--fault` | effect |\n").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = NOTATIONS.map(|Notation { example, effect }| format!("| `{example}` | {effect} |"));
    assert_eq!(table.lines().skip(1).collect::<Vec<_>>(), rows);
}

fn sources(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => sources(&path),
            path => vec![fs::read_to_string(path).unwrap()],
        })
        .collect()
}
