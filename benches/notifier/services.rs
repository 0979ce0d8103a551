//! The services of the notifier other than `@connections`: DynamoDB with the audiences, and the
//! notification queue.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{PutRequest, WriteRequest},
};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use herald_local::{
    dynamodb::DynamoDb,
    faults::Faults,
    template::{Stack, Table},
};
use herald_shared::{
    ids::{ConnectionId, EntityId},
    store::{Listener, seed},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::audience::Audience;

/// The services, which run as long as the program.
pub(crate) struct Services {
    endpoint: String,
    state: Arc<Running>,
}

struct Running {
    rows: Rows,
    queue: Mutex<Vec<String>>,
}

enum Rows {
    Engine(Box<DynamoDb>),
    Prepared(Audience),
}

impl Services {
    /// Starts the services with the tables of the template.
    pub(crate) async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let dynamodb = DynamoDb::start(None, &stack.tables, &Faults::default()).await?;
        Self::with(Rows::Engine(Box::new(dynamodb))).await
    }

    /// Starts the services with this audience alone.
    pub(crate) async fn with_audience(audience: Audience) -> anyhow::Result<Self> {
        Self::with(Rows::Prepared(audience)).await
    }

    async fn with(rows: Rows) -> anyhow::Result<Self> {
        let state = Arc::new(Running {
            rows,
            queue: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(answer).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { endpoint, state })
    }

    /// Returns the AWS endpoint of the services.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Removes and returns up to `most` messages of the queue.
    pub(crate) fn receive(&self, most: usize) -> Vec<String> {
        let mut queue = self.state.queue();
        let left = queue.len().saturating_sub(most);
        queue.split_off(left)
    }

    /// Subscribes this many connections to an entity.
    pub(crate) async fn subscribe(
        &self,
        table: &Table,
        entity: &str,
        connections: usize,
    ) -> anyhow::Result<()> {
        let client = self.client();
        for start in (0..connections).step_by(BATCH) {
            let puts = (start..connections.min(start + BATCH)).map(|number| put(entity, number));
            client
                .batch_write_item()
                .request_items(&table.name, puts.collect::<anyhow::Result<Vec<_>>>()?)
                .send()
                .await
                .with_context(|| format!("failed to subscribe to {entity}"))?;
        }
        Ok(())
    }

    fn client(&self) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
            .region(Region::from_static("us-east-1"))
            .endpoint_url(&self.endpoint)
            .build();
        Client::from_conf(config)
    }
}

/// The maximum number of rows in one `BatchWriteItem`.
const BATCH: usize = 25;

/// Returns the write of a subscription's row.
fn put(entity: &str, number: usize) -> anyhow::Result<WriteRequest> {
    let row = seed::listener_row(Listener {
        connection: &ConnectionId::new(format!("P{number:09}Em4LQ="))?,
        entity: &EntityId::new(entity)?,
        change: 1,
        connected_at: SystemTime::now() - Duration::from_secs(60),
        token_expires_at: None,
        watches: false,
    });
    let put = PutRequest::builder().set_item(Some(row)).build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}

async fn answer(State(running): State<Arc<Running>>, request: Request) -> Response<Body> {
    let target = request.headers().get("x-amz-target");
    let is_batch = target.is_some_and(|target| target == "AmazonSQS.SendMessageBatch");
    match &running.rows {
        Rows::Engine(dynamodb) if !is_batch => match dynamodb.forward(request).await {
            Ok(response) => response,
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        },
        rows => match (json(request).await, rows) {
            (Some(batch), _) if is_batch => Json(running.enqueue(&batch)).into_response(),
            (Some(query), Rows::Prepared(audience)) => match audience.query(&query) {
                Ok(page) => Json(page).into_response(),
                Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
            },
            _ => StatusCode::BAD_REQUEST.into_response(),
        },
    }
}

/// Reads a body. The extractor `Json` does not accept the content type `application/x-amz-json-1.0`.
async fn json(request: Request) -> Option<Value> {
    let body = to_bytes(request.into_body(), usize::MAX).await.ok()?;
    serde_json::from_slice(&body).ok()
}

impl Running {
    fn queue(&self) -> MutexGuard<'_, Vec<String>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch on the queue and returns the answer of SQS.
    fn enqueue(&self, batch: &Value) -> Value {
        let entries = batch["Entries"].as_array().cloned().unwrap_or_default();
        let mut successful = Vec::new();
        for entry in entries {
            let body = entry["MessageBody"].as_str().unwrap_or_default();
            self.queue().push(body.to_owned());
            successful.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""}));
        }
        json!({"Successful": successful, "Failed": []})
    }
}
