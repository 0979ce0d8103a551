//! Sources of tokens for connections.

use std::process::Stdio;

use anyhow::{Context, bail};
use herald_shared::permissions::Permissions;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::http::HttpClient;
use crate::failure::Failure;

/// The source of the token for each attempt to connect.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// This token.
    Given(String),
    /// The output of this shell command.
    Command(String),
    /// A herald-local, which mints tokens at `url`.
    Minted { url: String, user: String },
}

/// A request to a herald-local for a token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenRequest {
    /// The claim `sub`.
    pub(crate) user_id: String,
    /// The user's permissions. `None` for the stack's default permissions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) permissions: Option<Permissions>,
    /// The seconds until the token expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_in: Option<u64>,
    /// The claim `aud`. `None` for one that the stack accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
}

/// A token with its expiry.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MintedToken {
    pub(crate) token: String,
    /// The epoch second at which the token expires.
    pub(crate) expires_at: u64,
}

impl TokenSource {
    /// Returns a source for the `number`th of many users, because the connections of one user are limited. A token
    /// that is given or printed stays the same.
    pub(crate) fn for_user(&self, number: usize) -> Self {
        match self {
            Self::Minted { url, user } => Self::Minted {
                url: url.clone(),
                user: format!("{user}-{number}"),
            },
            other => other.clone(),
        }
    }

    /// Returns a token.
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

/// Asks a herald-local to mint a token.
pub(crate) async fn mint(url: &str, request: &TokenRequest) -> Result<MintedToken, Failure> {
    HttpClient::new().post(url, request).await
}

/// Runs a shell command and returns its output. The command may prompt on standard error.
async fn printed(command: &str) -> anyhow::Result<String> {
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run the token command `{command}`"))?;
    if !output.status.success() {
        bail!("the token command `{command}` failed: {}", output.status);
    }
    let token = String::from_utf8(output.stdout).with_context(|| {
        format!("the token command `{command}` printed something other than UTF-8 text")
    })?;
    match token.trim() {
        "" => bail!("the token command `{command}` printed nothing"),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn token_is_the_trimmed_output_of_the_command() {
        for (command, expected) in [
            ("echo abc", Ok("abc")),
            ("printf '  abc\n\n'", Ok("abc")),
            ("true", Err("printed nothing")),
            ("echo abc; exit 3", Err("exit status: 3")),
            (r"printf '\377'", Err("other than UTF-8")),
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
