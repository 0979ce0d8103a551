//! The sections of a template, and its resources one by one, `Globals` merged into them. Nothing is
//! evaluated here.

use super::{
    error::Problem,
    globals,
    scope::Usage,
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
    pub(super) outputs: Vec<(String, Node)>,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) logical_id: String,
    /// Where it stands, for errors.
    pub(super) path: String,
    /// Its `Type`.
    pub(super) kind: String,
    /// The name of the condition it depends on.
    pub(super) condition: Option<String>,
    pub(super) metadata: Node,
    pub(super) properties: Node,
    pub(super) position: Position,
}

/// `Hooks` deploys in two steps, `Metadata` is for tools.
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
    pub(super) fn new(root: &Node) -> Result<Self, Problem> {
        known_keys(root, "template", SECTIONS)?;
        let globals = section(root, "Globals")?;
        let resources = section(root, "Resources")?;
        Ok(Self {
            parameters: entries(&section(root, "Parameters")?),
            rules: entries(&section(root, "Rules")?),
            mappings: section(root, "Mappings")?,
            conditions: section(root, "Conditions")?,
            resources: entries(&resources)
                .into_iter()
                .map(|(logical_id, node)| Resource::new(logical_id, &node, &globals))
                .collect::<Result<_, _>>()?,
            outputs: entries(&section(root, "Outputs")?),
        })
    }

    pub(super) fn resource(&self, logical_id: &str) -> Option<&Resource> {
        self.resources
            .iter()
            .find(|resource| resource.logical_id == logical_id)
    }
}

impl Resource {
    /// The path of its properties, for errors.
    pub(super) fn properties_path(&self) -> String {
        format!("{}.Properties", self.path)
    }

    /// The use of a name by the resource itself.
    pub(super) fn usage(&self) -> Usage<'_> {
        Usage {
            path: &self.path,
            position: self.position,
        }
    }

    fn new(logical_id: String, node: &Node, globals: &Node) -> Result<Self, Problem> {
        let path = format!("Resources.{logical_id}");
        known_keys(node, &path, RESOURCE_ATTRIBUTES)?;
        let text = |key: &str| node.entry(key).and_then(Node::scalar_text);
        let kind = text("Type").ok_or_else(|| {
            Problem::new(node.position, &path, "has no Type: say what resource it is")
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
            logical_id,
            kind,
            properties,
        })
    }
}

/// A section, empty if the template has none.
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

/// Errs if `node` is no map or has another entry than these.
pub(super) fn known_keys(node: &Node, path: &str, known: &[&str]) -> Result<(), Problem> {
    let entries = node
        .entries()
        .ok_or_else(|| Problem::new(node.position, path, "must be a map"))?;
    match entries
        .iter()
        .find(|(key, _)| !known.contains(&key.as_str()))
    {
        None => Ok(()),
        Some((key, value)) => Err(Problem::new(
            value.position,
            format!("{path}.{key}"),
            format!("not known here: expected one of {}", known.join(", ")),
        )),
    }
}
