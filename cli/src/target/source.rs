//! The source of the addresses that are not given as flags.

use super::{Addresses, TargetArguments};
use crate::failure::Failure;

/// The default address of herald-local.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:3030";

/// The source of the addresses that are not given as flags.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The herald-local at this address.
    Local(String),
    /// The outputs of the stack with this name.
    Stack(String),
    /// None: only the given addresses are known.
    Arguments,
}

impl Source {
    /// Chooses the source that the arguments name, or else the environment, which `variable` reads.
    ///
    /// Fails with [`Failure::Usage`] if the environment names two.
    pub(super) fn choose(
        arguments: &TargetArguments,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(source) = named(arguments.endpoint.clone(), arguments.stack.clone())? {
            return Ok(source);
        }
        if let Some(source) = named(variable("HERALD_ENDPOINT"), variable("HERALD_STACK"))? {
            return Ok(source);
        }
        if arguments.addresses != Addresses::default() {
            return Ok(Self::Arguments);
        }
        Ok(Self::Local(DEFAULT_ENDPOINT.to_owned()))
    }
}

fn named(endpoint: Option<String>, stack: Option<String>) -> Result<Option<Source>, Failure> {
    match (endpoint, stack) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "HERALD_ENDPOINT and HERALD_STACK are both set: unset one of them, or pass --endpoint or --stack",
        )),
        (Some(endpoint), None) => Ok(Some(Source::Local(endpoint))),
        (None, Some(stack)) => Ok(Some(Source::Stack(stack))),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(
        [endpoint, stack, table]: [&str; 3],
        [endpoint_variable, stack_variable]: [&str; 2],
    ) -> Option<Source> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let arguments = TargetArguments {
            endpoint: given(endpoint),
            stack: given(stack),
            addresses: Addresses {
                table: given(table),
                ..Addresses::default()
            },
            ..TargetArguments::default()
        };
        let variable = |name: &str| match name {
            "HERALD_ENDPOINT" => Some(endpoint_variable.to_owned()),
            "HERALD_STACK" => Some(stack_variable.to_owned()),
            _ => None,
        };
        Source::choose(&arguments, variable).ok()
    }

    #[test]
    fn arguments_override_the_environment_and_it_overrides_the_default() {
        let local = |endpoint: &str| Some(Source::Local(endpoint.to_owned()));
        let stack = |name: &str| Some(Source::Stack(name.to_owned()));
        for (given, variables, expected) in [
            (["", "", ""], ["", ""], local(DEFAULT_ENDPOINT)),
            (["http://a", "", ""], ["", ""], local("http://a")),
            (["http://a", "", ""], ["http://b", "s"], local("http://a")),
            (["", "s", ""], ["http://b", ""], stack("s")),
            (["", "", ""], ["http://b", ""], local("http://b")),
            (["", "", ""], ["", "t"], stack("t")),
            (["", "", ""], ["http://b", "t"], None),
            (["", "", "table"], ["", ""], Some(Source::Arguments)),
            (["", "", "table"], ["", "t"], stack("t")),
            (["http://a", "", "table"], ["", ""], local("http://a")),
        ] {
            assert_eq!(
                chosen(given, variables),
                expected,
                "{given:?} {variables:?}"
            );
        }
    }
}
