//! One event for each line, in as few calls as there can be.

use std::{path::Path, time::Duration};

use anyhow::Context;
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncBufReadExt, BufReader, stdin},
    time::timeout,
};

use super::{batch::Batch, bus::Bus, entry::Entry};
use crate::{
    commands::outcome::Outcome,
    failure::Failure,
    output::{json, line},
};

/// How long a line waits for others to go with it: whoever pipes a log in sees it arrive at once.
const WAIT_FOR_MORE: Duration = Duration::from_millis(50);

/// Puts an event for every line of a file, or of standard input. What became of each is printed as soon
/// as it is known.
///
/// Errs at the end if some or all were not taken, and at once if a call as a whole fails.
pub(super) async fn publish(bus: &Bus, file: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let lines: Box<dyn AsyncBufRead + Unpin + Send> = match file {
        None => Box::new(BufReader::new(stdin())),
        Some(path) => {
            let file = File::open(path).await;
            let file = file.with_context(|| format!("{} cannot be read", path.display()));
            Box::new(BufReader::new(file.map_err(Failure::Usage)?))
        }
    };
    let mut publisher = Publisher {
        bus,
        as_json,
        batch: Batch::default(),
        outcome: Outcome::default(),
    };
    let ended = publisher.publish_all(lines).await;
    match ended {
        Ok(()) => publisher.outcome.into_result("events"),
        Err(failure) => Err(publisher.outcome.broken_off(failure, "events")),
    }
}

struct Publisher<'a> {
    bus: &'a Bus,
    as_json: bool,
    batch: Batch,
    outcome: Outcome,
}

impl Publisher<'_> {
    async fn publish_all(&mut self, lines: impl AsyncBufRead + Unpin) -> Result<(), Failure> {
        let mut lines = lines.split(b'\n');
        let mut number = 0;
        loop {
            let next = lines.next_segment();
            let next = if self.batch.is_empty() {
                next.await
            } else {
                match timeout(WAIT_FOR_MORE, next).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.put().await?;
                        continue;
                    }
                }
            };
            let Some(line) = next.context("the lines cannot be read")? else {
                return self.put().await;
            };
            number += 1;
            if !line.trim_ascii().is_empty() {
                self.add(number, &line).await?;
            }
        }
    }

    async fn add(&mut self, number: u64, line: &[u8]) -> Result<(), Failure> {
        let entry = match Entry::read(line) {
            Ok(entry) => entry,
            Err(error) => {
                self.failed(number, error);
                return Ok(());
            }
        };
        if let Err(entry) = self.batch.add(number, entry, &self.bus.source) {
            self.put().await?;
            // There is room for any event among no others.
            let _ = self.batch.add(number, entry, &self.bus.source);
        }
        Ok(())
    }

    /// Puts what has gathered.
    async fn put(&mut self) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> = batch.entries().iter().map(|(_, entry)| entry).collect();
        let results = self.bus.put(&entries).await?;
        for ((number, _), result) in batch.entries().iter().zip(results) {
            match result {
                Ok(event_id) => {
                    self.outcome.done();
                    self.print(*number, &event_id)?;
                }
                Err(error) => self.failed(*number, error),
            }
        }
        Ok(())
    }

    fn print(&self, number: u64, event_id: &str) -> Result<(), Failure> {
        if self.as_json {
            json(&json!({"line": number, "eventId": event_id}))
        } else {
            line(event_id)
        }
    }

    fn failed(&mut self, number: u64, error: anyhow::Error) {
        let error = error.context(format!("line {number}"));
        self.outcome.failed(Failure::Failed(error));
    }
}
