//! The change of an entity's members that a frame of presence tells.

use serde::{Deserialize, Serialize};

/// A change of an entity's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresenceChange {
    pub(crate) entity_id: String,
    /// The version of the set, which each frame raises.
    pub(crate) version: u64,
    /// The number of members.
    pub(crate) count: u64,
}

/// Returns the change that a frame tells; `None` if it is not a frame of presence.
pub(crate) fn of_frame(frame: &str) -> Option<PresenceChange> {
    #[derive(Deserialize)]
    struct Frame {
        r#type: String,
        #[serde(flatten)]
        change: PresenceChange,
    }
    // Most frames are of another kind, and need not be parsed.
    if !frame.contains(TYPE) {
        return None;
    }
    let frame: Frame = serde_json::from_str(frame).ok()?;
    (frame.r#type == "presence").then_some(frame.change)
}

/// The text that each frame of presence contains.
const TYPE: &str = r#""presence""#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_of_presence_has_its_change() {
        let change = PresenceChange {
            entity_id: "room-1".to_owned(),
            version: 3,
            count: 2,
        };
        for (frame, expected) in [
            (
                r#"{"type":"presence","entityId":"room-1","version":3,"count":2,"joined":[],"left":[]}"#,
                Some(&change),
            ),
            (
                r#"{"type":"presence","entityId":"room-1","version":3,"count":2}"#,
                Some(&change),
            ),
            (
                r#"{"type":"message","message":"presence","entityId":"room-1","version":3,"count":2}"#,
                None,
            ),
            (
                r#"{"type":"presence","entityId":"room-1","version":"3"}"#,
                None,
            ),
            (r#"{"type":"ack","action":"presence"}"#, None),
            (r#""presence""#, None),
            ("not JSON", None),
        ] {
            assert_eq!(of_frame(frame).as_ref(), expected, "{frame}");
        }
    }
}
