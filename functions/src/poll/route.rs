//! The paths of the URL and their methods.

use crate::http::{HttpRefusal, HttpRequest};

/// The request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Reading what the client missed: `sync`.
    Poll,
    /// Sending messages: `sendMessage`.
    Messages,
    /// Reading the present position in the log of an entity.
    Position,
}

impl Route {
    /// Returns the route of a request.
    ///
    /// # Errors
    ///
    /// Returns a refusal with 404 if there is no such path, and 405 if it has another method.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, HttpRefusal> {
        match request.route() {
            ("POST", "/poll") => Ok(Self::Poll),
            ("POST", "/messages") => Ok(Self::Messages),
            ("GET", "/position") => Ok(Self::Position),
            (_, "/poll" | "/messages") => Err(HttpRefusal::method("POST")),
            (_, "/position") => Err(HttpRefusal::method("GET")),
            _ => Err(HttpRefusal::no_such_path(
                "POST /poll, POST /messages or GET /position",
            )),
        }
    }
}
