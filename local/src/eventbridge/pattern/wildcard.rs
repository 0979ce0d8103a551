//! The operator `wildcard`: `*` stands for any run of characters, `\*` for a star and `\\` for a
//! backslash.

/// A compiled wildcard expression: the literal pieces between its stars.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    pieces: Vec<String>,
}

impl Wildcard {
    /// Reads an expression. Two stars in a row and a backslash before anything else are errors;
    /// positions count bytes from 1.
    pub(super) fn parse(expression: &str) -> Result<Self, String> {
        let mut pieces = vec![];
        let mut piece = String::new();
        let mut characters = expression.char_indices().peekable();
        while let Some((index, character)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            match (character, next) {
                ('*', Some('*')) => {
                    return Err(format!(
                        "Consecutive wildcard characters at pos {}",
                        index + 1
                    ));
                }
                ('*', _) => pieces.push(std::mem::take(&mut piece)),
                ('\\', Some(escaped @ ('*' | '\\'))) => {
                    characters.next();
                    piece.push(escaped);
                }
                ('\\', _) => return Err(format!("Invalid escape character at pos {}", index + 1)),
                (literal, _) => piece.push(literal),
            }
        }
        pieces.push(piece);
        Ok(Self { pieces })
    }

    /// Whether the whole of `text` fits the expression.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.iter().all(|only| only == text);
        };
        let Some(rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else {
            return false;
        };
        // The leftmost place of each piece leaves the most room for those after it.
        for piece in middle {
            match rest.split_once(piece.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}
