//! `herald token`: tokens to connect with.

use std::{
    collections::BTreeMap,
    env, fs,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, bail};
use clap::Args;
use herald_shared::{ids::UserId, permissions::Permissions};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use super::until_interrupted;
use crate::{
    arguments::Globals,
    failure::Failure,
    output::{json, line},
    target::{AcceptedTokens, MintedToken, Target, TokenRequest, aws_failure, mint},
};

/// The fewest bytes of a secret: those of the hash.
///
/// Source: RFC 7518, section 3.2.
const LEAST: usize = 32;

/// Make a token to connect with
///
/// herald-local mints it, if it wants tokens at all (`--auth jwks` or `--auth secret`). For a stack with
/// `Authentication=secret` it is signed here, with the secret of `--stack`, or with one that you give.
/// An issuer such as Amazon Cognito makes its own.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald token --user alice --permission 'order:*=subscribe,publish'
  herald token --user alice --permission '**=subscribe,publish,broadcast' --expires-in 60
  herald token --user alice --stack herald
  herald token --user alice --secret-file secret.txt --audience app
  HERALD_TOKEN=$(herald token --user alice --permission '**=subscribe') herald tail order-1")]
pub(crate) struct Arguments {
    /// Whose it is: its claim `sub`
    #[arg(long, value_name = "ID")]
    user: UserId,

    /// What the user may do with the entities of a pattern: subscribe, publish, and, with the pattern **,
    /// broadcast; may be given more than once. None: what the stack's DefaultPermissions say
    #[arg(long = "permission", value_name = "PATTERN=WHAT,…", value_parser = permission)]
    permissions: Vec<(String, Vec<String>)>,

    /// In how many seconds it ends
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    expires_in: u64,

    /// Its claim `aud` [default: one that the stack accepts, if it is known]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,

    /// Its claim `iss`, where it is signed here [default: one that the stack accepts, if it is known]
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,

    /// Sign it with the secret in this file, without a line break at its end
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    secret_file: Option<PathBuf>,

    /// Sign it with the secret in this environment variable
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,

    /// Print it as JSON, with the epoch second at which it ends
    #[arg(long)]
    json: bool,
}

/// Makes the token and prints it.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    let permissions = permissions(&arguments.permissions).map_err(Failure::Usage)?;
    let token = until_interrupted(make(arguments, permissions, globals)).await?;
    if arguments.json {
        json(&token)
    } else {
        line(token.token)
    }
}

async fn make(
    arguments: &Arguments,
    permissions: Option<Permissions>,
    globals: &Globals,
) -> Result<MintedToken, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    if let Some(secret) = given_secret(arguments)? {
        return Ok(sign(
            arguments,
            permissions,
            AcceptedTokens::default(),
            &secret,
            now,
        )?);
    }
    let target = Target::find(globals).await?;
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
        return Err(Failure::usage(match &target.endpoint {
            Some(_) => {
                "this herald-local mints no tokens: start it with --auth jwks or --auth secret"
            }
            None => {
                "the stack has no secret that tokens are signed with: get one from its issuer, or say \
                 --secret-file or --secret-env"
            }
        }));
    };
    let secret = stored_secret(&target, &accepted.secret).await?;
    Ok(sign(arguments, permissions, accepted, &secret, now)?)
}

/// The secret that the arguments name, if they do.
fn given_secret(arguments: &Arguments) -> anyhow::Result<Option<Vec<u8>>> {
    if let Some(file) = &arguments.secret_file {
        let secret = fs::read(file)
            .with_context(|| format!("the secret in {} cannot be read", file.display()))?;
        return Ok(Some(without_line_break(secret)));
    }
    let Some(variable) = &arguments.secret_env else {
        return Ok(None);
    };
    let secret = env::var(variable)
        .with_context(|| format!("the secret in the variable {variable} cannot be read"))?;
    Ok(Some(secret.into_bytes()))
}

/// Editors end a file with a line break, and nobody means it.
fn without_line_break(mut secret: Vec<u8>) -> Vec<u8> {
    for line_break in [b'\n', b'\r'] {
        secret.pop_if(|last| *last == line_break);
    }
    secret
}

/// The secret in Secrets Manager.
async fn stored_secret(target: &Target, arn: &str) -> Result<Vec<u8>, Failure> {
    let secrets = aws_sdk_secretsmanager::Client::new(&target.aws().await?);
    let value = secrets.get_secret_value().secret_id(arn).send().await;
    let value = value.map_err(|error| aws_failure("the token secret cannot be had", error))?;
    let secret = value
        .secret_string
        .map(String::into_bytes)
        .or(value.secret_binary.map(Into::into));
    Ok(secret.context("the token secret has no value")?)
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    herald: Option<Permissions>,
}

/// A token that is signed with `secret` at the epoch second `now`, with the claims that are asked for, and
/// else those that are accepted. Errs if the secret is too short.
fn sign(
    arguments: &Arguments,
    permissions: Option<Permissions>,
    accepted: AcceptedTokens,
    secret: &[u8],
    now: u64,
) -> anyhow::Result<MintedToken> {
    if secret.len() < LEAST {
        bail!(
            "the secret is {} bytes, and no stack accepts less than {LEAST}: make a longer one",
            secret.len()
        );
    }
    let expires_at = now
        .checked_add(arguments.expires_in)
        .context("--expires-in is no number of seconds that time has")?;
    let claims = Claims {
        sub: arguments.user.as_str(),
        iat: now,
        exp: expires_at,
        iss: arguments.issuer.clone().or(accepted.issuer),
        aud: arguments.audience.clone().or(accepted.audience),
        herald: permissions,
    };
    let header = Header::new(Algorithm::HS256);
    let token = encode(&header, &claims, &EncodingKey::from_secret(secret))?;
    Ok(MintedToken { token, expires_at })
}

fn permission(text: &str) -> Result<(String, Vec<String>), String> {
    // The last: a pattern may hold others.
    let (pattern, words) = text
        .rsplit_once('=')
        .ok_or("write it as PATTERN=WHAT,…, like order:*=subscribe,publish")?;
    let words = words.split(',').map(|word| word.trim().to_owned());
    Ok((pattern.to_owned(), words.collect()))
}

/// All permissions together, in the words of the stack if one is none; none if there are none.
fn permissions(given: &[(String, Vec<String>)]) -> anyhow::Result<Option<Permissions>> {
    if given.is_empty() {
        return Ok(None);
    }
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (pattern, words) in given {
        let of_pattern = all.entry(pattern).or_default();
        of_pattern.extend(words.iter().map(String::as_str));
    }
    let text = serde_json::to_string(&all)?;
    let permissions = Permissions::from_json(&text).context("--permission cannot be understood")?;
    Ok(Some(permissions))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jsonwebtoken::{DecodingKey, Validation, decode};
    use serde_json::json;

    use super::*;

    #[test]
    fn permissions_are_given_pattern_by_pattern() {
        for (given, expected) in [
            (vec![], Ok(None)),
            (
                vec!["order:*=subscribe,publish", "**=broadcast"],
                Ok(Some(
                    r#"{"**":["broadcast"],"order:*":["subscribe","publish"]}"#,
                )),
            ),
            (
                vec!["a=b=subscribe", "a=b=publish"],
                Ok(Some(r#"{"a=b":["subscribe","publish"]}"#)),
            ),
            (vec!["order-1"], Err("write it as")),
            (vec!["order-1=read"], Err("read")),
            (
                vec!["order-1=broadcast"],
                Err("broadcast is about no entity"),
            ),
            (vec!["order-1="], Err("unknown variant ``")),
        ] {
            let parsed: Result<Vec<_>, _> = given.iter().map(|text| permission(text)).collect();
            let result = parsed.and_then(|all| {
                let permissions = permissions(&all).map_err(|error| format!("{error:#}"))?;
                Ok(permissions.map(|permissions| permissions.to_json()))
            });
            match (result, expected) {
                (Ok(json), Ok(expected)) => assert_eq!(json.as_deref(), expected, "{given:?}"),
                (Err(error), Err(words)) => assert!(error.contains(words), "{given:?}: {error}"),
                (result, _) => panic!("{given:?}: {result:?}"),
            }
        }
    }

    #[test]
    fn the_last_line_break_of_a_file_is_not_of_the_secret() {
        for (file, secret) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret\n"),
            ("", ""),
        ] {
            assert_eq!(
                without_line_break(file.into()),
                secret.as_bytes(),
                "{file:?}"
            );
        }
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn claims(arguments: &[&str], accepted: AcceptedTokens) -> serde_json::Value {
        let line = ["token", "--user", "alice", "--expires-in", "60"];
        let line = Line::try_parse_from(line.iter().chain(arguments)).expect("arguments");
        let permissions = permissions(&line.arguments.permissions).expect("permissions");
        let secret = [b'x'; LEAST];
        let signed = sign(&line.arguments, permissions, accepted, &secret, 1000);
        let signed = signed.expect("a token");
        assert_eq!(signed.expires_at, 1060);
        let mut validation = Validation::new(Algorithm::HS256);
        // It ended long ago, and says whose it is for only if that was asked for.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_secret(&secret);
        let token = decode(&signed.token, &key, &validation);
        token.expect("a good signature").claims
    }

    #[test]
    fn a_token_says_what_is_asked_for_and_else_what_the_stack_accepts() {
        let accepted = || AcceptedTokens {
            secret: "arn".to_owned(),
            issuer: Some("issuer".to_owned()),
            audience: Some("app".to_owned()),
        };
        for (arguments, accepted, expected) in [
            (
                &[][..],
                AcceptedTokens::default(),
                json!({"sub": "alice", "iat": 1000, "exp": 1060}),
            ),
            (
                &["--permission", "**=subscribe"],
                accepted(),
                json!({
                    "sub": "alice", "iat": 1000, "exp": 1060, "iss": "issuer", "aud": "app",
                    "herald": {"**": ["subscribe"]},
                }),
            ),
            (
                &["--issuer", "me", "--audience", "you"],
                accepted(),
                json!({"sub": "alice", "iat": 1000, "exp": 1060, "iss": "me", "aud": "you"}),
            ),
        ] {
            assert_eq!(claims(arguments, accepted), expected, "{arguments:?}");
        }
    }
}
