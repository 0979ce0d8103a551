//! The failures of an environment, in Lambda's words.

use std::time::Duration;

use super::FunctionError;

/// The reason why an environment has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The process ended. Holds Lambda's sentence about the exit.
    Exited(String),
    /// The process did not ask for its first event within this time.
    InitTimedOut(Duration),
    /// The function did not answer within this time.
    TimedOut(Duration),
    /// The runtime reported that it cannot start.
    Reported(FunctionError),
}

impl Failure {
    /// Returns the error for the caller of the invocation `request_id`.
    pub(super) fn for_request(&self, request_id: &str) -> FunctionError {
        let error_type = match self {
            Self::Exited(_) => "Runtime.ExitError",
            Self::InitTimedOut(_) | Self::TimedOut(_) => "Sandbox.Timedout",
            Self::Reported(error) => return error.clone(),
        };
        let sentence = self.sentence();
        FunctionError::new(
            error_type,
            format!("RequestId: {request_id} Error: {sentence}"),
        )
    }

    /// Returns the failure without an invocation.
    pub(super) fn sentence(&self) -> String {
        match self {
            Self::Exited(exit) => exit.clone(),
            Self::InitTimedOut(limit) => {
                format!("Init timed out after {:.2} seconds", limit.as_secs_f64())
            }
            Self::TimedOut(limit) => {
                format!("Task timed out after {:.2} seconds", limit.as_secs_f64())
            }
            Self::Reported(error) => format!("{}: {}", error.error_type, error.error_message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Failure;
    use crate::lambda::FunctionError;

    #[test]
    fn failures_have_lambda_error_types_and_messages() {
        let check = |failure: Failure, error_type: &str, error_message: &str| {
            let expected = FunctionError::new(error_type, error_message);
            assert_eq!(failure.for_request("7"), expected);
        };
        check(
            Failure::Exited("Runtime exited with error: exit status 1".to_owned()),
            "Runtime.ExitError",
            "RequestId: 7 Error: Runtime exited with error: exit status 1",
        );
        check(
            Failure::TimedOut(Duration::from_millis(1500)),
            "Sandbox.Timedout",
            "RequestId: 7 Error: Task timed out after 1.50 seconds",
        );
        check(
            Failure::InitTimedOut(Duration::from_secs(10)),
            "Sandbox.Timedout",
            "RequestId: 7 Error: Init timed out after 10.00 seconds",
        );
        check(
            Failure::Reported(FunctionError::new("Config", "no table")),
            "Config",
            "no table",
        );
    }
}
