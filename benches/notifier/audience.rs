//! A large audience, whose pages are as ready as DynamoDB's: the engine of the local stack answers one query at a time
//! and more slowly, so that fewer pages would be in memory at once.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use herald_shared::{
    ids::{ConnectionId, EntityId},
    store::{Listener, seed},
};
use serde::Serialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::sink::to_json;

/// The projection that the notifier asks for.
const PROJECTION: &str = "sk, expiresAt, tokenExpiresAt";

/// The listener rows of one entity.
pub(crate) struct Audience {
    /// Sorted by their keys.
    rows: Vec<Row>,
}

struct Row {
    sort_key: String,
    key: Value,
    whole: Box<RawValue>,
    projected: Box<RawValue>,
}

/// The answer of DynamoDB to a query.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Page<'a> {
    count: usize,
    scanned_count: usize,
    items: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_evaluated_key: Option<&'a Value>,
}

impl Audience {
    /// Returns an audience of this many connections.
    pub(crate) fn new(entity: &str, connections: usize) -> anyhow::Result<Self> {
        let entity = EntityId::new(entity)?;
        let connected_at = SystemTime::now() - Duration::from_secs(60);
        let rows = (0..connections).map(|number| {
            Row::new(Listener {
                connection: &ConnectionId::new(format!("P{number:09}Em4LQ="))?,
                entity: &entity,
                change: 1,
                connected_at,
                token_expires_at: None,
                watches: false,
            })
        });
        let mut rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
        rows.sort_by(|one, other| one.sort_key.cmp(&other.sort_key));
        Ok(Self { rows })
    }

    /// Returns the answer to a query of a range.
    ///
    /// # Errors
    ///
    /// Returns an error if the query has no limit or another projection.
    pub(crate) fn query(&self, query: &Value) -> anyhow::Result<Page<'_>> {
        let values = &query["ExpressionAttributeValues"];
        let after = text(&query["ExclusiveStartKey"]["sk"]);
        let (first, last) = (text(&values[":first"]), text(&values[":last"]));
        let start = self
            .rows
            .partition_point(|row| row.sort_key.as_str() < first || row.sort_key.as_str() <= after);
        let end = self
            .rows
            .partition_point(|row| row.sort_key.as_str() <= last);
        let range = &self.rows[start..end.max(start)];
        let limit = query["Limit"].as_u64().context("a query has a limit")? as usize;
        let page = &range[..range.len().min(limit)];
        let attributes: fn(&Row) -> &RawValue = match query["ProjectionExpression"].as_str() {
            None => |row| &row.whole,
            Some(PROJECTION) => |row| &row.projected,
            Some(other) => anyhow::bail!("the audience is not prepared for the projection {other}"),
        };
        let rest = page.last().filter(|_| page.len() < range.len());
        Ok(Page {
            count: page.len(),
            scanned_count: page.len(),
            items: page.iter().map(attributes).collect(),
            last_evaluated_key: rest.map(|row| &row.key),
        })
    }
}

impl Row {
    fn new(listener: Listener<'_>) -> anyhow::Result<Self> {
        let row = seed::listener_row(listener);
        let whole: Map<_, _> = row
            .into_iter()
            .map(|(name, value)| (name, to_json(value)))
            .collect();
        let of = |names: &str| -> Map<_, _> {
            let names = names.split(", ");
            let attributes =
                names.filter_map(|name| Some((name.to_owned(), whole.get(name)?.clone())));
            attributes.collect()
        };
        let sort_key = whole.get("sk").map(text);
        Ok(Self {
            sort_key: sort_key.context("a row has a sort key")?.to_owned(),
            key: json!(of("pk, sk")),
            projected: serde_json::value::to_raw_value(&of(PROJECTION))?,
            whole: serde_json::value::to_raw_value(&whole)?,
        })
    }
}

fn text(attribute: &Value) -> &str {
    attribute["S"].as_str().unwrap_or_default()
}
