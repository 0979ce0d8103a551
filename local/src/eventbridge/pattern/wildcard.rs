//! The operator `wildcard`: `*` matches any run of characters, `\*` a star and `\\` a backslash.

/// A compiled wildcard expression: the literal pieces between its stars.
#[derive(Clone, Debug)]
pub(super) struct Wildcard {
    pieces: Vec<String>,
}

impl Wildcard {
    /// Reads an expression. Two stars in a row are an error, and so is a backslash before any other
    /// character. Positions count bytes from 1.
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

    /// Returns whether the whole of `text` matches the expression.
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
        // The leftmost place of each piece leaves the most text for the pieces after it.
        for piece in middle {
            match rest.split_once(piece.as_str()) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}
