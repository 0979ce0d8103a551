//! The read-only operations: lists and descriptions of buses, rules and targets, and
//! `TestEventPattern`. Lists are never paged.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{CompiledRule, EventBridge, bus_name, pattern::Pattern};
use crate::{
    aws_json::{Answer, ServiceError},
    template::{Rule, Target},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEventBuses {
    name_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeEventBus {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRules {
    event_bus_name: Option<String>,
    name_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeRule {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTargetsByRule {
    rule: String,
    event_bus_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestEventPattern {
    /// JSON text.
    event_pattern: String,
    /// JSON text.
    event: String,
}

impl EventBridge {
    pub(super) fn list_event_buses(&self, request: &ListEventBuses) -> Answer {
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let buses: Vec<_> = self
            .buses
            .iter()
            .filter(|name| name.starts_with(prefix))
            .map(|name| self.describe_bus(name))
            .collect();
        Ok(json!({ "EventBuses": buses }))
    }

    pub(super) fn describe_event_bus(&self, request: &DescribeEventBus) -> Answer {
        let name = self.existing_bus(request.name.as_deref())?;
        Ok(self.describe_bus(name))
    }

    pub(super) fn list_rules(&self, request: &ListRules) -> Answer {
        let bus = self.existing_bus(request.event_bus_name.as_deref())?;
        let prefix = request.name_prefix.as_deref().unwrap_or_default();
        let rules: Vec<_> = self
            .rules_of(bus)
            .filter(|rule| rule.name.starts_with(prefix))
            .map(describe)
            .collect();
        Ok(json!({ "Rules": rules }))
    }

    pub(super) fn describe_rule(&self, request: &DescribeRule) -> Answer {
        let rule = self.existing_rule(&request.name, request.event_bus_name.as_deref())?;
        let mut answer = describe(rule);
        answer["CreatedBy"] = json!(self.account_id);
        Ok(answer)
    }

    pub(super) fn list_targets_by_rule(&self, request: &ListTargetsByRule) -> Answer {
        let rule = self.existing_rule(&request.rule, request.event_bus_name.as_deref())?;
        let targets: Vec<_> = rule.targets.iter().map(describe_target).collect();
        Ok(json!({ "Targets": targets }))
    }

    fn existing_bus<'a>(&self, name_or_arn: Option<&'a str>) -> Result<&'a str, ServiceError> {
        let name = bus_name(name_or_arn);
        if self.has_bus(name) {
            Ok(name)
        } else {
            Err(not_found(format!("Event bus {name} does not exist.")))
        }
    }

    fn existing_rule(&self, name: &str, bus: Option<&str>) -> Result<&Rule, ServiceError> {
        let bus = self.existing_bus(bus)?;
        self.rules_of(bus)
            .find(|rule| rule.name == name)
            .ok_or_else(|| not_found(format!("Rule {name} does not exist on EventBus {bus}.")))
    }

    fn rules_of(&self, bus: &str) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .map(|CompiledRule { rule, .. }| rule)
            .filter(move |rule| rule.bus == bus)
    }

    fn describe_bus(&self, name: &str) -> Value {
        let Self {
            region, account_id, ..
        } = self;
        let arn = format!("arn:aws:events:{region}:{account_id}:event-bus/{name}");
        json!({ "Name": name, "Arn": arn })
    }
}

/// Answers whether a pattern matches an event. Both come from the request, not from the stack.
pub(super) fn test_event_pattern(request: &TestEventPattern) -> Answer {
    let pattern: Value = serde_json::from_str(&request.event_pattern).map_err(invalid_pattern)?;
    let pattern = Pattern::parse(&pattern).map_err(invalid_pattern)?;
    let event = serde_json::from_str(&request.event)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| {
            ServiceError::bad_request("ValidationException", "Parameter Event is not valid.")
        })?;
    Ok(json!({ "Result": pattern.matches(&event) }))
}

fn describe(rule: &Rule) -> Value {
    json!({
        "Name": rule.name,
        "Arn": rule.arn,
        "EventBusName": rule.bus,
        "EventPattern": rule.pattern.to_string(),
        "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
    })
}

fn describe_target(target: &Target) -> Value {
    let mut answer = json!({ "Id": target.id, "Arn": target.queue });
    if let Some(queue) = &target.dead_letter_queue {
        answer["DeadLetterConfig"] = json!({ "Arn": queue });
    }
    answer
}

fn invalid_pattern(reason: impl std::fmt::Display) -> ServiceError {
    ServiceError::bad_request(
        "InvalidEventPatternException",
        format!("Event pattern is not valid. Reason: {reason}"),
    )
}

fn not_found(message: String) -> ServiceError {
    ServiceError::bad_request("ResourceNotFoundException", message)
}
