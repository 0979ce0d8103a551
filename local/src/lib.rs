//! The whole Herald stack on one machine: reads `template.yaml`, the file that is deployed, and runs
//! the resources it describes.
//!
//! Start a stack with [`RunningStack::start`]; the other modules are the services that it consists of.

pub mod activity;
pub mod addresses;
mod authentication;
pub mod aws_json;
mod console;
pub mod dynamodb;
mod endpoint;
pub mod eventbridge;
pub mod faults;
pub mod function_urls;
pub mod gateway;
mod http_parameters;
mod http_server;
pub mod iam;
pub mod issuer;
pub mod lambda;
pub mod open_files;
pub mod overview;
mod query_protocol;
mod queue_delivery;
mod running_stack;
pub mod secrets;
pub mod sqs;
pub mod template;
mod visitors;

pub use authentication::Authentication;
pub use http_parameters::http_parameters;
pub use running_stack::{Config, Functions, RunningStack};
