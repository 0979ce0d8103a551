//! The text of a template as a tree of nodes, each with its place in the file. Both spellings of an
//! intrinsic function, `!Sub x` and `{"Fn::Sub": x}`, become the same node; its meaning is elsewhere.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, ScanError, Tag, YamlData};
use saphyr_parser::{Event, Parser};
use serde_json::{Number, Value};

use super::error::Problem;

/// The deepest nesting that is read. Loading recurses, so a deeper text could overflow the stack.
const MAX_DEPTH: usize = 100;

/// A node and the place where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) position: Position,
}

/// The kinds of nodes.
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

/// A place in the file, line and column from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Node {
    /// Reads the one document of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        check_depth(text)?;
        let documents = MarkedYaml::load_from_str(text).map_err(|error| invalid_yaml(&error))?;
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

    /// Returns the entries of a map.
    pub(super) fn entries(&self) -> Option<&[(String, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns an entry of a map.
    pub(super) fn entry(&self, key: &str) -> Option<&Node> {
        let (_, node) = self.entries()?.iter().find(|(name, _)| name == key)?;
        Some(node)
    }

    /// Returns the text of a scalar, as CloudFormation writes it: `5`, `true`.
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
                // saphyr gives a tagged scalar no place of its own.
                if argument.position.line == 0 {
                    argument.position = position;
                }
                Kind::Call(long_name(&tag), Box::new(argument))
            }
            YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
                return Err(syntax_error(position, "must be a value, not an alias"));
            }
        };
        Ok(Self { kind, position })
    }
}

/// Checks the nesting before anything recurses into it.
fn check_depth(text: &str) -> Result<(), Problem> {
    let mut depth = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| invalid_yaml(&error))?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            let position = Position {
                line: span.start.line(),
                column: span.start.col() + 1,
            };
            let reason = format!("nests deeper than {MAX_DEPTH} levels: flatten it");
            return Err(syntax_error(position, reason));
        }
    }
    Ok(())
}

fn invalid_yaml(error: &ScanError) -> Problem {
    let position = Position {
        line: error.marker().line(),
        column: error.marker().col() + 1,
    };
    syntax_error(position, format!("not valid YAML: {}", error.info()))
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
            .ok_or_else(|| syntax_error(position, "must be a finite number"))?
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

/// `{Ref: x}` and `{"Fn::…": x}` are calls. `{Condition: x}` is a call only among conditions, which
/// `conditions` recognizes: an IAM statement may have that single entry, too.
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
    fn both_spellings_of_an_intrinsic_are_the_same_node() {
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
    fn types_order_and_places_are_kept() {
        let node = Node::parse("b: 1\na: [x, 2.5, true, ~, '1']\nc:\n  d: !Ref e").expect("yaml");
        assert_eq!(
            outline(&node),
            r#"{b: 1, a: ["x", 2.5, true, null, "1"], c: {d: Ref("e")}}"#
        );
        let reference = node.entry("c").and_then(|c| c.entry("d")).expect("c.d");
        assert_eq!(reference.position, Position { line: 4, column: 6 });
    }

    #[test]
    fn text_that_is_no_template_is_refused_with_its_line() {
        for (text, line, reason) in [
            ("a: 1\na: 2", 2, "not valid YAML: duplicated key in mapping"),
            ("a: 1\n---\nb: 1", 1, "expected one YAML document, found 2"),
            ("", 1, "expected one YAML document, found 0"),
            ("a: .inf", 1, "must be a finite number"),
            ("a:\n  [b]: c", 2, "a key must be text"),
        ] {
            let problem = Node::parse(text).expect_err(text);
            assert_eq!((problem.position.line, &*problem.reason), (line, reason));
        }
    }

    /// Returns the tree without its places.
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
