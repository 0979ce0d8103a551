//! The paths to values of an event, in EventBridge's part of JSONPath: dots, array indices and `*`.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use serde_json::Value;

use super::InputError;

/// A path from the root of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(usize),
    /// All members or elements.
    Each,
}

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, InputError> {
        let invalid = || InputError::Path(text.to_owned());
        let mut rest = text.strip_prefix('$').ok_or_else(invalid)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, after) = step(rest).ok_or_else(invalid)?;
            steps.push(step);
            rest = after;
        }
        Ok(Self(steps))
    }

    /// Returns the value at the path, with `*` an array of all values. `None` if the event has none.
    pub(super) fn value(&self, event: &Value) -> Option<Value> {
        let mut values = vec![event];
        for step in &self.0 {
            values = values
                .into_iter()
                .flat_map(|value| step.of(value))
                .collect();
        }
        if self.0.contains(&Step::Each) {
            return Some(values.into_iter().cloned().collect());
        }
        values.first().copied().cloned()
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Member(name), Value::Object(members)) => members.get(name).into_iter().collect(),
            (Self::Element(index), Value::Array(elements)) => {
                elements.get(*index).into_iter().collect()
            }
            (Self::Each, Value::Object(members)) => members.values().collect(),
            (Self::Each, Value::Array(elements)) => elements.iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// Returns the first step of a path and the rest of it.
fn step(path: &str) -> Option<(Step, &str)> {
    if let Some(bracket) = path.strip_prefix('[') {
        let (index, rest) = bracket.split_once(']')?;
        let step = match index {
            "*" => Step::Each,
            index => Step::Element(index.parse().ok()?),
        };
        return Some((step, rest));
    }
    let path = path.strip_prefix('.')?;
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/');
    match name {
        "*" => Some((Step::Each, rest)),
        name if !name.is_empty() && name.chars().all(is_of_name) => {
            Some((Step::Member(name.to_owned()), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn path_selects_a_member_an_element_or_all() {
        let event = json!({
            "detail-type": "Order Shipped",
            "detail": {"order_id": "o-1", "lines": [{"sku": "a"}, {"sku": "b"}], "none": null},
        });
        for (path, expected) in [
            ("$", Some(event.clone())),
            ("$.detail-type", Some(json!("Order Shipped"))),
            ("$.detail.order_id", Some(json!("o-1"))),
            ("$.detail.lines[1].sku", Some(json!("b"))),
            ("$.detail.lines[*].sku", Some(json!(["a", "b"]))),
            ("$.detail.lines.*.sku", Some(json!(["a", "b"]))),
            ("$.detail.none", Some(json!(null))),
            ("$.detail.absent", None),
            ("$.detail.lines[2]", None),
            ("$.detail.order_id.deeper", None),
        ] {
            let path = Path::parse(path).expect("a path");
            assert_eq!(path.value(&event), expected, "{path:?}");
        }
    }

    #[test]
    fn path_in_other_syntax_is_refused() {
        for path in [
            "", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$['a']", "$.a b",
        ] {
            assert_eq!(Path::parse(path), Err(InputError::Path(path.to_owned())));
        }
    }
}
