//! Herald local.
fn main() {}
