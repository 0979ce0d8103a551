//! `AWS::ApiGatewayV2::RouteResponse`: the resource that lets a route reply.

use crate::template::{document::Resource, error::Problem, item::Item, scope::Scope};

/// Returns the logical id of the route that replies.
pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<String> {
    let mut properties = scope.properties(resource)?;
    let route = properties.require("RouteId");
    properties.read("ApiId", Item::text);
    let key = properties.require("RouteResponseKey");
    properties.finish(&[]);
    key?.read(check_key)?;
    route?.read(Item::text)
}

fn check_key(key: &Item<'_>) -> Result<(), Problem> {
    match key.text()?.as_str() {
        "$default" => Ok(()),
        other => Err(key.problem(format!(
            "must be $default, the only route response of API Gateway, got `{other}`"
        ))),
    }
}
