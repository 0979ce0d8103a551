//! A poster whose answers are scripted, for tests of what stands on one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Post, PostError};
use crate::ids::ConnectionId;

type Script = dyn Fn(&ConnectionId, usize) -> Result<(), PostError> + Send + Sync;

/// Answers each post as a script says, and remembers what was taken.
pub struct ScriptedPoster {
    script: Box<Script>,
    posts: Mutex<HashMap<ConnectionId, Posts>>,
}

/// What happened to one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posts {
    /// How often it was posted to.
    pub tries: usize,
    /// The frames it took.
    pub taken: Vec<String>,
    /// Whether it was disconnected.
    pub disconnected: bool,
}

impl ScriptedPoster {
    /// A poster that answers the n-th post to a connection, the first being 1, as `script` says, and
    /// disconnects whom it is told to.
    pub fn new(
        script: impl Fn(&ConnectionId, usize) -> Result<(), PostError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            posts: Mutex::default(),
        }
    }

    /// What happened to a connection.
    pub fn posts(&self, connection: &ConnectionId) -> Posts {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        posts.get(connection).cloned().unwrap_or_default()
    }
}

impl Post for ScriptedPoster {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        // As a real post, it takes a moment in which others go on.
        tokio::task::yield_now().await;
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let posts = posts.entry(connection.clone()).or_default();
        posts.tries += 1;
        (self.script)(connection, posts.tries)?;
        posts.taken.push(frame.to_owned());
        Ok(())
    }

    async fn disconnect(&self, connection: &ConnectionId) -> Result<(), PostError> {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        posts.entry(connection.clone()).or_default().disconnected = true;
        Ok(())
    }
}
