//! A function as a caller: a session of its role.

use tokio::sync::watch;

use super::{
    call::Call,
    decision::{Decision, decide},
    denied::Denied,
};
use crate::template::Statement;

/// The session of a function's role.
#[derive(Debug)]
pub(crate) struct Principal {
    /// The function's logical id.
    pub(crate) function: String,
    /// The ARN of its role's session.
    pub(super) arn: String,
    /// The statements of its policies.
    pub(super) statements: Vec<Statement>,
    /// Receives every refusal.
    pub(super) refused: watch::Sender<Option<Denied>>,
}

impl Principal {
    /// Returns the ARN of its role's session.
    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// Checks that the function may make a call; a refusal is logged.
    pub(crate) fn check(&self, call: &Call) -> Result<(), Denied> {
        let explicitly = match self.decide(call) {
            Decision::Allowed => return Ok(()),
            Decision::NotAllowed => false,
            Decision::Denied => true,
        };
        let denied = Denied::new(&self.function, &self.arn, call, explicitly);
        tracing::warn!(
            function = denied.function,
            action = denied.action,
            resource = denied.resource,
            "call refused: the function's policies in the template do not allow it"
        );
        self.refused.send_replace(Some(denied.clone()));
        Err(denied)
    }

    pub(super) fn decide(&self, call: &Call) -> Decision {
        decide(&self.statements, &call.action, &call.resource)
    }
}
