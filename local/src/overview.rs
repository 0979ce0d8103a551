//! The text that the program prints at start, and serves to a terminal.

use std::{collections::BTreeMap, fmt::Write};

use crate::{Authentication, addresses::Addresses, template::Stack};

/// Returns the text: the addresses of the stack, the resources that are not run, and first steps.
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
        ("function URL", &addresses.function_urls),
    ] {
        for (logical_id, name) in names {
            let _ = writeln!(text, "  {kind:<12}  {name}{}", alias(logical_id, name));
        }
    }
    for rule in &stack.rules {
        let _ = writeln!(
            text,
            "  rule          {}{}",
            rule.name,
            alias(&rule.logical_id, &rule.name)
        );
    }
    let _ = write!(
        text,
        "\nNot run here: {}\n\
         {}\
         \n{}\n{}\
         {}\
         \nFirst steps: open the console, or use two terminals in the folder of the repository. One prints \
         pushes, the other puts an event:\n\n  \
         cargo run -p herald-cli -- tail order-1 --endpoint {endpoint}{}\n  \
         cargo run -p herald-cli -- publish --entity order-1 '{{\"state\":\"shipped\"}}' --endpoint {endpoint}\n\
         {}\
         \nThe same with wscat and the AWS CLI:\n\n\
         {}  \
         npx wscat -c {web_socket}{} -x '{{\"action\":\"subscribe\",\"entityId\":\"order-1\"}}' -w -1\n\n  \
         export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region} AWS_REGION={region} \
         AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local\n  \
         aws events put-events --entries file://events/entity-updated.json\n",
        not_run(stack),
        faults(addresses),
        authentication(addresses),
        logs(stack, endpoint),
        presence(stack),
        token_option(addresses),
        publishing(addresses),
        minting(addresses),
        if needs_token(addresses) {
            TOKEN_HEADER
        } else {
            ""
        },
        region = stack.region,
    );
    text
}

/// The arguments with which wscat sends a token.
const TOKEN_HEADER: &str = r#" -H "Authorization: Bearer $TOKEN""#;

/// The URL for publishing, as the template names it.
const PUBLISH_URL: &str = "PublishFunctionUrl";

/// Returns the flag with which `herald` sends a token, unless it mints one or needs none.
fn token_option(addresses: &Addresses) -> &'static str {
    match addresses.tokens {
        None if needs_token(addresses) => r#" --token "$TOKEN""#,
        _ => "",
    }
}

fn needs_token(addresses: &Addresses) -> bool {
    addresses.authentication != Authentication::Open
}

/// Returns the line with the injected faults, if there are any.
fn faults(addresses: &Addresses) -> String {
    match addresses.faults.as_slice() {
        [] => String::new(),
        faults => format!("Injected faults: {}\n", faults.join(", ")),
    }
}

/// Returns the sentence about authentication.
fn authentication(addresses: &Addresses) -> String {
    let mode = addresses.authentication;
    match (mode, &addresses.tokens) {
        (Authentication::Open, _) => {
            "Clients need no token and have no user id: --auth open. To require tokens, as a deployed \
             stack does, use --auth jwks or --auth secret."
                .to_owned()
        }
        (_, Some(tokens)) => format!(
            "Clients need a token: --auth {mode}. For tests, {tokens} mints one for any user with any \
             permissions."
        ),
        (_, None) => {
            "Clients need a token of the issuer that the parameter TokenIssuer names. Put one into TOKEN."
                .to_owned()
        }
    }
}

/// Returns the sentence about the logs of audiences. Empty if the template has no parameter `History`.
fn logs(stack: &Stack, endpoint: &str) -> String {
    match stack.parameters.get("History").map(|history| history.trim()) {
        None => String::new(),
        Some("" | "{}") => "\nNo audience has a log, so clients miss what is pushed while they are away. To give each \
             entity one, use --parameter 'History={\"**\":{\"messages\":100,\"seconds\":600}}'.\n"
            .to_owned(),
        Some(history) => format!(
            "\nAudiences have logs: History={history}. The console shows them, and this command prints one:\n\n  \
             cargo run -p herald-cli -- history order-1 --endpoint {endpoint}\n"
        ),
    }
}

/// Returns the sentence about entities with members. Empty if there are none.
fn presence(stack: &Stack) -> String {
    match stack
        .parameters
        .get("Presence")
        .map(|presence| presence.trim())
    {
        None | Some("" | "{}") => String::new(),
        Some(presence) => format!(
            "\nSubscribers of some entities are members: Presence={presence}. The console shows them.\n"
        ),
    }
}

/// Returns the command that mints a token, if the stack mints any.
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

/// Returns the commands that publish over HTTP, if the stack has the URL for it.
fn publishing(addresses: &Addresses) -> String {
    let Some(url) = addresses.function_urls.get(PUBLISH_URL) else {
        return String::new();
    };
    let endpoint = &addresses.endpoint;
    format!(
        "\nThe same over HTTP, as a server that is not on AWS publishes:\n\n  \
         KEY=$(cargo run -p herald-cli -- key create --endpoint {endpoint})\n  \
         curl {url} -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \
         -d '{{\"messages\":[{{\"entityId\":\"order-1\",\"message\":{{\"state\":\"shipped\"}}}}]}}'\n"
    )
}

/// Returns the environment for functions that another program runs, as lines to paste: the union of all
/// functions' variables.
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
        // Not those of a function: calls of these functions are not checked against their policies.
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
        "Another program runs the functions. Start it with\n\n{}\n",
        lines.concat()
    )
}

/// Returns a value for a shell, quoted if necessary.
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

/// Returns the resources that are not run, grouped by type.
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
        "nothing".to_owned()
    } else {
        kinds.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn value_with_special_characters_is_quoted_for_a_shell() {
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
