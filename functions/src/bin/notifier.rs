//! The function `notifier`.

use std::sync::Arc;

use herald_functions::{
    metrics::Metrics,
    notifier::{self, Failures},
    wiring,
};
use herald_shared::delivery::{Delivery, Window};
use lambda_runtime::{Config, Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = wiring::start().await;
    let store = &wiring::subscription_table(&config)?;
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
        let batch =
            notifier::handle(event.payload, deadline, &delivery, failures, logs, members).await;
        batch.log();
        metrics.print(&batch);
        Ok::<_, Error>(batch.into_response())
    }))
    .await
}
