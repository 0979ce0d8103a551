//! The whole Herald stack on one machine: reads `template.yaml`, the file that is deployed, and runs
//! what it describes.

pub mod aws_json;
pub mod gateway;
pub mod eventbridge;
pub mod lambda;
pub mod sqs;
pub mod template;
