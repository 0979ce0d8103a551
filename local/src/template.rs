//! The template: from the text of `template.yaml` to the [`Stack`] that is run.
//!
//! In order: the text becomes a tree (`yaml`), the tree the sections of a template (`document`). Names
//! get their meaning (`scope`, `identity`, `intrinsics`), parameters are checked against the template's
//! own rules (`parameters`, `rules`), and each type of resource has a reader (`resources`). Only what is
//! run is evaluated. A property that the stack needs and this reader does not support is an error, and
//! all errors are listed at once (`error`). Templates of the user's own add rules to the stack
//! (`own_rules`).

mod conditions;
mod document;
mod error;
mod globals;
mod identity;
mod intrinsics;
mod item;
mod model;
mod outputs;
mod own_rules;
mod package;
mod parameters;
mod references;
mod resources;
mod rules;
mod scope;
mod settings;
mod stack;
mod substitution;
#[cfg(test)]
mod tests;
mod yaml;

pub use error::{Problem, TemplateError};
pub use model::{
    Authorizer, Bus, Cors, Effect, EventSourceMapping, Function, FunctionUrl, NotRun,
    PasswordRules, Queue, Redrive, Role, Route, Rule, Secret, SecretText, Stack, Statement, Table,
    Target, Throttle, UrlAuthType, WebSocketApi,
};
pub(crate) use package::{binary_targets, cargo};
pub use settings::Settings;
