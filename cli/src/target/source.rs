//! Who knows the addresses.

use crate::{
    arguments::{Addresses, Globals},
    failure::Failure,
};

/// Where herald-local listens unless it is told otherwise.
const LOCAL: &str = "http://127.0.0.1:3030";

/// Who is asked for the addresses that are not given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The herald-local at this address.
    Local(String),
    /// CloudFormation, about the stack of this name.
    Stack(String),
    /// Nobody: what is not given is not known.
    Arguments,
}

impl Source {
    /// Whom the arguments name, or else the environment, which `variable` knows. Errs if the
    /// environment names two.
    pub(super) fn choose(
        globals: &Globals,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(source) = named(globals.endpoint.clone(), globals.stack.clone())? {
            return Ok(source);
        }
        if let Some(source) = named(variable("HERALD_ENDPOINT"), variable("HERALD_STACK"))? {
            return Ok(source);
        }
        if globals.addresses != Addresses::default() {
            return Ok(Self::Arguments);
        }
        Ok(Self::Local(LOCAL.to_owned()))
    }
}

fn named(endpoint: Option<String>, stack: Option<String>) -> Result<Option<Source>, Failure> {
    match (endpoint, stack) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "HERALD_ENDPOINT names a herald-local and HERALD_STACK a deployed stack: unset one, or \
             say --endpoint or --stack",
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
        let globals = Globals {
            endpoint: given(endpoint),
            stack: given(stack),
            addresses: Addresses {
                table: given(table),
                ..Addresses::default()
            },
            ..Globals::default()
        };
        let variable = |name: &str| match name {
            "HERALD_ENDPOINT" => Some(endpoint_variable.to_owned()),
            "HERALD_STACK" => Some(stack_variable.to_owned()),
            _ => None,
        };
        Source::choose(&globals, variable).ok()
    }

    #[test]
    fn arguments_go_before_the_environment_and_that_before_the_default() {
        let local = |endpoint: &str| Some(Source::Local(endpoint.to_owned()));
        let stack = |name: &str| Some(Source::Stack(name.to_owned()));
        for (arguments, variables, expected) in [
            (["", "", ""], ["", ""], local(LOCAL)),
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
                chosen(arguments, variables),
                expected,
                "{arguments:?} {variables:?}"
            );
        }
    }
}
