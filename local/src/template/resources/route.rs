//! The routes of a WebSocket API and the logical ids SAM gives them.

use std::time::Duration;

use crate::template::{
    document::Resource,
    error::Problem,
    item::{Fields, Item},
    model::Route,
    scope::Scope,
};

use super::FUNCTION;

/// What API Gateway waits for a function at most, and if the template does not say.
const LONGEST: u64 = 29_000;
const SHORTEST: u64 = 50;

/// The route keys of an API, not evaluated.
pub(in crate::template) fn keys(api: &Resource) -> impl Iterator<Item = &str> {
    let routes = api.properties.entry("Routes");
    let entries = routes.and_then(|routes| routes.entries());
    entries
        .unwrap_or_default()
        .iter()
        .map(|(key, _)| key.as_str())
}

/// The logical id of a route: SAM makes it of the API's, the route key with only its first letter a
/// capital, and `Route`.
pub(in crate::template) fn logical_id(api: &str, key: &str) -> String {
    let key = key.trim_start_matches('$');
    let (first, rest) = key.split_at(key.chars().next().map_or(0, char::len_utf8));
    format!("{api}{}{}Route", first.to_uppercase(), rest.to_lowercase())
}

/// Reads one route. Two-way is only what the route itself says of it.
pub(super) fn read(scope: &Scope<'_>, key: String, item: &Item<'_>) -> Result<Route, Problem> {
    check_key(&key, item)?;
    let mut fields = item.fields()?;
    let route = Route {
        function: scope.resource_by_arn(FUNCTION, &fields.require("FunctionArn")?)?,
        integration_timeout: timeout(&mut fields)?,
        two_way: is_two_way(&mut fields)?,
        key,
    };
    let api_key_required = fields.take("ApiKeyRequired")?;
    if let Some(item) = api_key_required
        && item.boolean()?
    {
        return Err(item.problem("API keys are not run here: choose the property with !If"));
    }
    fields.finish(&["OperationName"])?;
    Ok(route)
}

/// SAM refuses other keys, as it makes logical ids of them.
fn check_key(key: &str, item: &Item<'_>) -> Result<(), Problem> {
    let is_special = ["$connect", "$disconnect", "$default"].contains(&key);
    let is_alphanumeric = !key.is_empty() && key.chars().all(char::is_alphanumeric);
    if is_special || is_alphanumeric {
        return Ok(());
    }
    Err(item.problem(
        "a route key must be $connect, $disconnect, $default or made of letters and digits",
    ))
}

fn timeout(fields: &mut Fields<'_>) -> Result<Duration, Problem> {
    let Some(item) = fields.take("IntegrationTimeout")? else {
        return Ok(Duration::from_millis(LONGEST));
    };
    let milliseconds: u64 = item.number()?;
    if !(SHORTEST..=LONGEST).contains(&milliseconds) {
        return Err(item.problem(format!(
            "must be {SHORTEST} to {LONGEST} milliseconds, is {milliseconds}"
        )));
    }
    Ok(Duration::from_millis(milliseconds))
}

fn is_two_way(fields: &mut Fields<'_>) -> Result<bool, Problem> {
    let Some(item) = fields.take("RouteResponseSelectionExpression")? else {
        return Ok(false);
    };
    match item.text()?.as_str() {
        "$default" => Ok(true),
        other => Err(item.problem(format!(
            "API Gateway knows only $default here, not `{other}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::logical_id;

    #[test]
    fn names_routes_as_sam_does() {
        for (key, expected) in [
            ("$connect", "ApiConnectRoute"),
            ("$default", "ApiDefaultRoute"),
            ("subscribe", "ApiSubscribeRoute"),
            ("sendMessage", "ApiSendmessageRoute"),
            ("v2Send", "ApiV2sendRoute"),
        ] {
            assert_eq!(logical_id("Api", key), expected);
        }
    }
}
