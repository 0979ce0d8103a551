//! Lambda: the invocation of functions through [`Invoke`].
//!
//! [`Host`] runs the real function binaries as processes, one invocation per process at a time;
//! [`Remote`] calls another Lambda Invoke API, e.g. `cargo lambda watch`. Neither retries: a queue does,
//! and the gateway does not.
//!
//! Both log one line per invocation inside the caller's span, so the gateway enters a span with its
//! route to have the route on that line. Event and answer are never logged. Both record each
//! completed invocation; the host's record holds the function's output.
//!
//! Left out: memory and CPU limits, response streaming, extensions, SnapStart, versions and
//! aliases.

mod alarm;
pub mod binaries;
mod completed_invocation;
mod environment;
mod failure;
mod guard;
mod host;
mod output;
mod pool;
mod printed_line;
mod process;
mod remote;
mod runner;
mod runtime_api;
mod variables;

pub use host::{FunctionProcess, Host, HostSettings};
pub use remote::Remote;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// An invoker of functions by their logical id in the template.
pub trait Invoke: Send + Sync + 'static {
    /// Invokes `function` synchronously with the JSON event `payload`, without retries. It may wait
    /// for a free process. Dropping the future drops the event, unless the function works on it
    /// already.
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation>;
}

/// The result of one synchronous invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// The function returned this JSON text.
    Returned(Bytes),
    /// The function returned an error, panicked, exited or exceeded its time limit.
    Failed(FunctionError),
    /// The function did not run: it is unknown, or no process was available. Holds the reason.
    Refused(String),
}

/// Lambda's report of a failed function: the body of the Runtime API's `/error`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// The class of the error, e.g. `Runtime.ExitError`.
    pub error_type: String,
    /// The text of the error. The text `Unauthorized` is an authorizer's refusal.
    pub error_message: String,
}

/// The largest event and the largest answer of a synchronous invocation, in bytes: the quota of 6
/// MB as Lambda's own error messages state it.
pub(crate) const MAXIMUM_PAYLOAD_BYTES: usize = 6 * 1024 * 1024 + 100;

/// A [`Host`]'s default limit of environments per function; each is a process of this machine.
pub const MAXIMUM_ENVIRONMENTS: usize = 16;

impl Invocation {
    /// Returns one word for the log: `returned`, `refused`, or the class of the function's error.
    fn outcome(&self) -> &str {
        match self {
            Self::Returned(_) => "returned",
            Self::Failed(error) => error.class(),
            Self::Refused(_) => "refused",
        }
    }

    /// Returns the reason of a failure, for the log.
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Returned(_) => None,
            Self::Failed(error) => Some(&error.error_message),
            Self::Refused(reason) => Some(reason),
        }
    }
}

impl FunctionError {
    /// Makes an error of the given class.
    fn new(error_type: &str, error_message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.to_owned(),
            error_message: error_message.into(),
        }
    }

    /// Returns the class for the log: `failed` in place of the name of a Rust type, which `lambda_runtime`
    /// reports for an error without a class.
    pub(crate) fn class(&self) -> &str {
        let is_rust_type = self.error_type.contains("::") || self.error_type.starts_with('&');
        if is_rust_type {
            "failed"
        } else {
            &self.error_type
        }
    }

    /// Reads the body of an `/error` call. Runtimes may post anything, so missing members have
    /// defaults: `fallback_type` for the class, the whole text for the message.
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
    fn class_for_the_log_is_no_rust_type() {
        for (error_type, class) in [
            ("Runtime.ExitError", "Runtime.ExitError"),
            ("Config", "Config"),
            ("&alloc::boxed::Box<dyn core::error::Error>", "failed"),
            ("alloc::string::String", "failed"),
            ("&str", "failed"),
        ] {
            assert_eq!(FunctionError::new(error_type, "").class(), class);
        }
    }

    #[test]
    fn incomplete_error_body_is_filled_with_defaults() {
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
