//! The template: from the text of `template.yaml` to the [`Stack`] that is run.

mod model;

pub use model::{
    Authorizer, Bus, EventSourceMapping, Function, NotRun, Queue, Redrive, Route, Rule, Stack,
    Table, Target, Throttle, WebSocketApi,
};
