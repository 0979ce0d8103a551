//! The text of a template as a tree in which intrinsic functions are nodes, each with its place in
//! the file. Both spellings of an intrinsic, `!Sub x` and `{"Fn::Sub": x}`, become the same node.
//! What an intrinsic means is not known here.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, Tag, YamlData};
use serde_json::{Number, Value};

use super::error::Problem;

/// A node and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) position: Position,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Null, a boolean, a number or text.
    Scalar(Value),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(String, Node)>),
    /// An intrinsic function by its long name, `Ref`, `Condition` or `Fn::…`, and its argument.
    Call(String, Box<Node>),
}

/// A place in the file, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Node {
    /// Reads the one document of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let documents = MarkedYaml::load_from_str(text).map_err(|error| {
            let position = Position {
                line: error.marker().line(),
                column: error.marker().col() + 1,
            };
            syntax_error(position, format!("not valid YAML: {}", error.info()))
        })?;
        match <[MarkedYaml<'_>; 1]>::try_from(documents) {
            Ok([document]) => Self::convert(document),
            Err(documents) => Err(syntax_error(
                Position { line: 1, column: 1 },
                format!("expected one YAML document, found {}", documents.len()),
            )),
        }
    }

    pub(super) fn text(text: impl Into<String>, position: Position) -> Self {
        Self {
            kind: Kind::Scalar(Value::String(text.into())),
            position,
        }
    }

    pub(super) fn empty_map(position: Position) -> Self {
        Self {
            kind: Kind::Map(Vec::new()),
            position,
        }
    }

    /// The entries, if it is a map.
    pub(super) fn entries(&self) -> Option<&[(String, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a map.
    pub(super) fn entry(&self, key: &str) -> Option<&Node> {
        let (_, node) = self.entries()?.iter().find(|(name, _)| name == key)?;
        Some(node)
    }

    /// The text of a scalar, as CloudFormation writes it: `5`, `true`.
    pub(super) fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Scalar(Value::String(text)) => Some(text.clone()),
            Kind::Scalar(Value::Null) => None,
            Kind::Scalar(scalar) => Some(scalar.to_string()),
            _ => None,
        }
    }

    fn convert(yaml: MarkedYaml<'_>) -> Result<Self, Problem> {
        let position = Position {
            line: yaml.span.start.line(),
            column: yaml.span.start.col() + 1,
        };
        let kind = match yaml.data {
            YamlData::Value(scalar) => Kind::Scalar(convert_scalar(scalar, position)?),
            YamlData::Sequence(items) => Kind::List(
                items
                    .into_iter()
                    .map(Self::convert)
                    .collect::<Result<_, _>>()?,
            ),
            YamlData::Mapping(entries) => spelled_out(
                entries
                    .into_iter()
                    .map(|(key, value)| Ok((convert_key(key)?, Self::convert(value)?)))
                    .collect::<Result<_, _>>()?,
            ),
            YamlData::Tagged(tag, argument) => {
                let mut argument = Self::convert(*argument)?;
                // A tagged scalar has no place of its own.
                if argument.position.line == 0 {
                    argument.position = position;
                }
                Kind::Call(long_name(&tag), Box::new(argument))
            }
            YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
                return Err(syntax_error(position, "not a value"));
            }
        };
        Ok(Self { kind, position })
    }
}

fn syntax_error(position: Position, reason: impl Into<String>) -> Problem {
    Problem::new(position, "", reason)
}

fn convert_scalar(scalar: Scalar<'_>, position: Position) -> Result<Value, Problem> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Boolean(value) => value.into(),
        Scalar::Integer(value) => value.into(),
        Scalar::FloatingPoint(value) => Number::from_f64(value.into_inner())
            .ok_or_else(|| syntax_error(position, "not a finite number"))?
            .into(),
        Scalar::String(text) => text.into_owned().into(),
    })
}

fn convert_key(key: MarkedYaml<'_>) -> Result<String, Problem> {
    let node = Node::convert(key)?;
    node.scalar_text()
        .ok_or_else(|| syntax_error(node.position, "a key must be text"))
}

fn long_name(tag: &Tag) -> String {
    match tag.suffix.as_str() {
        "Ref" | "Condition" => tag.suffix.clone(),
        suffix => format!("Fn::{suffix}"),
    }
}

/// `{Ref: x}` and `{"Fn::…": x}` are calls. `{Condition: x}` is one only among conditions, where it is
/// seen to: an IAM statement may hold nothing else.
fn spelled_out(mut entries: Vec<(String, Node)>) -> Kind {
    let is_call =
        matches!(entries.as_slice(), [(name, _)] if name == "Ref" || name.starts_with("Fn::"));
    match entries.pop() {
        Some((name, argument)) if is_call => Kind::Call(name, Box::new(argument)),
        last => {
            entries.extend(last);
            Kind::Map(entries)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_spellings_of_an_intrinsic_alike() {
        for (short, long) in [
            ("!Ref Queue", "{Ref: Queue}"),
            ("!GetAtt Queue.Arn", "{\"Fn::GetAtt\": Queue.Arn}"),
            ("!Sub [a, {b: c}]", "{Fn::Sub: [a, {b: c}]}"),
            ("!If [A, !Ref B, 1]", "{Fn::If: [A, {Ref: B}, 1]}"),
            ("!Sub '${!x}'", "{Fn::Sub: \"${!x}\"}"),
        ] {
            assert_eq!(
                outline(&Node::parse(short).expect(short)),
                outline(&Node::parse(long).expect(long)),
                "{short}"
            );
        }
    }

    #[test]
    fn keeps_types_order_and_places() {
        let node = Node::parse("b: 1\na: [x, 2.5, true, ~, '1']\nc:\n  d: !Ref e").expect("yaml");
        assert_eq!(
            outline(&node),
            r#"{b: 1, a: ["x", 2.5, true, null, "1"], c: {d: Ref("e")}}"#
        );
        let reference = node.entry("c").and_then(|c| c.entry("d")).expect("c.d");
        assert_eq!(reference.position, Position { line: 4, column: 6 });
    }

    #[test]
    fn says_where_the_text_is_no_template() {
        for (text, line, reason) in [
            ("a: 1\na: 2", 2, "not valid YAML: duplicated key in mapping"),
            ("a: 1\n---\nb: 1", 1, "expected one YAML document, found 2"),
            ("", 1, "expected one YAML document, found 0"),
            ("a: .inf", 1, "not a finite number"),
            ("a:\n  [b]: c", 2, "a key must be text"),
        ] {
            let problem = Node::parse(text).expect_err(text);
            assert_eq!((problem.position.line, &*problem.reason), (line, reason));
        }
    }

    /// The tree without its places.
    fn outline(node: &Node) -> String {
        match &node.kind {
            Kind::Scalar(value) => value.to_string(),
            Kind::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(outline).collect::<Vec<_>>().join(", ")
                )
            }
            Kind::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, value)| format!("{key}: {}", outline(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Kind::Call(name, argument) => format!("{name}({})", outline(argument)),
        }
    }
}
