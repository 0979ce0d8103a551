//! Whole templates, read: our own, small ones for every intrinsic, wrong ones, and damaged ones.

mod damaged;
mod errors;
mod intrinsics;
mod own_template;
mod policies;
mod resources;
mod rules;
mod secrets;

use std::path::Path;

use super::{Settings, Stack, error::Problem, stack::parse};

/// The least a stack needs: an API with one route and its function.
const LEAST: &str = "
  Api:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.action
      Routes: { $connect: { FunctionArn: !GetAtt Connect.Arn } }
  Connect:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: connect } }
    Properties: { CodeUri: functions, Runtime: provided.al2023 }
";

fn settings() -> Settings {
    Settings::new("http://127.0.0.1:3030")
}

fn read(text: &str) -> Result<Stack, Problem> {
    parse(text, Path::new("/herald"), &settings())
}

/// A template of `sections` and, beside the least resources, `resources`.
fn template(sections: &str, resources: &str) -> String {
    format!("{sections}\nResources:{LEAST}\n{resources}\n")
}
