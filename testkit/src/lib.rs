//! Stacks, SDK configurations and waiting for the tests of Herald's crates.

mod aws;
mod stack;
mod waiting;

pub use aws::{sdk_config, sdk_config_of};
pub use herald_testkit_macros::local_only;
pub use stack::{repository, start, template, turn};
pub use waiting::{in_time, patience, until, until_async};
