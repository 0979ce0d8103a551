//! `AWS::Lambda::Permission`, as far as it makes a function URL public.
//!
//! AWS answers the requests of a public URL with 403, unless the function allows both actions to every
//! caller. <https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html>

use crate::template::{document::Resource, error::Problem, item::Item, scope::Scope};

use super::function_url::find_function;

/// The actions that a public URL needs.
const ACTIONS: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];

/// The right of every caller to perform one of [`ACTIONS`] on a function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicRight {
    /// The function's logical id.
    function: String,
    action: String,
}

/// Reads the right. Returns `None` for a permission of another kind, which has no part in a URL.
pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<PublicRight> {
    let text = |key: &str| {
        let node = resource.properties.entry(key)?;
        let path = format!("{}.{key}", resource.properties_path());
        // Other kinds of permissions are not run, so their problems do not matter.
        let item = Item::evaluate(scope, path, node).ok()??;
        item.text().ok()
    };
    let action = text("Action").filter(|action| ACTIONS.contains(&action.as_str()))?;
    if text("Principal")? != "*" {
        return None;
    }
    let function = find_function(scope, &text("FunctionName")?)?;
    Some(PublicRight {
        function: function.logical_id.clone(),
        action,
    })
}

/// Reports the rights that a public URL lacks.
pub(super) fn check(scope: &Scope<'_>, url: &Resource, function: &str, rights: &[PublicRight]) {
    for action in ACTIONS {
        let is_it = |right: &PublicRight| right.function == function && right.action == action;
        if !rights.iter().any(is_it) {
            scope.problems.report(Problem::new(
                url.position,
                &url.path,
                format!(
                    "AWS would answer every request with 403: add an AWS::Lambda::Permission with \
                     Action {action}, Principal \"*\" and FunctionName !Ref {function}, or use \
                     FunctionUrlConfig, with which SAM adds it"
                ),
            ));
        }
    }
}
