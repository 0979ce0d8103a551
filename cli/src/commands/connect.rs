//! `herald connect`: a conversation with the server, frame by frame.
//!
//! It has a socket of its own and not the client library's: whoever types frames by hand wants to see
//! everything that is on the wire, acknowledgements, repeats, goodbyes and closing codes, which is what
//! that library is there to hide. `tail` and `send` use it.

mod connector;
mod frame;
mod input;
mod pretty;
mod screen;
mod session;

use std::time::Duration;

use clap::Args;
use herald_client::EntityId;

use super::until_interrupted;
use crate::{
    arguments::Globals,
    failure::Failure,
    output::reader_gone,
    target::{Identity, Target},
};
use connector::Connector;
use screen::Screen;
use session::Session;

/// Talk to the server frame by frame, interactively or from a script
///
/// Type JSON frames as they are, or short commands; `help` lists them. What arrives is printed as it is.
/// When the connection breaks it is made again, with a new token and the same subscriptions. Ctrl-D ends.
///
/// Lines on standard input that nobody types are sent one after the other; at their end, and when all are
/// answered, so is the command. What arrives is then printed as lines of JSON on standard output.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  herald connect order-1
  herald connect --as alice
  printf 'sub order-1\\nping\\n' | herald connect
  echo '{\"action\":\"subscribe\",\"entityId\":\"order-1\"}' | herald connect --wait 60

Exit codes of its own:
  4  frames of standard input were not answered")]
pub(crate) struct Arguments {
    /// Entities to subscribe to at once
    #[arg(value_name = "ENTITY")]
    entities: Vec<EntityId>,

    /// Stay for this many seconds after the end of standard input
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,

    #[command(flatten)]
    identity: Identity,
}

/// Talks until the input ends, the server says goodbye, or Ctrl-C.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    until_interrupted(async {
        let target = Target::find(globals).await?;
        let connector = Connector::new(target.web_socket()?, arguments.identity.tokens(&target)?);
        let socket = connector.first().await?;
        let stay = Duration::from_secs(arguments.wait);
        let mut session = Session::new(connector, Screen::start()?, &arguments.entities, stay);
        tokio::select! {
            ended = session.run(socket) => ended,
            () = reader_gone() => Err(Failure::NobodyReads),
        }
    })
    .await
}
