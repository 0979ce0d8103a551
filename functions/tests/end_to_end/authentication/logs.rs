//! The authorizer's log about tokens: the reason of a refusal, and nothing that could be used.

use std::{
    io,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use herald_functions::{
    authorizer::{self, AllowedOrigins, KeysUnavailable},
    tokens::{Settings, Verifier},
};
use herald_testkit::local_only;
use serde_json::{Value, json};
use tracing::{instrument::WithSubscriber, level_filters::LevelFilter};

use super::{
    issuer::{AUDIENCE, Issuer},
    keys::{Ec, token},
    now,
};

/// The log output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Asks the authorizer about a token. Returns its answer and its log.
async fn ask(verifier: &Verifier, token: &str) -> (String, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let request = json!({
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:api/dev/$connect",
        "multiValueHeaders": {"Authorization": [format!("Bearer {token}")]},
    });
    let request = serde_json::from_value(request).unwrap();
    let unavailable = KeysUnavailable::new("authorizer".to_owned());
    let (origins, now) = (AllowedOrigins::Any, SystemTime::now());
    let answer = authorizer::handle(request, &origins, verifier, &unavailable, now)
        .with_subscriber(subscriber)
        .await;
    let answer = match answer {
        Ok(answer) => serde_json::to_string(&answer).unwrap(),
        Err(error) => error.to_string(),
    };
    let logged = log.0.lock().unwrap().clone();
    let logged = String::from_utf8(logged).unwrap();
    (answer, logged.replace(r#"\""#, "\""))
}

#[local_only("runs an authorizer of its own")]
#[tokio::test]
async fn log_has_the_reason_and_neither_token_nor_claims() {
    let (key, foreign) = (Ec::new(), Ec::new());
    let issuer = Issuer::start("", vec![key.jwk("key-1")]).await;
    let variable = |name: &str| match name {
        "AUTHENTICATION" => Some("jwks".to_owned()),
        "TOKEN_ISSUER" => Some(issuer.name.clone()),
        "TOKEN_AUDIENCE" => Some(AUDIENCE.to_owned()),
        _ => None,
    };
    let no_secrets = || panic!("there is no secret in the mode jwks");
    let verifier = Verifier::new(Settings::read(variable).unwrap(), no_secrets).unwrap();
    let now = now();
    let claims = |changed: (&str, Value)| {
        let mut claims = json!({
            "iss": issuer.name, "aud": AUDIENCE, "sub": "alice", "exp": now + 600,
            "email": "alice@example.com", "nonce": "n-0S6_WzA2Mj",
        });
        claims[changed.0] = changed.1;
        claims
    };
    let header = json!({"alg": "ES256", "kid": "key-1"});
    let signed = |changed| token(&header, &claims(changed), |message| key.sign(message));
    let nothing = || ("iat", json!(now));
    let by_foreign = token(&header, &claims(nothing()), |message| foreign.sign(message));
    let unknown = json!({"alg": "ES256", "kid": "key-2"});
    let unknown = token(&unknown, &claims(nothing()), |message| key.sign(message));
    for (token, answered, logged) in [
        (signed(nothing()), "Allow", ""),
        (
            signed(("exp", json!(now - 60))),
            "Unauthorized",
            r#"user "alice" has expired"#,
        ),
        (
            signed(("aud", json!("secret-aud"))),
            "Unauthorized",
            "another audience",
        ),
        (
            signed(("iss", json!("https://other"))),
            "Unauthorized",
            r#"iss is "https://other""#,
        ),
        (
            signed(("herald", json!("secret-claim"))),
            "Deny",
            "of user \"alice\" is not an object",
        ),
        (by_foreign, "Unauthorized", r#"its key id is "key-1""#),
        (
            unknown,
            "Unauthorized",
            r#"no key for the token's algorithm has the id "key-2""#,
        ),
        (
            "secret.secret.secret".to_owned(),
            "Unauthorized",
            "the token cannot be read",
        ),
    ] {
        let (answer, log) = ask(&verifier, &token).await;
        assert!(answer.contains(answered), "{answer}");
        assert!(log.contains(logged), "{logged}: {log}");
        let parts = token.split('.');
        for secret in parts.chain(["example.com", "n-0S6_WzA2Mj", "secret-"]) {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
    }
    issuer.stop();
}
