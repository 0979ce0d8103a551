//! Properties of all patterns and events: nothing panics, errors are words, and a pattern matches
//! the same events as a second, plain matcher, which tries every combination and has no shortcut.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};
use serde_json::{Map, Value, json};

use super::Pattern;

proptest! {
    #[test]
    fn any_json_parses_or_returns_a_one_line_error(pattern in any_json(), event in any_json()) {
        match Pattern::parse(&pattern) {
            Ok(pattern) => {
                pattern.matches(&event);
            }
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains(' ') && !error.contains('\n'), "{error}");
            }
        }
    }

    #[test]
    fn condition_agrees_with_plain_matcher(condition in condition(true), leaf in scalar()) {
        let (pattern, event) = (json!({ "a": [condition] }), json!({ "a": leaf }));
        prop_assert_eq!(Pattern::parse(&pattern)?.matches(&event), plain(&pattern, &event));
    }

    #[test]
    fn wildcard_agrees_with_plain_matcher(expression in r"\*?([ab]\*?){0,4}", text in "[ab]{0,6}") {
        let pattern = json!({ "a": [{ "wildcard": expression }] });
        prop_assert_eq!(Pattern::parse(&pattern)?.matches(&json!({ "a": text })), fits(&expression, &text));
    }

    #[test]
    fn pattern_agrees_with_plain_matcher(pattern in pattern(true), event in event(false)) {
        let matches = Pattern::parse(&pattern)?.matches(&event);
        prop_assert_eq!(matches, plain(&pattern, &event));
    }

    // Without `exists: false`: the absence of a field depends on the elements chosen by the fields
    // before it, which the plain matcher does not track.
    #[test]
    fn fields_of_objects_in_arrays_match_within_one_object(pattern in pattern(false), event in event(true)) {
        let matches = Pattern::parse(&pattern)?.matches(&event);
        prop_assert_eq!(matches, plain(&pattern, &event));
    }
}

// Generators of patterns and events. They use few names and values, so that matches are frequent.

/// Generates a pattern, with or without `exists: false`.
fn pattern(absence: bool) -> impl Strategy<Value = Value> {
    let conditions = conditions(absence).boxed();
    let leaves = || fields(&["a", "b"], conditions.clone());
    // Fields inside `$or` have other names than those beside it: a field inside would override one
    // beside it.
    let or = vec(fields(&["c", "d"], conditions.clone()), 2..4).prop_map(Value::from);
    let nested = fields(&["a", "b"], prop_oneof![conditions.clone(), leaves()]);
    (
        nested,
        option::weighted(0.3, or.clone()),
        option::weighted(0.2, or),
    )
        .prop_map(|(mut pattern, outer, inner)| {
            if let Some(or) = outer {
                pattern["$or"] = or;
            }
            if let (Some(or), Some(Value::Object(nested))) = (inner, pattern.get_mut("a")) {
                nested.insert("$or".to_owned(), or);
            }
            pattern
        })
}

/// Generates an object with one or more of these fields.
fn fields(
    names: &[&'static str],
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Value> {
    btree_map(select(names.to_vec()), value, 1..=names.len())
        .prop_map(|fields| json!(fields))
        .boxed()
}

/// Generates the list of a field's alternatives.
fn conditions(absence: bool) -> impl Strategy<Value = Value> {
    vec(condition(absence), 1..4).prop_map(Value::from)
}

fn condition(absence: bool) -> impl Strategy<Value = Value> {
    let exists = if absence {
        any::<bool>().boxed()
    } else {
        Just(true).boxed()
    };
    let operators = vec!["prefix", "suffix", "equals-ignore-case"];
    prop_oneof![
        6 => scalar(),
        1 => exists.prop_map(|exists| json!({ "exists": exists })),
        2 => (select(operators.clone()), text()).prop_map(|(operator, text)| json!({ operator: text })),
        1 => (select(vec!["prefix", "suffix"]), text())
            .prop_map(|(operator, text)| json!({ operator: { "equals-ignore-case": text } })),
        2 => wildcard().prop_map(|expression| json!({ "wildcard": expression })),
        2 => numeric().prop_map(|range| json!({ "numeric": range })),
        1 => (0..8_u8, 28..32_u8).prop_map(|(host, bits)| json!({ "cidr": format!("10.0.0.{host}/{bits}") })),
        2 => anything_but().prop_map(|unwanted| json!({ "anything-but": unwanted })),
    ]
}

fn numeric() -> impl Strategy<Value = Value> {
    let one = (select(vec!["=", "<", "<=", ">", ">="]), number())
        .prop_map(|(operator, number)| json!([operator, number]));
    let two = (
        select(vec![">", ">="]),
        -3..3_i64,
        select(vec!["<", "<="]),
        1..4_i64,
    )
        .prop_map(|(above, bottom, below, width)| json!([above, bottom, below, bottom + width]));
    prop_oneof![one, two]
}

fn anything_but() -> impl Strategy<Value = Value> {
    let operators = vec!["prefix", "suffix", "equals-ignore-case"];
    let texts = "[ab]{1,2}";
    prop_oneof![
        text().prop_map(Value::from),
        number(),
        vec(text(), 1..3).prop_map(Value::from),
        vec(number(), 1..3).prop_map(Value::from),
        (select(operators.clone()), texts).prop_map(|(operator, text)| json!({ operator: text })),
        (select(operators), vec(texts, 1..3))
            .prop_map(|(operator, texts)| json!({ operator: texts })),
        vec(wildcard(), 1..3).prop_map(|expressions| json!({ "wildcard": expressions })),
    ]
}

/// Generates a valid wildcard expression: no two stars in a row, no backslash without a character
/// to escape.
fn wildcard() -> impl Strategy<Value = String> {
    r"\*?(([aAb]|\\\*|\\\\)\*?){0,4}"
}

/// Generates an event, with or without objects and arrays in its arrays.
fn event(deep_arrays: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![3 => scalar(), 1 => vec(scalar(), 0..3).prop_map(Value::from)];
    let names = ["a", "b", "c", "d"];
    let inner = fields(&names, leaf.clone()).boxed();
    let array = vec(prop_oneof![4 => inner.clone(), 1 => leaf.clone()], 0..4).prop_map(Value::from);
    let array_of_arrays =
        vec(prop_oneof![array.clone(), inner.clone()], 0..3).prop_map(Value::from);
    let deep = if deep_arrays {
        prop_oneof![4 => array, 1 => array_of_arrays].boxed()
    } else {
        inner
    };
    fields(&names, prop_oneof![leaf, deep])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => text().prop_map(Value::from),
        2 => number(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => (0..8_u8).prop_map(|host| format!("10.0.0.{host}").into()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[aAb]{0,2}", 1 => r"[aAbéÉ*\\]{0,4}"]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-2..3_i64).prop_map(Value::from),
        (-3..4_i64).prop_map(|halves| json!(halves as f64 / 2.0)),
    ]
}

/// Generates JSON full of the language's own words, mostly in invalid places.
fn any_json() -> impl Strategy<Value = Value> {
    let words = vec![
        "a",
        "",
        ".",
        "a.b",
        "$or",
        "prefix",
        "suffix",
        "equals-ignore-case",
        "wildcard",
        "numeric",
        "cidr",
        "exists",
        "anything-but",
        "<",
        "<=",
        "=",
        ">",
        ">=",
        "*",
        "**",
        "\\",
        "\\*",
        "10.0.0.0/8",
        "::1/127",
        "10.0.0.0/99",
    ];
    let word = prop_oneof![9 => select(words).prop_map(str::to_owned), 1 => any::<String>()];
    let leaf = prop_oneof![
        4 => word.clone().prop_map(Value::from),
        2 => number(),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 0..5).prop_map(Value::from),
            3 => vec((word.clone(), inner), 0..4).prop_map(|fields| Value::from(Map::from_iter(fields))),
        ]
    })
}

// The plain matcher.

/// Returns whether some choice of one element of every array makes every field of the pattern
/// match.
fn plain(pattern: &Value, event: &Value) -> bool {
    views(event, "")
        .iter()
        .any(|leaves| plain_object(pattern, "", leaves))
}

/// Scalars with their paths.
type Leaves = Vec<(String, Value)>;

/// Returns the leaves under each choice of one object or array of every array. Every choice has the
/// scalars of an array.
fn views(value: &Value, path: &str) -> Vec<Leaves> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| views(value, &joined(path, name)))
            .fold(vec![vec![]], both),
        Value::Array(elements) => {
            let (chosen, scalars): (Vec<_>, Vec<_>) = elements
                .iter()
                .partition(|element| element.is_object() || element.is_array());
            let scalars = scalars
                .into_iter()
                .map(|scalar| (path.to_owned(), scalar.clone()));
            let choices: Vec<_> = chosen
                .into_iter()
                .flat_map(|element| views(element, path))
                .collect();
            let choices = if choices.is_empty() {
                vec![vec![]]
            } else {
                choices
            };
            both(vec![scalars.collect()], choices)
        }
        leaf => vec![vec![(path.to_owned(), leaf.clone())]],
    }
}

/// Joins each of the first with each of the second.
fn both(first: Vec<Leaves>, second: Vec<Leaves>) -> Vec<Leaves> {
    let pairs = first.iter().flat_map(|left| {
        second
            .iter()
            .map(move |right| [left.clone(), right.clone()].concat())
    });
    pairs.collect()
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn plain_object(pattern: &Value, path: &str, leaves: &Leaves) -> bool {
    let fields = pattern
        .as_object()
        .expect("a generated pattern is an object");
    fields.iter().all(|(name, value)| match value {
        Value::Array(choices) if name == "$or" => choices
            .iter()
            .any(|choice| plain_object(choice, path, leaves)),
        Value::Array(conditions) => {
            let path = joined(path, name);
            let found: Vec<_> = leaves
                .iter()
                .filter(|(at, _)| *at == path)
                .map(|(_, leaf)| leaf)
                .collect();
            conditions
                .iter()
                .any(|condition| plain_condition(condition, &found))
        }
        nested => plain_object(nested, &joined(path, name), leaves),
    })
}

fn plain_condition(condition: &Value, found: &[&Value]) -> bool {
    if condition["exists"] == json!(false) {
        return found.is_empty();
    }
    found.iter().any(|leaf| plain_accepts(condition, leaf))
}

fn plain_accepts(condition: &Value, leaf: &Value) -> bool {
    let Some(condition) = condition.as_object() else {
        return equal(condition, leaf);
    };
    let (operator, operand) = condition
        .iter()
        .next()
        .expect("a generated condition has an operator");
    match (operator.as_str(), operand) {
        ("exists", _) => true,
        ("numeric", Value::Array(terms)) => leaf.as_f64().is_some_and(|number| {
            terms
                .chunks(2)
                .all(|term| compares(number, &term[0], term[1].as_f64()))
        }),
        ("anything-but", unwanted) => !plain_unwanted(unwanted, leaf),
        ("cidr", Value::String(network)) => leaf
            .as_str()
            .is_some_and(|text| same_network(network, text)),
        (operator, operand) => leaf
            .as_str()
            .is_some_and(|text| plain_text(operator, operand, text)),
    }
}

fn plain_unwanted(unwanted: &Value, leaf: &Value) -> bool {
    match unwanted {
        Value::Array(list) => list.iter().any(|unwanted| plain_unwanted(unwanted, leaf)),
        Value::Object(expression) => {
            let (operator, operand) = expression.iter().next().expect("an operator");
            let operands = operand
                .as_array()
                .map_or(std::slice::from_ref(operand), Vec::as_slice);
            operands
                .iter()
                .any(|operand| plain_accepts(&json!({ operator.as_str(): operand }), leaf))
        }
        literal => equal(literal, leaf),
    }
}

fn plain_text(operator: &str, operand: &Value, text: &str) -> bool {
    let lower = str::to_lowercase;
    match (operator, operand) {
        ("prefix", Value::String(prefix)) => text.starts_with(prefix),
        ("suffix", Value::String(suffix)) => text.ends_with(suffix),
        ("prefix", nested) => lower(text).starts_with(&lower(
            nested["equals-ignore-case"].as_str().expect("a text"),
        )),
        ("suffix", nested) => lower(text).ends_with(&lower(
            nested["equals-ignore-case"].as_str().expect("a text"),
        )),
        ("equals-ignore-case", Value::String(other)) => lower(text) == lower(other),
        ("wildcard", Value::String(expression)) => fits(expression, text),
        other => unreachable!("no such operator is generated: {other:?}"),
    }
}

/// Returns whether a text matches a wildcard expression, trying every length of every star.
fn fits(expression: &str, text: &str) -> bool {
    let mut characters = expression.chars();
    let literal = match characters.next() {
        None => return text.is_empty(),
        Some('*') => {
            let rest = characters.as_str();
            return (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| fits(rest, &text[at..]));
        }
        Some('\\') => characters.next().expect("an escape escapes something"),
        Some(literal) => literal,
    };
    text.strip_prefix(literal)
        .is_some_and(|text| fits(characters.as_str(), text))
}

fn equal(wanted: &Value, leaf: &Value) -> bool {
    match (wanted.as_f64(), leaf.as_f64()) {
        (Some(wanted), Some(number)) => wanted == number,
        _ => wanted == leaf,
    }
}

fn compares(number: f64, operator: &Value, other: Option<f64>) -> bool {
    let other = other.expect("a generated limit is a number");
    match operator.as_str() {
        Some("=") => number == other,
        Some("<") => number < other,
        Some("<=") => number <= other,
        Some(">") => number > other,
        _ => number >= other,
    }
}

/// Returns whether the text is an address of the network; both are of 10.0.0.0/24.
fn same_network(network: &str, text: &str) -> bool {
    let (address, bits) = network
        .split_once('/')
        .expect("a generated network has a slash");
    let host = |address: &str| address.strip_prefix("10.0.0.")?.parse::<u32>().ok();
    let dropped = 32 - bits.parse::<u32>().expect("a number of bits");
    match (host(address), host(text)) {
        (Some(network), Some(host)) => network >> dropped == host >> dropped,
        _ => false,
    }
}
