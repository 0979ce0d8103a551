//! Queues that feed functions: SAM's event of type `SQS` and `AWS::Lambda::EventSourceMapping`. Both
//! have the same properties, but name queue and function in different places.

use std::time::Duration;

use crate::template::{
    document::Resource,
    error::Problem,
    item::{Fields, Item},
    model::EventSourceMapping,
    scope::Scope,
};

use super::{FUNCTION, queue::queue_arn};

const IGNORED: &[&str] = &["KmsKeyArn", "LoggingConfig", "MetricsConfig", "Tags"];

/// Reads one of a function's `Events`. Returns `None` if it is disabled, or wrong and reported.
pub(super) fn read_event(
    scope: &Scope<'_>,
    function: &str,
    event: &Item<'_>,
) -> Option<EventSourceMapping> {
    let mut fields = event.read(Item::fields)?;
    fields.require("Type")?.read(check_type)?;
    let properties = fields.require("Properties");
    fields.finish(&[]);
    let mut properties = properties?.read(Item::fields)?;
    let queue = properties.require("Queue");
    read(scope, Some(function.to_owned()), queue, properties)
}

/// Reads a mapping that is a resource of its own. Returns `None` if it is disabled, or wrong and
/// reported.
pub(super) fn read_resource(scope: &Scope<'_>, resource: &Resource) -> Option<EventSourceMapping> {
    let mut properties = scope.properties(resource)?;
    let queue = properties.require("EventSourceArn");
    let function = properties.require("FunctionName");
    let function = function.and_then(|item| item.read(|item| function_of(scope, item)));
    read(scope, function, queue, properties)
}

fn read(
    scope: &Scope<'_>,
    function: Option<String>,
    queue: Option<Item<'_>>,
    mut properties: Fields<'_>,
) -> Option<EventSourceMapping> {
    let queue = queue.and_then(|queue| queue_arn(scope, &queue));
    let batch_size = properties.read("BatchSize", Item::number);
    let window = properties.read("MaximumBatchingWindowInSeconds", Item::seconds);
    let enabled = properties.read("Enabled", Item::boolean);
    let maximum_concurrency = maximum_concurrency(&mut properties);
    let report_batch_item_failures = reports_failures(&mut properties);
    properties.finish(IGNORED);
    let mapping = EventSourceMapping {
        function: function?,
        queue: queue?,
        batch_size: batch_size.unwrap_or(10),
        window: window.unwrap_or(Duration::ZERO),
        maximum_concurrency,
        report_batch_item_failures,
    };
    enabled.unwrap_or(true).then_some(mapping)
}

fn check_type(kind: &Item<'_>) -> Result<(), Problem> {
    let name = kind.text()?;
    if name == "SQS" {
        return Ok(());
    }
    Err(kind.problem(format!(
        "events of type {name} are not supported here, only SQS: remove it, or make it conditional \
         with !If"
    )))
}

/// Returns the logical id of a function by its name or ARN: `FunctionName` may be either.
fn function_of(scope: &Scope<'_>, item: &Item<'_>) -> Result<String, Problem> {
    let text = item.text()?;
    match scope.find(FUNCTION, |identity| identity.name == text) {
        Some(function) => Ok(function.logical_id.clone()),
        None => scope.resource_by_arn(FUNCTION, item),
    }
}

fn maximum_concurrency(properties: &mut Fields<'_>) -> Option<usize> {
    let mut scaling = properties.nested("ScalingConfig")?;
    let maximum = scaling.read("MaximumConcurrency", Item::number);
    scaling.finish(&[]);
    maximum
}

fn reports_failures(properties: &mut Fields<'_>) -> bool {
    let Some(types) = properties.take("FunctionResponseTypes") else {
        return false;
    };
    let types = types.each();
    for item in &types {
        item.read(check_response_type);
    }
    !types.is_empty()
}

fn check_response_type(item: &Item<'_>) -> Result<(), Problem> {
    match item.text()?.as_str() {
        "ReportBatchItemFailures" => Ok(()),
        other => Err(item.problem(format!("must be ReportBatchItemFailures, got `{other}`"))),
    }
}
