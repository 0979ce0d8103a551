//! The rules on a token's claims. Pure: the time is an argument.
//!
//! Source: RFC 7519, section 4.1, and for `client_id` and `token_use`
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html>

use std::time::{SystemTime, UNIX_EPOCH};

use herald_shared::{
    ids::UserId, permissions::Permissions, presence::Info, token_expiry::TokenExpiry,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{InvalidToken, Rejection};

/// The last second of the year 9999. A later `exp` is a mistake, and too large for calculations.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The user of a connection, its permissions and their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The token's `sub`. `None` if connections have no tokens.
    pub user: Option<UserId>,
    /// The token's `exp`. `None` if connections have no tokens.
    pub expires_at: Option<TokenExpiry>,
    /// The token's claim `herald`, or the default.
    pub permissions: Permissions,
    /// The token's claim `heraldInfo`, which other members see.
    pub info: Option<Info>,
}

/// The values that claims are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    /// The issuer of the token. `None` if any holder of the secret may issue it.
    pub(super) issuer: Option<String>,
    /// The accepted audiences. If empty, a token must have no audience.
    pub(super) audience: Vec<String>,
    /// The permissions of a token without the claim `herald`.
    pub(super) default_permissions: Permissions,
}

/// The claims that are checked. A repeated claim is an error.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    client_id: Option<String>,
    token_use: Option<String>,
    /// The JSON text: `null` differs from an absent claim.
    #[serde(default, deserialize_with = "as_written")]
    herald: Option<Box<RawValue>>,
    /// The JSON text. `null` means the same as an absent claim.
    #[serde(rename = "heraldInfo")]
    herald_info: Option<Box<RawValue>>,
}

/// Seconds since 1970, rounded down.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "f64")]
struct NumericDate(u64);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    /// Returns the identity that the token proves, if its claims are as expected at `now`.
    pub(super) fn check(self, expected: &Expected, now: SystemTime) -> Result<Identity, Rejection> {
        let expires_at = self.time(now)?;
        self.origin(expected)?;
        let user = self.sub.ok_or(InvalidToken::NoSubject)?;
        let user = UserId::new(user).map_err(InvalidToken::User)?;
        let permissions = match &self.herald {
            None => expected.default_permissions.clone(),
            Some(claim) => Permissions::from_json(claim.get())
                .map_err(|_| Rejection::Forbidden(user.to_string()))?,
        };
        let info = self.herald_info.map(|claim| Info::from_json(claim.get()));
        let info = info.transpose().map_err(|source| Rejection::Info {
            user: user.to_string(),
            source,
        })?;
        Ok(Identity {
            user: Some(user),
            expires_at: Some(expires_at),
            permissions,
            info,
        })
    }

    /// Returns the end of the token, if it is valid now.
    fn time(&self, now: SystemTime) -> Result<TokenExpiry, InvalidToken> {
        let user = || self.sub.clone();
        let NumericDate(expires_at) = self.exp.ok_or_else(|| InvalidToken::NoExpiry(user()))?;
        let expires_at = TokenExpiry::from_epoch_seconds(expires_at);
        if expires_at.has_passed(now) {
            return Err(InvalidToken::Expired(user()));
        }
        let latest = (now + TokenExpiry::LEEWAY).duration_since(UNIX_EPOCH);
        let latest = latest.unwrap_or_default().as_secs();
        match self.nbf {
            Some(NumericDate(from)) if from > latest => Err(InvalidToken::NotYetValid(user())),
            _ => Ok(expires_at),
        }
    }

    /// Checks that the expected issuer issued the token, and for this audience.
    fn origin(&self, expected: &Expected) -> Result<(), InvalidToken> {
        if expected.issuer.is_some() && self.iss != expected.issuer {
            return Err(InvalidToken::Issuer(self.iss.clone()));
        }
        if self.is_for(&expected.audience) {
            Ok(())
        } else {
            Err(InvalidToken::Audience(self.sub.clone()))
        }
    }

    /// Returns whether the token is for this audience. Cognito's access tokens have no `aud`; their
    /// `client_id` means the same.
    fn is_for(&self, audience: &[String]) -> bool {
        match &self.aud {
            Some(OneOrMany::One(one)) => audience.contains(one),
            Some(OneOrMany::Many(many)) => many.iter().any(|one| audience.contains(one)),
            None if audience.is_empty() => true,
            None => {
                let client = self.client_id.as_ref();
                self.token_use.as_deref() == Some("access")
                    && client.is_some_and(|client| audience.contains(client))
            }
        }
    }
}

impl TryFrom<f64> for NumericDate {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        if (0.0..=LAST_SECOND).contains(&seconds) {
            Ok(Self(seconds as u64))
        } else {
            Err("a date must be in the years 1970 to 9999")
        }
    }
}

fn as_written<'de, D: Deserializer<'de>>(claim: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Deserialize::deserialize(claim).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn expected() -> Expected {
        Expected {
            issuer: Some("https://issuer.example".to_owned()),
            audience: vec!["app".to_owned(), "other-app".to_owned()],
            default_permissions: Permissions::none(),
        }
    }

    fn check(json: &str, expected: &Expected) -> Result<Identity, String> {
        let claims: Claims = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        claims.check(expected, now).map_err(|rejection| {
            let source = std::error::Error::source(&rejection);
            source.map_or(rejection.to_string(), ToString::to_string)
        })
    }

    /// Returns valid claims with some of them replaced.
    fn with(replaced: &str) -> String {
        let mut claims = serde_json::json!({
            "iss": "https://issuer.example", "aud": "app", "sub": "alice", "exp": NOW + 60,
        });
        let replaced: serde_json::Value = serde_json::from_str(replaced).expect("JSON");
        for (name, value) in replaced.as_object().expect("an object") {
            match value.as_str() {
                Some("absent") => claims.as_object_mut().map(|claims| claims.remove(name)),
                _ => claims
                    .as_object_mut()
                    .map(|claims| claims.insert(name.clone(), value.clone())),
            };
        }
        claims.to_string()
    }

    #[test]
    fn valid_claims_prove_the_identity() {
        let identity = check(
            &with(r#"{"herald":{"order:*":["subscribe"]},"heraldInfo":{"name":"Alice"}}"#),
            &expected(),
        );
        let permissions = Permissions::from_json(r#"{"order:*":["subscribe"]}"#);
        assert_eq!(
            identity,
            Ok(Identity {
                user: UserId::new("alice").ok(),
                expires_at: Some(TokenExpiry::from_epoch_seconds(NOW + 60)),
                permissions: permissions.expect("permissions"),
                info: Info::from_json(r#"{"name":"Alice"}"#).ok(),
            })
        );
    }

    #[test]
    fn claims_are_compared_with_the_expected_ones() {
        for (replaced, message) in [
            ("{}", None),
            (r#"{"exp":1799999971}"#, None),
            (
                r#"{"exp":1799999970}"#,
                Some(r#"the token of user "alice" has expired"#),
            ),
            (
                r#"{"exp":1799999970.9}"#,
                Some(r#"the token of user "alice" has expired"#),
            ),
            (
                r#"{"exp":"absent"}"#,
                Some(r#"the token of user "alice" has no exp"#),
            ),
            (r#"{"exp":1800000000.5}"#, None),
            (
                r#"{"exp":null}"#,
                Some(r#"the token of user "alice" has no exp"#),
            ),
            (
                r#"{"exp":1e300}"#,
                Some("a date must be in the years 1970 to 9999"),
            ),
            (
                r#"{"exp":-1}"#,
                Some("a date must be in the years 1970 to 9999"),
            ),
            (r#"{"exp":"1800000060"}"#, Some("invalid type: string")),
            (r#"{"nbf":1800000030}"#, None),
            (
                r#"{"nbf":1800000031}"#,
                Some(r#"the token of user "alice" is not valid yet"#),
            ),
            (r#"{"nbf":"soon"}"#, Some("invalid type: string")),
            (
                r#"{"iss":"https://issuer.example/"}"#,
                Some("which differs from TokenIssuer"),
            ),
            (r#"{"iss":"absent"}"#, Some("the token's iss is \"\"")),
            (
                r#"{"iss":["https://issuer.example"]}"#,
                Some("invalid type: sequence"),
            ),
            (r#"{"aud":["x","other-app"]}"#, None),
            (r#"{"aud":"x"}"#, Some("is for another audience")),
            (r#"{"aud":[]}"#, Some("is for another audience")),
            (r#"{"aud":"absent"}"#, Some("is for another audience")),
            (r#"{"aud":7}"#, Some("did not match any variant")),
            (
                r#"{"aud":"absent","client_id":"app","token_use":"access"}"#,
                None,
            ),
            (
                r#"{"aud":"absent","client_id":"app","token_use":"id"}"#,
                Some("another audience"),
            ),
            (
                r#"{"aud":"absent","client_id":"app"}"#,
                Some("another audience"),
            ),
            (
                r#"{"aud":"absent","client_id":"x","token_use":"access"}"#,
                Some("another audience"),
            ),
            (
                r#"{"aud":"x","client_id":"app","token_use":"access"}"#,
                Some("another audience"),
            ),
            (r#"{"sub":"absent"}"#, Some("the token has no sub")),
            (r#"{"sub":""}"#, Some("the token's sub is invalid")),
            (r#"{"sub":7}"#, Some("invalid type: integer")),
            (
                r#"{"herald":null}"#,
                Some("is not an object from entity pattern"),
            ),
            (
                r#"{"herald":["subscribe"]}"#,
                Some("is not an object from entity pattern"),
            ),
            (r#"{"heraldInfo":null}"#, None),
            (r#"{"heraldInfo":[1,"x"]}"#, None),
            (
                &format!(r#"{{"heraldInfo":"{}"}}"#, "x".repeat(255)),
                Some("heraldInfo is 257 bytes long as compact JSON, the limit is 256"),
            ),
        ] {
            let checked = check(&with(replaced), &expected());
            match (checked, message) {
                (Ok(_), None) => {}
                (Err(error), Some(message)) => {
                    assert!(error.contains(message), "{replaced}: {error}")
                }
                (checked, message) => panic!("{replaced}: {checked:?}, not {message:?}"),
            }
        }
    }

    #[test]
    fn repeated_claim_is_refused() {
        let twice = with("{}").replace(r#""sub""#, r#""sub":"bob","sub""#);
        assert!(check(&twice, &expected()).is_err());
    }

    #[test]
    fn issuer_is_optional_but_an_unexpected_audience_is_refused() {
        let lenient = Expected::default();
        let any_issuer = with(r#"{"iss":"x","aud":"absent"}"#);
        assert!(check(&any_issuer, &lenient).is_ok());
        assert!(check(&with(r#"{"aud":"x"}"#), &lenient).is_err());
    }

    #[test]
    fn token_without_the_claim_has_the_default_permissions() {
        let expected = Expected {
            default_permissions: Permissions::everything(),
            ..expected()
        };
        let permissions = |json: &str| check(json, &expected).map(|identity| identity.permissions);
        assert_eq!(permissions(&with("{}")), Ok(Permissions::everything()));
        assert_eq!(
            permissions(&with(r#"{"herald":{}}"#)),
            Ok(Permissions::none())
        );
    }
}
