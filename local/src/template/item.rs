//! Typed access to evaluated places of a template. Evaluation is lazy: an intrinsic is looked at when
//! its value is taken, so that what nobody takes need not be known. Every error names its path.

use std::{str::FromStr, time::Duration};

use serde_json::{Map, Value};

use super::{
    error::Problem,
    intrinsics,
    scope::Scope,
    yaml::{Kind, Node, Position},
};

/// A value: never an intrinsic itself, though what it holds may be.
#[derive(Clone)]
pub(super) struct Item<'a> {
    scope: &'a Scope<'a>,
    path: String,
    node: Node,
}

/// The entries of a map, taken out one by one; what is left over at the end is not known.
pub(super) struct Fields<'a> {
    scope: &'a Scope<'a>,
    path: String,
    position: Position,
    entries: Vec<(String, Node)>,
}

impl<'a> Item<'a> {
    /// The value of `node`, none if it is `AWS::NoValue`.
    pub(super) fn evaluate(
        scope: &'a Scope<'a>,
        path: impl Into<String>,
        node: &Node,
    ) -> Result<Option<Self>, Problem> {
        let path = path.into();
        let settled = intrinsics::settle(scope, node, &path)?;
        Ok(settled.map(|node| Self { scope, path, node }))
    }

    /// An error about this value.
    pub(super) fn problem(&self, reason: impl Into<String>) -> Problem {
        Problem::new(self.node.position, &self.path, reason)
    }

    pub(super) fn into_node(self) -> Node {
        self.node
    }

    /// The text of a scalar; numbers and booleans are text as well.
    pub(super) fn text(&self) -> Result<String, Problem> {
        self.node
            .scalar_text()
            .ok_or_else(|| self.problem("must be text"))
    }

    /// A number, which may be written as text.
    pub(super) fn number<T: FromStr>(&self) -> Result<T, Problem> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.problem(format!("`{text}` is not a number that fits here")))
    }

    /// A boolean, which may be written as text.
    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        let text = self.text()?;
        text.parse()
            .map_err(|_| self.problem(format!("must be true or false, is `{text}`")))
    }

    /// A number of seconds.
    pub(super) fn seconds(&self) -> Result<Duration, Problem> {
        Ok(Duration::from_secs(self.number()?))
    }

    /// The values of a list.
    pub(super) fn items(&self) -> Result<Vec<Item<'a>>, Problem> {
        let Kind::List(nodes) = &self.node.kind else {
            return Err(self.problem("must be a list"));
        };
        let items = nodes.iter().enumerate().map(|(index, node)| {
            Item::evaluate(self.scope, format!("{}[{index}]", self.path), node)
        });
        items.filter_map(Result::transpose).collect()
    }

    /// The values of a list, or the one value that stands for a list of one.
    pub(super) fn items_or_one(&self) -> Result<Vec<Item<'a>>, Problem> {
        match self.node.kind {
            Kind::List(_) => self.items(),
            _ => Ok(vec![self.clone()]),
        }
    }

    /// The entries of a map.
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

    /// The whole value, everything in it evaluated.
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
}

impl<'a> Fields<'a> {
    /// An error about the map as a whole.
    pub(super) fn problem(&self, reason: impl Into<String>) -> Problem {
        Problem::new(self.position, &self.path, reason)
    }

    /// Takes an entry.
    pub(super) fn take(&mut self, key: &str) -> Result<Option<Item<'a>>, Problem> {
        let Some(index) = self.entries.iter().position(|(name, _)| name == key) else {
            return Ok(None);
        };
        let (_, node) = self.entries.remove(index);
        Item::evaluate(self.scope, format!("{}.{key}", self.path), &node)
    }

    /// Takes an entry that must be there.
    pub(super) fn require(&mut self, key: &str) -> Result<Item<'a>, Problem> {
        self.take(key)?
            .ok_or_else(|| self.problem(format!("{key} is missing")))
    }

    /// Takes an entry and reads it.
    pub(super) fn read<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Item<'a>) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.take(key)?.as_ref().map(read).transpose()
    }

    /// Takes a map within.
    pub(super) fn nested(&mut self, key: &str) -> Result<Option<Fields<'a>>, Problem> {
        self.read(key, Item::fields)
    }

    /// Takes every entry that is left.
    pub(super) fn drain(self) -> Result<Vec<(String, Item<'a>)>, Problem> {
        let (scope, path) = (self.scope, self.path);
        let entries = self.entries.into_iter().map(|(key, node)| {
            let item = Item::evaluate(scope, format!("{path}.{key}"), &node)?;
            Ok(item.map(|item| (key, item)))
        });
        entries.filter_map(Result::transpose).collect()
    }

    /// Errs if something is left that is not among `ignored`, which has no meaning on this machine.
    pub(super) fn finish(self, ignored: &[&str]) -> Result<(), Problem> {
        let unknown = |(key, _): &&(String, Node)| !ignored.contains(&key.as_str());
        match self.entries.iter().find(unknown) {
            None => Ok(()),
            Some((key, node)) => Err(Problem::new(
                node.position,
                format!("{}.{key}", self.path),
                "not known to the local stack, which does not guess what it changes: remove it, or \
                 choose it with !If",
            )),
        }
    }
}
