//! The settings of the token check, from the template's parameters. They reach the functions as
//! environment variables; an omitted parameter is an empty variable.

use std::error::Error;

use herald_shared::permissions::{InvalidPermissions, Permissions};

use super::{claims::Expected, issuer::discovery};

/// A function's settings for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub(super) mode: Mode,
    pub(super) expected: Expected,
}

/// The trusted signer of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// The OpenID Connect issuer at this URL.
    Jwks(String),
    /// Any holder of the secret with this ARN.
    Secret(String),
    /// None: connections have no tokens, and every client may connect.
    Open,
}

/// The reason settings are invalid. It names the variable and a valid value.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// The mode is missing or unknown.
    #[error("AUTHENTICATION must be jwks, secret or open, got {0:?}")]
    Mode(String),
    /// The mode needs a variable that is not set.
    #[error("AUTHENTICATION={0} needs {1}: set {1}")]
    Missing(&'static str, &'static str),
    /// The issuer is not a URL that keys may be fetched from.
    #[error("TOKEN_ISSUER is invalid")]
    Issuer(#[source] Box<dyn Error + Send + Sync>),
    /// The default permissions are invalid.
    #[error("DEFAULT_PERMISSIONS is invalid")]
    DefaultPermissions(#[source] InvalidPermissions),
}

impl Settings {
    /// Reads the settings; `variable` returns the value of an environment variable.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidSetting`] if a variable is missing or invalid.
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

/// Returns the parts of a list separated by commas.
fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use herald_shared::error_chain::error_chain;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(variable).map_err(|error| error_chain(&error))
    }

    const ISSUER: (&str, &str) = ("TOKEN_ISSUER", "https://issuer.example");
    const AUDIENCE: (&str, &str) = ("TOKEN_AUDIENCE", "app, other-app,");

    #[test]
    fn each_mode_reads_its_settings() {
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
    fn missing_or_invalid_setting_is_refused_with_message() {
        for (variables, message) in [
            (
                vec![],
                r#"AUTHENTICATION must be jwks, secret or open, got """#,
            ),
            (
                vec![("AUTHENTICATION", "Open")],
                r#"jwks, secret or open, got "Open""#,
            ),
            (
                vec![("AUTHENTICATION", "jwks"), AUDIENCE],
                "needs TOKEN_ISSUER: set TOKEN_ISSUER",
            ),
            (
                vec![("AUTHENTICATION", "jwks"), ISSUER, ("TOKEN_AUDIENCE", ",")],
                "needs TOKEN_AUDIENCE: set TOKEN_AUDIENCE",
            ),
            (
                vec![
                    ("AUTHENTICATION", "jwks"),
                    ("TOKEN_ISSUER", "http://issuer.example"),
                    AUDIENCE,
                ],
                "must be an https URL",
            ),
            (
                vec![("AUTHENTICATION", "secret")],
                "needs TOKEN_SECRET_ARN: set TOKEN_SECRET_ARN",
            ),
            (
                vec![("AUTHENTICATION", "open"), ("DEFAULT_PERMISSIONS", "all")],
                "DEFAULT_PERMISSIONS is invalid",
            ),
        ] {
            let error = read(&variables).expect_err(message);
            assert!(error.contains(message), "{error}");
        }
    }
}
