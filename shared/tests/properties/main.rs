//! What must hold for any input: of the frames clients send, of what stands on the notification
//! queue, and of the patterns that say what a user may do.
//!
//! Each reader gets three kinds of input: any text, which seldom gets far; well-formed input in
//! spellings that no serializer would choose; and well-formed input with a few edits. Beside that
//! nothing panics, what a reader makes of its input is compared with a second, simpler reader.
//!
//! `PROPTEST_CASES` says how many inputs each property gets; `.cargo/config.toml` has the default.

mod edits;
mod frames;
mod json;
mod permissions;
mod pushes;
mod sentences;
