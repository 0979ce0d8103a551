//! From one connection to the next.

use std::{pin::pin, time::Duration};

use herald_client::AttemptError;
use herald_shared::{backoff, in_full::in_full};
use tokio::time::sleep;

use super::{Input, Session, Socket, Typed, input};
use crate::{failure::Failure, target::not_connected};

// These are herald_client's, see docs/clients.md.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
const REFUSAL_LIMIT: u32 = 3;

impl Session {
    /// Connects again, and again. None if whoever types has enough of it.
    pub(super) async fn reconnect(&mut self, mut why: String) -> Result<Option<Socket>, Failure> {
        let mut refusals = 0;
        loop {
            let share = fastrand::f64();
            let delay = backoff::bound(FIRST_DELAY, LONGEST_DELAY, self.delays).mul_f64(share);
            self.delays = self.delays.saturating_add(1);
            let seconds = delay.as_secs_f64();
            let note = format!("{why}; trying again in {seconds:.1} s");
            self.screen.note(&note);
            let error = match self.attempt_after(delay).await? {
                Some(Ok(socket)) => return Ok(Some(socket)),
                Some(Err(error)) => error,
                None => return Ok(None),
            };
            if matches!(error, AttemptError::Refused { status: 401 | 403 }) {
                refusals += 1;
            }
            if refusals == REFUSAL_LIMIT {
                return Err(not_connected(self.connector.address(), &error));
            }
            why = in_full(&error);
        }
    }

    /// One attempt. Whoever types meanwhile is told that there is no connection; a script is not read. None
    /// if whoever types has enough of it.
    async fn attempt_after(
        &mut self,
        delay: Duration,
    ) -> Result<Option<Result<Socket, AttemptError>>, Failure> {
        let Self {
            connector, screen, ..
        } = self;
        let mut attempt = pin!(async {
            sleep(delay).await;
            connector.open().await
        });
        loop {
            let is_typed = screen.is_terminal();
            let typed = tokio::select! {
                attempt = &mut attempt => return Ok(Some(attempt)),
                typed = screen.next(), if is_typed => typed,
            };
            match typed {
                Typed::Interrupt => return Err(Failure::Interrupted),
                Typed::End => return Ok(None),
                Typed::Line(line) => match Input::read(&line) {
                    Ok(Input::Quit) => return Ok(None),
                    Ok(Input::Help) => screen.note(input::HELP),
                    _ => screen.note("there is no connection: that was not sent"),
                },
            }
        }
    }
}
