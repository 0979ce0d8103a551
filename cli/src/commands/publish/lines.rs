//! Publishes one event for each line of input, in batches.

use std::{path::Path, time::Duration};

use anyhow::Context;
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncBufReadExt, BufReader, stdin},
    time::timeout,
};

use super::{
    BYTE_ORDER_MARK,
    batch::Batch,
    channel::{Channel, Published},
    entry::Entry,
};
use crate::{
    commands::tally::Tally,
    failure::Failure,
    output::{json, line},
};

/// The longest time that a line waits for its batch to fill.
const BATCH_DELAY: Duration = Duration::from_millis(50);

/// Publishes an event for each line of a file, or of standard input. Prints the result of each line as soon as it is known.
///
/// Fails at the end if lines failed, and at once if a call as a whole fails.
pub(super) async fn publish(
    channel: &Channel,
    file: Option<&Path>,
    as_json: bool,
) -> Result<(), Failure> {
    let lines: Box<dyn AsyncBufRead + Unpin + Send> = match file {
        None => Box::new(BufReader::new(stdin())),
        Some(path) => {
            let file = File::open(path).await;
            let file = file.with_context(|| format!("cannot read {}", path.display()));
            Box::new(BufReader::new(file.map_err(Failure::Usage)?))
        }
    };
    let mut publisher = Publisher {
        channel,
        as_json,
        batch: Batch::new(channel.limits()),
        tally: Tally::of("event"),
    };
    match publisher.publish_all(lines).await {
        Ok(0) => Err(Failure::usage(
            "the input has no lines, so nothing was published",
        )),
        Ok(_) => publisher.tally.into_result(),
        Err(failure) => Err(publisher.tally.aborted(failure)),
    }
}

struct Publisher<'a> {
    channel: &'a Channel,
    as_json: bool,
    batch: Batch,
    tally: Tally,
}

impl Publisher<'_> {
    /// Publishes every line. Returns the number of events, without empty lines.
    async fn publish_all(&mut self, lines: impl AsyncBufRead + Unpin) -> Result<u64, Failure> {
        let mut lines = lines.split(b'\n');
        let mut number = 0;
        let mut events = 0;
        loop {
            let next = lines.next_segment();
            let next = if self.batch.is_empty() {
                next.await
            } else {
                match timeout(BATCH_DELAY, next).await {
                    Ok(next) => next,
                    Err(_) => {
                        self.put().await?;
                        continue;
                    }
                }
            };
            let Some(line) = next.context("cannot read the lines")? else {
                self.put().await?;
                return Ok(events);
            };
            number += 1;
            let marked = line.strip_prefix(BYTE_ORDER_MARK.as_bytes());
            let line = marked.filter(|_| number == 1).unwrap_or(&line);
            if !line.trim_ascii().is_empty() {
                events += 1;
                self.add(number, line).await?;
            }
        }
    }

    async fn add(&mut self, number: u64, line: &[u8]) -> Result<(), Failure> {
        let entry = match Entry::parse(line) {
            Ok(entry) => entry,
            Err(error) => {
                self.failed(number, error);
                return Ok(());
            }
        };
        let size = self.channel.size(&entry);
        if let Err(entry) = self.batch.add(number, entry, size) {
            self.put().await?;
            // An empty batch accepts any event.
            let _ = self.batch.add(number, entry, size);
        }
        Ok(())
    }

    /// Publishes the batch.
    async fn put(&mut self) -> Result<(), Failure> {
        let batch = self.batch.take();
        if batch.is_empty() {
            return Ok(());
        }
        let entries: Vec<_> = batch.iter().map(|(_, entry)| entry).collect();
        let results = self.channel.put(&entries).await?;
        for ((number, _), result) in batch.iter().zip(results) {
            match result {
                Ok(published) => {
                    self.tally.succeeded();
                    self.print(*number, &published)?;
                }
                Err(failure) => self.failed(*number, failure),
            }
        }
        Ok(())
    }

    fn print(&self, number: u64, published: &Published) -> Result<(), Failure> {
        if self.as_json {
            let mut result = json!(published);
            result["line"] = json!(number);
            json(&result)
        } else {
            line(published.text())
        }
    }

    fn failed(&mut self, number: u64, failure: impl Into<Failure>) {
        let failure = failure.into();
        let is_refused = matches!(failure, Failure::Refused(_));
        let error = failure.into_error().context(format!("line {number}"));
        self.tally.failed(match is_refused {
            true => Failure::Refused(error),
            false => Failure::Failed(error),
        });
    }
}
