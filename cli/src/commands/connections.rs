//! `herald connections`: who is connected, as the table and the gateway have it.

mod inspect;
mod kick;
mod list;

use aws_sdk_apigatewaymanagement::Client as Management;
use aws_sdk_dynamodb::{error::SdkError, operation::query::QueryError};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use herald_shared::{
    store::{ConnectionTable, StoreError},
    token_expiry::TokenExpiry,
};

use super::until_interrupted;
use crate::{
    arguments::Globals,
    failure::Failure,
    target::{Target, aws_failure},
};

/// Look at connections, or end them
///
/// On AWS it needs the rights dynamodb:Query on the table and its index, execute-api:ManageConnections on the API, and
/// events:PutEvents on the bus for `kick --user`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Inspect(inspect::Arguments),
    Kick(kick::Arguments),
}

/// Does what was asked for.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    until_interrupted(async {
        let target = Target::find(globals).await?;
        match &arguments.command {
            Command::List(arguments) => list::run(arguments, &target).await,
            Command::Inspect(arguments) => inspect::run(arguments, &target).await,
            Command::Kick(arguments) => kick::run(arguments, &target).await,
        }
    })
    .await
}

async fn table(target: &Target) -> Result<ConnectionTable, Failure> {
    let client = aws_sdk_dynamodb::Client::new(&target.aws().await?);
    Ok(ConnectionTable::new(client, target.table()?))
}

/// `@connections` of the API.
async fn management(target: &Target) -> Result<Management, Failure> {
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(&target.aws().await?)
        .endpoint_url(target.management()?)
        .build();
    Ok(Management::from_conf(config))
}

/// What it means that the table could not be read.
fn not_read(error: StoreError) -> Failure {
    let (StoreError::Throttled(source) | StoreError::Failed { source, .. }) = error;
    match source.downcast::<SdkError<QueryError>>() {
        Ok(error) => aws_failure("the table cannot be read", *error),
        Err(source) => anyhow::anyhow!("the table cannot be read: {source}").into(),
    }
}

/// When a token ends, as it is printed; none if no calendar goes so far.
fn end_of(expiry: TokenExpiry) -> Option<String> {
    let seconds = expiry.epoch_seconds().try_into().ok()?;
    DateTime::from_timestamp(seconds, 0).map(moment)
}

/// A moment as it is printed: RFC 3339, in whole seconds.
fn moment(time: impl Into<DateTime<Utc>>) -> String {
    time.into().to_rfc3339_opts(SecondsFormat::Secs, true)
}
