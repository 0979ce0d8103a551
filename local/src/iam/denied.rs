//! A refused call, in AWS's words.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>

use std::fmt::{self, Display, Formatter};

use super::call::Call;

/// A refused call. Its text is the message that the caller receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The logical id of the function that called.
    pub function: String,
    /// The ARN of its role's session.
    pub user: String,
    /// The action, e.g. `dynamodb:Query`.
    pub action: String,
    /// The ARN of the resource.
    pub resource: String,
    /// Whether a statement denies the call; otherwise no statement allows it.
    pub explicitly: bool,
}

impl Denied {
    pub(super) fn new(function: &str, user: &str, call: &Call, explicitly: bool) -> Self {
        Self {
            function: function.to_owned(),
            user: user.to_owned(),
            action: call.action.clone(),
            resource: call.resource.clone(),
            explicitly,
        }
    }

    /// Returns the message without the reason, as API Gateway sends it.
    pub(crate) fn without_reason(&self) -> String {
        format!(
            "User: {} is not authorized to perform: {} on resource: {}",
            self.user, self.action, self.resource
        )
    }
}

impl Display for Denied {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.without_reason())?;
        if self.explicitly {
            formatter.write_str(" with an explicit deny in an identity-based policy")
        } else {
            let action = &self.action;
            write!(
                formatter,
                " because no identity-based policy allows the {action} action"
            )
        }
    }
}
