//! An error and its causes in one line of text.

use std::{error::Error, fmt::Write};

/// Returns the texts of `error` and its causes, from the outermost inwards, separated by colons.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
