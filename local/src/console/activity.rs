//! The records of the stack as Server-Sent Events:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! An event's id contains the run of the stack: a browser reconnects by itself, perhaps to a stack that
//! was restarted and numbers its records from 1 again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::json;

use super::Console;
use crate::activity::{Batch, Record};

/// The interval of keep-alives, so that no proxy or browser closes an idle connection.
const PAUSE: Duration = Duration::from_secs(15);

/// The delay after which a browser reconnects.
const RETRY: Duration = Duration::from_secs(1);

/// Streams the records that are kept, and each new one.
pub(super) async fn stream(
    State(console): State<Arc<Console>>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let run = console.run;
    let watcher = console.activity.watch(last_seen(&headers, run));
    let batches = stream::unfold(watcher, |mut watcher| async {
        Some((watcher.next().await, watcher))
    });
    let events = batches.flat_map(move |batch| stream::iter(events(run, &batch)));
    let retry = stream::iter([Event::default().retry(RETRY)]);
    let keep_alive = KeepAlive::new().interval(PAUSE);
    Sse::new(retry.chain(events).map(Ok)).keep_alive(keep_alive)
}

/// Returns the number of the last record that a browser has seen of this run.
fn last_seen(headers: &HeaderMap, run: i64) -> Option<u64> {
    let id = headers.get("last-event-id")?.to_str().ok()?;
    let (seen_of, number) = id.split_once('-')?;
    (seen_of == run.to_string()).then_some(number.parse().ok()?)
}

fn events(run: i64, batch: &Batch) -> Vec<Event> {
    let missed = (batch.missed > 0).then(|| {
        let data = json!({ "count": batch.missed });
        Event::default().event("missed").data(data.to_string())
    });
    let records = batch.records.iter().map(|record| event(run, record));
    missed.into_iter().chain(records).collect()
}

fn event(run: i64, record: &Record) -> Event {
    let data = serde_json::to_string(record).expect("numbers, texts and maps of them");
    Event::default()
        .id(format!("{run}-{}", record.number))
        .data(data)
}
