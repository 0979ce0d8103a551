//! `AWS::DynamoDB::Table`, as the `CreateTable` request that creates it. CloudFormation's properties are
//! those of the request, so they are copied.

use serde_json::{Map, Value};

use crate::template::{
    document::Resource,
    item::{Fields, Item},
    model::Table,
    scope::Scope,
};

const IGNORED: &[&str] = &[
    "ContributorInsightsSpecification",
    "DeletionProtectionEnabled",
    "OnDemandThroughput",
    "PointInTimeRecoverySpecification",
    "ResourcePolicy",
    "SSESpecification",
    "TableClass",
    "TableName",
    "Tags",
    "WarmThroughput",
];

const IGNORED_OF_INDEX: &[&str] = &[
    "ContributorInsightsSpecification",
    "OnDemandThroughput",
    "WarmThroughput",
];

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Option<Table> {
    let mut properties = scope.properties(resource)?;
    let mut request = Map::new();
    for key in ["AttributeDefinitions", "KeySchema"] {
        let value = properties.require(key);
        let value = value.and_then(|value| value.read(Item::json));
        request.extend(value.map(|value| (key.to_owned(), value)));
    }
    let optional = ["BillingMode", "ProvisionedThroughput"];
    copy(&mut properties, &optional, &mut request);
    for key in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(indexes) = properties.take(key) {
            let indexes = indexes.each();
            let indexes = indexes.iter().filter_map(index);
            request.insert(key.to_owned(), indexes.collect());
        }
    }
    let time_to_live = properties.nested("TimeToLiveSpecification");
    let time_to_live_attribute = time_to_live.and_then(time_to_live_attribute);
    properties.finish(IGNORED);
    let name = &scope.identity_of(resource)?.name;
    request.insert("TableName".to_owned(), name.clone().into());
    Some(Table {
        logical_id: resource.logical_id.clone(),
        name: name.clone(),
        create_table: request.into(),
        time_to_live_attribute,
    })
}

fn index(item: &Item<'_>) -> Option<Value> {
    let mut fields = item.read(Item::fields)?;
    let mut index = Map::new();
    let keys = [
        "IndexName",
        "KeySchema",
        "Projection",
        "ProvisionedThroughput",
    ];
    copy(&mut fields, &keys, &mut index);
    fields.finish(IGNORED_OF_INDEX);
    Some(index.into())
}

fn copy(fields: &mut Fields<'_>, keys: &[&str], request: &mut Map<String, Value>) {
    for key in keys {
        if let Some(value) = fields.read(key, Item::json) {
            request.insert((*key).to_owned(), value);
        }
    }
}

fn time_to_live_attribute(mut specification: Fields<'_>) -> Option<String> {
    let attribute = specification.read("AttributeName", Item::text);
    let enabled = specification.require("Enabled");
    specification.finish(&[]);
    let is_enabled = enabled?.read(Item::boolean)?;
    attribute.filter(|_| is_enabled)
}
