//! The ports of function URLs.

use std::{collections::BTreeMap, io::ErrorKind, net::IpAddr};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::{addresses::reachable, template::FunctionUrl};

/// The listeners of function URLs by logical id.
pub(crate) struct Listeners(BTreeMap<String, TcpListener>);

/// Listens for every URL: on `first` and the ports after it by the URL's position in the template, or on
/// free ports if `first` is 0. A URL whose port is in use gets a free one.
pub(crate) async fn listen(
    urls: &[FunctionUrl],
    host: IpAddr,
    first: u16,
) -> anyhow::Result<Listeners> {
    let mut listeners = BTreeMap::new();
    for url in urls {
        let wanted = match first {
            0 => 0,
            first => first.saturating_add(url.position),
        };
        let logical_id = &url.logical_id;
        let bound = match TcpListener::bind((host, wanted)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                tracing::warn!(
                    "port {wanted} is in use, so the function URL {logical_id} has another one"
                );
                TcpListener::bind((host, 0)).await
            }
            bound => bound,
        };
        let listener = bound.with_context(|| {
            format!("cannot listen on {host} for the function URL {logical_id}")
        })?;
        listeners.insert(logical_id.clone(), listener);
    }
    Ok(Listeners(listeners))
}

impl Listeners {
    /// Returns the addresses of the URLs by logical id.
    pub(crate) fn addresses(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let listeners = self.0.iter();
        listeners
            .map(|(id, listener)| {
                let address = reachable(listener.local_addr()?);
                Ok((id.clone(), format!("http://{address}/")))
            })
            .collect()
    }

    /// Takes the listener of a URL.
    pub(crate) fn take(&mut self, logical_id: &str) -> Option<TcpListener> {
        self.0.remove(logical_id)
    }
}
