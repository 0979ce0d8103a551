//! The text of `Fn::Sub`: literals and `${Names}`.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Literal(&'a str),
    /// `Name` or `Resource.Attribute`.
    Name(&'a str),
}

/// Returns the pieces of a text in order. `${!x}` is the literal `${x}`.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        parts.push(Part::Literal(before));
        match name.strip_prefix('!') {
            Some(literal) => parts.extend(["${", literal, "}"].map(Part::Literal)),
            None => parts.push(Part::Name(name.trim())),
        }
        rest = behind;
    }
    parts.push(Part::Literal(rest));
    parts.retain(|part| *part != Part::Literal(""));
    parts
}

#[cfg(test)]
mod tests {
    use super::{Part::*, *};

    #[test]
    fn names_are_split_from_literals() {
        for (text, expected) in [
            ("plain $x {y}", vec![Literal("plain $x {y}")]),
            (
                "${A}/${B.Arn}",
                vec![Name("A"), Literal("/"), Name("B.Arn")],
            ),
            ("${!a}", vec![Literal("${"), Literal("a"), Literal("}")]),
            ("a${open", vec![Literal("a${open")]),
            ("", vec![]),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }
}
