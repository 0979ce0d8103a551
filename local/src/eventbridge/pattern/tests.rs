//! Tests of the pattern language by two tables: `matches.txt` and `invalid.txt`, one case a line.

use serde_json::Value;

use super::Pattern;

#[test]
fn patterns_match_as_documented() {
    let mut wrong = vec![];
    for [pattern, event, expected, name] in rows(include_str!("matches.txt")) {
        let matches = parse(pattern).matches(&json(event));
        let matches = if matches { "yes" } else { "no" };
        if matches != expected {
            wrong.push(format!("{name}: {pattern} on {event} is {matches}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invalid_pattern_returns_reason_and_path() {
    let mut wrong = vec![];
    for [pattern, expected] in rows(include_str!("invalid.txt")) {
        let error = match Pattern::parse(&json(pattern)) {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.to_string(),
        };
        if error != expected {
            wrong.push(format!("{pattern}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reserved_name_is_allowed_outside_or() {
    let pattern = parse(r#"{"prefix":["x"]}"#);
    assert!(pattern.matches(&json(r#"{"prefix":"x"}"#)));
}

#[test]
fn pattern_with_more_than_1000_or_combinations_is_refused() {
    let choices = |field: char, count: usize| {
        let choices: Vec<_> = (0..count)
            .map(|value| format!(r#"{{"{field}":[{value}]}}"#))
            .collect();
        format!(r#""$or":[{}]"#, choices.join(","))
    };
    let pattern = |[x, y, z]: [usize; 3]| {
        let [x, y, z] = [choices('x', x), choices('y', y), choices('z', z)];
        Pattern::parse(&json(&format!(
            r#"{{"a":{{{x}}},"b":{{{y}}},"c":{{{z}}}}}"#
        )))
    };
    let most = pattern([10, 10, 10]).expect("1,000 combinations");
    assert!(most.matches(&json(r#"{"a":{"x":9},"b":{"y":9},"c":{"z":9}}"#)));
    let error = pattern([10, 10, 11]).expect_err("1,100 combinations");
    assert_eq!(
        error.to_string(),
        "$or multiplies to more than 1000 rule combinations, at c"
    );
}

#[test]
fn pattern_longer_than_2048_characters_is_refused() {
    let of_length = |length: usize| {
        let value = "é".repeat(length - r#"{"a":[""]}"#.len());
        Pattern::parse(&serde_json::json!({ "a": [value] }))
    };
    of_length(2048).expect("2,048 characters");
    assert_eq!(
        of_length(2049).expect_err("one more").to_string(),
        "the pattern has 2049 characters, 2048 are allowed; move conditions to another rule"
    );
}

#[test]
fn unrelated_arrays_do_not_multiply_choices() {
    let array = |name: &str| {
        let elements: Vec<_> = (0..200)
            .map(|index| format!(r#"{{"x":{index}}}"#))
            .collect();
        format!(r#""{name}":[{}]"#, elements.join(","))
    };
    let names = ["a", "b", "c", "d", "e", "f"];
    let arrays = names.map(array).join(",");
    let fields = names
        .map(|name| format!(r#""{name}":{{"x":[{{"exists":true}}]}}"#))
        .join(",");
    let pattern = parse(&format!(r#"{{{fields},"z":["never"]}}"#));
    assert!(!pattern.matches(&json(&format!("{{{arrays}}}"))));
}

/// Returns the rows of a table. Its columns are separated by ` | `; lines with `#` are comments.
fn rows<const COLUMNS: usize>(table: &str) -> Vec<[&str; COLUMNS]> {
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows: Vec<_> = lines
        .map(|line| {
            let columns: Vec<_> = line.split(" | ").map(str::trim).collect();
            columns
                .try_into()
                .unwrap_or_else(|_| panic!("not {COLUMNS} columns: {line}"))
        })
        .collect();
    assert!(!rows.is_empty(), "the table has no rows");
    rows
}

fn parse(pattern: &str) -> Pattern {
    Pattern::parse(&json(pattern)).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
