//! The numbering of pushes: stored in the log of their audience, and only then delivered.

use std::{sync::Arc, time::SystemTime};

use futures_util::future::join_all;
use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    log::{self, LogError, LogRows, Message, Published},
    post::Post,
    push::Push,
    queue::{DeadLetter, Enqueue, Release},
    store::{Forget, ReadAudience, ReadToken},
};
use tokio::time::Instant;

use super::{
    Failures, Handled,
    failing::{RecordError, RecordFailure},
    record::Record,
    settled,
    task::Group,
};
use crate::logs::{Logs, patience};

/// The result of a push: the push as the log has it, with the result of its delivery.
type Numbered = Published<(Push, Result<Report, DeliveryError>)>;

/// Stores the pushes of a group in the log of their audience and delivers each as soon as it is stored.
pub(super) async fn deliver<S, P, Q>(
    group: Group,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    failures: &Failures<'_, Q>,
    logs: &Logs<impl LogRows>,
) -> Vec<Handled>
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter + Release,
{
    let (records, pushes): (Vec<_>, Vec<_>) = group.records.into_iter().unzip();
    let Fitting {
        records,
        pushes,
        messages,
        too_large,
    } = Fitting::of(records, &pushes);
    let published = log::publish(
        &logs.log,
        &group.audience,
        group.policy,
        &messages,
        SystemTime::now(),
        patience(deadline),
        async |stored| {
            let push = pushes[stored.index].numbered(stored);
            let delivered = delivery.deliver(&push, deadline).await;
            (push, delivered)
        },
    )
    .await;
    let results = each(published, records.len());
    let settling = records
        .into_iter()
        .zip(results)
        .map(async |(record, result)| {
            let mut handled = Handled::default();
            let delivered = handled.add_numbered(result);
            settled(record, delivered, deadline, failures, handled).await
        });
    let refusing = too_large.into_iter().map(async |(record, failure)| {
        settled(record, Err(failure), deadline, failures, Handled::default()).await
    });
    let (mut handled, refused) = tokio::join!(join_all(settling), join_all(refusing));
    handled.extend(refused);
    handled
}

/// The records whose frames fit into a log, each with its push and its message, and the others.
#[derive(Default)]
struct Fitting<'a> {
    records: Vec<Record>,
    pushes: Vec<&'a Push>,
    messages: Vec<Message<'a>>,
    too_large: Vec<(Record, RecordFailure)>,
}

impl<'a> Fitting<'a> {
    fn of(records: Vec<Record>, pushes: &'a [Push]) -> Self {
        let mut fitting = Self::default();
        for (record, push) in records.into_iter().zip(pushes) {
            match push.log_message() {
                Ok(message) => {
                    fitting.records.push(record);
                    fitting.pushes.push(push);
                    fitting.messages.push(message);
                }
                Err(error) => {
                    let failure = RecordError::TooLarge(error).into();
                    fitting.too_large.push((record, failure));
                }
            }
        }
        fitting
    }
}

/// Returns the result of each push. An error of the log before the first offset concerns all of them.
fn each(
    published: Result<Vec<Result<Numbered, LogError>>, LogError>,
    pushes: usize,
) -> Vec<Result<Numbered, Arc<LogError>>> {
    match published {
        Ok(results) => results
            .into_iter()
            .map(|result| result.map_err(Arc::new))
            .collect(),
        Err(error) => {
            let error = Arc::new(error);
            (0..pushes).map(|_| Err(error.clone())).collect()
        }
    }
}

impl Handled {
    fn add_numbered(
        &mut self,
        result: Result<Numbered, Arc<LogError>>,
    ) -> Result<(), RecordFailure> {
        match result {
            Ok(Published::Delivered((push, delivered))) => self.add_delivery(push, delivered, true),
            Ok(Published::Stale) => {
                self.stale = true;
                Ok(())
            }
            Err(error) => Err(RecordError::Log(error).into()),
        }
    }
}
