//! A call that a role must allow.

/// An action and the resource it is performed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The name by which AWS refuses it, e.g. `dynamodb:Query`.
    pub(crate) action: String,
    /// An ARN, or [`ANY`].
    pub(crate) resource: String,
}

/// The resource of an action that is about none, or about one that the request does not tell: only a
/// statement about every resource allows it.
pub(super) const ANY: &str = "*";

impl Call {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            resource: resource.into(),
        }
    }
}
