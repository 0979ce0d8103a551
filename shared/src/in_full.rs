//! An error with everything that caused it, in one line.

use std::{error::Error, fmt::Write};

/// The texts of `error` and of its causes, from the outermost inwards, separated by colons.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
