//! The signature that AWS would compute from a request, by the SDK's own signer.

use std::time::SystemTime;

use aws_sdk_apigatewaymanagement::{
    config::Credentials,
    primitives::{DateTime, DateTimeFormat},
};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};
use bytes::Bytes;
use hyper::Request;

/// Returns the `Authorization` that a request which arrived at `endpoint` should have.
pub(crate) fn of(
    request: &Request<Bytes>,
    endpoint: &str,
    region: &str,
    credentials: Credentials,
) -> String {
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("execute-api")
        .time(time(request))
        .settings(SigningSettings::default())
        .build()
        .expect("parameters");
    let origin = endpoint.strip_suffix("/dev").expect("a stage");
    let signable = SignableRequest::new(
        request.method().as_str(),
        format!("{origin}{}", request.uri().path()),
        signed_headers(request),
        SignableBody::Bytes(request.body()),
    );
    let signed = sign(signable.expect("a request"), &params.into()).expect("a signature");
    let (instructions, _) = signed.into_parts();
    let mut signed = Request::new(());
    instructions.apply_to_request_http1x(&mut signed);
    let authorization = &signed.headers()["authorization"];
    authorization.to_str().expect("text").to_owned()
}

/// Returns the headers that the request names as signed, without those that the signer adds.
fn signed_headers(request: &Request<Bytes>) -> impl Iterator<Item = (&str, &str)> {
    let authorization = header(request, "authorization");
    let (_, names) = authorization.split_once("SignedHeaders=").expect("names");
    let (names, _) = names.split_once(',').expect("a signature");
    names
        .split(';')
        .filter(|name| !["x-amz-date", "x-amz-security-token"].contains(name))
        .map(|name| (name, header(request, name)))
}

/// Returns the time of the request's signature.
fn time(request: &Request<Bytes>) -> SystemTime {
    let basic = header(request, "x-amz-date");
    let [year, month, day, hour, minute, second] =
        [0..4, 4..6, 6..8, 9..11, 11..13, 13..15].map(|range| &basic[range]);
    let extended = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = DateTime::from_str(&extended, DateTimeFormat::DateTime).expect("a time");
    time.try_into().expect("a time after 1970")
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    let value = request.headers().get(name).expect("a header");
    value.to_str().expect("text")
}
