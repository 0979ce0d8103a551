//! DynamoDB: an embedded engine with the template's tables.
//!
//! The engine works synchronously, under one lock, so it has a thread of its own. It has no port:
//! requests reach it through the front door only.

mod consumption;
mod data_lock;
mod engine;
mod hold;
mod hot_partition;
mod operations;
mod replica;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use dynoxide::{
    Database, DynoxideError,
    auth_material::{self, AuthMaterial},
    storage_backend::Clock,
};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{faults::Faults, template::Table};
pub use consumption::Consumption;
use consumption::Meter;
use data_lock::DataLock;
use engine::Engine;
pub use hold::HeldRequest;
use hold::NextHold;
use hot_partition::HotPartition;
use replica::Replica;

/// The largest request: a batch of 16 MB.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// The error for an operation that the engine does not support.
const UNKNOWN_OPERATION: &str =
    r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;

/// The running engine. It stops when this is dropped.
pub struct DynamoDb {
    engine: Engine,
    database: Database,
    /// The engine's clock; `None` for tables in a file, where it uses its own.
    clock: Option<Arc<RowClock>>,
    replica: Option<Replica>,
    hot_partition: Option<HotPartition>,
    meter: Meter,
    next_hold: NextHold,
    /// The last field: the lock outlasts the use of the file.
    _data_lock: Option<DataLock>,
}

impl DynamoDb {
    /// Starts the engine in memory, or on the file `data`, with `tables`. Tables that the file already
    /// has keep their rows.
    ///
    /// With the fault `stale_reads`, a read that does not ask for consistency misses writes younger than that; with
    /// `hot_partition`, writes of functions to one partition key are throttled. The other faults are not those of
    /// DynamoDB.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened or another stack uses it, a table cannot be created, or both `data` and
    /// the fault `stale_reads` are given: the replica would lack the rows of the file.
    pub async fn start(
        data: Option<&Path>,
        tables: &[Table],
        faults: &Faults,
    ) -> anyhow::Result<Self> {
        let (database, clock) = open(data)?;
        let data_lock = data.map(DataLock::acquire).transpose()?;
        create_all(&database, tables)?;
        let replica = match faults.stale_reads {
            None => None,
            Some(_) if data.is_some() => {
                anyhow::bail!("the fault stale-reads needs tables in memory: remove --data")
            }
            Some(lag) => {
                // Rows expire there by the same clock.
                let database = Database::memory_with_clock(clock.clone().unwrap_or_default())?;
                create_all(&database, tables)?;
                Some(Replica::start(database, lag)?)
            }
        };
        Ok(Self {
            engine: Engine::start(database.clone())?,
            database,
            clock,
            replica,
            hot_partition: faults
                .hot_partition
                .map(|limit| HotPartition::new(limit, tables)),
            meter: Meter::default(),
            next_hold: NextHold::default(),
            _data_lock: data_lock,
        })
    }

    /// Answers a request of a function, or of another caller.
    pub(crate) async fn call(
        &self,
        operation: &str,
        of_function: bool,
        head: Parts,
        body: Bytes,
    ) -> anyhow::Result<Response<Body>> {
        if of_function {
            self.next_hold.pass(operation, &body).await;
        }
        let hot_partition = self.hot_partition.as_ref().filter(|_| of_function);
        let metered = of_function && self.meter.is_running() || hot_partition.is_some();
        if !metered && self.replica.is_none() {
            return self.forward(Request::from_parts(head, body.into())).await;
        }
        let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
            return self.forward(Request::from_parts(head, body.into())).await;
        };
        let limited =
            hot_partition.and_then(|limit| Some((limit, limit.partition(operation, &request)?)));
        if let Some((limit, partition)) = &limited
            && !limit.admits(partition, Instant::now())
        {
            return Ok(answer(StatusCode::BAD_REQUEST, hot_partition::throttled()));
        }
        let asked = !metered || self.meter.ask(&mut request);
        let mut answer = self.answer(operation, head, request).await?;
        if metered {
            let units;
            (answer, units) = self.count(operation, asked, answer).await?;
            if let Some((limit, partition)) = &limited {
                // The least that a write costs. A failed condition does not report its units.
                limit.count(partition, Instant::now(), units.max(1.0));
            }
        }
        Ok(answer)
    }

    /// Answers a request from the tables, or from the lagging replica.
    async fn answer(
        &self,
        operation: &str,
        mut head: Parts,
        request: Value,
    ) -> anyhow::Result<Response<Body>> {
        head.headers.remove(header::CONTENT_LENGTH);
        let body = Bytes::from(request.to_string());
        let forwarded = Request::from_parts(head, body.clone().into());
        let Some(replica) = &self.replica else {
            return self.forward(forwarded).await;
        };
        if let Some(stale) = replica.read(operation, &request).await {
            return Ok(answer(StatusCode::OK, stale));
        }
        if is_read(operation) {
            return self.forward(forwarded).await;
        }
        let _order = replica.order().await;
        let written = self.forward(forwarded).await?;
        if written.status().is_success() {
            replica.written(operation, body);
        }
        Ok(written)
    }

    /// Counts the consumption of an answer, and returns the answer with its units.
    async fn count(
        &self,
        operation: &str,
        asked: bool,
        answer: Response<Body>,
    ) -> anyhow::Result<(Response<Body>, f64)> {
        let (mut head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        let mut answer = serde_json::from_slice(&body).unwrap_or_default();
        let units = self.meter.count(operation, asked, &mut answer);
        // They belong to the engine's answer, which may have changed.
        for name in [header::CONTENT_LENGTH.as_str(), "x-amz-crc32"] {
            head.headers.remove(name);
        }
        let answer = Response::from_parts(head, answer.to_string().into());
        Ok((answer, units))
    }

    /// Returns the capacity that functions consumed since the last call. The first call starts the
    /// count.
    pub fn consumption(&self) -> Consumption {
        self.meter.take()
    }

    /// Returns the capacity that functions consumed since the count started. The first call starts it.
    pub(crate) fn total_consumption(&self) -> Consumption {
        self.meter.total()
    }

    /// Returns the number of writes that the fault `hot_partition` throttled.
    pub fn throttled_writes(&self) -> u64 {
        self.hot_partition
            .as_ref()
            .map_or(0, HotPartition::throttled)
    }

    /// Holds back the next request of a function for this operation, e.g. `PutItem`, whose body contains a
    /// text, e.g. the id of an entity. Functions write at any time, so the operation alone may name a request
    /// that a test does not mean.
    pub fn hold(&self, operation: &str, text: &str) -> HeldRequest {
        self.next_hold.hold(operation, text)
    }

    /// Answers a request, as DynamoDB's endpoint does.
    ///
    /// # Errors
    ///
    /// Returns an error if the request is too large or the engine fails.
    pub async fn forward(&self, request: Request) -> anyhow::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, REQUEST_LIMIT).await?;
        if let Some(refusal) = unauthenticated(&head) {
            return Ok(answer(StatusCode::BAD_REQUEST, refusal));
        }
        let operation = operation(&head.headers).unwrap_or_default();
        Ok(match self.engine.call(operation, body).await? {
            Some(Ok(output)) => answer(StatusCode::OK, output),
            Some(Err(error)) => {
                let status = StatusCode::from_u16(error.status_code())?;
                answer(status, error.to_json())
            }
            None => answer(StatusCode::BAD_REQUEST, UNKNOWN_OPERATION.to_owned()),
        })
    }

    /// Removes the rows that expire within this span, as if it had passed, and returns their number.
    ///
    /// # Errors
    ///
    /// Returns an error if the tables are in a file, whose clock cannot be moved.
    pub fn expire(&self, within: Duration) -> anyhow::Result<usize> {
        let clock = self
            .clock
            .as_ref()
            .context("a test can expire rows only in memory: remove --data")?;
        clock.ahead.store(within.as_secs(), Relaxed);
        let removed = self.database.sweep_ttl();
        if let Some(replica) = &self.replica {
            replica.sweep()?;
        }
        clock.ahead.store(0, Relaxed);
        Ok(removed?)
    }
}

/// Returns whether an operation only reads.
fn is_read(operation: &str) -> bool {
    matches!(
        operation,
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems"
    )
}

/// The machine's clock, which can be set ahead.
#[derive(Debug, Default)]
struct RowClock {
    /// Seconds.
    ahead: AtomicU64,
}

impl Clock for RowClock {
    fn now_unix_secs(&self) -> u64 {
        since_epoch().as_secs() + self.ahead.load(Relaxed)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        (since_epoch() + Duration::from_secs(self.ahead.load(Relaxed))).as_secs_f64()
    }
}

fn since_epoch() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

fn open(data: Option<&Path>) -> anyhow::Result<(Database, Option<Arc<RowClock>>)> {
    let Some(path) = data else {
        let clock = Arc::new(RowClock::default());
        return Ok((Database::memory_with_clock(clock.clone())?, Some(clock)));
    };
    let database = path
        .to_str()
        .context("its name is not UTF-8")
        .and_then(|path| Ok(Database::new(path)?))
        .with_context(|| {
            format!(
                "the data file {} cannot be opened: name a file that herald-local created, or a new one \
                 in an existing folder",
                path.display()
            )
        })?;
    Ok((database, None))
}

fn create_all(database: &Database, tables: &[Table]) -> anyhow::Result<()> {
    for table in tables {
        create(database, table)
            .with_context(|| format!("failed to create the table {}", table.logical_id))?;
    }
    Ok(())
}

fn create(database: &Database, table: &Table) -> anyhow::Result<()> {
    match database.create_table(serde_json::from_value(table.create_table.clone())?) {
        Ok(_) => {}
        Err(DynoxideError::ResourceInUseException(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    if let Some(attribute) = &table.time_to_live_attribute {
        let request = json!({
            "TableName": table.name,
            "TimeToLiveSpecification": {"Enabled": true, "AttributeName": attribute},
        });
        database.update_time_to_live(serde_json::from_value(request)?)?;
    }
    Ok(())
}

/// Returns the error for a request with missing or incomplete credentials.
fn unauthenticated(head: &Parts) -> Option<String> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    auth_material::validate(AuthMaterial {
        authorization: header("authorization"),
        query: head.uri.query().unwrap_or_default(),
        has_date_header: ["x-amz-date", "date"]
            .iter()
            .any(|name| head.headers.contains_key(*name)),
    })
}

fn operation(headers: &HeaderMap) -> Option<&str> {
    let target = headers.get("x-amz-target")?.to_str().ok()?;
    target.split_once('.').map(|(_, operation)| operation)
}

fn answer(status: StatusCode, json: String) -> Response<Body> {
    let headers = [
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amzn-requestid", Uuid::new_v4().to_string()),
        ("x-amz-crc32", crc32fast::hash(json.as_bytes()).to_string()),
    ];
    (status, headers, json).into_response()
}
