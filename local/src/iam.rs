//! IAM: which calls a function's role lets it make.
//!
//! Every function has credentials of its own. By their access key id a call is known to be the
//! function's, and is checked against the policies that the template grants it; who has other
//! credentials owns the account and may do everything. What an operation needs is told in `calls`,
//! what statements decide in `statement`; the endpoint and the management API ask and refuse.
//!
//! Left out: the policies of queues, keys and other resources, permission boundaries, service control
//! policies, session policies, conditions. Signatures are not verified.

mod calls;
mod denied;
mod principal;
mod roles;
mod statement;
mod wildcard;

pub use denied::Denied;
pub use roles::{Revoked, Roles};
pub use statement::{Effect, Statement};

pub(crate) use calls::Call;
pub(crate) use principal::Principal;
pub(crate) use statement::{Decision, decide};
