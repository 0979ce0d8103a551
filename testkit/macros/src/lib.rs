//! The attribute of tests that need the local stack.
//!
//! A crate of its own, because procedural macros have to be; and a procedural macro, because a macro by example
//! takes no reason beside a function and is not formatted by `rustfmt`.

use proc_macro::TokenStream;

/// Marks an asynchronous test that needs the local stack's own handles.
///
/// With the feature `deployed` the test is ignored, for the reason given: `#[local_only("moves the queues' clock")]`.
/// The feature is that of the crate that has the test. libtest learns of ignored tests at compile time only; a test
/// that returned early would count as passed.
#[proc_macro_attribute]
pub fn local_only(reason: TokenStream, test: TokenStream) -> TokenStream {
    let attributes = format!("#[cfg_attr(feature = \"deployed\", ignore = {reason})]");
    let attributes: TokenStream = attributes.parse().expect("attributes");
    attributes.into_iter().chain(test).collect()
}
