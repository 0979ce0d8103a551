//! The capacity that functions consume, as the engine computes it.

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

/// Consumed capacity. A failed conditional write counts as a request without units: DynamoDB charges it
/// but does not report it in the response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumption {
    /// Read request units.
    pub read_units: f64,
    /// Write request units.
    pub write_units: f64,
    /// The number of requests for each operation.
    pub requests: BTreeMap<String, u64>,
}

/// The sum of consumption since counting started.
#[derive(Debug, Default)]
pub(super) struct Meter {
    running: AtomicBool,
    consumed: Mutex<Consumption>,
    total: Mutex<Consumption>,
}

impl Meter {
    /// Returns the consumption since the last call, and continues to count.
    pub(super) fn take(&self) -> Consumption {
        self.running.store(true, Relaxed);
        std::mem::take(&mut lock(&self.consumed))
    }

    /// Returns the consumption since counting started, and continues to count.
    pub(super) fn total(&self) -> Consumption {
        self.running.store(true, Relaxed);
        lock(&self.total).clone()
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Relaxed)
    }

    /// Makes a request ask for its consumption. Returns whether the caller already did.
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

    /// Adds the consumption of a response, removes it from there unless the caller asked for it, and returns its
    /// units. Adds nothing before counting has started.
    pub(super) fn count(&self, operation: &str, asked: bool, answer: &mut Value) -> f64 {
        let units = match &answer[CONSUMED] {
            Value::Array(tables) => tables.iter().filter_map(units).sum(),
            table => units(table).unwrap_or_default(),
        };
        if self.is_running() {
            lock(&self.consumed).add(operation, units);
            lock(&self.total).add(operation, units);
        }
        if let Some(members) = answer.as_object_mut().filter(|_| !asked) {
            members.remove(CONSUMED);
        }
        units
    }
}

impl Consumption {
    fn add(&mut self, operation: &str, units: f64) {
        *self.requests.entry(operation.to_owned()).or_default() += 1;
        match super::is_read(operation) {
            true => self.read_units += units,
            false => self.write_units += units,
        }
    }
}

fn lock(consumption: &Mutex<Consumption>) -> MutexGuard<'_, Consumption> {
    consumption.lock().unwrap_or_else(PoisonError::into_inner)
}

fn units(table: &Value) -> Option<f64> {
    table["CapacityUnits"].as_f64()
}
