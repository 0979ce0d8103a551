//! The operator `numeric`: a comparison, or a lower and an upper limit.

use std::ops::Bound;

use serde_json::{Number, Value};

use super::number::compare;

/// A range of numbers.
#[derive(Clone, Debug)]
pub(super) struct Range {
    lower: Bound<Number>,
    upper: Bound<Number>,
}

impl Range {
    /// Reads `["=", n]`, `["<", n]` and the like, or a lower limit followed by an upper one,
    /// `[">", 0, "<=", 5]`. Any other combination is an error.
    pub(super) fn parse(operand: &Value) -> Result<Self, String> {
        let Value::Array(terms) = operand else {
            return Err("Value of numeric must be an array.".into());
        };
        let (first, rest) = comparison(terms)?;
        let range = match first {
            Comparison("=", number) => Self {
                lower: Bound::Included(number.clone()),
                upper: Bound::Included(number.clone()),
            },
            Comparison("<", number) => Self::up_to(Bound::Excluded(number.clone())),
            Comparison("<=", number) => Self::up_to(Bound::Included(number.clone())),
            Comparison(">", number) => {
                return Self::starting(Bound::Excluded(number.clone()), rest);
            }
            Comparison(">=", number) => {
                return Self::starting(Bound::Included(number.clone()), rest);
            }
            Comparison(unknown, _) => {
                return Err(format!("Unrecognized numeric range operator: {unknown}"));
            }
        };
        if rest.is_empty() {
            Ok(range)
        } else {
            Err("Too many elements in numeric expression".into())
        }
    }

    /// Returns whether `number` is in the range.
    pub(super) fn contains(&self, number: &Number) -> bool {
        let above = match &self.lower {
            Bound::Unbounded => true,
            Bound::Included(lower) => compare(lower, number).is_le(),
            Bound::Excluded(lower) => compare(lower, number).is_lt(),
        };
        let below = match &self.upper {
            Bound::Unbounded => true,
            Bound::Included(upper) => compare(number, upper).is_le(),
            Bound::Excluded(upper) => compare(number, upper).is_lt(),
        };
        above && below
    }

    fn up_to(upper: Bound<Number>) -> Self {
        Self {
            lower: Bound::Unbounded,
            upper,
        }
    }

    /// Returns a range with a lower limit, and with an upper one if `rest` has it.
    fn starting(lower: Bound<Number>, rest: &[Value]) -> Result<Self, String> {
        if rest.is_empty() {
            return Ok(Self {
                lower,
                upper: Bound::Unbounded,
            });
        }
        let (second, rest) = comparison(rest)?;
        let Comparison(operator, top) = second;
        let upper = match operator {
            "<" => Bound::Excluded(top.clone()),
            "<=" => Bound::Included(top.clone()),
            other => return Err(format!("Bad numeric range operator: {other}")),
        };
        if !rest.is_empty() {
            return Err("Too many terms in numeric range expression".into());
        }
        match &lower {
            Bound::Included(bottom) | Bound::Excluded(bottom) if compare(bottom, top).is_ge() => {
                Err("Bottom must be less than top".into())
            }
            _ => Ok(Self { lower, upper }),
        }
    }
}

/// An operator and its number.
struct Comparison<'a>(&'a str, &'a Number);

/// Splits the first comparison off `terms`.
fn comparison(terms: &[Value]) -> Result<(Comparison<'_>, &[Value]), String> {
    let (operator, rest) = match terms {
        [Value::String(operator), rest @ ..] => (operator.as_str(), rest),
        [other, ..] => return Err(format!("Invalid member in numeric match: {other}")),
        [] => return Err("Invalid member in numeric match: the list is empty".into()),
    };
    match rest {
        [Value::Number(number), rest @ ..] => Ok((Comparison(operator, number), rest)),
        _ => Err(format!("Value of {operator} must be numeric")),
    }
}
