//! The read and write units that the log consumes, as DynamoDB's engine reckons them.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut,
        },
    },
    error::BoxError,
    operation::{
        delete_item::{DeleteItemInput, DeleteItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        update_item::{UpdateItemInput, UpdateItemOutput},
    },
    types::ReturnConsumedCapacity,
};
use herald_shared::{
    audience::Audience,
    ids::EntityId,
    log::{Budget, LogPolicy, LogTable, Message, Position, Reach, Recovery, Synced, publish},
};
use herald_testkit::local_only;
use serde_json::value::RawValue;

use crate::{
    harness::TestStack,
    log_contract::{TABLE, table},
};

#[local_only("makes a table")]
#[tokio::test]
async fn log_consumes_the_units_of_its_cost_table() {
    let stack = TestStack::start().await;
    table(&stack).await;
    let meter = Meter::default();
    let config = aws_sdk_dynamodb::config::Builder::from(stack.aws());
    let config = config.interceptor(meter.clone()).build();
    let log = LogTable::new(Client::from_conf(config), TABLE);
    let consumed = || meter.take();
    let messages = LogPolicy::Messages {
        messages: 100,
        seconds: 600,
    };
    let audience = entity(&format!("order:{:036}", 1));

    // A frame of 700 bytes, as its row is a kilobyte then. Forty events use every slot of the head.
    for number in 1..=40 {
        send(&log, &audience, messages, &[number], 700).await;
        assert_eq!(consumed(), (0.0, 2.0), "event {number}");
    }
    send(&log, &audience, messages, &[41, 42, 43], 700).await;
    assert_eq!(consumed(), (0.0, 4.0), "three events at once");
    send(&log, &audience, messages, &[44], 2_500).await;
    assert_eq!(consumed(), (0.0, 4.0), "an event of 2.5 KB");
    let last = entity("price:1");
    for number in 1..=12 {
        send(&log, &last, LogPolicy::Last, &[number], 600).await;
        assert_eq!(consumed(), (0.0, 1.0), "event {number} in mode `last`");
    }

    assert_eq!(
        log.position(&entity("order:2")).await.unwrap(),
        Position::START
    );
    assert_eq!(
        consumed(),
        (1.0, 0.0),
        "a subscribe to a log without messages"
    );
    let Position { epoch, offset } = log.position(&audience).await.unwrap();
    assert_eq!((offset, consumed()), (44, (1.0, 0.0)), "a subscribe");
    let since = |offset| Position {
        epoch: epoch.clone(),
        offset,
    };
    for (offset, missed, reads) in [(44, 0, 1.0), (43, 1, 2.0), (40, 4, 3.0), (3, 41, 11.0)] {
        let (mut budget, since) = (Budget::REPLY, since(offset));
        let recovery = log.recover(&audience, messages, &since, Reach::Log, &mut budget, now());
        let Recovery::Recovered(excerpt) = recovery.await.unwrap() else {
            panic!("nothing is lost");
        };
        assert_eq!(excerpt.messages.len(), missed);
        assert_eq!(consumed(), (reads, 0.0), "a recovery of {missed} messages");
    }
    for (offset, is_current, reads) in [(44, true, 0.5), (43, false, 2.5)] {
        let (mut budget, since) = (Budget::REPLY, since(offset));
        let synced = log.sync(&audience, messages, &since, Reach::Log, &mut budget, now());
        let synced = synced.await.unwrap();
        assert_eq!(matches!(synced, Synced::Current), is_current);
        assert_eq!(consumed(), (reads, 0.0), "a sync at {offset}");
    }
    stack.stop().await;
}

fn entity(id: &str) -> Audience {
    Audience::Entity(EntityId::new(id).unwrap())
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)
}

/// Publishes events with frames of so many bytes, all at once.
async fn send(
    log: &LogTable,
    audience: &Audience,
    policy: LogPolicy,
    events: &[u32],
    length: usize,
) {
    let text = "x".repeat(length - 13);
    let frame = RawValue::from_string(format!(r#"{{"message":"{text}"}}"#)).unwrap();
    let ids: Vec<_> = events
        .iter()
        .map(|number| format!("6a7e8feb-b491-4cf7-a9f1-{number:012}"))
        .collect();
    let messages: Vec<_> = ids
        .iter()
        .map(|event_id| Message {
            event_id,
            frame: &frame,
            version: None,
        })
        .collect();
    let published = publish(
        log,
        audience,
        policy,
        &messages,
        now(),
        Duration::ZERO,
        async |_| (),
    );
    for published in published.await.unwrap() {
        published.unwrap();
    }
}

/// Asks the engine what each request consumes, and adds it up: read units, and write units.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Mutex<(f64, f64)>>);

impl Meter {
    pub(crate) fn take(&self) -> (f64, f64) {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let total = Some(ReturnConsumedCapacity::Total);
        let input = context.input_mut();
        if let Some(input) = input.downcast_mut::<GetItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<QueryInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<PutItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<DeleteItemInput>() {
            input.return_consumed_capacity = total;
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else {
            return Ok(());
        };
        let mut units = self.0.lock().unwrap();
        let read = output
            .downcast_ref::<GetItemOutput>()
            .map(GetItemOutput::consumed_capacity)
            .or_else(|| {
                let output = output.downcast_ref::<QueryOutput>();
                output.map(QueryOutput::consumed_capacity)
            });
        let written = output
            .downcast_ref::<PutItemOutput>()
            .map(PutItemOutput::consumed_capacity)
            .or_else(|| {
                let output = output.downcast_ref::<UpdateItemOutput>();
                output.map(UpdateItemOutput::consumed_capacity)
            })
            .or_else(|| {
                let output = output.downcast_ref::<DeleteItemOutput>();
                output.map(DeleteItemOutput::consumed_capacity)
            });
        let total = |consumed: Option<Option<&aws_sdk_dynamodb::types::ConsumedCapacity>>| {
            consumed.map(|consumed| consumed.unwrap().capacity_units.unwrap())
        };
        units.0 += total(read).unwrap_or_default();
        units.1 += total(written).unwrap_or_default();
        Ok(())
    }
}
