//! The gateway's own frames to a client, with the exact spacing AWS sends. They have no `type`, by
//! which a client can tell them from Herald's.

/// Why the gateway, and not a function, answers a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayError {
    /// No route matches and there is no `$default`.
    Forbidden,
    /// The function failed or could not be run.
    Internal,
    /// The function took longer than the integration may.
    TimedOut,
    /// The stage takes no more requests just now.
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

    /// The frame's text.
    pub(super) fn frame(self, connection_id: &str, request_id: &str) -> String {
        let message = self.message();
        format!(
            r#"{{"message": "{message}", "connectionId":"{connection_id}", "requestId":"{request_id}"}}"#
        )
    }
}
