//! `AWS::Serverless::WebSocketApi`: the API with its stage, routes and authorizer.

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

/// The quota of an account, which replaces what the stage does not set.
const ACCOUNT_THROTTLE: Throttle = Throttle {
    rate: 10_000.0,
    burst: 5_000,
};

/// The beginnings of a WebSocket API's identity sources. Those of HTTP APIs begin with `$request.`.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
const IDENTITY_SOURCES: [&str; 4] = [
    "route.request.header.",
    "route.request.querystring.",
    "stageVariables.",
    "context.",
];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<WebSocketApi> {
    let mut properties = scope.properties(resource)?;
    let route_map = properties.require("Routes");
    let routes = route_map
        .as_ref()
        .and_then(|routes| routes.read(Item::fields));
    let routes = routes.map(Fields::each).unwrap_or_default();
    let routes: Vec<_> = routes
        .into_iter()
        .filter_map(|(key, item)| route::read(scope, key, &item))
        .collect();
    let stage = properties.read("StageName", stage);
    let expression = properties.require("RouteSelectionExpression");
    let auth = properties.nested("Auth");
    let authorizer = auth.and_then(|auth| authorizer(scope, auth));
    let stage_variables = properties.nested("StageVariables").map(Fields::texts);
    let throttle = properties.nested("DefaultRouteSettings").and_then(throttle);
    properties.finish(IGNORED);
    if authorizer.is_some() && !routes.iter().any(|route| route.key == "$connect") {
        route_map?.report("Auth needs the route $connect, the only one that an authorizer guards");
    }
    Some(WebSocketApi {
        logical_id: resource.logical_id.clone(),
        api_id: scope.identity_of(resource)?.name.clone(),
        stage: stage.unwrap_or_else(|| "default".to_owned()),
        route_selection_expression: expression?.read(Item::text)?,
        routes,
        authorizer,
        stage_variables: stage_variables.unwrap_or_default().into_iter().collect(),
        throttle,
    })
}

fn stage(item: &Item<'_>) -> Result<String, Problem> {
    let name = item.text()?;
    if name == "$default" {
        return Err(item.problem("the stage of a WebSocket API cannot be called $default"));
    }
    Ok(name)
}

fn authorizer(scope: &Scope<'_>, mut auth: Fields<'_>) -> Option<Authorizer> {
    let kind = auth.require("AuthType")?;
    match kind.read(Item::text)?.as_str() {
        "NONE" => {
            auth.finish(&[]);
            None
        }
        "CUSTOM" => {
            let sources = auth.read("IdentitySource", identity_sources);
            let function = auth.require("AuthArn");
            auth.finish(&["InvokeRole", "Name"]);
            Some(Authorizer {
                function: function?.read(|arn| scope.resource_by_arn(FUNCTION, arn))?,
                identity_sources: sources.unwrap_or_default(),
            })
        }
        other => {
            kind.report(format!("must be NONE or CUSTOM here, got `{other}`"));
            None
        }
    }
}

fn identity_sources(list: &Item<'_>) -> Result<Vec<String>, Problem> {
    let items = list.items()?;
    if items.is_empty() {
        return Err(
            list.problem("must name at least one source: remove the property if there is none")
        );
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
        "must be one of {} and a name, got `{source}`",
        IDENTITY_SOURCES.join(", ")
    )))
}

fn throttle(mut settings: Fields<'_>) -> Option<Throttle> {
    let rate = settings.read("ThrottlingRateLimit", Item::number);
    let burst = settings.read("ThrottlingBurstLimit", Item::number);
    settings.finish(&["DataTraceEnabled", "DetailedMetricsEnabled", "LoggingLevel"]);
    (rate.is_some() || burst.is_some()).then(|| Throttle {
        rate: rate.unwrap_or(ACCOUNT_THROTTLE.rate),
        burst: burst.unwrap_or(ACCOUNT_THROTTLE.burst),
    })
}
