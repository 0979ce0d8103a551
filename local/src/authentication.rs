//! The authentication of clients: the template's parameter `Authentication`, and the parameters that
//! belong to it on this machine.

use std::{collections::BTreeMap, fmt, str::FromStr};

use clap::ValueEnum;
use serde::Serialize;

/// The template's parameter that selects the authentication.
pub(crate) const AUTHENTICATION: &str = "Authentication";
/// The template's parameter with the address of the issuer.
pub(crate) const TOKEN_ISSUER: &str = "TokenIssuer";
/// The template's parameter with the audiences that are accepted.
pub(crate) const TOKEN_AUDIENCE: &str = "TokenAudience";

/// The audience of tokens that are minted here, unless a parameter sets another.
const AUDIENCE: &str = "herald-local";

/// The authentication of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// Clients need no token
    #[default]
    Open,
    /// Clients need a token signed with a secret of the stack
    Secret,
    /// Clients need a token signed with a key that its issuer publishes
    Jwks,
}

impl Authentication {
    /// Returns defaults for the template's parameters, with the issuer at `issuer` if tokens need one.
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
    /// Writes the value of the parameter and of the flag.
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
