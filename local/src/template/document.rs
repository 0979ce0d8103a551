//! The sections of a template, and its resources one by one, `Globals` merged into them. Nothing is
//! evaluated here.

use std::collections::BTreeMap;

use super::{
    error::{Problem, Problems},
    globals,
    scope::Place,
    yaml::{Node, Position},
};

/// A template in its sections.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) parameters: Vec<(String, Node)>,
    pub(super) rules: Vec<(String, Node)>,
    pub(super) mappings: Node,
    pub(super) conditions: Node,
    pub(super) resources: Vec<Resource>,
    /// The problems of resources that are not readable, by logical id.
    pub(super) unreadable: BTreeMap<String, Problem>,
    pub(super) outputs: Vec<(String, Node)>,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) logical_id: String,
    /// Its path in the template, for errors.
    pub(super) path: String,
    /// Its `Type`.
    pub(super) kind: String,
    /// The name of the condition it depends on.
    pub(super) condition: Option<String>,
    pub(super) metadata: Node,
    pub(super) properties: Node,
    pub(super) position: Position,
}

/// `Hooks` matter to deployments and `Metadata` to tools; both are ignored.
const SECTIONS: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Globals",
    "Hooks",
    "Resources",
    "Outputs",
];

const RESOURCE_ATTRIBUTES: &[&str] = &[
    "Type",
    "Properties",
    "Condition",
    "DependsOn",
    "Metadata",
    "Connectors",
    "CreationPolicy",
    "DeletionPolicy",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

impl Document {
    /// Splits a template into its sections. Returns `None` if the template or a section is not a map,
    /// which is reported.
    pub(super) fn new(root: &Node, problems: &Problems) -> Option<Self> {
        if root.entries().is_none() {
            problems.report(Problem::new(
                root.position,
                "",
                "a template must be a map of sections",
            ));
            return None;
        }
        report_unknown_keys(root, "", SECTIONS, problems);
        let [
            parameters,
            rules,
            mappings,
            conditions,
            globals,
            resources,
            outputs,
        ] = [
            "Parameters",
            "Rules",
            "Mappings",
            "Conditions",
            "Globals",
            "Resources",
            "Outputs",
        ]
        .map(|name| problems.value(section(root, name)));
        let globals = globals?;
        let mut document = Self {
            parameters: entries(&parameters?),
            rules: entries(&rules?),
            mappings: mappings?,
            conditions: conditions?,
            resources: Vec::new(),
            unreadable: BTreeMap::new(),
            outputs: entries(&outputs?),
        };
        for (logical_id, node) in entries(&resources?) {
            match Resource::new(&logical_id, &node, &globals, problems) {
                Ok(resource) => document.resources.push(resource),
                Err(problem) => {
                    problems.report(problem.clone());
                    document.unreadable.insert(logical_id, problem);
                }
            }
        }
        Some(document)
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.logical_id == logical_id)
    }
}

impl Resource {
    /// Returns the path of its properties, for errors.
    pub(super) fn properties_path(&self) -> String {
        format!("{}.Properties", self.path)
    }

    /// Returns the place of the resource itself, for errors about the names it uses.
    pub(super) fn place(&self) -> Place<'_> {
        Place {
            path: &self.path,
            position: self.position,
        }
    }

    fn new(
        logical_id: &str,
        node: &Node,
        globals: &Node,
        problems: &Problems,
    ) -> Result<Self, Problem> {
        let path = format!("Resources.{logical_id}");
        if node.entries().is_none() {
            return Err(Problem::new(node.position, path, "must be a map"));
        }
        report_unknown_keys(node, &path, RESOURCE_ATTRIBUTES, problems);
        let text = |key: &str| node.entry(key).and_then(Node::scalar_text);
        let kind = text("Type").ok_or_else(|| {
            Problem::new(
                node.position,
                &path,
                "has no Type: add one, e.g. AWS::SQS::Queue",
            )
        })?;
        let map = |key: &str| {
            let empty = || Node::empty_map(node.position);
            node.entry(key).cloned().unwrap_or_else(empty)
        };
        let properties = globals::merge(globals, &kind, map("Properties"));
        Ok(Self {
            condition: text("Condition"),
            metadata: map("Metadata"),
            position: node.position,
            path: path.clone(),
            logical_id: logical_id.to_owned(),
            kind,
            properties,
        })
    }
}

/// Returns a section, empty if the template does not have it.
fn section(root: &Node, name: &str) -> Result<Node, Problem> {
    match root.entry(name) {
        None => Ok(Node::empty_map(root.position)),
        Some(node) if node.entries().is_some() => Ok(node.clone()),
        Some(node) => Err(Problem::new(node.position, name, "must be a map")),
    }
}

fn entries(section: &Node) -> Vec<(String, Node)> {
    section.entries().unwrap_or_default().to_vec()
}

/// Reports each entry of the map `node` that is not among these.
pub(super) fn report_unknown_keys(node: &Node, path: &str, known: &[&str], problems: &Problems) {
    for (key, value) in node.entries().unwrap_or_default() {
        if known.contains(&key.as_str()) {
            continue;
        }
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let reason = format!("is not known here: expected one of {}", known.join(", "));
        problems.report(Problem::new(value.position, path, reason));
    }
}
