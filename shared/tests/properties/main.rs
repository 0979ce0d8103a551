//! The properties of every input: of clients' frames, of messages on the notification queue, and of the
//! patterns in permissions.
//!
//! Each reader gets three kinds of input: any text, which rarely gets far; well-formed input in
//! spellings that no serializer would choose; and well-formed input with a few edits. No reader may
//! panic, and its result is compared with that of a second, simpler reader.
//!
//! `PROPTEST_CASES` sets the number of inputs for each property; `.cargo/config.toml` has the default.

mod depth;
mod edits;
mod frames;
mod json;
mod permissions;
mod presence;
mod pushes;
mod sentences;
