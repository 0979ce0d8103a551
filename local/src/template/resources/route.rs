//! The routes of a WebSocket API and the logical ids SAM gives them.

use std::time::Duration;

use crate::template::{document::Resource, error::Problem, item::Item, model::Route, scope::Scope};

use super::FUNCTION;

/// The longest integration timeout, in milliseconds, and the default.
const LONGEST: u64 = 29_000;
const SHORTEST: u64 = 50;

/// Returns the route keys of an API, not evaluated.
pub(in crate::template) fn keys(api: &Resource) -> impl Iterator<Item = &str> {
    let routes = api.properties.entry("Routes");
    let entries = routes.and_then(|routes| routes.entries());
    entries
        .unwrap_or_default()
        .iter()
        .map(|(key, _)| key.as_str())
}

/// Returns the logical id of a route. SAM composes it of the API's, the route key with only its first
/// letter in upper case, and `Route`.
pub(in crate::template) fn logical_id(api: &str, key: &str) -> String {
    let key = key.trim_start_matches('$');
    let (first, rest) = key.split_at(key.chars().next().map_or(0, char::len_utf8));
    format!("{api}{}{}Route", first.to_uppercase(), rest.to_lowercase())
}

/// Reads one route. `two_way` holds only what the route itself says: it also needs a route response.
pub(super) fn read(scope: &Scope<'_>, key: String, item: &Item<'_>) -> Option<Route> {
    item.read(|item| check_key(&key, item))?;
    let mut fields = item.read(Item::fields)?;
    let function = fields.require("FunctionArn");
    let function = function.and_then(|arn| arn.read(|arn| scope.resource_by_arn(FUNCTION, arn)));
    let timeout = fields.read("IntegrationTimeout", timeout);
    let two_way = fields.read("RouteResponseSelectionExpression", check_expression);
    fields.finish(&["OperationName"]);
    Some(Route {
        function: function?,
        integration_timeout: timeout.unwrap_or(Duration::from_millis(LONGEST)),
        two_way: two_way.is_some(),
        key,
    })
}

/// SAM refuses other keys, because it derives logical ids from them.
fn check_key(key: &str, item: &Item<'_>) -> Result<(), Problem> {
    let is_special = ["$connect", "$disconnect", "$default"].contains(&key);
    let is_alphanumeric = !key.is_empty() && key.chars().all(char::is_alphanumeric);
    if is_special || is_alphanumeric {
        return Ok(());
    }
    Err(item.problem(
        "a route key must be $connect, $disconnect, $default or consist of letters and digits",
    ))
}

fn timeout(item: &Item<'_>) -> Result<Duration, Problem> {
    let milliseconds: u64 = item.number()?;
    if !(SHORTEST..=LONGEST).contains(&milliseconds) {
        return Err(item.problem(format!(
            "must be {SHORTEST} to {LONGEST} milliseconds, got {milliseconds}"
        )));
    }
    Ok(Duration::from_millis(milliseconds))
}

fn check_expression(item: &Item<'_>) -> Result<(), Problem> {
    match item.text()?.as_str() {
        "$default" => Ok(()),
        other => Err(item.problem(format!(
            "must be $default, the only one that API Gateway supports, got `{other}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::logical_id;

    #[test]
    fn logical_ids_of_routes_are_those_of_sam() {
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
