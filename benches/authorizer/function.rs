//! The authorizer under the Lambda host of the local stack.

use std::path::Path;

use anyhow::bail;
use herald_benches::{Endpoint, OneProcess, stack};
use herald_local::lambda::Invocation;

use crate::{
    issuer::Issuer,
    tokens::{AUDIENCE, Signer},
};

/// The function's logical id in the template.
pub(crate) const FUNCTION: &str = "AuthorizerFunction";

/// Returns the authorizer, with the template's parameters for this signer, not yet started.
pub(crate) fn authorizer(
    signer: &Signer,
    issuer: &Issuer,
    binary: &Path,
) -> anyhow::Result<OneProcess> {
    let stack = stack([
        ("Authentication", signer.authentication()),
        ("TokenIssuer", &issuer.name),
        ("TokenAudience", AUDIENCE),
    ])?;
    let endpoint = Endpoint {
        url: &issuer.name,
        authorities: &issuer.identity.authorities(),
    };
    OneProcess::new(&stack, FUNCTION, binary, &endpoint)
}

/// Checks one client, which must be admitted.
pub(crate) async fn check(authorizer: &OneProcess, event: &str) -> anyhow::Result<()> {
    match authorizer.invoke(event).await {
        Invocation::Returned(answer) if answer.windows(7).any(|text| text == b"\"Allow\"") => {
            Ok(())
        }
        other => bail!("the client was not admitted: {other:?}"),
    }
}
