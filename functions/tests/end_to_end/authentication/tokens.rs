//! Every kind of token over a real socket: each lets its client connect, or is refused with the status
//! beside it.

use std::{collections::BTreeMap, fs};

use herald_shared::token_expiry::TokenExpiry;
use herald_testkit::{local_only, repository};
use serde_json::{Value, json};

use super::{
    issuer::{AUDIENCE, Issuer},
    keys::{Ec, Ed, Rsa, encode, hmac_with, token, token_of_text},
    now,
    upgrade::Upgrade,
};

/// A name, a client, and the expected status of its upgrade.
type Row = (&'static str, Upgrade, u16);

const CONNECTED: u16 = 101;
const UNAUTHORIZED: u16 = 401;
const FORBIDDEN: u16 = 403;

/// An issuer's keys, and a foreign key.
struct Keys {
    rsa: Rsa,
    ec: Ec,
    ed: Ed,
    foreign: Rsa,
}

impl Keys {
    fn new() -> Self {
        Self {
            rsa: Rsa::new(),
            ec: Ec::new(),
            ed: Ed::new(),
            foreign: Rsa::new(),
        }
    }

    fn published(&self) -> Vec<Value> {
        vec![
            self.rsa.jwk("rsa"),
            self.ec.jwk("ec"),
            self.ed.jwk("ed"),
            json!({"kty": "oct", "kid": "secret", "alg": "HS256", "k": encode(SECRET)}),
            json!({"kty": "unheard-of", "kid": "future"}),
        ]
    }
}

/// A symmetric key that the issuer should not have published, and that must verify nothing.
const SECRET: &[u8] = &[7; 64];

/// The tokens of one issuer.
struct Tokens<'a> {
    keys: &'a Keys,
    issuer: &'a str,
    now: u64,
}

impl Tokens<'_> {
    /// Returns valid claims.
    fn claims(&self) -> Value {
        json!({
            "iss": self.issuer, "aud": AUDIENCE, "sub": "alice", "iat": self.now, "exp": self.now + 600,
            "herald": {"order:*": ["subscribe"]},
        })
    }

    /// Returns valid claims with these changes; `"absent"` removes a claim.
    fn claims_with(&self, changed: Value) -> Value {
        let mut claims = self.claims();
        let claims_map = claims.as_object_mut().unwrap();
        for (name, value) in changed.as_object().unwrap() {
            if value == "absent" {
                claims_map.remove(name);
            } else {
                claims_map.insert(name.clone(), value.clone());
            }
        }
        claims
    }

    /// Returns a token with valid claims and these changes.
    fn with(&self, changed: Value) -> String {
        self.with_header(rs256(), &self.claims_with(changed))
    }

    /// Returns a valid token.
    fn valid(&self) -> String {
        self.with(json!({}))
    }

    fn with_header(&self, header: Value, claims: &Value) -> String {
        token(&header, claims, |message| self.keys.rsa.sign(message))
    }

    /// Returns a token with valid claims and this header, signed by `sign`.
    fn signed(&self, header: Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        token(&header, &self.claims(), sign)
    }

    /// Returns a token whose claims are this text.
    fn of_text(&self, claims: &str) -> String {
        let header = rs256().to_string();
        token_of_text(&header, claims, |message| self.keys.rsa.sign(message))
    }

    /// Returns a valid token of about this many bytes.
    fn of_length(&self, length: usize) -> String {
        let filler = "x".repeat((length - self.valid().len()) * 3 / 4 - 20);
        self.with(json!({"filler": filler}))
    }
}

fn rs256() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"})
}

fn bearers(rows: impl IntoIterator<Item = (&'static str, String, u16)>) -> Vec<Row> {
    let rows = rows.into_iter();
    rows.map(|(name, token, status)| (name, Upgrade::bearer(&token), status))
        .collect()
}

fn valid_tokens(tokens: &Tokens<'_>) -> Vec<Row> {
    let Tokens { keys, now, .. } = tokens;
    let es256 = json!({"alg": "ES256", "kid": "ec"});
    let eddsa = json!({"alg": "EdDSA", "kid": "ed"});
    bearers([
        ("RS256", tokens.valid(), CONNECTED),
        (
            "ES256",
            tokens.signed(es256, |message| keys.ec.sign(message)),
            CONNECTED,
        ),
        (
            "EdDSA",
            tokens.signed(eddsa, |message| keys.ed.sign(message)),
            CONNECTED,
        ),
        (
            "no key id",
            tokens.with_header(json!({"alg": "RS256"}), &tokens.claims()),
            CONNECTED,
        ),
        (
            "typ at+jwt",
            tokens.with_header(
                json!({"alg": "RS256", "typ": "at+jwt", "kid": "rsa"}),
                &tokens.claims(),
            ),
            CONNECTED,
        ),
        (
            "another audience of ours",
            tokens.with(json!({"aud": "other-audience"})),
            CONNECTED,
        ),
        (
            "one audience of several",
            tokens.with(json!({"aud": ["x", AUDIENCE]})),
            CONNECTED,
        ),
        (
            "expired within the leeway",
            tokens.with(json!({"exp": now - 5})),
            CONNECTED,
        ),
        (
            "valid within the leeway",
            tokens.with(json!({"nbf": now + 20})),
            CONNECTED,
        ),
        (
            "a date with a fraction",
            tokens.with(json!({"exp": *now as f64 + 600.5})),
            CONNECTED,
        ),
        (
            "no claim herald",
            tokens.with(json!({"herald": "absent"})),
            CONNECTED,
        ),
        (
            "no permissions",
            tokens.with(json!({"herald": {}})),
            CONNECTED,
        ),
        ("just short enough", tokens.of_length(8 * 1024), CONNECTED),
    ])
}

fn invalid_claims(tokens: &Tokens<'_>) -> Vec<Row> {
    let now = tokens.now;
    let slash = format!("{}/", tokens.issuer);
    let duplicated = tokens
        .claims()
        .to_string()
        .replacen('{', r#"{"sub":"bob","#, 1);
    let with = |changed: Value| tokens.with(changed);
    bearers(
        [
            ("expired beyond the leeway", with(json!({"exp": now - 31}))),
            ("expired long ago", with(json!({"exp": 1}))),
            ("no exp", with(json!({"exp": "absent"}))),
            ("exp null", with(json!({"exp": null}))),
            (
                "exp as a text",
                with(json!({"exp": (now + 600).to_string()})),
            ),
            ("exp beyond all dates", with(json!({"exp": 1e300}))),
            ("exp before all dates", with(json!({"exp": -1}))),
            ("not yet valid", with(json!({"nbf": now + 120}))),
            ("nbf as a text", with(json!({"nbf": "now"}))),
            (
                "wrong issuer",
                with(json!({"iss": "https://issuer.example"})),
            ),
            ("issuer with a slash", with(json!({"iss": slash}))),
            ("no issuer", with(json!({"iss": "absent"}))),
            ("issuers", with(json!({"iss": [tokens.issuer]}))),
            ("wrong audience", with(json!({"aud": "another-api"}))),
            ("wrong audiences", with(json!({"aud": ["a", "b"]}))),
            ("no audience", with(json!({"aud": "absent"}))),
            (
                "a client_id without token_use",
                with(json!({"aud": "absent", "client_id": AUDIENCE})),
            ),
            (
                "the client_id of an id token",
                with(json!({"aud": "absent", "client_id": AUDIENCE, "token_use": "id"})),
            ),
            (
                "another client_id",
                with(json!({"aud": "absent", "client_id": "x", "token_use": "access"})),
            ),
            ("no sub", with(json!({"sub": "absent"}))),
            ("empty sub", with(json!({"sub": ""}))),
            ("sub too long", with(json!({"sub": "x".repeat(257)}))),
            ("sub with a control character", with(json!({"sub": "a\nb"}))),
            ("sub as a number", with(json!({"sub": 7}))),
            ("two subs", tokens.of_text(&duplicated)),
            ("claims in a list", tokens.of_text("[]")),
            ("claims that are not JSON", tokens.of_text("alice")),
            ("no claims", tokens.of_text("")),
        ]
        .map(|(name, token)| (name, token, UNAUTHORIZED)),
    )
}

fn invalid_signatures(tokens: &Tokens<'_>) -> Vec<Row> {
    let keys = tokens.keys;
    let hs256 = json!({"alg": "HS256", "typ": "JWT", "kid": "rsa"});
    let der = keys.rsa.public_der();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        encode(&der)
    );
    let modulus = keys.rsa.modulus();
    let with = |changed: Value| {
        let mut header: BTreeMap<String, Value> = serde_json::from_value(rs256()).unwrap();
        header.extend(serde_json::from_value::<BTreeMap<String, Value>>(changed).unwrap());
        json!(header)
    };
    let by_rsa = |header| tokens.signed(header, |message| keys.rsa.sign(message));
    let foreign = |header| tokens.signed(header, |message| keys.foreign.sign(message));
    let unsigned = |alg: &str| tokens.signed(json!({"alg": alg}), |_| Vec::new());
    let by_hmac =
        |secret: &[u8]| tokens.signed(hs256.clone(), |message| hmac_with(secret, message));
    let secret_header = json!({"alg": "HS256", "kid": "secret"});
    let (signed, _) = tokens.valid().rsplit_once('.').map(own).unwrap();
    let other_claims = tokens.with(json!({"sub": "bob"}));
    let (other_claims, _) = other_claims.rsplit_once('.').unwrap();
    let (_, signature) = tokens.valid().rsplit_once('.').map(own).unwrap();
    bearers(
        [
            ("wrong key", foreign(rs256())),
            ("unknown key id", by_rsa(with(json!({"kid": "unknown"})))),
            (
                "the key id of a key for ES256",
                by_rsa(with(json!({"kid": "ec"}))),
            ),
            (
                "ES256 signed with RSA",
                by_rsa(json!({"alg": "ES256", "kid": "ec"})),
            ),
            (
                "ES256 in ASN.1",
                tokens.signed(json!({"alg": "ES256", "kid": "ec"}), |m| {
                    keys.ec.sign_as_asn1(m)
                }),
            ),
            ("alg none", unsigned("none")),
            ("alg nOnE", unsigned("nOnE")),
            ("alg empty", unsigned("")),
            (
                "alg none with a signature",
                by_rsa(json!({"alg": "none", "kid": "rsa"})),
            ),
            ("no alg", by_rsa(json!({"kid": "rsa"}))),
            ("RS256 without a signature", unsigned("RS256")),
            ("HS256 with the RSA public key", by_hmac(&der)),
            (
                "HS256 with the RSA public key as PEM",
                by_hmac(pem.as_bytes()),
            ),
            ("HS256 with the RSA modulus", by_hmac(modulus.as_bytes())),
            ("HS256 with nothing", by_hmac(b"")),
            (
                "HS256 with a published secret",
                tokens.signed(secret_header, |message| hmac_with(SECRET, message)),
            ),
            (
                "RS512",
                tokens.signed(with(json!({"alg": "RS512"})), |m| keys.rsa.sign_as_rs512(m)),
            ),
            (
                "PS256",
                tokens.signed(with(json!({"alg": "PS256"})), |m| keys.rsa.sign_as_ps256(m)),
            ),
            (
                "its own key in the header",
                foreign(with(json!({"jwk": keys.foreign.jwk("rsa")}))),
            ),
            (
                "keys from elsewhere",
                foreign(with(
                    json!({"jku": "https://evil.example/keys", "kid": "evil"}),
                )),
            ),
            ("crit", by_rsa(with(json!({"crit": ["exp"]})))),
            (
                "unencoded claims",
                by_rsa(with(json!({"crit": ["b64"], "b64": false}))),
            ),
            (
                "another token's claims",
                format!("{other_claims}.{signature}"),
            ),
            ("no signature", format!("{signed}.")),
            (
                "another signature",
                format!("{signed}.{}", encode([0; 256])),
            ),
        ]
        .map(|(name, token)| (name, token, UNAUTHORIZED)),
    )
}

fn own((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

fn malformed(tokens: &Tokens<'_>) -> Vec<Row> {
    let valid = tokens.valid();
    let parts: Vec<_> = valid.split('.').collect();
    let rows = [
        ("truncated", valid[..valid.len() - 20].to_owned()),
        ("truncated to two parts", parts[..2].join(".")),
        ("truncated to one part", parts[0].to_owned()),
        ("four parts", format!("{valid}.{}", parts[2])),
        (
            "an encrypted token",
            format!("{}.{}.{valid}", parts[0], parts[1]),
        ),
        ("padded", format!("{valid}==")),
        ("with a space", valid.replacen('.', ". ", 1)),
        ("not base64", format!("{}.*.{}", parts[0], parts[2])),
        ("dots", "..".to_owned()),
        ("a word", "secret".to_owned()),
        ("too long", tokens.of_length(8 * 1024 + 100)),
        ("far too long", tokens.of_length(40 * 1024)),
    ];
    bearers(rows.map(|(name, token)| (name, token, UNAUTHORIZED)))
}

fn invalid_permissions(tokens: &Tokens<'_>) -> Vec<Row> {
    let rows = [
        ("permissions null", json!(null)),
        ("permissions in a list", json!(["subscribe"])),
        (
            "permissions in a text",
            json!("{\"order:*\":[\"subscribe\"]}"),
        ),
        ("an unknown permission", json!({"order:*": ["read"]})),
        ("an invalid pattern", json!({"order:**:x": ["subscribe"]})),
        ("broadcast for an entity", json!({"order:*": ["broadcast"]})),
    ];
    bearers(rows.map(|(name, herald)| (name, tokens.with(json!({"herald": herald})), FORBIDDEN)))
}

fn places(tokens: &Tokens<'_>) -> Vec<Row> {
    let valid = tokens.valid();
    let valid = valid.as_str();
    let bearer = format!("Bearer {valid}");
    let not_ascii = [bearer.as_bytes(), "é".as_bytes()].concat();
    let header = |value: &str| Upgrade::default().header("Authorization", value);
    vec![
        ("the query string", Upgrade::query(valid), CONNECTED),
        (
            "herald.v1",
            Upgrade::subprotocol("herald.v1", valid),
            CONNECTED,
        ),
        (
            "websocket",
            Upgrade::subprotocol("websocket", valid),
            CONNECTED,
        ),
        (
            "the scheme in lower case",
            header(&format!("bearer {valid}")),
            CONNECTED,
        ),
        (
            "two headers with subprotocols",
            Upgrade::default()
                .header("Sec-WebSocket-Protocol", "herald.v1")
                .header("Sec-WebSocket-Protocol", valid),
            CONNECTED,
        ),
        ("no token", Upgrade::default(), UNAUTHORIZED),
        (
            "a subprotocol alone",
            Upgrade::default().header("Sec-WebSocket-Protocol", "herald.v1"),
            UNAUTHORIZED,
        ),
        (
            "a token without a subprotocol",
            Upgrade::default().header("Sec-WebSocket-Protocol", valid),
            UNAUTHORIZED,
        ),
        (
            "nothing in the query string",
            Upgrade::query(""),
            UNAUTHORIZED,
        ),
        ("nothing in the header", header("Bearer "), UNAUTHORIZED),
        ("no scheme", header(valid), UNAUTHORIZED),
        (
            "another scheme",
            header("Basic YWxpY2U6c2VjcmV0"),
            UNAUTHORIZED,
        ),
        (
            "another header",
            Upgrade::default().header("X-Authorization", bearer.as_str()),
            UNAUTHORIZED,
        ),
        (
            "not ASCII",
            Upgrade::default().header("Authorization", not_ascii),
            UNAUTHORIZED,
        ),
        (
            "not ASCII in the query string",
            Upgrade::query(&format!("{valid}%C3%A9")),
            UNAUTHORIZED,
        ),
        (
            "header and query string",
            Upgrade::bearer(valid).and_query(valid),
            UNAUTHORIZED,
        ),
        (
            "header and subprotocol",
            Upgrade::subprotocol("herald.v1", valid).header("Authorization", bearer.as_str()),
            UNAUTHORIZED,
        ),
        (
            "subprotocol and query string",
            Upgrade::subprotocol("herald.v1", valid).and_query(valid),
            UNAUTHORIZED,
        ),
        (
            "two headers",
            Upgrade::bearer(valid).header("Authorization", bearer.as_str()),
            UNAUTHORIZED,
        ),
        (
            "twice in the query string",
            Upgrade::query(valid).and_query(valid),
            UNAUTHORIZED,
        ),
        (
            "an invalid and a valid token",
            Upgrade::query("x").header("Authorization", bearer.as_str()),
            UNAUTHORIZED,
        ),
    ]
}

#[test]
fn leeway_is_documented() {
    let document = fs::read_to_string(repository().join("docs/authentication.md")).unwrap();
    let seconds = TokenExpiry::LEEWAY.as_secs();
    let rule = format!("a token is accepted until {seconds} seconds after `exp`");
    assert!(document.contains(&rule), "{rule}");
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn each_token_connects_or_is_refused_with_its_status() {
    let keys = Keys::new();
    let issuer = Issuer::start("", keys.published()).await;
    let stack = issuer.stack().await;
    let tokens = Tokens {
        keys: &keys,
        issuer: &issuer.name,
        now: now(),
    };
    let rows = [
        valid_tokens(&tokens),
        invalid_claims(&tokens),
        invalid_signatures(&tokens),
        malformed(&tokens),
        invalid_permissions(&tokens),
        places(&tokens),
    ]
    .concat();
    let mut wrong = Vec::new();
    for (name, upgrade, expected) in &rows {
        let status = upgrade.status(&stack.web_socket()).await;
        if status != *expected {
            wrong.push(format!("{name}: {status}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "of {}: {wrong:#?}", rows.len());
    stack.stop().await;
    issuer.stop();
}
