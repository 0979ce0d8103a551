//! Small damage to a valid text, so that it becomes invalid deep inside.

use proptest::{collection::vec, prelude::*, sample::Index};

/// Returns a valid text after up to four edits.
pub(crate) fn edited(good: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (good, vec((any::<Index>(), edit()), 0..5)).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (place, edit) in edits {
            let place = place.index(characters.len() + 1);
            edit.apply(&mut characters, place);
        }
        characters.into_iter().collect()
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(String),
    Remove(usize),
    Repeat(usize),
    CutOff,
}

impl Edit {
    fn apply(self, characters: &mut Vec<char>, place: usize) {
        let end = |length: usize| (place + length).min(characters.len());
        match self {
            Self::Insert(text) => {
                characters.splice(place..place, text.chars());
            }
            Self::Remove(length) => {
                characters.drain(place..end(length));
            }
            Self::Repeat(length) => {
                let again = characters[place..end(length)].to_vec();
                characters.splice(place..place, again);
            }
            Self::CutOff => characters.truncate(place),
        }
    }
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => token().prop_map(Edit::Insert),
        3 => (1..8_usize).prop_map(Edit::Remove),
        2 => (1..40_usize).prop_map(Edit::Repeat),
        1 => Just(Edit::CutOff),
    ]
}

/// Returns the tokens of JSON, and some that JSON does not have.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud800", "null", "true", "-",
            "1e999", "\u{0}", "\u{ffff}", "*", "**", "//",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ]
}
