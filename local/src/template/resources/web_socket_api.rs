//! `AWS::Serverless::WebSocketApi`: the API with its stage, routes and authorizer.

use std::collections::BTreeMap;

use crate::template::{
    document::Resource,
    error::Problem,
    item::{Fields, Item},
    model::{Authorizer, Throttle, WebSocketApi},
    scope::Scope,
};

use super::{FUNCTION, route};

const IGNORED: &[&str] = &[
    "AccessLogSettings",
    "ApiKeySelectionExpression",
    "Description",
    "DisableExecuteApiEndpoint",
    "DisableSchemaValidation",
    "Domain",
    "FailOnWarnings",
    "IpAddressType",
    "Name",
    "PropagateTags",
    "Tags",
];

/// What an account is given when the stage sets only one of the two.
const ACCOUNT_THROTTLE: Throttle = Throttle {
    rate: 10_000.0,
    burst: 5_000,
};

/// What a WebSocket API's authorizer may ask a request for. HTTP APIs write theirs `$request.…`.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
const IDENTITY_SOURCES: [&str; 4] = [
    "route.request.header.",
    "route.request.querystring.",
    "stageVariables.",
    "context.",
];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<WebSocketApi, Problem> {
    let mut properties = scope.properties(resource)?;
    let routes = properties.require("Routes")?;
    let api = WebSocketApi {
        logical_id: resource.logical_id.clone(),
        api_id: scope
            .identity(&resource.logical_id, resource.usage())?
            .reference,
        stage: stage(&mut properties)?,
        route_selection_expression: properties.require("RouteSelectionExpression")?.text()?,
        routes: routes
            .fields()?
            .drain()?
            .into_iter()
            .map(|(key, item)| route::read(scope, key, &item))
            .collect::<Result<_, _>>()?,
        authorizer: authorizer(scope, &mut properties)?,
        stage_variables: stage_variables(&mut properties)?,
        throttle: throttle(&mut properties)?,
    };
    if api.authorizer.is_some() && !api.routes.iter().any(|route| route.key == "$connect") {
        return Err(routes.problem("Auth needs the route $connect, on which alone it is asked"));
    }
    properties.finish(IGNORED)?;
    Ok(api)
}

fn stage(properties: &mut Fields<'_>) -> Result<String, Problem> {
    let Some(item) = properties.take("StageName")? else {
        return Ok("default".to_owned());
    };
    let name = item.text()?;
    if name == "$default" {
        return Err(item.problem("the stage of a WebSocket API cannot be called $default"));
    }
    Ok(name)
}

fn authorizer(
    scope: &Scope<'_>,
    properties: &mut Fields<'_>,
) -> Result<Option<Authorizer>, Problem> {
    let Some(mut auth) = properties.nested("Auth")? else {
        return Ok(None);
    };
    let kind = auth.require("AuthType")?;
    match kind.text()?.as_str() {
        "NONE" => {
            auth.finish(&[])?;
            Ok(None)
        }
        "CUSTOM" => {
            let sources = auth.read("IdentitySource", identity_sources)?;
            let authorizer = Authorizer {
                function: scope.resource_by_arn(FUNCTION, &auth.require("AuthArn")?)?,
                identity_sources: sources.unwrap_or_default(),
            };
            auth.finish(&["InvokeRole", "Name"])?;
            Ok(Some(authorizer))
        }
        "AWS_IAM" => {
            Err(kind.problem("AWS_IAM is not run here: choose NONE for the local stack with !If"))
        }
        other => Err(kind.problem(format!("must be NONE, CUSTOM or AWS_IAM, is `{other}`"))),
    }
}

fn identity_sources(list: &Item<'_>) -> Result<Vec<String>, Problem> {
    let items = list.items()?;
    if items.is_empty() {
        return Err(list.problem("must name a source: without any, leave it out"));
    }
    items.iter().map(identity_source).collect()
}

fn identity_source(item: &Item<'_>) -> Result<String, Problem> {
    let source = item.text()?;
    let is_known = |start: &&str| source.len() > start.len() && source.starts_with(*start);
    if IDENTITY_SOURCES.iter().any(is_known) {
        return Ok(source);
    }
    Err(item.problem(format!(
        "`{source}` is no identity source of a WebSocket API: write {} and a name",
        IDENTITY_SOURCES.join(", ")
    )))
}

fn stage_variables(properties: &mut Fields<'_>) -> Result<BTreeMap<String, String>, Problem> {
    let Some(variables) = properties.nested("StageVariables")? else {
        return Ok(BTreeMap::new());
    };
    let variables = variables.drain()?.into_iter();
    variables
        .map(|(name, item)| Ok((name, item.text()?)))
        .collect()
}

fn throttle(properties: &mut Fields<'_>) -> Result<Option<Throttle>, Problem> {
    let Some(mut settings) = properties.nested("DefaultRouteSettings")? else {
        return Ok(None);
    };
    let rate = settings.read("ThrottlingRateLimit", Item::number)?;
    let burst = settings.read("ThrottlingBurstLimit", Item::number)?;
    settings.finish(&["DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"])?;
    if rate.is_none() && burst.is_none() {
        return Ok(None);
    }
    Ok(Some(Throttle {
        rate: rate.unwrap_or(ACCOUNT_THROTTLE.rate),
        burst: burst.unwrap_or(ACCOUNT_THROTTLE.burst),
    }))
}
