//! Queues that feed functions: SAM's event of type `SQS` and `AWS::Lambda::EventSourceMapping`. Both
//! say the same, but for where queue and function stand.

use std::time::Duration;

use crate::template::{
    document::Resource,
    error::Problem,
    identity::physical_name,
    item::{Fields, Item},
    model::EventSourceMapping,
    scope::Scope,
};

use super::{FUNCTION, QUEUE};

const IGNORED: &[&str] = &["KmsKeyArn", "LoggingConfig", "MetricsConfig", "Tags"];

/// Reads one of a function's `Events`; none if it is switched off.
pub(super) fn read_event(
    scope: &Scope<'_>,
    function: &str,
    event: &Item<'_>,
) -> Result<Option<EventSourceMapping>, Problem> {
    let mut fields = event.fields()?;
    let kind = fields.require("Type")?;
    let name = kind.text()?;
    if name != "SQS" {
        return Err(kind.problem(format!(
            "events of type {name} are not run here, only SQS: remove it, or choose it with !If"
        )));
    }
    let mut properties = fields.require("Properties")?.fields()?;
    fields.finish(&[])?;
    let queue = properties.require("Queue")?;
    read(scope, function.to_owned(), &queue, properties)
}

/// Reads a mapping that is a resource of its own; none if it is switched off.
pub(super) fn read_resource(
    scope: &Scope<'_>,
    resource: &Resource,
) -> Result<Option<EventSourceMapping>, Problem> {
    let mut properties = scope.properties(resource)?;
    let queue = properties.require("EventSourceArn")?;
    let function = function_of(scope, &properties.require("FunctionName")?)?;
    read(scope, function, &queue, properties)
}

fn read(
    scope: &Scope<'_>,
    function: String,
    queue: &Item<'_>,
    mut properties: Fields<'_>,
) -> Result<Option<EventSourceMapping>, Problem> {
    // The queue must be one of the template's.
    scope.resource_by_arn(QUEUE, queue)?;
    let batch_size = properties.read("BatchSize", Item::number)?;
    let window = properties.read("MaximumBatchingWindowInSeconds", Item::seconds)?;
    let enabled = properties.read("Enabled", Item::boolean)?;
    let mapping = EventSourceMapping {
        function,
        queue: queue.text()?,
        batch_size: batch_size.unwrap_or(10),
        window: window.unwrap_or(Duration::ZERO),
        maximum_concurrency: maximum_concurrency(&mut properties)?,
        report_batch_item_failures: reports_failures(&mut properties)?,
    };
    properties.finish(IGNORED)?;
    Ok(enabled.unwrap_or(true).then_some(mapping))
}

/// `FunctionName` takes a name or an ARN.
fn function_of(scope: &Scope<'_>, item: &Item<'_>) -> Result<String, Problem> {
    let text = item.text()?;
    for resource in &scope.document.resources {
        if resource.kind == FUNCTION
            && scope.is_active(resource)?
            && physical_name(scope, resource, "FunctionName")? == text
        {
            return Ok(resource.logical_id.clone());
        }
    }
    scope.resource_by_arn(FUNCTION, item)
}

fn maximum_concurrency(properties: &mut Fields<'_>) -> Result<Option<usize>, Problem> {
    let Some(mut scaling) = properties.nested("ScalingConfig")? else {
        return Ok(None);
    };
    let maximum = scaling.read("MaximumConcurrency", Item::number)?;
    scaling.finish(&[])?;
    Ok(maximum)
}

fn reports_failures(properties: &mut Fields<'_>) -> Result<bool, Problem> {
    let Some(types) = properties.take("FunctionResponseTypes")? else {
        return Ok(false);
    };
    let mut reports = false;
    for item in types.items()? {
        match item.text()?.as_str() {
            "ReportBatchItemFailures" => reports = true,
            other => {
                return Err(item.problem(format!("must be ReportBatchItemFailures, is `{other}`")));
            }
        }
    }
    Ok(reports)
}
