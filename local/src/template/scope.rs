//! What the names in a template stand for: parameters, pseudo parameters, conditions and resources.

use std::{cell::RefCell, collections::BTreeMap};

use super::{
    conditions,
    document::{Document, Resource},
    error::Problem,
    identity::{self, Identity},
    item::{Fields, Item},
    parameters,
    settings::Settings,
    yaml::{Node, Position},
};

/// The names of one template.
pub(super) struct Scope<'t> {
    pub(super) document: &'t Document,
    pub(super) settings: &'t Settings,
    parameters: BTreeMap<String, Node>,
    /// What is being looked up, to notice that something is defined by itself.
    looking_up: RefCell<Vec<String>>,
}

/// Where a name is used, for errors.
#[derive(Clone, Copy)]
pub(super) struct Usage<'a> {
    pub(super) path: &'a str,
    pub(super) position: Position,
}

impl Usage<'_> {
    pub(super) fn problem(self, reason: impl Into<String>) -> Problem {
        Problem::new(self.position, self.path, reason)
    }
}

impl<'t> Scope<'t> {
    pub(super) fn new(document: &'t Document, settings: &'t Settings) -> Result<Self, Problem> {
        Ok(Self {
            document,
            settings,
            parameters: parameters::resolve(document, settings)?,
            looking_up: RefCell::default(),
        })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&Node> {
        self.parameters.get(name)
    }

    /// The parameters' values as text, lists joined by commas.
    pub(super) fn parameter_texts(&self) -> BTreeMap<String, String> {
        let parameters = self.parameters.iter();
        parameters
            .map(|(name, value)| (name.clone(), parameters::text(value)))
            .collect()
    }

    /// Whether the condition `name` holds.
    pub(super) fn condition(&self, name: &str, usage: Usage<'_>) -> Result<bool, Problem> {
        let condition = self.document.conditions.entry(name);
        let condition =
            condition.ok_or_else(|| usage.problem(format!("there is no condition {name}")))?;
        let path = format!("Conditions.{name}");
        self.guarded(&path, usage, || conditions::holds(self, condition, &path))
    }

    /// Whether a resource is part of the stack: it has no condition, or one that holds.
    pub(super) fn is_active(&self, resource: &Resource) -> Result<bool, Problem> {
        let Some(condition) = &resource.condition else {
            return Ok(true);
        };
        self.condition(condition, resource.usage())
    }

    /// What a resource is called; an error if it is not run here or not there at all.
    pub(super) fn identity(&self, logical_id: &str, usage: Usage<'_>) -> Result<Identity, Problem> {
        let Some(resource) = self.document.resource(logical_id) else {
            return identity::of_generated(self, logical_id).ok_or_else(|| {
                usage.problem(format!(
                    "there is no resource or parameter called {logical_id}"
                ))
            });
        };
        if !self.is_active(resource)? {
            return Err(usage.problem(format!(
                "{logical_id} is not part of the stack, as its condition does not hold"
            )));
        }
        let identity = self.guarded(&resource.path, usage, || {
            identity::of_resource(self, resource)
        })?;
        identity.ok_or_else(|| {
            usage.problem(format!(
                "{logical_id}, of type {}, is not run on this machine and has no value here: use a \
                 parameter in its place",
                resource.kind
            ))
        })
    }

    /// The value of `!GetAtt`.
    pub(super) fn attribute(
        &self,
        logical_id: &str,
        attribute: &str,
        usage: Usage<'_>,
    ) -> Result<String, Problem> {
        let identity = self.identity(logical_id, usage)?;
        let value = identity.attribute(attribute).map(str::to_owned);
        value.ok_or_else(|| {
            let known = identity.attribute_names().collect::<Vec<_>>().join(", ");
            usage.problem(format!(
                "{logical_id} has no attribute {attribute} here, only {known}"
            ))
        })
    }

    /// The logical id of the resource of type `kind` with this ARN.
    pub(super) fn resource_by_arn(&self, kind: &str, arn: &Item<'_>) -> Result<String, Problem> {
        let text = arn.text()?;
        for resource in &self.document.resources {
            if resource.kind != kind || !self.is_active(resource)? {
                continue;
            }
            let identity = identity::of_resource(self, resource)?;
            if identity.is_some_and(|identity| identity.attribute("Arn") == Some(text.as_str())) {
                return Ok(resource.logical_id.clone());
            }
        }
        Err(arn.problem(format!(
            "`{text}` is not the ARN of an {kind} of this template: write !GetAtt and its logical id"
        )))
    }

    /// The properties of a resource.
    pub(super) fn properties<'a>(&'a self, resource: &'a Resource) -> Result<Fields<'a>, Problem> {
        self.map(resource.properties_path(), &resource.properties)
    }

    /// The metadata of a resource.
    pub(super) fn metadata<'a>(&'a self, resource: &'a Resource) -> Result<Fields<'a>, Problem> {
        self.map(format!("{}.Metadata", resource.path), &resource.metadata)
    }

    fn map<'a>(&'a self, path: String, node: &Node) -> Result<Fields<'a>, Problem> {
        let missing = || Problem::new(node.position, &path, "must be a map");
        Item::evaluate(self, &path, node)?
            .ok_or_else(missing)?
            .fields()
    }

    fn guarded<T>(
        &self,
        path: &str,
        usage: Usage<'_>,
        look_up: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.looking_up.borrow().iter().any(|entry| entry == path) {
            return Err(usage.problem(format!("{path} is defined by itself")));
        }
        self.looking_up.borrow_mut().push(path.to_owned());
        let found = look_up();
        self.looking_up.borrow_mut().pop();
        found
    }
}
