//! The common rules of error texts.

use herald_shared::{error_chain::error_chain, protocol::Refusal};

/// Returns whether a refusal is fit for the client: words in one line, not too many, and without the
/// JSON reader's position.
pub(crate) fn is_fit_for_a_client(refusal: &Refusal) -> bool {
    let message = &refusal.message;
    is_sentence(message)
        && !message.contains(char::is_control)
        && message.len() < 1_000
        && !message.contains(" at line ")
}

/// Returns whether an error, with its causes, is made of words and does not end in a full stop. It may
/// quote any input.
pub(crate) fn is_described(error: &dyn std::error::Error) -> bool {
    is_sentence(&error_chain(error))
}

fn is_sentence(text: &str) -> bool {
    text.contains(' ') && !text.ends_with(['.', ' ', ':'])
}
