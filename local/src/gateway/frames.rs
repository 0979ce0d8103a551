//! The gateway's own frames to a client, with AWS's exact spacing. They have no `type`, which
//! distinguishes them from Herald's frames.

/// An error with which the gateway itself answers a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayError {
    /// No route matches and the API has no `$default`.
    Forbidden,
    /// The function failed or could not be run.
    Internal,
    /// The function exceeded the integration's time limit.
    TimedOut,
    /// The stage's throttle is exhausted.
    TooManyRequests,
}

impl GatewayError {
    fn message(self) -> &'static str {
        match self {
            Self::Forbidden => "Forbidden",
            Self::Internal => "Internal server error",
            Self::TimedOut => "Endpoint request timed out",
            Self::TooManyRequests => "Too Many Requests",
        }
    }

    /// Returns the frame's text.
    pub(super) fn frame(self, connection_id: &str, request_id: &str) -> String {
        let message = self.message();
        format!(
            r#"{{"message": "{message}", "connectionId":"{connection_id}", "requestId":"{request_id}"}}"#
        )
    }
}
