//! Lambda: whoever wants a function run asks through [`Invoke`] and is told how the invocation ended.

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Runs functions by their logical id in the template.
pub trait Invoke: Send + Sync + 'static {
    /// Invokes `function` synchronously with the JSON event `payload`; never retries.
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation>;
}

/// How one synchronous invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The function returned this JSON text.
    Returned(Bytes),
    /// The function returned an error, panicked, exited or ran into its time limit.
    Failed(FunctionError),
    /// The function was not run at all: no such function, no process to be had. Holds the reason.
    Refused(String),
}

/// What Lambda reports of a function that failed: the body of the Runtime API's `/error`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// The class of the error, e.g. `Runtime.ExitError`.
    pub error_type: String,
    /// The text of the error; the authorizer's `Unauthorized` is told by it.
    pub error_message: String,
}
