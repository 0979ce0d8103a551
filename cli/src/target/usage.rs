//! The work of a stack, which only a herald-local counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Target, http::HttpClient};

/// The path of the counts.
const USAGE: &str = "/console/usage.json";

/// The work of a stack since its start. The capacity is counted from the first request for it on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    /// Frames of clients.
    pub(crate) frames_received: u64,
    /// Replies and pushes to clients.
    pub(crate) frames_sent: u64,
    /// The invocations of each function, by its logical id.
    pub(crate) invocations: BTreeMap<String, u64>,
    /// Read units that the functions consumed.
    pub(crate) read_units: f64,
    /// Write units that the functions consumed.
    pub(crate) write_units: f64,
}

impl Target {
    /// Returns the work of the stack. `None` for a stack on AWS, or a herald-local that does not count it.
    pub(crate) async fn usage(&self) -> Option<Usage> {
        let endpoint = self.endpoint.as_ref()?;
        let url = format!("{}{USAGE}", endpoint.trim_end_matches('/'));
        HttpClient::new().get(&url).await.ok()
    }
}

impl Usage {
    /// Returns the work since an earlier count of the same stack.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let invocations = self.invocations.iter().map(|(function, count)| {
            let before = earlier.invocations.get(function).copied();
            (function.clone(), count - before.unwrap_or_default())
        });
        Self {
            frames_received: self.frames_received - earlier.frames_received,
            frames_sent: self.frames_sent - earlier.frames_sent,
            invocations: invocations.filter(|(_, count)| *count > 0).collect(),
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        }
    }
}
