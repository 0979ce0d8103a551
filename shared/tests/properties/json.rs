//! JSON texts of every kind, in spellings that a serializer would not choose: blanks, needless escapes,
//! repeated fields.

use proptest::{collection::vec, prelude::*};

/// Returns any JSON value that fits Rust's types.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false", "[]", "{}"]).prop_map(str::to_owned),
        number(),
        any_string(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            object(vec((any_string(), inner), 0..5)),
        ]
    })
}

/// Returns the levels around a value, from the outermost: true for an object, false for an array.
pub(crate) fn levels() -> impl Strategy<Value = Vec<bool>> {
    vec(any::<bool>(), 85..115)
}

/// Returns a value inside these levels.
pub(crate) fn nested(levels: &[bool], value: &str) -> String {
    let nest = |inner: String, is_object: &bool| match is_object {
        true => format!(r#"{{"a":{inner}}}"#),
        false => format!("[{inner}]"),
    };
    levels.iter().rev().fold(value.to_owned(), nest)
}

/// Returns an object of fields, each the JSON of its name and of its value.
pub(crate) fn object(
    fields: impl Strategy<Value = Vec<(String, String)>>,
) -> impl Strategy<Value = String> {
    (fields, blanks(), blanks()).prop_map(|(fields, before, between)| {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| format!("{before}{name}{between}:{value}"))
            .collect();
        format!(
            "{before}{{{}{between}}}{before}",
            fields.join(&between_fields(&between))
        )
    })
}

fn between_fields(blanks: &str) -> String {
    format!("{blanks},")
}

/// Returns the JSON of a string of any characters.
pub(crate) fn any_string() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..8)
        .prop_map(String::from_iter)
        .prop_flat_map(string)
}

/// Returns the JSON of this string, each character as itself or escaped.
pub(crate) fn string(text: String) -> impl Strategy<Value = String> {
    let length = text.chars().count();
    vec(prop::bool::weighted(0.2), length).prop_map(move |escaped| {
        let characters = text.chars().zip(escaped);
        let spelt = characters.map(|(character, escaped)| spell(character, escaped));
        format!("\"{}\"", spelt.collect::<String>())
    })
}

fn spell(character: char, escaped: bool) -> String {
    let needs_escape = matches!(character, '\0'..='\u{1f}' | '"' | '\\');
    if !escaped && !needs_escape {
        return character.to_string();
    }
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units);
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Returns a number, rarely in its shortest form.
pub(crate) fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?"
}

fn blanks() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,2}"
}
