//! The ports of function URLs.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use anyhow::Context;
use tokio::net::TcpListener;

use crate::{addresses::reachable, template::FunctionUrl};

/// The listeners of function URLs by logical id.
pub(crate) struct Listeners(BTreeMap<String, TcpListener>);

/// Listens for every URL: on `first` and the ports after it by the URL's position in the template, or on
/// free ports if `first` is 0.
pub(crate) async fn listen(
    urls: &[FunctionUrl],
    host: IpAddr,
    first: u16,
) -> anyhow::Result<Listeners> {
    let mut listeners = BTreeMap::new();
    for url in urls {
        let port = if first == 0 {
            0
        } else {
            first.checked_add(url.position).with_context(|| {
                format!(
                    "no port is left for {}: choose a lower one with --port",
                    url.logical_id
                )
            })?
        };
        let address = SocketAddr::new(host, port);
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!(
                "cannot listen on {address} for the function URL {}: choose another port with --port; \
                 function URLs have the ports after it (0 for free ones)",
                url.logical_id
            )
        })?;
        listeners.insert(url.logical_id.clone(), listener);
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
