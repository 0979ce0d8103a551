//! The cost of the local stack: `cargo bench -p herald-local`.
//!
//! Every server is a process of its own. All clients are in this process, on the same machine and
//! over loopback, so clients and server share its cores. The functions and `herald-local` are
//! release builds. The last line is JSON for programs: `docs/benchmarks.md`. The rows:
//!
//! - **start**: the time from the start of `herald-local`, with its functions built, to its ready
//!   line; its resident memory then, alone and with its function processes;
//! - **echo**: clients that each send a message, wait for its echo and send the next. *Whole stack*
//!   is the gateway and the processes of the real `sendMessage` function. *Gateway alone* is the
//!   gateway with a closure as its function. *Bare server* is tokio-tungstenite alone, which echoes.
//!   The last two take turns in the same run: the rates are medians of the turns, and *of bare* is
//!   the gateway's rate as a fraction of the bare server's;
//! - **connects**: clients that connect as fast as the server accepts them. *Whole stack* includes
//!   the real `connect` function and its row in the table;
//! - **idle**: the growth of a server's resident memory per connection that received one echo and is
//!   silent now.
//!
//! *Server CPU* is the processor time of the server process alone, divided by the echoes, and
//! *functions CPU* that of its function processes. On a busy machine they vary less than the rates.
//! Like the resident bytes, they are measured on Linux only.

mod client;
mod connects;
mod echo;
mod idle;
mod open_files;
mod process;
mod report;
mod servers;
mod stack;

use std::env;

use herald_benches::{Run, machine};

use report::Report;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, kind] = arguments.as_slice()
        && serve == process::SERVE
    {
        return servers::serve(kind).await;
    }
    let Some(run) = Run::from_arguments(&[])? else {
        return Ok(());
    };
    let report = measure(&run).await?;
    println!("{report}");
    report.figures(&run).print()
}

async fn measure(run: &Run) -> anyhow::Result<Report> {
    let idle_connections = open_files::allow_connections(run.of(idle::CONNECTIONS, 20))?;
    eprintln!("building the functions");
    let stack = stack::build(run).await?;
    eprintln!("measuring the start");
    let start = stack::measure_start(&stack, run).await?;
    eprintln!("measuring echoes");
    let mut echo = echo::whole_stack(&stack, run).await?;
    echo.extend(echo::gateway_beside_bare(run).await?);
    eprintln!("measuring connects");
    let connects = vec![
        connects::whole_stack(&stack, run).await?,
        connects::gateway(run).await?,
    ];
    eprintln!("measuring idle connections");
    let idle = idle::measure(idle_connections).await?;
    Ok(Report {
        machine: machine::describe(),
        start,
        echo,
        connects,
        idle,
    })
}
