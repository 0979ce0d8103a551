//! `AWS::DynamoDB::Table`, as the `CreateTable` request that makes it. CloudFormation's properties are
//! those of the request, so they are handed on.

use serde_json::{Map, Value};

use crate::template::{
    document::Resource,
    error::Problem,
    identity::physical_name,
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

pub(super) fn read(scope: &Scope<'_>, resource: &Resource) -> Result<Table, Problem> {
    let mut properties = scope.properties(resource)?;
    let name = physical_name(scope, resource, "TableName")?;
    let mut request = Map::new();
    request.insert("TableName".to_owned(), name.clone().into());
    for key in ["AttributeDefinitions", "KeySchema"] {
        request.insert(key.to_owned(), properties.require(key)?.json()?);
    }
    hand_on(
        &mut properties,
        &["BillingMode", "ProvisionedThroughput"],
        &mut request,
    )?;
    for key in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
        if let Some(indexes) = properties.read(key, indexes)? {
            request.insert(key.to_owned(), indexes);
        }
    }
    let time_to_live_attribute = time_to_live(&mut properties)?;
    properties.finish(IGNORED)?;
    Ok(Table {
        logical_id: resource.logical_id.clone(),
        name,
        create_table: request.into(),
        time_to_live_attribute,
    })
}

fn indexes(item: &Item<'_>) -> Result<Value, Problem> {
    item.items()?.iter().map(index).collect()
}

fn index(item: &Item<'_>) -> Result<Value, Problem> {
    let mut fields = item.fields()?;
    let mut index = Map::new();
    hand_on(
        &mut fields,
        &[
            "IndexName",
            "KeySchema",
            "Projection",
            "ProvisionedThroughput",
        ],
        &mut index,
    )?;
    fields.finish(IGNORED_OF_INDEX)?;
    Ok(index.into())
}

fn hand_on(
    fields: &mut Fields<'_>,
    keys: &[&str],
    request: &mut Map<String, Value>,
) -> Result<(), Problem> {
    for key in keys {
        if let Some(value) = fields.read(key, Item::json)? {
            request.insert((*key).to_owned(), value);
        }
    }
    Ok(())
}

fn time_to_live(properties: &mut Fields<'_>) -> Result<Option<String>, Problem> {
    let Some(mut specification) = properties.nested("TimeToLiveSpecification")? else {
        return Ok(None);
    };
    let attribute = specification.read("AttributeName", Item::text)?;
    let enabled = specification.require("Enabled")?.boolean()?;
    specification.finish(&[])?;
    Ok(attribute.filter(|_| enabled))
}
