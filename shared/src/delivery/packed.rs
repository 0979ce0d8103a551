//! The recipients of a page in little memory, while they wait for their posts.

use crate::{audience::Recipient, ids::ConnectionId, token_expiry::TokenExpiry};

/// Recipients in half the memory of a list of them: a notifier may have ten pages at once.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// The ids of all connections, one after the other.
    ids: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// The length of the connection's id.
    length: u8,
    opening_second: u32,
    token_expires_at: Option<TokenExpiry>,
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl From<Vec<Recipient>> for Packed {
    fn from(recipients: Vec<Recipient>) -> Self {
        let ids = recipients
            .iter()
            .map(|recipient| recipient.connection.as_str());
        let rows = recipients.iter().map(|recipient| Row {
            length: recipient.connection.as_str().len() as u8,
            opening_second: recipient.opening_second(),
            token_expires_at: recipient.token_expires_at,
        });
        let mut ids: String = ids.collect();
        ids.shrink_to_fit();
        Self {
            ids,
            rows: rows.collect(),
        }
    }
}

impl IntoIterator for Packed {
    type Item = Recipient;
    type IntoIter = Unpacked;

    fn into_iter(self) -> Unpacked {
        Unpacked {
            ids: self.ids,
            start: 0,
            rows: self.rows.into_iter(),
        }
    }
}

/// The recipients, one after the other.
#[derive(Debug)]
pub(super) struct Unpacked {
    ids: String,
    /// The start of the next id.
    start: usize,
    rows: std::vec::IntoIter<Row>,
}

impl Iterator for Unpacked {
    type Item = Recipient;

    fn next(&mut self) -> Option<Recipient> {
        let row = self.rows.next()?;
        let end = self.start + usize::from(row.length);
        let id = &self.ids[self.start..end];
        self.start = end;
        let connection = ConnectionId::new(id).expect("it was the id of a connection");
        Some(Recipient::opened_in(
            row.opening_second,
            connection,
            row.token_expires_at,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn recipients_are_unpacked_as_they_were_packed() {
        let ids = [
            "P",
            "PcQeDRO4gIEm4LQ=",
            "日本",
            &"x".repeat(ConnectionId::LIMIT),
        ];
        let recipients: Vec<_> = ids
            .into_iter()
            .zip([0, 1, 1_764_000_000, u32::MAX])
            .map(|(id, second)| Recipient {
                connection: ConnectionId::new(id).expect("an id"),
                connected_at: UNIX_EPOCH + Duration::from_secs(second.into()),
                token_expires_at: (second % 2 == 1)
                    .then(|| TokenExpiry::from_epoch_seconds(u64::MAX)),
            })
            .collect();
        let packed = Packed::from(recipients.clone());
        assert_eq!(packed.len(), recipients.len());
        assert_eq!(packed.into_iter().collect::<Vec<_>>(), recipients);
        assert_eq!(Packed::from(Vec::new()).into_iter().next(), None);
    }
}
