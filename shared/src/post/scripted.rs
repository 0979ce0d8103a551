//! A poster with scripted answers, for tests of code that needs a poster.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use super::{Post, PostError};
use crate::ids::ConnectionId;

type Script = dyn Fn(&ConnectionId, usize) -> Result<(), PostError> + Send + Sync;

/// A poster that answers each post by a script and records the accepted frames.
pub struct ScriptedPoster {
    script: Box<Script>,
    posts: Mutex<HashMap<ConnectionId, Posts>>,
}

/// The posts to one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posts {
    /// The number of posts.
    pub tries: usize,
    /// The accepted frames.
    pub taken: Vec<String>,
    /// Whether it was disconnected.
    pub disconnected: bool,
}

impl ScriptedPoster {
    /// Returns a poster that calls `script` with the connection and the number of the post to it, from
    /// 1. It closes every connection on request.
    pub fn new(
        script: impl Fn(&ConnectionId, usize) -> Result<(), PostError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            script: Box::new(script),
            posts: Mutex::default(),
        }
    }

    /// Returns the posts to a connection.
    pub fn posts(&self, connection: &ConnectionId) -> Posts {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        posts.get(connection).cloned().unwrap_or_default()
    }
}

impl Post for ScriptedPoster {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        // Like a real post, it yields to other tasks.
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
