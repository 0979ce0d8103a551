//! Where everything of a running stack is.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use serde::Serialize;

use crate::{Authentication, issuer::Issuer, template::Stack};

/// The addresses and names that a client, an SDK or a person needs. Its JSON is what `--json` prints.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// Where clients connect: `ws://127.0.0.1:3030/dev`.
    pub web_socket: String,
    /// The AWS endpoint of DynamoDB, SQS, EventBridge and Secrets Manager, for `AWS_ENDPOINT_URL`.
    pub endpoint: String,
    /// How clients prove who they are.
    pub authentication: Authentication,
    /// Where test tokens are minted, if the stack takes any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
    /// Where a person with a browser looks.
    pub console: String,
    /// The tables' names by logical id.
    pub tables: BTreeMap<String, String>,
    /// The queues' URLs by logical id.
    pub queues: BTreeMap<String, String>,
    /// The names of the event buses that rules listen to, by logical id, or by themselves if the
    /// template does not make them.
    pub buses: BTreeMap<String, String>,
    #[serde(skip)]
    management: String,
}

impl Addresses {
    /// The addresses of a stack that listens on `listening`, with its issuer.
    pub(crate) fn new(stack: &Stack, issuer: &Issuer, listening: SocketAddr) -> Self {
        let authority = reachable(listening);
        let endpoint = format!("http://{authority}");
        let stage = &stack.web_socket_api.stage;
        let tables = stack.tables.iter();
        let queues = stack.queues.iter();
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
            buses: buses.collect(),
        }
    }

    /// What leads the AWS SDK in a function here.
    pub(crate) fn endpoints(&self) -> BTreeMap<String, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", &self.management),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// The HTTP endpoint that a listener's address is reached at on this machine.
pub(crate) fn reachable(listening: SocketAddr) -> SocketAddr {
    let mut address = listening;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}
