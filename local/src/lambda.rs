//! Lambda: whoever wants a function run asks through [`Invoke`] and is told how the invocation ended.
//!
//! [`Host`] runs the real function binaries as processes, one invocation per process at a time;
//! [`Remote`] asks somebody else's Lambda Invoke API, e.g. `cargo lambda watch`. Neither retries:
//! that is the caller's business (a queue), or nobody's (the gateway).
//!
//! Both log one line per invocation inside the span the caller is in, so a gateway that wants its
//! route on that line enters a span with that field. Event and answer are never logged. Both make a
//! record of each invocation that has ended; the host's has what the function printed.
//!
//! Left out: memory and CPU limits, response streaming, extensions, SnapStart, versions and aliases.

mod alarm;
pub mod binaries;
mod ended;
mod environment;
mod failure;
mod guard;
mod host;
mod output;
mod pool;
mod process;
mod remote;
mod runner;
mod runtime_api;
mod variables;

pub use host::{FunctionProcess, Host, HostSettings};
pub use remote::Remote;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Runs functions by their logical id in the template.
pub trait Invoke: Send + Sync + 'static {
    /// Invokes `function` synchronously with the JSON event `payload`; never retries. May wait for a
    /// process to become free: a caller that waits no longer drops the future, and with it the event,
    /// unless the function works on it already.
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

/// The largest event and the largest answer of a synchronous invocation, in bytes: Lambda's quota
/// of 6 MB as its own error messages state it.
const MAXIMUM_PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 100;

/// How many environments a function may have at once, unless a [`Host`] is told otherwise: each is a
/// process of this machine.
pub const MAXIMUM_ENVIRONMENTS: usize = 16;

impl Invocation {
    /// One word for the log: `returned`, `refused`, or the class of the function's error.
    fn outcome(&self) -> &str {
        match self {
            Self::Returned(_) => "returned",
            Self::Failed(error) => &error.error_type,
            Self::Refused(_) => "refused",
        }
    }

    /// Why the function did not return, for the log.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Returned(_) => None,
            Self::Failed(error) => Some(&error.error_message),
            Self::Refused(reason) => Some(reason),
        }
    }
}

impl FunctionError {
    /// An error of the given class.
    fn new(error_type: &str, error_message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.to_owned(),
            error_message: error_message.into(),
        }
    }

    /// Reads the body of an `/error` call. Runtimes are free in what they post, so whatever is
    /// missing is filled in: the class from `fallback_type`, the message from the whole text.
    fn from_body(body: &[u8], fallback_type: &str) -> Self {
        #[derive(Default, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Body {
            error_type: Option<String>,
            error_message: Option<String>,
        }
        let parsed: Body = serde_json::from_slice(body).unwrap_or_default();
        Self {
            error_type: parsed
                .error_type
                .unwrap_or_else(|| fallback_type.to_owned()),
            error_message: parsed
                .error_message
                .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FunctionError;

    #[test]
    fn an_error_body_is_read_leniently() {
        let check = |body: &str, error_type: &str, error_message: &str| {
            assert_eq!(
                FunctionError::from_body(body.as_bytes(), "Unhandled"),
                FunctionError::new(error_type, error_message),
                "{body}"
            );
        };
        check(
            r#"{"errorType":"A","errorMessage":"b","stackTrace":[]}"#,
            "A",
            "b",
        );
        check(r#"{"errorMessage":"b"}"#, "Unhandled", "b");
        check("not JSON", "Unhandled", "not JSON");
        check("", "Unhandled", "");
    }
}
