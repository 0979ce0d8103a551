//! Where the tokens come from that connections need.

use std::process::Stdio;

use anyhow::{Context, bail};
use herald_shared::permissions::Permissions;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::Http;
use crate::failure::Failure;

/// Where a token comes from, at every attempt to connect.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// It is this one.
    Given(String),
    /// A shell command prints it.
    Command(String),
    /// A herald-local mints it.
    Minted { url: String, user: String },
}

/// What a herald-local is asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenRequest {
    /// Whose it is to be.
    pub(crate) user_id: String,
    /// What the user may do; none: what the stack allows everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permissions: Option<Permissions>,
    /// In how many seconds it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_in: Option<u64>,
    /// Its claim `aud`; none: one that the stack accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
}

/// What it answers.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MintedToken {
    /// The token.
    pub(crate) token: String,
    /// The epoch second at which it ends.
    pub(crate) expires_at: u64,
}

impl TokenSource {
    /// The same for the `number`th of many users, where it can be had: one user may not have connections without
    /// end.
    pub(crate) fn of_another_user(&self, number: usize) -> Self {
        match self {
            Self::Minted { url, user } => Self::Minted {
                url: url.clone(),
                user: format!("{user}-{number}"),
            },
            other => other.clone(),
        }
    }

    /// A token. Errs if there is none to be had.
    pub(crate) async fn token(&self) -> Result<String, Failure> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Command(command) => Ok(printed(command).await?),
            Self::Minted { url, user } => {
                let request = TokenRequest {
                    user_id: user.clone(),
                    permissions: Some(Permissions::everything()),
                    expires_in: None,
                    audience: None,
                };
                Ok(mint(url, &request).await?.token)
            }
        }
    }
}

/// Has a herald-local mint a token.
pub(crate) async fn mint(url: &str, request: &TokenRequest) -> Result<MintedToken, Failure> {
    Http::new().post(url, request).await
}

/// What a shell command prints, which may ask on the terminal.
async fn printed(command: &str) -> anyhow::Result<String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("the token command cannot be run")?;
    if !output.status.success() {
        bail!("the token command `{command}` failed: {}", output.status);
    }
    let token = String::from_utf8(output.stdout).context("the token command printed no text")?;
    match token.trim() {
        "" => bail!("the token command `{command}` printed nothing"),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_what_the_command_prints() {
        for (command, expected) in [
            ("echo abc", Ok("abc")),
            ("printf '  abc\n\n'", Ok("abc")),
            ("true", Err("printed nothing")),
            ("echo abc; exit 3", Err("exit status: 3")),
            (r"printf '\377'", Err("no text")),
        ] {
            let printed = printed(command).await.map_err(|error| error.to_string());
            match expected {
                Ok(token) => assert_eq!(printed.as_deref(), Ok(token), "{command}"),
                Err(words) => {
                    let error = printed.expect_err(command);
                    assert!(error.contains(words), "{command}: {error}");
                }
            }
        }
    }
}
