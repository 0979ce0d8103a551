//! Texts cut to a maximum length.

use serde::Serialize;

/// The beginning of a text, or all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Excerpt {
    text: String,
    #[serde(skip)]
    pub(crate) is_cut: bool,
}

impl Excerpt {
    /// Returns at most `limit` bytes of a text, cut between two characters.
    pub(crate) fn of(text: &str, limit: usize) -> Self {
        let end = text.floor_char_boundary(limit);
        Self {
            text: text[..end].to_owned(),
            is_cut: end < text.len(),
        }
    }

    /// Returns the text that was kept.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<Excerpt> for String {
    fn from(excerpt: Excerpt) -> Self {
        excerpt.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_two_characters() {
        for (text, limit, kept) in [
            ("abc", 3, "abc"),
            ("abc", 2, "ab"),
            ("aé", 3, "aé"),
            ("aé", 2, "a"),
            ("", 2, ""),
        ] {
            let excerpt = Excerpt::of(text, limit);
            assert_eq!(excerpt.text, kept);
            assert_eq!(excerpt.is_cut, kept != text, "{text} {limit}");
        }
    }
}
