//! How clients of a stack prove who they are: the template's parameter `Authentication`, and what goes
//! with it on this machine.

use std::{collections::BTreeMap, fmt, str::FromStr};

use clap::ValueEnum;
use serde::Serialize;

/// The template's parameter that chooses.
pub(crate) const AUTHENTICATION: &str = "Authentication";
/// The template's parameter with the address of the issuer.
pub(crate) const TOKEN_ISSUER: &str = "TokenIssuer";
/// The template's parameter with the audiences that are accepted.
pub(crate) const TOKEN_AUDIENCE: &str = "TokenAudience";

/// The audience of tokens that are minted here, unless the template is given another.
const AUDIENCE: &str = "herald-local";

/// How clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// They do not
    #[default]
    Open,
    /// By a token signed with a secret that the stack knows
    Secret,
    /// By a token signed with a key that its issuer publishes
    Jwks,
}

impl Authentication {
    /// What the template's parameters are, unless they are given: for tokens of the issuer at `issuer`,
    /// if they need one.
    pub fn parameters(self, issuer: &str) -> BTreeMap<String, String> {
        let audience = (TOKEN_AUDIENCE, AUDIENCE);
        let given = match self {
            Self::Open => vec![],
            Self::Secret => vec![audience],
            Self::Jwks => vec![(TOKEN_ISSUER, issuer), audience],
        };
        let mut parameters: BTreeMap<_, _> = given
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        parameters.insert(AUTHENTICATION.to_owned(), self.to_string());
        parameters
    }
}

impl fmt::Display for Authentication {
    /// As the parameter and the flag spell it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Secret => "secret",
            Self::Jwks => "jwks",
        })
    }
}

impl FromStr for Authentication {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        <Self as ValueEnum>::from_str(text, false)
    }
}
