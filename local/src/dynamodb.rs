//! DynamoDB: the embedded engine, with the template's tables.
//!
//! The engine works synchronously, under one lock, so it has a thread of its own. It has no port:
//! requests reach it through the front door alone.

mod engine;
mod operations;

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
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use dynoxide::{
    Database, DynoxideError,
    auth_material::{self, AuthMaterial},
    storage_backend::Clock,
};
use serde_json::json;
use uuid::Uuid;

use crate::template::Table;
use engine::Engine;

/// The largest request: a batch of 16 MB.
const REQUEST_LIMIT: usize = 16 * 1024 * 1024;

/// The error for an operation that DynamoDB, or the engine, does not have.
const UNKNOWN_OPERATION: &str =
    r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;

/// The running engine. It stops when this is dropped.
pub struct DynamoDb {
    engine: Engine,
    database: Database,
    /// The engine's clock; it has none of ours when it works on a file.
    clock: Option<Arc<RowClock>>,
}

impl DynamoDb {
    /// Starts the engine in memory, or on the file `data`, with `tables`. Tables that the file has
    /// already keep their rows.
    pub async fn start(data: Option<&Path>, tables: &[Table]) -> anyhow::Result<Self> {
        let (database, clock) = open(data)?;
        for table in tables {
            create(&database, table)
                .with_context(|| format!("failed to create the table {}", table.logical_id))?;
        }
        Ok(Self {
            engine: Engine::start(database.clone())?,
            database,
            clock,
        })
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

    /// Removes the rows whose time has come or comes within this span, as if it had passed; returns
    /// how many. Errs when the tables are in a file, whose clock cannot be moved.
    pub fn expire(&self, within: Duration) -> anyhow::Result<usize> {
        let clock = self
            .clock
            .as_ref()
            .context("rows can only be made to expire when the tables are in memory")?;
        clock.ahead.store(within.as_secs(), Relaxed);
        let removed = self.database.sweep_ttl();
        clock.ahead.store(0, Relaxed);
        Ok(removed?)
    }
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
                "the data file {} cannot be opened: name one that was made here, or a new one in a \
                 folder that exists",
                path.display()
            )
        })?;
    Ok((database, None))
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

/// Returns the error for a request without credentials, or with half of them.
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
