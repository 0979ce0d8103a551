//! `herald token`: tokens for connections.

mod claims;

use std::{
    env, fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Args;
use herald_shared::{ids::UserId, permissions::Permissions};

use super::{permissions, until_interrupted};
use crate::{
    failure::{Failure, aws_failure},
    output::{json, line},
    target::{AcceptedTokens, MintedToken, Target, TargetArguments, TokenRequest, mint},
};
use claims::Claims;

/// Make a token for connections
///
/// A herald-local that requires tokens (`--auth jwks` or `--auth secret`) mints it. For a stack with
/// `Authentication=secret`, herald signs it with the secret of `--stack`, or with that of --secret-file or --secret-env.
/// For a stack with an issuer such as Amazon Cognito, get the token from the issuer.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald token --user alice --permission 'order-*=subscribe,publish'
  herald token --user alice --permission '**=subscribe,publish,broadcast' --expires-in 60
  herald token --user alice --stack herald
  herald token --user alice --secret-file secret.txt --audience app
  HERALD_TOKEN=$(herald token --user alice --permission '**=subscribe') herald tail order-1")]
pub(crate) struct Arguments {
    /// The user: the claim `sub`
    #[arg(long, value_name = "ID")]
    user: UserId,

    /// Permissions for the entities that match a pattern: subscribe, publish, history, presence, and, with the pattern **,
    /// broadcast; may be repeated [default: the stack's DefaultPermissions]
    #[arg(long = "permission", value_name = "PATTERN=ACTION,…", value_parser = permissions::parse)]
    permissions: Vec<(String, Vec<String>)>,

    /// Seconds until the token expires
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    expires_in: u64,

    /// The claim `aud` [default: one that the stack accepts, if known]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,

    /// The claim `iss` of a token that herald signs [default: the one that the stack accepts, if known]
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,

    /// Sign with the secret in this file; a line break at its end is ignored
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,

    /// Sign with the secret in this environment variable
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,

    /// Print JSON: the token, and the epoch second at which it expires
    #[arg(long)]
    json: bool,
}

/// Makes a token and prints it.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let permissions =
        permissions::merge("--permission", &arguments.permissions).map_err(Failure::Usage)?;
    let token = until_interrupted(make(arguments, permissions, target)).await?;
    if arguments.json {
        json(&token)
    } else {
        line(token.token)
    }
}

async fn make(
    arguments: &Arguments,
    permissions: Option<Permissions>,
    target: &TargetArguments,
) -> Result<MintedToken, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    if let Some(secret) = given_secret(arguments)? {
        let accepted = AcceptedTokens::default();
        return Ok(claims(arguments, permissions, accepted, now)?.sign(&secret)?);
    }
    let target = Target::find(target).await?;
    if let Some(url) = &target.tokens {
        let request = TokenRequest {
            user_id: arguments.user.to_string(),
            permissions,
            expires_in: Some(arguments.expires_in),
            audience: arguments.audience.clone(),
        };
        return mint(url, &request).await;
    }
    let Some(accepted) = target.accepted_tokens.clone() else {
        return Err(no_tokens(&target));
    };
    let secret = stored_secret(&target, &accepted.secret).await?;
    Ok(claims(arguments, permissions, accepted, now)?.sign(&secret)?)
}

/// Returns the claims that the arguments name, or else those that the stack accepts.
fn claims(
    arguments: &Arguments,
    permissions: Option<Permissions>,
    accepted: AcceptedTokens,
    now: u64,
) -> anyhow::Result<Claims> {
    let expires_at = now.checked_add(arguments.expires_in);
    Ok(Claims {
        sub: arguments.user.to_string(),
        iat: now,
        exp: expires_at.context("--expires-in is too large")?,
        iss: arguments.issuer.clone().or(accepted.issuer),
        aud: arguments.audience.clone().or(accepted.audience),
        herald: permissions,
    })
}

fn no_tokens(target: &Target) -> Failure {
    Failure::usage(match &target.endpoint {
        Some(_) => "this herald-local mints no tokens: start it with --auth jwks or --auth secret",
        None => {
            "the stack has no secret for signing tokens: get a token from its issuer, or pass \
             --secret-file or --secret-env"
        }
    })
}

/// Reads the secret that the arguments name. `None` if they name none.
fn given_secret(arguments: &Arguments) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(file) = &arguments.secret_file {
        let secret = fs::read(file)
            .with_context(|| format!("cannot read the secret in {}", file.display()))?;
        return Ok(Some(without_line_break(&secret).to_vec()));
    }
    let Some(variable) = &arguments.secret_env else {
        return Ok(None);
    };
    let secret = env::var(variable)
        .with_context(|| format!("cannot read the secret in the variable {variable}"))?;
    Ok(Some(secret.into_bytes()))
}

/// Fetches the secret from Secrets Manager.
async fn stored_secret(target: &Target, arn: &str) -> Result<Vec<u8>, Failure> {
    let secrets = aws_sdk_secretsmanager::Client::new(&target.aws().await?);
    let value = secrets.get_secret_value().secret_id(arn).send().await;
    let value = value.map_err(|error| aws_failure("cannot fetch the token secret", error))?;
    let secret = value
        .secret_string
        .map(String::into_bytes)
        .or(value.secret_binary.map(Into::into));
    Ok(secret.context("the token secret has no value")?)
}

/// Removes the line break with which editors end a file.
fn without_line_break(secret: &[u8]) -> &[u8] {
    let line_break = secret.strip_suffix(b"\r\n").or(secret.strip_suffix(b"\n"));
    line_break.unwrap_or(secret)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn claims_of_the_arguments_override_those_that_the_stack_accepts() {
        let accepted = || AcceptedTokens {
            secret: "arn".to_owned(),
            issuer: Some("issuer".to_owned()),
            audience: Some("app".to_owned()),
        };
        for (arguments, accepted, expected) in [
            (
                &[][..],
                AcceptedTokens::default(),
                json!({"sub": "alice", "iat": 1000, "exp": 4600}),
            ),
            (
                &["--permission", "**=subscribe"],
                accepted(),
                json!({
                    "sub": "alice", "iat": 1000, "exp": 4600, "iss": "issuer", "aud": "app",
                    "herald": {"**": ["subscribe"]},
                }),
            ),
            (
                &["--issuer", "me", "--audience", "you", "--expires-in", "60"],
                accepted(),
                json!({"sub": "alice", "iat": 1000, "exp": 1060, "iss": "me", "aud": "you"}),
            ),
        ] {
            let line = ["token", "--user", "alice"].iter().chain(arguments);
            let CommandLine { arguments } = CommandLine::try_parse_from(line).expect("arguments");
            let permissions =
                permissions::merge("--permission", &arguments.permissions).expect("permissions");
            let claims = claims(&arguments, permissions, accepted, 1000).expect("claims");
            assert_eq!(json!(claims), expected, "{arguments:?}");
        }
    }

    #[test]
    fn only_the_last_line_break_of_a_secret_file_is_removed() {
        for (file, secret) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret\n"),
            ("secret\r", "secret\r"),
            ("", ""),
        ] {
            let without = without_line_break(file.as_bytes());
            assert_eq!(without, secret.as_bytes(), "{file:?}");
        }
    }
}
