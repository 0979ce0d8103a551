//! DynamoDB: the embedded engine, with the template's tables.
//!
//! The engine works synchronously, under one lock, so it has a thread and a runtime of its own;
//! requests reach it over loopback HTTP.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use axum::{body::Body, extract::Request, http::uri::PathAndQuery, response::Response};
use dynoxide::{Database, DynoxideError, server, storage_backend::Clock};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use tokio::{net::TcpListener, sync::oneshot};

use crate::template::Table;

/// How often rows whose time has come are removed. AWS promises no more than "within a few days".
const SWEEP: Duration = Duration::from_secs(30);

/// The running engine. It stops when this is dropped.
pub struct DynamoDb {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    database: Database,
    /// The engine's clock; it has none of ours when it works on a file.
    clock: Option<Arc<RowClock>>,
    _running: oneshot::Sender<()>,
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (running, stopped) = oneshot::channel();
        serve(listener.into_std()?, database.clone(), stopped)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            address,
            client: Client::builder(TokioExecutor::new()).build(connector),
            database,
            clock,
            _running: running,
        })
    }

    /// Hands a request on to the engine.
    pub async fn forward(&self, mut request: Request) -> anyhow::Result<Response<Body>> {
        let path = request
            .uri()
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = format!("http://{}{path}", self.address).parse()?;
        let response = self.client.request(request).await?;
        Ok(response.map(Body::new))
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

/// Serves until `stopped` hears that nobody needs it any more.
fn serve(
    listener: std::net::TcpListener,
    database: Database,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name("dynamodb".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::spawn(sweep(database.clone()));
                // Not waited for: an open keep-alive connection would hold it up.
                tokio::select! {
                    served = listen(listener, database) => served,
                    _ = stopped => Ok(()),
                }
            })
        })?;
    Ok(())
}

async fn listen(listener: std::net::TcpListener, database: Database) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    server::serve_with_shutdown(listener, database, std::future::pending())
        .await
        .map_err(anyhow::Error::msg)
}

async fn sweep(database: Database) {
    loop {
        tokio::time::sleep(SWEEP).await;
        match database.sweep_ttl() {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "rows expired"),
            Err(error) => tracing::error!(%error, "expired rows could not be removed"),
        }
    }
}
