//! The limit of writes to one partition key, as a fault.
//!
//! DynamoDB serves 1,000 write units a second of one partition, of tables in both capacity modes. The
//! limit here is exact and holds for each partition key by itself, where DynamoDB's partition may have several
//! keys, and may be split between the sort keys of one. The writes of a second are spread evenly; at most those of one
//! second are admitted at once.
//!
//! Only writes of one item are limited. Batches and transactions pass.
//!
//! Sources: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>,
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html>

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::template::Table;

/// The code and the message of the error for a table that is billed on demand, as clients have reported them.
///
/// Source: <https://github.com/cowinapi/developer.cowin/issues/151>
const CODE: &str = "com.amazon.coral.availability#ThrottlingException";
const MESSAGE: &str = "Throughput exceeds the current capacity of your table or index. DynamoDB is \
                       automatically scaling your table or index so please try again shortly. If exceptions \
                       persist, check if you have a hot key: \
                       https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html";

/// The limit, and the writes so far.
#[derive(Debug)]
pub(super) struct HotPartition {
    /// Write units a second.
    limit: f64,
    /// The attribute of the partition key, by the name of the table.
    keys: HashMap<String, String>,
    /// The write units that a partition still admits.
    left: Mutex<HashMap<PartitionKey, Left>>,
    throttled: Mutex<u64>,
}

/// A table and the value of its partition key.
pub(super) type PartitionKey = (String, String);

#[derive(Clone, Copy, Debug)]
struct Left {
    units: f64,
    at: Instant,
}

impl HotPartition {
    pub(super) fn new(limit: f64, tables: &[Table]) -> Self {
        let key = |table: &Table| {
            let keys = table.create_table["KeySchema"].as_array()?;
            let key = keys.iter().find(|key| key["KeyType"] == "HASH")?;
            let name = key["AttributeName"].as_str()?;
            Some((table.name.clone(), name.to_owned()))
        };
        Self {
            limit,
            keys: tables.iter().filter_map(key).collect(),
            left: Mutex::default(),
            throttled: Mutex::default(),
        }
    }

    /// Returns the partition that a request writes to. `None` if it does not write one item.
    pub(super) fn partition(&self, operation: &str, request: &Value) -> Option<PartitionKey> {
        let item = match operation {
            "PutItem" => &request["Item"],
            "UpdateItem" | "DeleteItem" => &request["Key"],
            _ => return None,
        };
        let table = request["TableName"].as_str()?;
        let key = &item[self.keys.get(table)?];
        Some((table.to_owned(), key.to_string()))
    }

    /// Returns true if a partition admits a write now. The write's units are counted by
    /// [`HotPartition::count`], when they are known.
    pub(super) fn admits(&self, partition: &PartitionKey, now: Instant) -> bool {
        let admits = self.left(partition, now, 0.0) > 0.0;
        if !admits {
            *lock(&self.throttled) += 1;
        }
        admits
    }

    /// Counts the units of an admitted write.
    pub(super) fn count(&self, partition: &PartitionKey, now: Instant, units: f64) {
        self.left(partition, now, units);
    }

    /// Returns the number of throttled writes.
    pub(super) fn throttled(&self) -> u64 {
        *lock(&self.throttled)
    }

    fn left(&self, partition: &PartitionKey, now: Instant, units: f64) -> f64 {
        let mut partitions = lock(&self.left);
        let full = Left {
            units: self.limit,
            at: now,
        };
        let left = partitions.entry(partition.clone()).or_insert(full);
        let since = now.saturating_duration_since(left.at);
        let refilled = left.units + since.as_secs_f64() * self.limit;
        left.units = refilled.min(self.limit) - units;
        left.at = now;
        left.units
    }
}

/// Returns the error for a throttled write.
pub(super) fn throttled() -> String {
    let reason = json!({"reason": "TableWriteKeyRangeThroughputExceeded"});
    json!({"__type": CODE, "message": MESSAGE, "throttlingReasons": [reason]}).to_string()
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMIT: f64 = 10.0;

    fn limit() -> HotPartition {
        let table = Table {
            logical_id: "Rows".to_owned(),
            name: "rows".to_owned(),
            create_table: json!({"KeySchema": [
                {"AttributeName": "sk", "KeyType": "RANGE"},
                {"AttributeName": "pk", "KeyType": "HASH"},
            ]}),
            time_to_live_attribute: None,
        };
        HotPartition::new(LIMIT, &[table])
    }

    /// Writes items of one unit until one is throttled, and returns their number.
    fn writes(limit: &HotPartition, partition: &PartitionKey, now: Instant) -> usize {
        let admitted = std::iter::from_fn(|| {
            limit
                .admits(partition, now)
                .then(|| limit.count(partition, now, 1.0))
        });
        admitted.count()
    }

    #[test]
    fn partition_admits_its_units_each_second_and_other_partitions_theirs() {
        let (limit, now) = (limit(), Instant::now());
        let hot = ("rows".to_owned(), "hot".to_owned());
        let other = ("rows".to_owned(), "other".to_owned());
        assert_eq!(writes(&limit, &hot, now), 10);
        assert_eq!(writes(&limit, &hot, now), 0);
        assert_eq!(writes(&limit, &other, now), 10);
        assert_eq!(writes(&limit, &hot, now + Duration::from_millis(500)), 5);
        assert_eq!(writes(&limit, &hot, now + Duration::from_secs(60)), 10);
        assert_eq!(limit.throttled(), 5);
    }

    #[test]
    fn large_write_delays_the_next_one() {
        let (limit, now) = (limit(), Instant::now());
        let hot = ("rows".to_owned(), "hot".to_owned());
        limit.count(&hot, now, 20.0);
        assert!(!limit.admits(&hot, now + Duration::from_secs(1)));
        assert!(limit.admits(&hot, now + Duration::from_millis(1100)));
    }

    #[test]
    fn writes_of_one_item_have_a_partition() {
        let limit = limit();
        let pk = json!({"pk": {"S": "a"}, "sk": {"S": "1"}});
        let request = |member: &str| json!({"TableName": "rows", member: pk});
        let expected = Some(("rows".to_owned(), r#"{"S":"a"}"#.to_owned()));
        for (operation, member) in [
            ("PutItem", "Item"),
            ("UpdateItem", "Key"),
            ("DeleteItem", "Key"),
        ] {
            assert_eq!(limit.partition(operation, &request(member)), expected);
        }
        assert_eq!(limit.partition("GetItem", &request("Key")), None);
        assert_eq!(
            limit.partition("PutItem", &json!({"TableName": "others"})),
            None
        );
    }
}
