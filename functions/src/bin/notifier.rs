//! The function `notifier`.

use std::sync::Arc;

use herald_functions::{
    backend_events::End,
    metrics::Metrics,
    notifier::{self, Failures},
    wiring,
};
use herald_shared::delivery::{Delivery, Window};
use lambda_runtime::{Config, Error, LambdaEvent, run, service_fn};
use tokio::runtime::Builder;

/// The maximum number of threads. Each new connection to the gateway looks up the host in one, so a burst would start
/// a hundred, which take megabytes.
const THREADS: usize = 4;

fn main() -> Result<(), Error> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS)
        .build()?;
    runtime.block_on(serve())
}

async fn serve() -> Result<(), Error> {
    let config = wiring::start().await;
    let backend = &wiring::backend_events(&config)?;
    let store = &backend.watch(&wiring::subscription_table(&config)?, End::Gone);
    let poster = &wiring::management_api(&config)?;
    let queues = &wiring::notifier_queues(&config)?;
    let settings = &wiring::delivery_settings()?;
    let logs = &wiring::logs(&config)?;
    let metrics = Metrics::start(Config::from_env().function_name)?;
    let failures = &Failures::new(queues, wiring::number("NOTIFICATION_RECEIVES")?);
    let window = &Arc::new(Window::new(settings.in_flight));
    run(service_fn(|event: LambdaEvent<_>| async move {
        let deadline = notifier::deadline(event.context.deadline());
        let delivery =
            Delivery::new(store, poster, queues, settings.clone()).with_window(window.clone());
        let members = store.members();
        let batch = notifier::handle(
            event.payload,
            deadline,
            &delivery,
            failures,
            logs,
            members,
            backend,
        )
        .await;
        backend.explain(&batch.report.closed);
        backend.put(deadline).await;
        batch.log();
        metrics.print(&batch);
        Ok::<_, Error>(batch.into_response())
    }))
    .await
}
