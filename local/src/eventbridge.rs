//! EventBridge: accepts events, matches them against the template's rules, and sends them to the
//! SQS queues of the matching rules.
//!
//! Left out: changes of buses and rules (they come from the template), archives, pipes, schedules,
//! other kinds of targets, and retries.

mod delivery;
mod event;
pub mod input;
mod inspect;
pub mod pattern;
mod put_events;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub use self::delivery::{Deliver, DeliveryError};
use self::{
    event::Event,
    pattern::{Pattern, PatternError},
    put_events::{Entry, EntryError, EventContext, PutEvents},
};
use crate::{
    activity::Activity,
    aws_json::{self, Answer, ServiceError},
    template::{Rule, Stack},
};

/// The bus of requests without a bus.
const DEFAULT_BUS: &str = "default";

/// The source of the current time.
pub type Clock = fn() -> DateTime<Utc>;

/// The buses and rules of a stack.
pub struct EventBridge {
    region: String,
    account_id: String,
    /// The buses' names.
    buses: Vec<String>,
    rules: Vec<CompiledRule>,
    queues: Arc<dyn Deliver>,
    clock: Clock,
    activity: Activity,
}

/// A rule that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The rule's event pattern is invalid.
    #[error("rule {rule} has an invalid event pattern")]
    Pattern {
        /// The rule's logical id.
        rule: String,
        /// The pattern's error, with its place in the pattern.
        source: PatternError,
    },
    /// The rule listens to a bus that the stack does not have.
    #[error(
        "rule {rule} listens to event bus {bus}, which the template does not have; add the bus or correct the rule's EventBusName"
    )]
    UnknownBus {
        /// The rule's logical id.
        rule: String,
        /// The bus's name.
        bus: String,
    },
}

struct CompiledRule {
    rule: Rule,
    pattern: Pattern,
}

impl EventBridge {
    /// Sets up the buses and rules of `stack`. `clock` gives the time of events without a time;
    /// `activity` records every event.
    ///
    /// # Errors
    ///
    /// Returns a [`RuleError`] if a rule's pattern is invalid or its bus is missing.
    pub fn new(
        stack: &Stack,
        queues: Arc<dyn Deliver>,
        clock: Clock,
        activity: Activity,
    ) -> Result<Self, RuleError> {
        let buses: Vec<_> = stack.buses.iter().map(|bus| bus.name.clone()).collect();
        let rules = stack
            .rules
            .iter()
            .map(|rule| compile(rule, &buses))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            region: stack.region.clone(),
            account_id: stack.account_id.clone(),
            buses,
            rules,
            queues,
            clock,
            activity,
        })
    }

    /// Answers one operation of the API `AWSEvents`.
    ///
    /// # Errors
    ///
    /// Returns the error for the caller if the operation is unknown or refuses its input.
    pub fn call(&self, operation: &str, request: Value) -> Answer {
        match operation {
            "PutEvents" => self.put_events(&aws_json::parse(request)?),
            "ListEventBuses" => self.list_event_buses(&aws_json::parse(request)?),
            "DescribeEventBus" => self.describe_event_bus(&aws_json::parse(request)?),
            "ListRules" => self.list_rules(&aws_json::parse(request)?),
            "DescribeRule" => self.describe_rule(&aws_json::parse(request)?),
            "ListTargetsByRule" => self.list_targets_by_rule(&aws_json::parse(request)?),
            "TestEventPattern" => inspect::test_event_pattern(&aws_json::parse(request)?),
            other => Err(ServiceError::bad_request(
                "UnknownOperationException",
                format!(
                    "herald-local does not support {other}; it supports PutEvents, ListEventBuses, DescribeEventBus, ListRules, DescribeRule, ListTargetsByRule and TestEventPattern; change buses and rules in the template"
                ),
            )),
        }
    }

    fn put_events(&self, request: &PutEvents) -> Answer {
        request.check()?;
        let entries: Vec<_> = request
            .entries
            .iter()
            .map(|entry| self.put(entry))
            .collect();
        let failed = entries.iter().filter(|entry| entry.is_err()).count();
        let entries: Vec<_> = entries
            .into_iter()
            .map(|entry| match entry {
                Ok(id) => json!({ "EventId": id }),
                Err(error) => error.answer(),
            })
            .collect();
        Ok(json!({ "FailedEntryCount": failed, "Entries": entries }))
    }

    /// Puts one event on its bus and returns the event's id. An event that a target would lose
    /// because of its size is refused and sent nowhere.
    fn put(&self, entry: &Entry) -> Result<String, EntryError> {
        let event = entry.event(EventContext {
            account: &self.account_id,
            region: &self.region,
            now: (self.clock)(),
        })?;
        let bus = bus_name(entry.event_bus_name());
        let rules: Vec<_> = self.rules_for(&event, bus).collect();
        for rule in &rules {
            delivery::check(&event, rule, &*self.queues).map_err(|reason| {
                let message = format!("The event is not valid. Reason: {reason}.");
                EntryError::new("InvalidArgument", message)
            })?;
        }
        self.publish(&event, bus, &rules);
        Ok(event.id)
    }

    /// Sends `event` to the targets of `rules`, the matching rules of `bus`.
    fn publish(&self, event: &Event, bus: &str, rules: &[&Rule]) {
        if !self.has_bus(bus) {
            // AWS accepts such events and drops them without an error.
            tracing::warn!(
                event_id = event.id,
                bus,
                known_buses = self.buses.join(", "),
                "event dropped: its event bus does not exist"
            );
        }
        // Before the deliveries, which are recorded as well.
        self.activity.record(event.happening(bus, rules));
        for rule in rules {
            delivery::deliver(event, rule, &*self.queues);
        }
    }

    fn rules_for(&self, event: &Event, bus: &str) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(move |compiled| compiled.rule.bus == bus && compiled.rule.enabled)
            .filter(|compiled| compiled.pattern.matches(&event.value))
            .map(|compiled| &compiled.rule)
    }

    fn has_bus(&self, name: &str) -> bool {
        self.buses.iter().any(|bus| bus == name)
    }
}

fn compile(rule: &Rule, buses: &[String]) -> Result<CompiledRule, RuleError> {
    if !buses.contains(&rule.bus) {
        return Err(RuleError::UnknownBus {
            rule: rule.logical_id.clone(),
            bus: rule.bus.clone(),
        });
    }
    let pattern = Pattern::parse(&rule.pattern).map_err(|source| RuleError::Pattern {
        rule: rule.logical_id.clone(),
        source,
    })?;
    Ok(CompiledRule {
        rule: rule.clone(),
        pattern,
    })
}

/// Returns the name of a request's bus; a request gives a name, an ARN or nothing.
fn bus_name(name_or_arn: Option<&str>) -> &str {
    let name_or_arn = name_or_arn.unwrap_or(DEFAULT_BUS);
    match name_or_arn.split_once(":event-bus/") {
        Some((_, name)) => name,
        None => name_or_arn,
    }
}
