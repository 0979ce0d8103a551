//! Permissions that a function loses on purpose.

use anyhow::{Context, bail};

use crate::template::{Effect, Role, Statement};

/// An action that a function may not perform, although the template grants it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// The function's logical id.
    pub function: String,
    /// The action as the template writes it, e.g. `dynamodb:Query`.
    pub action: String,
    /// The resource as the template's statement evaluates it; `None` for every resource.
    pub resource: Option<String>,
}

impl Revoked {
    /// Removes the action from the role of its function.
    pub(super) fn take_from(&self, roles: &mut [Role]) -> anyhow::Result<()> {
        let Self {
            function, action, ..
        } = self;
        let mut roles = roles.iter_mut();
        let role = roles.find(|role| role.function == *function);
        let role = role
            .with_context(|| format!("there is no function {function} to revoke {action} from"))?;
        let before = role.policies.clone();
        role.policies = before
            .iter()
            .flat_map(|statement| self.rest_of(statement))
            .collect();
        if role.policies == before {
            bail!(
                "{action} cannot be revoked from {function}: no statement of its policies grants it in these words"
            );
        }
        Ok(())
    }

    /// Returns what remains of a statement: one about its other actions, one about its other resources.
    fn rest_of(&self, statement: &Statement) -> Vec<Statement> {
        if !self.is_granted_by(statement) {
            return vec![statement.clone()];
        }
        let mut of_other_actions = statement.clone();
        let is_other = |action: &String| *action != self.action;
        of_other_actions.actions.retain(is_other);
        let of_other_resources = Statement {
            actions: vec![self.action.clone()],
            resources: self.others(&statement.resources),
            ..*statement
        };
        vec![of_other_actions, of_other_resources]
    }

    fn is_granted_by(&self, statement: &Statement) -> bool {
        let resource = self.resource.as_ref();
        statement.effect == Effect::Allow
            && statement.actions.contains(&self.action)
            && resource.is_none_or(|resource| statement.resources.contains(resource))
    }

    fn others(&self, resources: &[String]) -> Vec<String> {
        let Some(revoked) = &self.resource else {
            return Vec::new();
        };
        let others = resources.iter().filter(|resource| *resource != revoked);
        others.cloned().collect()
    }
}
