//! `herald key`: API keys for publishing over HTTP.

mod create;
mod list;
mod revoke;
mod store;
mod text;

use clap::{Args, Subcommand};

use super::until_interrupted;
use crate::{
    failure::Failure,
    target::{Target, TargetArguments},
};
use store::KeyStore;

/// Create, list and revoke API keys for publishing over HTTP
///
/// The keys are in one secret of Secrets Manager, and only as hashes. A stack has it if its parameter PublishKeys is set;
/// herald-local has it, too.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Create(create::Arguments),
    List(list::Arguments),
    Revoke(revoke::Arguments),
}

/// Creates, lists or revokes keys.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    until_interrupted(async {
        match &arguments.action {
            Action::Create(arguments) => create::run(arguments, target).await,
            Action::List(arguments) => list::run(arguments, &key_store(target).await?).await,
            Action::Revoke(arguments) => revoke::run(arguments, &key_store(target).await?).await,
        }
    })
    .await
}

async fn key_store(target: &TargetArguments) -> Result<KeyStore, Failure> {
    let target = Target::find(target).await?;
    let Some(arn) = &target.publish_keys else {
        return Err(no_keys(&target));
    };
    Ok(KeyStore::new(&target.aws().await?, arn))
}

/// Returns the failure of a target that publishes nothing over HTTP.
fn no_keys(target: &Target) -> Failure {
    Failure::usage(match &target.endpoint {
        Some(endpoint) => format!(
            "the herald-local at {endpoint} has no API keys: start it without --parameter PublishKeys="
        ),
        None => "the stack has no API keys: deploy it with the parameter PublishKeys=create, and \
                 name it with --stack"
            .to_owned(),
    })
}
