//! `herald connections`: the connections that the table and the gateway know.

mod inspect;
mod kick;
mod list;

use aws_sdk_apigatewaymanagement::Client as Management;
use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{get_item::GetItemError, query::QueryError},
};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use herald_shared::{
    store::{ConnectionTable, StoreError},
    token_expiry::TokenExpiry,
};

use super::until_interrupted;
use crate::{
    failure::{Failure, aws_failure},
    target::{Target, TargetArguments},
};

/// List, inspect and close connections
///
/// On AWS, these commands need the permissions dynamodb:Query and dynamodb:GetItem on the table,
/// execute-api:ManageConnections on the API, and events:PutEvents on the bus for `kick --user`.
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

/// Runs the subcommand.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    until_interrupted(async {
        let target = Target::find(target).await?;
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
    Ok(ConnectionTable::new(client, target.addresses.table()?))
}

/// Returns a client of the API's `@connections`.
async fn management(target: &Target) -> Result<Management, Failure> {
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(&target.aws().await?)
        .endpoint_url(target.addresses.management()?)
        .build();
    Ok(Management::from_conf(config))
}

/// Makes a failure from a failed read of the table.
fn read_failure(error: StoreError) -> Failure {
    let (StoreError::Throttled(source) | StoreError::Failed { source, .. }) = error;
    let context = "cannot read the table";
    let source = match source.downcast::<SdkError<QueryError>>() {
        Ok(error) => return aws_failure(context, *error),
        Err(source) => source,
    };
    match source.downcast::<SdkError<GetItemError>>() {
        Ok(error) => aws_failure(context, *error),
        Err(source) => anyhow::anyhow!("{context}: {source}").into(),
    }
}

/// Formats the time at which a token expires. `None` if it is beyond the calendar.
fn expiry_time(expiry: TokenExpiry) -> Option<String> {
    let seconds = expiry.epoch_seconds().try_into().ok()?;
    DateTime::from_timestamp(seconds, 0).map(timestamp)
}

/// Formats a time as RFC 3339, in whole seconds.
fn timestamp(time: impl Into<DateTime<Utc>>) -> String {
    time.into().to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{config::http::HttpResponse, error::ErrorMetadata};

    use super::*;

    /// The error of a call that the caller's role does not allow.
    fn denied<E>(error: impl FnOnce(ErrorMetadata) -> E) -> SdkError<E> {
        let metadata = ErrorMetadata::builder()
            .code("AccessDeniedException")
            .message("not authorized")
            .build();
        let status = 400.try_into().expect("a status");
        let response = HttpResponse::new(status, "".into());
        SdkError::service_error(error(metadata), response)
    }

    #[test]
    fn denied_read_is_refused_whatever_the_operation() {
        let sources: [Box<dyn std::error::Error + Send + Sync>; 2] = [
            Box::new(denied(QueryError::generic)),
            Box::new(denied(GetItemError::generic)),
        ];
        for source in sources {
            let failure = read_failure(StoreError::Throttled(source));
            assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
            assert_eq!(
                failure.into_error().to_string(),
                "cannot read the table: not authorized"
            );
        }
    }
}
