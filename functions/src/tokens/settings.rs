//! How tokens are checked, as the template's parameters say. They reach the functions as environment
//! variables; a parameter that was left out is an empty one.

use std::error::Error;

use herald_shared::permissions::{InvalidPermissions, Permissions};

use super::{claims::Expected, issuer::discovery};

/// What a function is told about tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) mode: Mode,
    pub(super) expected: Expected,
}

/// Who may have signed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The OpenID Connect issuer at this URL.
    Jwks(String),
    /// Whoever knows the secret with this ARN.
    Secret(String),
    /// Nobody: there are no tokens, and everybody may connect.
    Open,
}

/// Why there are no settings. Names the variable, and says what to set.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// No mode, or an unknown one.
    #[error("AUTHENTICATION is {0:?}: set jwks, secret or open")]
    Mode(String),
    /// The mode needs the variable.
    #[error("AUTHENTICATION is {0}, which needs {1}: set it")]
    Missing(&'static str, &'static str),
    /// The issuer is no URL that keys can be fetched from.
    #[error("TOKEN_ISSUER cannot be used")]
    Issuer(#[source] Box<dyn Error + Send + Sync>),
    /// The default permissions are none.
    #[error("DEFAULT_PERMISSIONS cannot be understood")]
    DefaultPermissions(#[source] InvalidPermissions),
}

impl Settings {
    /// Reads the settings; `variable` knows the environment.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidSetting> {
        let given = |name| variable(name).filter(|value| !value.is_empty());
        let mode = given("AUTHENTICATION").unwrap_or_default();
        let issuer = given("TOKEN_ISSUER");
        let audience = list(&given("TOKEN_AUDIENCE").unwrap_or_default());
        let mode = match mode.as_str() {
            "jwks" => {
                let missing = |name| InvalidSetting::Missing("jwks", name);
                let issuer = issuer.clone().ok_or(missing("TOKEN_ISSUER"))?;
                if audience.is_empty() {
                    return Err(missing("TOKEN_AUDIENCE"));
                }
                discovery(&issuer).map_err(|error| InvalidSetting::Issuer(error.into()))?;
                Mode::Jwks(issuer)
            }
            "secret" => {
                let missing = InvalidSetting::Missing("secret", "TOKEN_SECRET_ARN");
                Mode::Secret(given("TOKEN_SECRET_ARN").ok_or(missing)?)
            }
            "open" => Mode::Open,
            _ => return Err(InvalidSetting::Mode(mode)),
        };
        let default_permissions = match given("DEFAULT_PERMISSIONS") {
            Some(json) => {
                Permissions::from_json(&json).map_err(InvalidSetting::DefaultPermissions)?
            }
            None if mode == Mode::Open => Permissions::everything(),
            None => Permissions::none(),
        };
        Ok(Self {
            mode,
            expected: Expected {
                issuer,
                audience,
                default_permissions,
            },
        })
    }
}

/// The parts of a list that is separated by commas.
fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use herald_shared::in_full::in_full;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(variable).map_err(|error| in_full(&error))
    }

    const ISSUER: (&str, &str) = ("TOKEN_ISSUER", "https://issuer.example");
    const AUDIENCE: (&str, &str) = ("TOKEN_AUDIENCE", "app, other-app,");

    #[test]
    fn each_mode_has_what_it_needs() {
        let jwks = read(&[("AUTHENTICATION", "jwks"), ISSUER, AUDIENCE]).expect("settings");
        assert_eq!(jwks.mode, Mode::Jwks(ISSUER.1.to_owned()));
        assert_eq!(jwks.expected.issuer.as_deref(), Some(ISSUER.1));
        assert_eq!(jwks.expected.audience, ["app", "other-app"]);
        assert_eq!(jwks.expected.default_permissions, Permissions::none());

        let arn = ("TOKEN_SECRET_ARN", "arn:secret");
        let empty = ("TOKEN_ISSUER", "");
        let secret = read(&[("AUTHENTICATION", "secret"), arn, empty]).expect("settings");
        assert_eq!(secret.mode, Mode::Secret("arn:secret".to_owned()));
        assert_eq!(secret.expected, Expected::default());

        let open = read(&[("AUTHENTICATION", "open")]).expect("settings");
        assert_eq!(open.mode, Mode::Open);
        assert_eq!(open.expected.default_permissions, Permissions::everything());
    }

    #[test]
    fn default_permissions_replace_those_of_the_mode() {
        let given = ("DEFAULT_PERMISSIONS", r#"{"news:*":["subscribe"]}"#);
        let open = read(&[("AUTHENTICATION", "open"), given]).expect("settings");
        assert_eq!(open.expected.default_permissions.to_json(), given.1);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (variables, said) in [
            (vec![], r#"AUTHENTICATION is "": set jwks, secret or open"#),
            (
                vec![("AUTHENTICATION", "Open")],
                r#"AUTHENTICATION is "Open""#,
            ),
            (
                vec![("AUTHENTICATION", "jwks"), AUDIENCE],
                "needs TOKEN_ISSUER: set it",
            ),
            (
                vec![("AUTHENTICATION", "jwks"), ISSUER, ("TOKEN_AUDIENCE", ",")],
                "needs TOKEN_AUDIENCE: set it",
            ),
            (
                vec![
                    ("AUTHENTICATION", "jwks"),
                    ("TOKEN_ISSUER", "http://issuer.example"),
                    AUDIENCE,
                ],
                "is not https",
            ),
            (
                vec![("AUTHENTICATION", "secret")],
                "needs TOKEN_SECRET_ARN: set it",
            ),
            (
                vec![("AUTHENTICATION", "open"), ("DEFAULT_PERMISSIONS", "all")],
                "DEFAULT_PERMISSIONS cannot be understood",
            ),
        ] {
            let error = read(&variables).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }
}
