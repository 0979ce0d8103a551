//! The functions as they are shipped.

use std::{path::PathBuf, slice};

use anyhow::Context;
use herald_local::{
    lambda::binaries,
    template::{Function, Stack},
};

use crate::Run;

/// Returns the function with this logical id.
///
/// # Errors
///
/// Returns an error if the template has no such function.
pub fn function<'a>(stack: &'a Stack, logical_id: &str) -> anyhow::Result<&'a Function> {
    let mut functions = stack.functions.iter();
    functions
        .find(|function| function.logical_id == logical_id)
        .with_context(|| format!("the template has no {logical_id}"))
}

/// Returns the binary of a function, with the features that `sam build` ships: it is built apart from the bench, whose
/// own dependencies add others. Its profile is the bench's: release, unless the bench is a debug build.
///
/// # Errors
///
/// Returns an error if the function cannot be built or found.
pub async fn binary(stack: &Stack, logical_id: &str, run: &Run) -> anyhow::Result<PathBuf> {
    let function = slice::from_ref(function(stack, logical_id)?);
    let processes = match &run.binaries {
        Some(folder) => binaries::find(function, folder)?,
        None => binaries::build(function, !cfg!(debug_assertions)).await?,
    };
    let process = processes.into_iter().next();
    Ok(process.context("a function has one process")?.binary)
}
