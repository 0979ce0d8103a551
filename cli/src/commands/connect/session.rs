//! A conversation, over as many connections as it takes.

mod reconnecting;

use std::{collections::BTreeSet, time::Duration};

use herald_client::EntityId;
use tokio::time::{Instant, sleep_until};

use super::{
    connector::{Arrived, Connector, Socket},
    frame::{Frame, Reply},
    input::{self, Input},
    screen::{Screen, Typed},
};
use crate::failure::Failure;

// These are herald_client's, see docs/clients.md.
const PING_AFTER: Duration = Duration::from_secs(4 * 60);
const REPLY_WITHIN: Duration = Duration::from_secs(30);
const STABLE_AFTER: Duration = Duration::from_secs(30);

const PING: &str = r#"{"action":"ping"}"#;

/// A conversation.
pub(super) struct Session {
    connector: Connector,
    screen: Screen,
    /// What the server acknowledged that we are subscribed to, and the entities of the command line.
    subscriptions: BTreeSet<EntityId>,
    /// How many requests have no reply yet.
    unanswered: usize,
    /// When the input ended, or the last reply after that came.
    input_ended_at: Option<Instant>,
    /// How long to stay after that.
    stay: Duration,
    /// Delays since a connection was last stable.
    delays: u32,
}

/// How a connection ended.
enum Ending {
    /// As it was wanted.
    Wanted,
    /// By itself, with the words for it.
    Broken(String),
}

impl Session {
    pub(super) fn new(
        connector: Connector,
        screen: Screen,
        entities: &[EntityId],
        stay: Duration,
    ) -> Self {
        Self {
            connector,
            screen,
            subscriptions: entities.iter().cloned().collect(),
            unanswered: 0,
            input_ended_at: None,
            stay,
            delays: 0,
        }
    }

    /// Talks over this socket, and over others when it breaks, until the input ends.
    ///
    /// Errs if the server does not want us back, or leaves requests of a script unanswered.
    pub(super) async fn run(&mut self, mut socket: Socket) -> Result<(), Failure> {
        let connected = format!("connected to {}", self.connector.address());
        self.screen.note(&connected);
        if self.screen.is_terminal() {
            self.screen.note("help lists the commands, Ctrl-D ends");
        }
        loop {
            let opened_at = Instant::now();
            match self.talk(&mut socket).await? {
                Ending::Wanted => {
                    socket.close().await;
                    return Ok(());
                }
                Ending::Broken(why) => {
                    if opened_at.elapsed() >= STABLE_AFTER {
                        self.delays = 0;
                    }
                    match self.reconnect(why).await? {
                        Some(reconnected) => socket = reconnected,
                        None => return Ok(()),
                    }
                }
            }
            self.screen.note("connected again");
        }
    }

    async fn talk(&mut self, socket: &mut Socket) -> Result<Ending, Failure> {
        self.unanswered = 0;
        let subscribe: Vec<_> = self.subscriptions.iter().map(input::subscribe).collect();
        for frame in subscribe {
            self.screen.sent(&frame);
            self.send(socket, &frame).await;
        }
        let mut goodbye = None;
        let mut ping_at = Instant::now() + PING_AFTER;
        loop {
            let end_at = self.ends_at();
            tokio::select! {
                arrived = socket.next() => match arrived {
                    Arrived::Text(text) => {
                        ping_at = Instant::now() + PING_AFTER;
                        self.received(&text, &mut goodbye)?;
                    }
                    Arrived::Closed(why) => return self.broken(why, goodbye),
                },
                typed = self.screen.next(), if self.input_ended_at.is_none() => {
                    if let Some(ending) = self.typed(typed, socket).await? {
                        return Ok(ending);
                    }
                }
                () = sleep_until(end_at.unwrap_or(ping_at)), if end_at.is_some() => {
                    return self.input_is_over();
                }
                () = sleep_until(ping_at) => {
                    ping_at = Instant::now() + PING_AFTER;
                    self.screen.sent(PING);
                    self.send(socket, PING).await;
                }
            }
        }
    }

    /// When a script is done, or given up.
    fn ends_at(&self) -> Option<Instant> {
        let patience = match self.unanswered {
            0 => self.stay,
            _ => REPLY_WITHIN,
        };
        self.input_ended_at.map(|ended_at| ended_at + patience)
    }

    fn input_is_over(&self) -> Result<Ending, Failure> {
        match self.unanswered {
            0 => Ok(Ending::Wanted),
            unanswered => Err(Failure::unavailable(format!(
                "the server left {unanswered} frames unanswered"
            ))),
        }
    }

    async fn send(&mut self, socket: &mut Socket, frame: &str) {
        self.unanswered += 1;
        socket.send(frame).await;
    }

    /// Whether that ends the conversation.
    async fn typed(
        &mut self,
        typed: Typed,
        socket: &mut Socket,
    ) -> Result<Option<Ending>, Failure> {
        let line = match typed {
            Typed::Line(line) => line,
            Typed::Interrupt => return Err(Failure::Interrupted),
            Typed::End if self.screen.is_terminal() => return Ok(Some(Ending::Wanted)),
            Typed::End => {
                self.input_ended_at = Some(Instant::now());
                return Ok(None);
            }
        };
        match Input::read(&line) {
            Ok(Input::Frames(frames)) => {
                for frame in frames {
                    if frame != line.trim() {
                        self.screen.sent(&frame);
                    }
                    self.send(socket, &frame).await;
                }
            }
            Ok(Input::Authenticate) => self.authenticate(socket).await,
            Ok(Input::Help) => self.screen.note(input::HELP),
            Ok(Input::Quit) => return Ok(Some(Ending::Wanted)),
            Err(error) if self.screen.is_terminal() => self.screen.note(&error),
            Err(error) => return Err(Failure::usage(error)),
        }
        Ok(None)
    }

    async fn authenticate(&mut self, socket: &mut Socket) {
        match self.connector.token().await {
            Ok(Some(token)) => {
                self.screen.sent(&input::authenticate("…"));
                self.send(socket, &input::authenticate(&token)).await;
            }
            Ok(None) => self.screen.note("this connection has no token"),
            Err(failure) => {
                let error = format!("there is no token: {:#}", failure.into_error());
                self.screen.note(&error);
            }
        }
    }

    fn received(&mut self, text: &str, goodbye: &mut Option<String>) -> Result<(), Failure> {
        self.screen.received(text)?;
        match Frame::read(text) {
            Frame::Reply(reply) => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.input_ended_at = self.input_ended_at.map(|_| Instant::now());
                match reply {
                    Reply::Subscribed(entity) => {
                        self.subscriptions.insert(entity);
                    }
                    Reply::Unsubscribed(entity) => {
                        self.subscriptions.remove(&entity);
                    }
                    Reply::Other => {}
                }
            }
            Frame::Goodbye {
                reconnect: false,
                reason,
            } => *goodbye = Some(reason),
            Frame::Goodbye { .. } | Frame::Push => {}
        }
        Ok(())
    }

    /// What the end of a connection means, after the server's goodbye if it said not to come back.
    fn broken(&mut self, why: String, goodbye: Option<String>) -> Result<Ending, Failure> {
        if let Some(reason) = goodbye {
            return Err(Failure::refused(format!(
                "disconnected by the server: {reason}"
            )));
        }
        Ok(Ending::Broken(match self.unanswered {
            0 => why,
            unanswered => format!("{why}, with {unanswered} frames unanswered"),
        }))
    }
}
