//! wip
/// What happens to a message when the outbox is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// The new message is refused.
    #[default]
    RefuseNewest,
    /// The oldest message gives way, and fails.
    DropOldest,
}
