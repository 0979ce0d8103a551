//! The capacity that functions consume, as the engine reckons it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde_json::Value;

const CONSUMED: &str = "ConsumedCapacity";
const RETURN_CONSUMED: &str = "ReturnConsumedCapacity";

/// The capacity that was consumed. A conditional write that was refused is counted as a request alone:
/// DynamoDB charges it and does not say so in its answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumption {
    /// Read request units.
    pub read_units: f64,
    /// Write request units.
    pub write_units: f64,
    /// The number of requests for each operation.
    pub requests: BTreeMap<String, u64>,
}

/// Adds up consumption, once it is started.
#[derive(Debug, Default)]
pub(super) struct Meter {
    running: AtomicBool,
    consumed: Mutex<Consumption>,
}

impl Meter {
    /// Returns what was consumed since the last call, and goes on counting.
    pub(super) fn take(&self) -> Consumption {
        self.running.store(true, Relaxed);
        std::mem::take(&mut self.consumed())
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Relaxed)
    }

    /// Has the answer say what the request consumes. Returns whether the caller asked for it, too.
    pub(super) fn ask(&self, request: &mut Value) -> bool {
        let Some(members) = request.as_object_mut() else {
            return true;
        };
        let asked = members.contains_key(RETURN_CONSUMED);
        if !asked {
            members.insert(RETURN_CONSUMED.to_owned(), "TOTAL".into());
        }
        asked
    }

    /// Counts what the answer says, and takes it out if the caller did not ask for it.
    pub(super) fn count(&self, operation: &str, asked: bool, answer: &mut Value) {
        let units = match &answer[CONSUMED] {
            Value::Array(tables) => tables.iter().filter_map(units).sum(),
            table => units(table).unwrap_or_default(),
        };
        let mut consumed = self.consumed();
        *consumed.requests.entry(operation.to_owned()).or_default() += 1;
        match super::is_read(operation) {
            true => consumed.read_units += units,
            false => consumed.write_units += units,
        }
        if let Some(members) = answer.as_object_mut().filter(|_| !asked) {
            members.remove(CONSUMED);
        }
    }

    fn consumed(&self) -> MutexGuard<'_, Consumption> {
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn units(table: &Value) -> Option<f64> {
    table["CapacityUnits"].as_f64()
}
