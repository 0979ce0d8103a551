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
    /// Returns the work since an earlier count. `None` if the stack was restarted in between, and so counts from zero
    /// again.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Self> {
        let invocations = self.invocations.iter().map(|(function, count)| {
            let before = earlier.invocations.get(function).copied();
            Some((
                function.clone(),
                count.checked_sub(before.unwrap_or_default())?,
            ))
        });
        let invocations: BTreeMap<_, _> = invocations.collect::<Option<_>>()?;
        Some(Self {
            frames_received: self.frames_received.checked_sub(earlier.frames_received)?,
            frames_sent: self.frames_sent.checked_sub(earlier.frames_sent)?,
            invocations: invocations
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .collect(),
            read_units: self.read_units - earlier.read_units,
            write_units: self.write_units - earlier.write_units,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(frames: u64, subscribes: u64) -> Usage {
        Usage {
            frames_received: frames,
            frames_sent: frames,
            invocations: BTreeMap::from([("SubscribeFunction".to_owned(), subscribes)]),
            ..Usage::default()
        }
    }

    #[test]
    fn work_since_an_earlier_count_is_unknown_after_a_restart() {
        let since = usage(7, 3).since(&usage(5, 3)).expect("no restart");
        assert_eq!((since.frames_received, since.frames_sent), (2, 2));
        assert!(since.invocations.is_empty());
        assert!(usage(2, 3).since(&usage(5, 3)).is_none());
        assert!(usage(7, 1).since(&usage(5, 3)).is_none());
    }
}
