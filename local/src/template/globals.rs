//! SAM's `Globals`: properties that all functions, or all WebSocket APIs, of the template share.
//!
//! They are merged as by SAM: maps are merged, lists concatenated, and any other value is replaced by the
//! resource's own. <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html>

use super::yaml::{Kind, Node};

/// Returns a resource's own properties merged with those of `Globals` for its type.
pub(super) fn merge(globals: &Node, kind: &str, properties: Node) -> Node {
    let section = kind.strip_prefix("AWS::Serverless::").unwrap_or_default();
    match globals.entry(section) {
        Some(global) => merge_node(global.clone(), properties),
        None => properties,
    }
}

fn merge_node(global: Node, local: Node) -> Node {
    let position = local.position;
    let kind = match (global.kind, local.kind) {
        (Kind::Map(global), Kind::Map(local)) => Kind::Map(merge_entries(global, local)),
        (Kind::List(mut global), Kind::List(local)) => {
            global.extend(local);
            Kind::List(global)
        }
        (_, local) => local,
    };
    Node { kind, position }
}

fn merge_entries(
    mut merged: Vec<(String, Node)>,
    local: Vec<(String, Node)>,
) -> Vec<(String, Node)> {
    for (key, value) in local {
        match merged.iter().position(|(name, _)| *name == key) {
            Some(index) => {
                let (_, global) = merged.remove(index);
                merged.insert(index, (key, merge_node(global, value)));
            }
            None => merged.push((key, value)),
        }
    }
    merged
}
