//! The template: from the text of `template.yaml` to the [`Stack`] that is run.
//!
//! In order: the text becomes a tree (`yaml`), the tree the sections of a template (`document`), names
//! get their meaning (`scope`, `intrinsics`), the parameters are held against the template's own rules
//! (`parameters`, `rules`), and each kind of resource is read by a file of its own
//! (`resources`). Only what is run is evaluated. Whatever that needs and this reader does not know is
//! an error, never a guess.

mod conditions;
mod document;
mod error;
mod globals;
mod identity;
mod intrinsics;
mod item;
mod model;
mod outputs;
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

pub use error::TemplateError;
pub use model::{
    Authorizer, Bus, EventSourceMapping, Function, NotRun, PasswordRules, Queue, Redrive, Role,
    Route, Rule, Secret, SecretText, Stack, Table, Target, Throttle, WebSocketApi,
};
pub use settings::Settings;
