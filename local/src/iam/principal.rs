//! A function as the services see it: a session of its role.

use tokio::sync::watch;

use super::{Call, Decision, Denied, Statement, decide};

/// Who calls, when it is a function.
#[derive(Debug)]
pub(crate) struct Principal {
    /// The function's logical id.
    pub(super) function: String,
    /// The ARN of its role's session.
    pub(super) arn: String,
    /// All that its policies say.
    pub(super) statements: Vec<Statement>,
    /// Is told of every refusal.
    pub(super) refused: watch::Sender<Option<Denied>>,
}

impl Principal {
    /// Errs, and logs it, if the function may not make a call.
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
            "a call was refused: the function's policies in the template do not allow it"
        );
        self.refused.send_replace(Some(denied.clone()));
        Err(denied)
    }

    pub(super) fn decide(&self, call: &Call) -> Decision {
        decide(&self.statements, &call.action, &call.resource)
    }
}
