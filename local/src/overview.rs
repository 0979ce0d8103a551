//! What a person reads at the start, and at the address in a terminal.

use std::{collections::BTreeMap, fmt::Write};

use crate::{Authentication, addresses::Addresses, template::Stack};

/// The stack in words: its addresses, what of the template is not run, and what to try first.
pub fn text(stack: &Stack, addresses: &Addresses) -> String {
    let Addresses {
        web_socket,
        endpoint,
        console,
        ..
    } = addresses;
    let mut text = format!(
        "Herald is ready.\n\n  \
         WebSocket     {web_socket}\n  \
         AWS endpoint  {endpoint}\n  \
         console       {console} (open it in a browser)\n"
    );
    for (kind, names) in [
        ("table", &addresses.tables),
        ("queue", &addresses.queues),
        ("bus", &addresses.buses),
    ] {
        for (logical_id, name) in names {
            let _ = writeln!(text, "  {kind:<12}  {name}{}", alias(logical_id, name));
        }
    }
    let _ = write!(
        text,
        "\nNot run here: {}\n\
         \n{}\n\
         \nMake a push happen, in the console or by hand. Subscribe in one terminal; put an event in another, \
         from the folder of the repository:\n\n\
         {}  \
         npx wscat -c {web_socket}{} -x '{{\"action\":\"subscribe\",\"entityId\":\"order-1\"}}' -w -1\n\n  \
         export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={} AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n  \
         aws events put-events --entries file://events/entity-updated.json\n",
        not_run(stack),
        authentication(addresses),
        minting(addresses),
        if needs_token(addresses) {
            TOKEN_HEADER
        } else {
            ""
        },
        stack.region,
    );
    text
}

/// What wscat sends a token with.
const TOKEN_HEADER: &str = r#" -H "Authorization: Bearer $TOKEN""#;

fn needs_token(addresses: &Addresses) -> bool {
    addresses.authentication != Authentication::Open
}

/// Who is let in.
fn authentication(addresses: &Addresses) -> String {
    let mode = addresses.authentication;
    match (mode, &addresses.tokens) {
        (Authentication::Open, _) => {
            "Whoever reaches this address is let in, as nobody in particular: \
             --auth open. Try it the way it is deployed with --auth jwks or --auth secret."
                .to_owned()
        }
        (_, Some(tokens)) => format!(
            "Clients need a token: --auth {mode}. Whoever reaches {tokens} is given one, for any user \
             and with any permissions: this is for testing."
        ),
        (_, None) => {
            "Clients need a token of the issuer that TokenIssuer names. Put one into TOKEN."
                .to_owned()
        }
    }
}

/// The line that has a token minted, if any is minted here.
fn minting(addresses: &Addresses) -> String {
    let Some(tokens) = &addresses.tokens else {
        return String::new();
    };
    format!(
        "  TOKEN=$(curl -s {tokens} -d \
         '{{\"userId\":\"alice\",\"permissions\":{{\"order-*\":[\"subscribe\"]}}}}' | \
         sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n"
    )
}

/// What functions have to be started with that somebody else runs, as lines to paste. Every function
/// gets what any of them reads.
pub fn environment(stack: &Stack, addresses: &Addresses) -> String {
    let of_template = stack
        .functions
        .iter()
        .flat_map(|function| &function.environment);
    let mut variables: BTreeMap<_, _> = of_template
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    variables.extend(addresses.endpoints());
    for (name, value) in [
        ("AWS_REGION", stack.region.as_str()),
        // No function's: what these functions may call is not checked.
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let lines: Vec<_> = variables
        .iter()
        .map(|(name, value)| format!("  export {name}={}\n", quoted(value)))
        .collect();
    format!(
        "The functions are run by somebody else. Start them with\n\n{}\n",
        lines.concat()
    )
}

/// A value as a shell reads it, in quotes if it has to be.
fn quoted(value: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "_-./:,@%+=".contains(one);
    if value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

fn alias(logical_id: &str, name: &str) -> String {
    if name.ends_with(logical_id) {
        String::new()
    } else {
        format!(" ({logical_id})")
    }
}

/// The resources without a meaning on this machine, grouped by their type.
fn not_run(stack: &Stack) -> String {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    for resource in &stack.not_run {
        match kinds.iter_mut().find(|(kind, _)| *kind == resource.kind) {
            Some((_, names)) => names.push(&resource.logical_id),
            None => kinds.push((&resource.kind, vec![&resource.logical_id])),
        }
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, names)| format!("{kind} ({})", names.join(", ")))
        .collect();
    if kinds.is_empty() {
        "nothing is left out".to_owned()
    } else {
        kinds.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_are_quoted_where_a_shell_would_read_more_into_them() {
        for (value, expected) in [
            ("http://127.0.0.1:3030/dev", "http://127.0.0.1:3030/dev"),
            ("", ""),
            ("*", "'*'"),
            (r#"{"a":["b"]}"#, r#"'{"a":["b"]}'"#),
            ("it's", r"'it'\''s'"),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }
}
