//! The description of the stack, which the page loads once.

use serde_json::{Value, json};

use crate::{addresses::Addresses, template::Stack};

/// Returns the addresses, as `--json` prints them, with the template's outputs and its policies of presence, and
/// with the functions and the queues that feed them.
pub(super) fn describe(stack: &Stack, addresses: &Addresses) -> Value {
    let functions = stack
        .functions
        .iter()
        .map(|function| json!({ "logicalId": function.logical_id, "name": function.name }));
    let mappings = stack.event_source_mappings.iter().map(|mapping| {
        let mut queues = stack.queues.iter();
        let queue = queues.find(|queue| queue.arn == mapping.queue);
        json!({
            "queue": queue.map(|queue| &queue.logical_id),
            "function": mapping.function,
        })
    });
    let mut document = json!(addresses);
    document["region"] = json!(stack.region);
    document["outputs"] = json!(stack.outputs);
    document["presence"] = json!(stack.parameters.get("Presence"));
    document["functions"] = functions.collect();
    document["mappings"] = mappings.collect();
    document
}
