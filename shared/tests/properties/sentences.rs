//! What every error text has in common.

use herald_shared::{in_full::in_full, protocol::Refusal};

/// Whether a refusal is fit for the client: words in one line, not too many, and nothing of how the
/// JSON was read.
pub(crate) fn is_fit_for_a_client(refusal: &Refusal) -> bool {
    let message = &refusal.message;
    is_sentence(message)
        && !message.contains(char::is_control)
        && message.len() < 1_000
        && !message.contains(" at line ")
}

/// Whether an error, with its causes, is made of words and does not end in a full stop. It may quote
/// what it is about, whatever that is.
pub(crate) fn is_described(error: &dyn std::error::Error) -> bool {
    is_sentence(&in_full(error))
}

fn is_sentence(text: &str) -> bool {
    text.contains(' ') && !text.ends_with(['.', ' ', ':'])
}
