//! The refusal of a request: an HTTP status, and the error frame that a socket would get.

use herald_shared::protocol::{ErrorCode, Refusal, ServerFrame};

use super::HttpAnswer;

/// The refusal of a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRefusal {
    status: u16,
    header: Option<(&'static str, &'static str)>,
    refusal: Refusal,
}

impl HttpRefusal {
    /// Returns the refusal of a request whose body, path or header is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Refusal::new(ErrorCode::BadRequest, message).into()
    }

    /// Returns the refusal of a caller that is not known.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Refusal::new(ErrorCode::Unauthorized, message).into()
    }

    /// Returns the refusal of a path that does not exist. `paths` names those that do.
    pub fn no_such_path(paths: &str) -> Self {
        Refusal::new(
            ErrorCode::UnknownAction,
            format!("there is nothing at this path: use {paths}"),
        )
        .into()
    }

    /// Returns the refusal of a method. `allowed` is the only one of the path.
    pub fn method(allowed: &'static str) -> Self {
        let message = format!("this path has no such method: use {allowed}");
        Self {
            status: 405,
            header: Some(("allow", allowed)),
            refusal: Refusal::new(ErrorCode::UnknownAction, message),
        }
    }

    /// Returns the refusal of a body that is not declared as JSON.
    pub(super) fn media_type() -> Self {
        let message = "the body must be JSON: send the header Content-Type: application/json";
        Self {
            status: 415,
            header: Some(("accept", "application/json")),
            refusal: Refusal::new(ErrorCode::BadRequest, message),
        }
    }

    /// Logs the refusal and returns its answer.
    pub fn into_answer(self) -> HttpAnswer {
        let Refusal {
            code,
            message,
            event_ids,
        } = self.refusal;
        tracing::info!(?code, reason = message, "refused a request");
        let frame = ServerFrame::Error {
            action: None,
            id: None,
            code,
            message,
            retryable: code.retryable(),
            event_ids,
        };
        let answer = HttpAnswer::new(self.status, frame.to_json());
        match self.header {
            Some((name, value)) => answer.with_header(name, value),
            None => answer,
        }
    }
}

/// The status is that of the code, but for a request with too many parts: a 429 would tell the caller to
/// send the same again.
impl From<Refusal> for HttpRefusal {
    fn from(refusal: Refusal) -> Self {
        let (status, header) = match refusal.code {
            ErrorCode::TooMany => (400, None),
            ErrorCode::Unauthorized => (401, Some(("www-authenticate", "Bearer"))),
            ErrorCode::Throttled => (429, Some(("retry-after", "1"))),
            code => (code.status(), None),
        };
        Self {
            status,
            header,
            refusal,
        }
    }
}
