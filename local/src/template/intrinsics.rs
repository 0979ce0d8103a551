//! Intrinsic functions: the values of `!Ref`, `!Sub` and the others.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use std::collections::BTreeMap;

use super::{
    error::Problem,
    item::Item,
    scope::{Place, Scope},
    substitution::{Part, parts},
    yaml::{Kind, Node},
};

/// Evaluates `node` if it is an intrinsic, but not its parts. Returns `None` for `AWS::NoValue`.
pub(super) fn evaluate(
    scope: &Scope<'_>,
    node: &Node,
    path: &str,
) -> Result<Option<Node>, Problem> {
    let Kind::Call(name, argument) = &node.kind else {
        return Ok(Some(node.clone()));
    };
    let call = Call {
        scope,
        name,
        argument,
        place: Place {
            path,
            position: node.position,
        },
    };
    match name.as_str() {
        "Ref" => call.reference(&call.argument()?.text()?),
        "Fn::If" => call.choose(),
        "Fn::GetAtt" => call.attribute().map(Some),
        "Fn::Sub" => call.substitute().map(Some),
        "Fn::Join" => call.join().map(Some),
        "Fn::Select" => call.select().map(Some),
        "Fn::Split" => call.split().map(Some),
        "Fn::FindInMap" => call.find_in_map().map(Some),
        "Fn::ImportValue" => call.import().map(Some),
        "Condition" | "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => Err(call.problem(
            format!("{name} is for Conditions only: define a condition there, and use it with !If"),
        )),
        _ => Err(call.problem(format!(
            "{name} is not supported by the local stack: write its value out, or use a parameter"
        ))),
    }
}

/// One use of an intrinsic.
struct Call<'a> {
    scope: &'a Scope<'a>,
    name: &'a str,
    argument: &'a Node,
    place: Place<'a>,
}

impl<'a> Call<'a> {
    fn reference(&self, name: &str) -> Result<Option<Node>, Problem> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(parameter) = self.scope.parameter(name) {
            return parameter.map(Some);
        }
        if name.starts_with("AWS::") {
            return Ok(Some(self.text(self.pseudo_parameter(name)?)));
        }
        let identity = self.scope.identity(name, self.place)?;
        Ok(Some(self.text(identity.reference.clone())))
    }

    fn pseudo_parameter(&self, name: &str) -> Result<String, Problem> {
        let settings = self.scope.settings;
        Ok(match name {
            "AWS::Region" => settings.region.clone(),
            "AWS::AccountId" => settings.account_id.clone(),
            "AWS::StackName" => settings.stack_name.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ => {
                return Err(self.problem(format!(
                    "{name} is not supported by the local stack: use a parameter in its place"
                )));
            }
        })
    }

    fn attribute(&self) -> Result<Node, Problem> {
        let argument = self.argument()?;
        let parts: Vec<String> = argument
            .items_or_one()?
            .iter()
            .map(Item::text)
            .collect::<Result<_, _>>()?;
        let path = parts.join(".");
        let (logical_id, attribute) = path.split_once('.').ok_or_else(|| {
            self.problem(format!(
                "GetAtt needs a resource and its attribute, as in Queue.Arn, got `{path}`"
            ))
        })?;
        self.attribute_of(logical_id, attribute)
            .map(|text| self.text(text))
    }

    fn attribute_of(&self, logical_id: &str, attribute: &str) -> Result<String, Problem> {
        self.scope.attribute(logical_id, attribute, self.place)
    }

    fn choose(&self) -> Result<Option<Node>, Problem> {
        let [condition, yes, no] = self.nodes()?;
        let condition = condition.scalar_text().ok_or_else(|| {
            self.problem("the first argument of If must be the name of a condition")
        })?;
        let chosen = if self.scope.condition(&condition, self.place)? {
            yes
        } else {
            no
        };
        evaluate(self.scope, chosen, self.place.path)
    }

    fn substitute(&self) -> Result<Node, Problem> {
        let (template, variables) = match &self.argument.kind {
            Kind::List(_) => {
                let [template, variables] = self.nodes()?;
                (template, self.value(variables)?.fields()?.drain()?)
            }
            _ => (self.argument, Vec::new()),
        };
        let variables: BTreeMap<String, Item<'_>> = variables.into_iter().collect();
        let template = self.value(template)?.text()?;
        let mut text = String::new();
        for part in parts(&template) {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Name(name) => match variables.get(name) {
                    Some(value) => text.push_str(&value.text()?),
                    None => text.push_str(&self.named(name)?),
                },
            }
        }
        Ok(self.text(text))
    }

    /// Returns the value of `${name}`.
    fn named(&self, name: &str) -> Result<String, Problem> {
        match name.split_once('.') {
            Some((logical_id, attribute)) => self.attribute_of(logical_id, attribute),
            None => self
                .reference(name)?
                .and_then(|node| node.scalar_text())
                .ok_or_else(|| self.problem(format!("${{{name}}} must be text"))),
        }
    }

    fn join(&self) -> Result<Node, Problem> {
        let [separator, list] = self.nodes()?;
        let separator = self.value(separator)?.text()?;
        let texts = self
            .value(list)?
            .items()?
            .iter()
            .map(Item::text)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self.text(texts.join(&separator)))
    }

    fn select(&self) -> Result<Node, Problem> {
        let [index, list] = self.nodes()?;
        let index: usize = self.value(index)?.number()?;
        let items = self.value(list)?.items()?;
        let length = items.len();
        let selected = items.into_iter().nth(index);
        selected.map(Item::into_node).ok_or_else(|| {
            self.problem(format!(
                "the index {index} of Select is outside its list of {length}: the first index is 0"
            ))
        })
    }

    fn split(&self) -> Result<Node, Problem> {
        let [separator, text] = self.nodes()?;
        let separator = self.value(separator)?.text()?;
        let text = self.value(text)?.text()?;
        let parts = text.split(&separator).map(|part| self.text(part));
        Ok(self.node(Kind::List(parts.collect())))
    }

    fn find_in_map(&self) -> Result<Node, Problem> {
        let keys = self
            .nodes::<3>()?
            .each_ref()
            .map(|node| self.value(node)?.text());
        let mut found = &self.scope.document.mappings;
        for key in keys {
            let key = key?;
            found = found
                .entry(&key)
                .ok_or_else(|| self.problem(format!("Mappings has no entry {key}")))?;
        }
        Ok(found.clone())
    }

    /// Returns a value of the stack beside which the template's rules run.
    fn import(&self) -> Result<Node, Problem> {
        let stack = self.scope.beside.ok_or_else(|| {
            self.problem(
                "the values of other stacks are not known here: use a parameter in its place",
            )
        })?;
        let name = self.argument()?.text()?;
        let value = stack.exported(&name).ok_or_else(|| {
            let names = stack.exports.keys().map(String::as_str).collect::<Vec<_>>();
            self.problem(format!(
                "the stack has no export `{name}`, only {}, with the name of any stack in place of {}: use a parameter for the \
                 values of other stacks",
                names.join(", "),
                stack.name
            ))
        })?;
        Ok(self.text(value))
    }

    /// Returns the elements of the argument, of which there must be `N`.
    fn nodes<const N: usize>(&self) -> Result<&'a [Node; N], Problem> {
        let nodes = match &self.argument.kind {
            Kind::List(nodes) => nodes.as_slice().try_into().ok(),
            _ => None,
        };
        nodes.ok_or_else(|| self.problem(format!("{} needs a list of {N}", self.name)))
    }

    fn argument(&self) -> Result<Item<'a>, Problem> {
        self.value(self.argument)
    }

    /// Returns the value of an argument, which must have one.
    fn value(&self, node: &Node) -> Result<Item<'a>, Problem> {
        Item::evaluate(self.scope, self.place.path, node)?.ok_or_else(|| {
            self.problem(format!(
                "an argument of {} must not be AWS::NoValue",
                self.name
            ))
        })
    }

    fn text(&self, text: impl Into<String>) -> Node {
        Node::text(text, self.place.position)
    }

    fn node(&self, kind: Kind) -> Node {
        Node {
            kind,
            position: self.place.position,
        }
    }

    fn problem(&self, reason: impl Into<String>) -> Problem {
        self.place.problem(reason)
    }
}
