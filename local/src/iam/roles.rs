//! The roles of all functions: their credentials, the caller of a request, and its permission.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context, bail};
use axum::http::{HeaderMap, header};
use tokio::sync::watch;

use super::{
    account::Account, call::Call, calls::calls, decision::Decision, denied::Denied,
    principal::Principal, revoked::Revoked,
};
use crate::template::{EventSourceMapping, Role, Stack};

/// The functions' roles.
#[derive(Debug)]
pub struct Roles {
    account: Account,
    stack_name: String,
    /// By access key id.
    principals: BTreeMap<String, Arc<Principal>>,
    refused: watch::Sender<Option<Denied>>,
}

impl Roles {
    /// Returns the roles of a stack without the actions in `revoked`.
    ///
    /// # Errors
    /// Returns an error if a revoked action was not granted.
    pub fn new(stack: &Stack, revoked: &[Revoked]) -> anyhow::Result<Self> {
        let mut roles = stack.roles.clone();
        for revoked in revoked {
            revoked.take_from(&mut roles)?;
        }
        let account = Account {
            region: stack.region.clone(),
            id: stack.account_id.clone(),
        };
        let refused = watch::Sender::new(None);
        let principals = roles
            .into_iter()
            .map(|role| {
                let key = access_key_id(&stack.name, &role.function);
                let name = session_name(stack, &role.function);
                let principal = principal(&account, role, name, refused.clone());
                (key, Arc::new(principal))
            })
            .collect();
        Ok(Self {
            account,
            stack_name: stack.name.clone(),
            principals,
            refused,
        })
    }

    /// Returns the last refused call, and each later one.
    pub fn refused(&self) -> watch::Receiver<Option<Denied>> {
        self.refused.subscribe()
    }

    /// Returns the variables with a function's credentials, by its logical id.
    pub fn credentials(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let principals = self.principals.iter();
        principals
            .map(|(access_key_id, principal)| {
                let variables = [
                    ("AWS_ACCESS_KEY_ID", access_key_id.as_str()),
                    ("AWS_SECRET_ACCESS_KEY", "local"),
                    // The credentials of a role always have a session token. The host replaces this
                    // one by that of the process.
                    ("AWS_SESSION_TOKEN", "local"),
                ];
                let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
                (principal.function.clone(), variables.into())
            })
            .collect()
    }

    /// Returns the function whose credentials signed a request; `None` for other credentials.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Option<&Arc<Principal>> {
        let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (_, credential) = authorization.split_once("Credential=")?;
        let (access_key_id, _) = credential.split_once('/')?;
        self.principals.get(access_key_id)
    }

    /// Checks that a function may make a request of an AWS JSON protocol. Returns the first call that is
    /// not allowed.
    pub(crate) fn check(
        &self,
        caller: &Principal,
        service: &str,
        operation: &str,
        request: &[u8],
    ) -> Result<(), Denied> {
        // A body that is not JSON names no resource, and its service refuses it anyway.
        let request = serde_json::from_slice(request).unwrap_or_default();
        let calls = calls(&self.account, service, operation, &request);
        calls.iter().try_for_each(|call| caller.check(call))
    }

    /// Checks that a function's role allows Lambda to poll the function's queue: otherwise Lambda refuses
    /// to create the mapping.
    ///
    /// Source: <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions>
    pub(crate) fn check_poller(&self, mapping: &EventSourceMapping) -> anyhow::Result<()> {
        let function = &mapping.function;
        let key = access_key_id(&self.stack_name, function);
        let principal = self.principals.get(&key);
        let principal = principal.with_context(|| format!("{function} has no role"))?;
        for action in [
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
        ] {
            let queue = &mapping.queue;
            if principal.decide(&Call::new(action, queue)) != Decision::Allowed {
                bail!(
                    "Lambda polls {queue} with the role of {function}, which does not allow {action}: \
                     grant it in the function's Policies"
                );
            }
        }
        Ok(())
    }
}

fn principal(
    account: &Account,
    role: Role,
    session: String,
    refused: watch::Sender<Option<Denied>>,
) -> Principal {
    let Role {
        function,
        name,
        mut policies,
        managed,
    } = role;
    policies.extend(managed);
    Principal {
        arn: format!("arn:aws:sts::{}:assumed-role/{name}/{session}", account.id),
        function,
        statements: policies,
        refused,
    }
}

/// Lambda names the session of a function's role after the function.
fn session_name(stack: &Stack, logical_id: &str) -> String {
    let mut functions = stack.functions.iter();
    let function = functions.find(|function| function.logical_id == logical_id);
    function.map_or_else(|| logical_id.to_owned(), |function| function.name.clone())
}

/// Returns an access key id in the form of a role's, the same for the same function at every start.
fn access_key_id(stack: &str, function: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let digest = md5::compute(format!("{stack}/{function}"));
    let characters = digest.iter();
    let characters =
        characters.map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
    "ASIA".chars().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Authentication, template::Settings};

    #[test]
    fn caller_is_known_by_the_access_key_of_its_request() {
        let roles = Roles::new(&own_stack(), &[]).expect("roles");
        let credentials = roles.credentials();
        let caller = |access_key_id: &str| {
            let authorization = format!(
                "AWS4-HMAC-SHA256 Credential={access_key_id}/20261120/us-east-1/sqs/aws4_request, \
                 SignedHeaders=host, Signature=0"
            );
            let value = authorization.parse().expect("a header");
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            let caller = roles.caller(&headers)?;
            Some(caller.function.clone())
        };
        for (function, variables) in &credentials {
            let access_key_id = &variables["AWS_ACCESS_KEY_ID"];
            assert_eq!(access_key_id.len(), 20, "{access_key_id}");
            assert_eq!(caller(access_key_id).as_ref(), Some(function));
        }
        assert_eq!(credentials.len(), own_stack().functions.len());
        assert_eq!(caller("local"), None);
        assert!(roles.caller(&HeaderMap::new()).is_none());
    }

    #[test]
    fn refusal_names_the_session_of_the_role() {
        let roles = Roles::new(&own_stack(), &[]).expect("roles");
        let denied = check(&roles, "ConnectFunction", "DeleteTable").expect_err("not granted");
        assert_eq!(
            denied.to_string(),
            "User: arn:aws:sts::123456789012:assumed-role/herald-local-ConnectFunctionRole/\
             herald-local-ConnectFunction is not authorized to perform: dynamodb:DeleteTable on \
             resource: arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table because no \
             identity-based policy allows the dynamodb:DeleteTable action"
        );
        let refused = roles.refused().borrow().clone();
        assert_eq!(refused, Some(denied));
    }

    #[test]
    fn revoked_action_is_refused_and_no_other() {
        let table = "arn:aws:dynamodb:us-east-1:123456789012:table/herald-local-Table";
        for resource in [None, Some(table.to_owned())] {
            let revoked = revoked("NotifierFunction", "dynamodb:Query", resource);
            let roles = Roles::new(&own_stack(), &[revoked]).expect("roles");
            assert!(check(&roles, "NotifierFunction", "Query").is_err());
            assert!(check(&roles, "NotifierFunction", "DeleteItem").is_ok());
            assert!(check(&roles, "ConnectFunction", "Query").is_ok());
        }
    }

    #[test]
    fn action_that_is_not_granted_cannot_be_revoked() {
        for (function, action, resource, expected) in [
            (
                "Nope",
                "dynamodb:Query",
                None,
                "cannot revoke dynamodb:Query from Nope: the template has no such function",
            ),
            (
                "DefaultFunction",
                "dynamodb:Query",
                None,
                "cannot revoke dynamodb:Query from DefaultFunction: no statement of its policies has exactly this action and resource",
            ),
            (
                "DisconnectFunction",
                "dynamodb:Query",
                Some("arn:aws:dynamodb:::table/other".to_owned()),
                "cannot revoke dynamodb:Query from DisconnectFunction: no statement of its policies has exactly this action and resource",
            ),
        ] {
            let revoked = revoked(function, action, resource);
            let error = Roles::new(&own_stack(), &[revoked]).expect_err(expected);
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn role_of_a_function_must_allow_polling_its_queue() {
        let stack = own_stack();
        let roles = Roles::new(&stack, &[]).expect("roles");
        let mapping = &stack.event_source_mappings[0];
        roles.check_poller(mapping).expect("the notifier polls");
        let of_another = EventSourceMapping {
            function: "ConnectFunction".to_owned(),
            ..mapping.clone()
        };
        let error = roles.check_poller(&of_another).expect_err("not granted");
        assert_eq!(
            error.to_string(),
            format!(
                "Lambda polls {} with the role of ConnectFunction, which does not allow \
                 sqs:ReceiveMessage: grant it in the function's Policies",
                mapping.queue
            )
        );
    }

    /// Checks an operation of DynamoDB on the table.
    fn check(roles: &Roles, function: &str, operation: &str) -> Result<(), Denied> {
        let mut principals = roles.principals.values();
        let principal = principals
            .find(|principal| principal.function == function)
            .expect(function);
        let request = br#"{"TableName":"herald-local-Table"}"#;
        roles.check(principal, "DynamoDB_20120810", operation, request)
    }

    fn revoked(function: &str, action: &str, resource: Option<String>) -> Revoked {
        Revoked {
            function: function.to_owned(),
            action: action.to_owned(),
            resource,
        }
    }

    fn own_stack() -> Stack {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let endpoint = "http://127.0.0.1:3030";
        let settings = Settings {
            defaults: Authentication::Open.parameters(endpoint),
            ..Settings::new(endpoint)
        };
        Stack::read(&file, &settings).expect("our own template")
    }
}
