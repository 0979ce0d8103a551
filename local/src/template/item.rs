//! Typed access to evaluated places of a template. Evaluation is lazy: an intrinsic is evaluated when
//! its value is read, so values that are never read may be unknown here. Every problem has its path.
//!
//! Methods that return a [`Result`] serve expressions, which one problem makes useless. Methods that
//! return an [`Option`] or a list report problems and continue.

use std::{str::FromStr, time::Duration};

use serde_json::{Map, Value};

use super::{
    error::Problem,
    intrinsics,
    scope::Scope,
    yaml::{Kind, Node, Position},
};

/// A value: never an intrinsic itself, though its parts may be.
#[derive(Clone)]
pub(super) struct Item<'a> {
    scope: &'a Scope<'a>,
    path: String,
    node: Node,
}

/// The entries of a map, taken out one by one; entries that remain at the end are unknown.
pub(super) struct Fields<'a> {
    scope: &'a Scope<'a>,
    path: String,
    position: Position,
    entries: Vec<(String, Node)>,
}

impl<'a> Item<'a> {
    /// Returns the value of `node`, `None` if it is `AWS::NoValue`.
    pub(super) fn evaluate(
        scope: &'a Scope<'a>,
        path: impl Into<String>,
        node: &Node,
    ) -> Result<Option<Self>, Problem> {
        let path = path.into();
        let value = intrinsics::evaluate(scope, node, &path)?;
        Ok(value.map(|node| Self { scope, path, node }))
    }

    /// Returns a problem with this value.
    pub(super) fn problem(&self, reason: impl Into<String>) -> Problem {
        Problem::new(self.node.position, &self.path, reason)
    }

    /// Reports a problem with this value.
    pub(super) fn report(&self, reason: impl Into<String>) {
        self.scope.problems.report(self.problem(reason));
    }

    /// Reads the value, or reports its problem.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Item<'a>) -> Result<T, Problem>) -> Option<T> {
        self.scope.problems.value(read(self))
    }

    /// Returns an entry of a map as it is written, with its path.
    pub(super) fn written(&self, key: &str) -> Option<(&Node, String)> {
        Some((self.node.entry(key)?, format!("{}.{key}", self.path)))
    }

    pub(super) fn into_node(self) -> Node {
        self.node
    }

    /// Returns the text of a scalar; numbers and booleans are text as well.
    pub(super) fn text(&self) -> Result<String, Problem> {
        self.node
            .scalar_text()
            .ok_or_else(|| self.problem("must be text"))
    }

    /// Returns a number, which may be written as text.
    pub(super) fn number<T: FromStr>(&self) -> Result<T, Problem> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.problem(format!("must be a number in range, got `{text}`")))
    }

    /// Returns a boolean, which may be written as text.
    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.problem(format!("must be true or false, got `{text}`")))
    }

    /// Returns a number of seconds.
    pub(super) fn seconds(&self) -> Result<Duration, Problem> {
        Ok(Duration::from_secs(self.number()?))
    }

    /// Returns the values of a list.
    pub(super) fn items(&self) -> Result<Vec<Item<'a>>, Problem> {
        self.evaluated_items()?
            .into_iter()
            .filter_map(Result::transpose)
            .collect()
    }

    /// Returns the values of a list, or the one value that stands for a list of one.
    pub(super) fn items_or_one(&self) -> Result<Vec<Item<'a>>, Problem> {
        match self.node.kind {
            Kind::List(_) => self.items(),
            _ => Ok(vec![self.clone()]),
        }
    }

    /// Returns the values of a list, and reports those that cannot be evaluated.
    pub(super) fn each(&self) -> Vec<Item<'a>> {
        let items = self.read(Item::evaluated_items).unwrap_or_default();
        let items = items.into_iter();
        items
            .filter_map(|item| self.scope.problems.value(item).flatten())
            .collect()
    }

    /// Returns the values of a list, or the one value that stands for a list of one, and reports those
    /// that cannot be evaluated.
    pub(super) fn each_or_one(&self) -> Vec<Item<'a>> {
        match self.node.kind {
            Kind::List(_) => self.each(),
            _ => vec![self.clone()],
        }
    }

    /// Returns the entries of a map.
    pub(super) fn fields(&self) -> Result<Fields<'a>, Problem> {
        let Kind::Map(entries) = &self.node.kind else {
            return Err(self.problem("must be a map"));
        };
        Ok(Fields {
            scope: self.scope,
            path: self.path.clone(),
            position: self.node.position,
            entries: entries.clone(),
        })
    }

    /// Returns the whole value, all its parts evaluated.
    pub(super) fn json(&self) -> Result<Value, Problem> {
        match &self.node.kind {
            Kind::Scalar(value) => Ok(value.clone()),
            Kind::List(_) => self.items()?.iter().map(Item::json).collect(),
            _ => {
                let entries = self.fields()?.drain()?;
                let object: Result<Map<String, Value>, Problem> = entries
                    .into_iter()
                    .map(|(key, item)| Ok((key, item.json()?)))
                    .collect();
                object.map(Value::Object)
            }
        }
    }

    fn evaluated_items(&self) -> Result<Vec<Result<Option<Item<'a>>, Problem>>, Problem> {
        let Kind::List(nodes) = &self.node.kind else {
            return Err(self.problem("must be a list"));
        };
        let items = nodes.iter().enumerate().map(|(index, node)| {
            Item::evaluate(self.scope, format!("{}[{index}]", self.path), node)
        });
        Ok(items.collect())
    }
}

impl<'a> Fields<'a> {
    /// Reports a problem with the map as a whole.
    pub(super) fn report(&self, reason: impl Into<String>) {
        let problem = Problem::new(self.position, &self.path, reason);
        self.scope.problems.report(problem);
    }

    /// Takes an entry, if the map has it.
    pub(super) fn take(&mut self, key: &str) -> Option<Item<'a>> {
        let item = self.evaluated_entry(key);
        self.scope.problems.value(item).flatten()
    }

    /// Takes an entry, or reports that it is missing.
    pub(super) fn require(&mut self, key: &str) -> Option<Item<'a>> {
        let item = self.evaluated_entry(key);
        let item = self.scope.problems.value(item)?;
        if item.is_none() {
            self.report(format!("{key} is missing"));
        }
        item
    }

    /// Takes an entry and reads it.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Item<'a>) -> Result<T, Problem>,
    ) -> Option<T> {
        self.take(key)?.read(read)
    }

    /// Takes a map within.
    pub(super) fn nested(&mut self, key: &str) -> Option<Fields<'a>> {
        self.read(key, Item::fields)
    }

    /// Takes every entry that remains.
    pub(super) fn drain(self) -> Result<Vec<(String, Item<'a>)>, Problem> {
        let entries = self.evaluated_entries();
        entries
            .filter_map(|(key, item)| item.map(|item| Some((key, item?))).transpose())
            .collect()
    }

    /// Takes every entry that remains, and reports those that cannot be evaluated.
    pub(super) fn each(self) -> Vec<(String, Item<'a>)> {
        let problems = self.scope.problems;
        let entries = self.evaluated_entries();
        entries
            .filter_map(|(key, item)| Some((key, problems.value(item)??)))
            .collect()
    }

    /// Takes every entry that remains as text.
    pub(super) fn texts(self) -> Vec<(String, String)> {
        let entries = self.each().into_iter();
        entries
            .filter_map(|(key, item)| Some((key, item.read(Item::text)?)))
            .collect()
    }

    /// Drops entries that have no meaning here.
    pub(super) fn ignore(&mut self, keys: &[&str]) {
        self.entries
            .retain(|(key, _)| !keys.contains(&key.as_str()));
    }

    /// Reports every entry that remains and is not among `ignored`, which have no meaning on this machine.
    pub(super) fn finish(mut self, ignored: &[&str]) {
        self.ignore(ignored);
        for (key, node) in &self.entries {
            self.scope.problems.report(Problem::new(
                node.position,
                format!("{}.{key}", self.path),
                "is not supported by the local stack: remove it, or make it conditional with !If",
            ));
        }
    }

    fn evaluated_entry(&mut self, key: &str) -> Result<Option<Item<'a>>, Problem> {
        let Some(index) = self.entries.iter().position(|(name, _)| name == key) else {
            return Ok(None);
        };
        let (_, node) = self.entries.remove(index);
        Item::evaluate(self.scope, format!("{}.{key}", self.path), &node)
    }

    fn evaluated_entries(
        self,
    ) -> impl Iterator<Item = (String, Result<Option<Item<'a>>, Problem>)> {
        let (scope, path) = (self.scope, self.path);
        self.entries.into_iter().map(move |(key, node)| {
            let item = Item::evaluate(scope, format!("{path}.{key}"), &node);
            (key, item)
        })
    }
}
