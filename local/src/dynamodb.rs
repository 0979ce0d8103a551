//! DynamoDB: the embedded engine, with the template's tables.
//!
//! The engine works synchronously, under one lock, so it has a thread and a runtime of its own;
//! requests reach it over loopback HTTP.

mod consumption;
mod hold;
mod replica;

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
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderValue, header, request::Parts, uri::PathAndQuery},
    response::Response,
};
use dynoxide::{Database, DynoxideError, server, storage_backend::Clock};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::template::Table;
pub use consumption::Consumption;
use consumption::Meter;
pub use hold::Held;
use hold::Holding;
use replica::Replica;

/// How often rows whose time has come are removed. AWS promises no more than "within a few days".
const SWEEP: Duration = Duration::from_secs(30);

/// The running engine. It stops when this is dropped.
pub struct DynamoDb {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    database: Database,
    /// The engine's clock; it has none of ours when it works on a file.
    clock: Option<Arc<RowClock>>,
    replica: Option<Replica>,
    meter: Meter,
    holding: Holding,
    _running: oneshot::Sender<()>,
}

impl DynamoDb {
    /// Starts the engine in memory, or on the file `data`, with `tables`. Tables that the file has
    /// already keep their rows.
    ///
    /// With `stale_reads`, a read that does not ask for consistency does not see what is younger than
    /// that.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened, a table cannot be created, or reads are to be
    /// stale over a file, whose rows no replica has.
    pub async fn start(
        data: Option<&Path>,
        tables: &[Table],
        stale_reads: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let (database, clock) = open(data)?;
        create_all(&database, tables)?;
        let replica = match stale_reads {
            None => None,
            Some(_) if data.is_some() => {
                anyhow::bail!("stale-reads needs tables in memory: leave out --data")
            }
            Some(lag) => {
                // Rows expire on it as they do on the tables, by the same clock.
                let database = Database::memory_with_clock(clock.clone().unwrap_or_default())?;
                create_all(&database, tables)?;
                Some(Replica::start(database, lag))
            }
        };
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
            replica,
            meter: Meter::default(),
            holding: Holding::default(),
            _running: running,
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
            self.holding.pass(operation).await;
        }
        let metered = of_function && self.meter.is_running();
        if !metered && self.replica.is_none() {
            return self.forward(Request::from_parts(head, body.into())).await;
        }
        let Ok(mut request) = serde_json::from_slice::<Value>(&body) else {
            return self.forward(Request::from_parts(head, body.into())).await;
        };
        let asked = !metered || self.meter.ask(&mut request);
        let mut answer = self.answer(operation, head, request).await?;
        if metered {
            answer = self.count(operation, asked, answer).await?;
        }
        Ok(answer)
    }

    /// Answers a request by the tables, or by the replica that lags.
    async fn answer(
        &self,
        operation: &str,
        mut head: Parts,
        request: Value,
    ) -> anyhow::Result<Response<Body>> {
        head.headers.remove(header::CONTENT_LENGTH);
        let forwarded = Request::from_parts(head, request.to_string().into());
        let Some(replica) = &self.replica else {
            return self.forward(forwarded).await;
        };
        if let Some(answer) = replica.read(operation, &request) {
            return Ok(json_answer(&answer));
        }
        if is_read(operation) {
            return self.forward(forwarded).await;
        }
        let _order = replica.order().await;
        let answer = self.forward(forwarded).await?;
        if answer.status().is_success() {
            replica.written(operation, request);
        }
        Ok(answer)
    }

    async fn count(
        &self,
        operation: &str,
        asked: bool,
        answer: Response<Body>,
    ) -> anyhow::Result<Response<Body>> {
        let (mut head, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await?;
        let mut answer = serde_json::from_slice(&body).unwrap_or_default();
        self.meter.count(operation, asked, &mut answer);
        // They are of the answer as the engine gave it.
        for name in [header::CONTENT_LENGTH.as_str(), "x-amz-crc32"] {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, answer.to_string().into()))
    }

    /// Returns the capacity that functions consumed since the last call. The first call starts the
    /// counting.
    pub fn consumption(&self) -> Consumption {
        self.meter.take()
    }

    /// Holds back the next request of a function for this operation, e.g. `PutItem`.
    pub fn hold(&self, operation: &str) -> Held {
        self.holding.hold(operation)
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
        if let Some(replica) = &self.replica {
            replica.database().sweep_ttl()?;
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

fn json_answer(answer: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.to_string()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    response
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
