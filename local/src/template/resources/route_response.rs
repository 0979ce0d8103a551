//! `AWS::ApiGatewayV2::RouteResponse`: what makes a route answer.

use crate::template::{document::Resource, error::Problem, item::Item, scope::Scope};

/// The logical id of the route that is answered.
pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<String, Problem> {
    let mut properties = scope.properties(resource)?;
    let route = properties.require("RouteId")?.text()?;
    properties.read("ApiId", Item::text)?;
    let key = properties.require("RouteResponseKey")?;
    if key.text()? != "$default" {
        return Err(key.problem("API Gateway knows only the route response $default"));
    }
    properties.finish(&[])?;
    Ok(route)
}
