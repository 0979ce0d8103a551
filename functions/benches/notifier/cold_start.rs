//! The start of a process and its first push.

use std::{fs, path::Path, time::Duration};

use crate::{
    function::{Notifier, entity_updated, stack},
    median,
    sink::{Identity, Sink},
};

const STARTS: usize = 20;

/// The certificate authorities of the machine. A function loads as many on Lambda.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Starts the notifier repeatedly and prints the medians.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let stack = stack()?;
    let folder = tempfile::tempdir()?;
    let certificate = folder.path().join("certificate.pem");
    let key = folder.path().join("key.pem");
    let authorities = folder.path().join("authorities.pem");
    make_identity(&certificate, &key, &authorities)?;
    let identity = || {
        Some(Identity {
            certificate: &certificate,
            key: &key,
        })
    };
    // Two sinks, because DynamoDB and the API are different hosts on AWS, and each costs a handshake.
    let dynamodb = Sink::start(Duration::ZERO, identity()).await?;
    let gateway = Sink::start(Duration::ZERO, identity()).await?;
    let (mut starts, mut firsts, mut memories) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let notifier = Notifier::new(
            &stack,
            [
                ("AWS_ENDPOINT_URL", dynamodb.origin()),
                (
                    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                    gateway.management_api(),
                ),
                ("SSL_CERT_FILE", authorities.display().to_string()),
            ],
        )?;
        starts.push(notifier.start().await?);
        firsts.push(notifier.deliver(&entity_updated("order-1")).await?);
        memories.push(notifier.resident_memory()? as f64 / 1e6);
        notifier.shutdown().await;
    }
    println!("Cold start, medians of {STARTS}:");
    println!();
    println!(
        "| start to first poll | first push (query and post over TLS) | resident memory after it |"
    );
    println!("| --: | --: | --: |");
    println!(
        "| {:.1} ms | {:.1} ms | {:.1} MB |",
        median(starts),
        median(firsts),
        median(memories)
    );
    println!();
    Ok(())
}

/// Makes a certificate for the sinks and adds it to the authorities of this machine.
fn make_identity(certificate: &Path, key: &Path, authorities: &Path) -> anyhow::Result<()> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    fs::write(certificate, made.cert.pem())?;
    fs::write(key, made.signing_key.serialize_pem())?;
    let system = fs::read_to_string(SYSTEM_AUTHORITIES).unwrap_or_default();
    fs::write(authorities, system + &made.cert.pem())?;
    Ok(())
}
