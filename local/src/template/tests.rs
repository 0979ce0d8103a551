//! Tests that read whole templates: our own, small ones for every intrinsic, wrong ones, and damaged
//! ones.

mod binaries;
mod damaged;
mod errors;
mod function_urls;
mod intrinsics;
mod own_rules;
mod own_template;
mod policies;
mod problems;
mod resources;
mod rules;
mod secrets;

use std::path::Path;

use super::{Settings, Stack, error::Problem, stack::parse};

/// The smallest stack: an API with one route and its function.
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
    read_with(text, &settings())
}

/// Reads a template that has one problem, or none.
fn read_with(text: &str, settings: &Settings) -> Result<Stack, Problem> {
    parse(text, Path::new("/herald"), settings).map_err(|problems| {
        let [problem] = problems.as_slice() else {
            panic!("expected one problem: {problems:#?}");
        };
        problem.clone()
    })
}

/// Returns a template of `sections` and, beside the smallest stack, `resources`.
fn template(sections: &str, resources: &str) -> String {
    format!("{sections}\nResources:{LEAST}\n{resources}\n")
}
