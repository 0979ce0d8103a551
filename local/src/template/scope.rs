//! The meaning of the names in a template: parameters, pseudo parameters, conditions and resources.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    conditions,
    document::{Document, Resource},
    error::{Problem, Problems},
    identity::{self, Identity},
    item::{Fields, Item},
    model::Stack,
    own_rules,
    package::Packages,
    parameters,
    settings::Settings,
    yaml::{Node, Position},
};

/// The names of one template.
pub(super) struct Scope<'t> {
    pub(super) document: &'t Document,
    pub(super) settings: &'t Settings,
    /// The stack beside which the rules of the template run. `None` for the stack's own template.
    pub(super) beside: Option<&'t Stack>,
    pub(super) problems: &'t Problems,
    /// The packages of functions that do not name their binaries.
    pub(super) packages: Packages,
    /// The value of each parameter, or its problem.
    parameters: BTreeMap<String, Result<Node, Problem>>,
    /// The identity of each resource that was looked up, by logical id.
    identities: RefCell<BTreeMap<String, ResolvedIdentity>>,
    /// The paths of the look-ups in progress, to notice a name that is defined by itself.
    looking_up: RefCell<Vec<String>>,
}

/// `None` for a resource that is not run.
type ResolvedIdentity = Result<Option<Rc<Identity>>, Problem>;

/// The place that uses a name, for errors.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a str,
    pub(super) position: Position,
}

impl Place<'_> {
    pub(super) fn problem(self, reason: impl Into<String>) -> Problem {
        Problem::new(self.position, self.path, reason)
    }
}

impl<'t> Scope<'t> {
    pub(super) fn new(
        document: &'t Document,
        settings: &'t Settings,
        beside: Option<&'t Stack>,
        problems: &'t Problems,
    ) -> Self {
        let remedy: fn(&str) -> String = match beside {
            None => parameters::remedy,
            Some(_) => own_rules::remedy,
        };
        Self {
            document,
            settings,
            beside,
            problems,
            packages: Packages::default(),
            parameters: parameters::resolve(document, settings, remedy, problems),
            identities: RefCell::default(),
            looking_up: RefCell::default(),
        }
    }

    /// Returns the value of the parameter `name`, or its problem.
    pub(super) fn parameter(&self, name: &str) -> Option<Result<Node, Problem>> {
        self.parameters.get(name).cloned()
    }

    /// Returns the values of the parameters as text, lists joined by commas.
    pub(super) fn parameter_texts(&self) -> BTreeMap<String, String> {
        let parameters = self.parameters.iter();
        parameters
            .filter_map(|(name, value)| {
                let value = value.as_ref().ok()?;
                Some((name.clone(), parameters::text(value)))
            })
            .collect()
    }

    /// Returns whether the condition `name` holds.
    pub(super) fn condition(&self, name: &str, place: Place<'_>) -> Result<bool, Problem> {
        let condition = self.document.conditions.entry(name);
        let condition = condition.ok_or_else(|| {
            place.problem(format!("the condition {name} is not defined in Conditions"))
        })?;
        let path = format!("Conditions.{name}");
        self.guarded(&path, place, || conditions::holds(self, condition, &path))
    }

    /// Returns whether a resource is part of the stack: it has no condition, or one that holds.
    pub(super) fn is_active(&self, resource: &Resource) -> Result<bool, Problem> {
        let Some(condition) = &resource.condition else {
            return Ok(true);
        };
        self.condition(condition, resource.place())
    }

    /// Returns the identity of the resource `logical_id`, or a problem if the template or the local
    /// stack does not have it.
    pub(super) fn identity(
        &self,
        logical_id: &str,
        place: Place<'_>,
    ) -> Result<Rc<Identity>, Problem> {
        if let Some(problem) = self.document.unreadable.get(logical_id) {
            return Err(problem.clone());
        }
        let Some(resource) = self.document.resource(logical_id) else {
            let generated = identity::of_generated(self, logical_id)?.map(Rc::new);
            return generated.ok_or_else(|| {
                place.problem(format!(
                    "{logical_id} is neither a resource nor a parameter of the template"
                ))
            });
        };
        if !self.is_active(resource)? {
            return Err(place.problem(format!(
                "{logical_id} is not part of the stack, because its condition does not hold"
            )));
        }
        self.resolve(resource, place)?.ok_or_else(|| {
            place.problem(format!(
                "{logical_id}, of type {}, is not run on this machine and has no value here: use a \
                 parameter in its place",
                resource.kind
            ))
        })
    }

    /// Returns the identity of a resource that is being read, or reports its problem.
    pub(super) fn identity_of(&self, resource: &Resource) -> Option<Rc<Identity>> {
        self.problems
            .value(self.identity(&resource.logical_id, resource.place()))
    }

    /// Resolves an identity at its first use and keeps it.
    pub(super) fn resolve(&self, resource: &Resource, place: Place<'_>) -> ResolvedIdentity {
        let known = self.identities.borrow().get(&resource.logical_id).cloned();
        known.unwrap_or_else(|| {
            let identity = self.guarded(&resource.path, place, || {
                identity::of_resource(self, resource)
            });
            let identity = identity.map(|identity| identity.map(Rc::new));
            let mut identities = self.identities.borrow_mut();
            identities.insert(resource.logical_id.clone(), identity.clone());
            identity
        })
    }

    /// Returns the value of `!GetAtt`.
    pub(super) fn attribute(
        &self,
        logical_id: &str,
        attribute: &str,
        place: Place<'_>,
    ) -> Result<String, Problem> {
        let identity = self.identity(logical_id, place)?;
        let value = identity.attribute(attribute).map(str::to_owned);
        value.ok_or_else(|| {
            let known = identity.attribute_names().collect::<Vec<_>>().join(", ");
            place.problem(format!(
                "{logical_id} has no attribute {attribute} here, only {known}"
            ))
        })
    }

    /// Returns the logical id of the resource of type `kind` with this ARN.
    pub(super) fn resource_by_arn(&self, kind: &str, arn: &Item<'_>) -> Result<String, Problem> {
        let text = arn.text()?;
        let found = self.find(kind, |identity| {
            identity.attribute("Arn") == Some(text.as_str())
        });
        found.map(|resource| resource.logical_id.clone()).ok_or_else(|| {
            arn.problem(format!(
                "`{text}` is not the ARN of an {kind} of this template: write !GetAtt and its logical id"
            ))
        })
    }

    /// Returns the resource of type `kind` with such an identity. The problems of other resources are
    /// reported where these are read.
    pub(super) fn find(
        &self,
        kind: &str,
        is_wanted: impl Fn(&Identity) -> bool,
    ) -> Option<&'t Resource> {
        let mut resources = self.document.resources.iter();
        resources.find(|resource| {
            resource.kind == kind
                && self.is_active(resource) == Ok(true)
                && matches!(self.resolve(resource, resource.place()), Ok(Some(found)) if is_wanted(&found))
        })
    }

    /// Returns the properties of a resource, or reports that they are not a map.
    pub(super) fn properties<'a>(&'a self, resource: &'a Resource) -> Option<Fields<'a>> {
        self.map(resource.properties_path(), &resource.properties)
    }

    /// Returns the metadata of a resource, or reports that they are not a map.
    pub(super) fn metadata<'a>(&'a self, resource: &'a Resource) -> Option<Fields<'a>> {
        self.map(format!("{}.Metadata", resource.path), &resource.metadata)
    }

    fn map<'a>(&'a self, path: String, node: &Node) -> Option<Fields<'a>> {
        let missing = || Problem::new(node.position, &path, "must be a map");
        let item = Item::evaluate(self, &path, node).and_then(|item| item.ok_or_else(missing));
        self.problems.value(item.and_then(|item| item.fields()))
    }

    fn guarded<T>(
        &self,
        path: &str,
        place: Place<'_>,
        look_up: impl FnOnce() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        if self.looking_up.borrow().iter().any(|entry| entry == path) {
            return Err(place.problem(format!("{path} refers to itself")));
        }
        self.looking_up.borrow_mut().push(path.to_owned());
        let found = look_up();
        self.looking_up.borrow_mut().pop();
        found
    }
}
