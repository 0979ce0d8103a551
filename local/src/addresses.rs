//! The addresses and names of a running stack.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use serde::Serialize;

use crate::{Authentication, faults::Faults, issuer::Issuer, template::Stack};

/// The addresses and names that a client, an SDK or a person needs. Its JSON is what `--json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// The WebSocket address for clients: `ws://127.0.0.1:3030/dev`.
    pub web_socket: String,
    /// The AWS endpoint of DynamoDB, SQS, EventBridge and Secrets Manager, for `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    /// The authentication that clients need.
    pub authentication: Authentication,
    /// The address that mints test tokens, if the stack accepts any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
    /// The address of the console, for a browser.
    pub console: String,
    /// The tables' names by logical id.
    pub tables: BTreeMap<String, String>,
    /// The queues' URLs by logical id.
    pub queues: BTreeMap<String, String>,
    /// The addresses of the function URLs by logical id.
    pub function_urls: BTreeMap<String, String>,
    /// The names of the event buses by logical id, or by name if the template does not create them.
    pub buses: BTreeMap<String, String>,
    /// The injected faults, as `--fault` has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    #[serde(skip)]
    management: String,
}

impl Addresses {
    /// Returns the addresses of a stack that listens on `listening`, with its issuer and its injected faults.
    pub(crate) fn new(
        stack: &Stack,
        issuer: &Issuer,
        listening: SocketAddr,
        faults: &Faults,
    ) -> Self {
        let authority = reachable(listening);
        let endpoint = format!("http://{authority}");
        let stage = &stack.web_socket_api.stage;
        let tables = stack.tables.iter();
        let queues = stack.queues.iter();
        let function_urls = stack.function_urls.iter();
        let buses = stack.buses.iter().map(|bus| {
            let id = bus.logical_id.as_ref().unwrap_or(&bus.name);
            (id.clone(), bus.name.clone())
        });
        Self {
            web_socket: format!("ws://{authority}/{stage}"),
            console: format!("{endpoint}/"),
            management: format!("{endpoint}/{stage}"),
            endpoint,
            authentication: issuer.authentication(),
            tokens: issuer.token_address(),
            tables: tables
                .map(|table| (table.logical_id.clone(), table.name.clone()))
                .collect(),
            queues: queues
                .map(|queue| (queue.logical_id.clone(), queue.url.clone()))
                .collect(),
            function_urls: function_urls
                .map(|url| (url.logical_id.clone(), url.address.clone()))
                .collect(),
            buses: buses.collect(),
            faults: faults.active.clone(),
        }
    }

    /// Returns the variables that direct the AWS SDK of a function to this stack.
    pub(crate) fn endpoints(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &self.management),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// Returns the address at which this machine reaches a listener.
pub(crate) fn reachable(listening: SocketAddr) -> SocketAddr {
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}
