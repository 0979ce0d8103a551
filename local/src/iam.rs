//! IAM: the calls that each function's role allows.
//!
//! Every function has credentials of its own. Their access key id identifies the function behind a call,
//! which is checked against the policies that the template grants. A caller with other credentials owns
//! the account and may do everything. In order, each module using those before it: `wildcard` and
//! `decision` evaluate statements; `call` and `account` describe a call; `calls` derives the calls that a
//! request needs; `denied`, `principal`, `revoked` and `roles` check them. The endpoint and the
//! management API send the refusals.
//!
//! Left out: the policies of queues, keys and other resources, permission boundaries, service control
//! policies, session policies, conditions. Signatures are not verified.

mod account;
mod call;
mod calls;
mod decision;
mod denied;
mod principal;
mod revoked;
mod roles;
mod wildcard;

pub use crate::template::{Effect, Statement};
pub use denied::Denied;
pub use revoked::Revoked;
pub use roles::Roles;

pub(crate) use call::Call;
pub(crate) use decision::{Decision, decide};
pub(crate) use principal::Principal;
