//! The rows of presence as the table has them.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use futures_util::{StreamExt, stream};
use herald_local::sqs::MessageState;
use herald_shared::{
    ids::EntityId,
    presence::{DynamoDbMemberRows, MemberRow, MemberRows, SetRow},
};
use tokio::time::sleep;

use super::units::entity;
use crate::harness::{TestStack, until};

/// The number of rows that are written at once.
const AT_ONCE: usize = 50;

/// The interval of looks at all rows, which delay the functions.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The seconds past its time after which a scheduled flush is taken as lost: a few more than the server's.
const LOST: u64 = 7;

/// The rows of presence of a stack, beside its queue of flushes.
pub(super) struct Table<'a> {
    stack: &'a TestStack,
    client: Client,
    rows: DynamoDbMemberRows,
}

impl<'a> Table<'a> {
    pub(super) fn of(stack: &'a TestStack) -> Self {
        let client = Client::new(stack.aws());
        Self {
            stack,
            rows: DynamoDbMemberRows::new(client.clone(), &stack.addresses().table),
            client,
        }
    }

    pub(super) async fn set(&self, id: &str) -> SetRow {
        let set = self.rows.set(&entity(id)).await.unwrap();
        set.unwrap_or_default()
    }

    /// Returns the users with a row.
    pub(super) async fn users(&self, id: &str) -> BTreeSet<String> {
        users(&self.members(&entity(id)).await)
    }

    /// Returns the users with a row that is present, and of which a frame has told.
    pub(super) async fn told(&self, id: &str) -> BTreeSet<String> {
        let mut rows = self.members(&entity(id)).await;
        let now = now();
        rows.retain(|row| row.announced && row.is_present(now));
        users(&rows)
    }

    /// Returns whether no flush of changes is to come or runs.
    async fn is_quiet(&self, id: &str) -> bool {
        // In this order: a flush that was scheduled before the first look is in the queue at the second.
        let flush_at = self.set(id).await.flush_at;
        let messages = self.stack.messages("NotificationQueue");
        let mut states = messages.iter().map(|message| message.state);
        flush_at.is_none_or(|at| at + LOST < now())
            && states.all(|state| matches!(state, MessageState::Delayed(_)))
    }

    /// Waits until no flush of changes is to come or runs.
    pub(super) async fn until_quiet(&self, id: &str) {
        until("no flush is to come", async || {
            sleep(LOOK_EVERY).await;
            self.is_quiet(id).await
        })
        .await;
    }

    /// Waits until flushes have told of all changes.
    pub(super) async fn until_settled(&self, id: &str) {
        until("all changes are told", async || {
            sleep(LOOK_EVERY).await;
            self.is_settled(id).await
        })
        .await;
    }

    /// Returns whether it is quiet, and flushes have told of each row and removed those that are gone.
    pub(super) async fn is_settled(&self, id: &str) -> bool {
        if !self.is_quiet(id).await {
            return false;
        }
        let rows = self.members(&entity(id)).await;
        let now = now();
        rows.iter().all(|row| row.announced && row.is_present(now))
    }

    /// Lets the rows of members end so many seconds earlier. To functions, which have the machine's clock, it
    /// is as if that time had passed.
    pub(super) async fn advance(&self, id: &str, seconds: u64) {
        let rows = self.members(&entity(id)).await;
        stream::iter(rows)
            .for_each_concurrent(AT_ONCE, |row| self.advance_one(id, row, seconds))
            .await;
    }

    async fn advance_one(&self, id: &str, row: MemberRow, seconds: u64) {
        let user = row.member.user.unwrap();
        let key = format!("{user}#{}", row.member.connection);
        let updated = self
            .client
            .update_item()
            .table_name(&self.stack.addresses().table)
            .key("pk", AttributeValue::S(format!("P#{id}")))
            .key("sk", AttributeValue::S(key))
            .condition_expression("attribute_exists(pk)")
            .update_expression("SET endsAt = endsAt - :seconds")
            .expression_attribute_values(":seconds", AttributeValue::N(seconds.to_string()))
            .send()
            .await;
        if let Err(error) = updated {
            // A flush has removed it meanwhile.
            let error = error.into_service_error();
            assert!(error.is_conditional_check_failed_exception(), "{error:?}");
        }
    }

    async fn members(&self, entity: &EntityId) -> Vec<MemberRow> {
        let mut page = self.rows.members(entity, None).await.unwrap();
        let mut rows = page.rows;
        while let Some(after) = page.read_to {
            page = self.rows.members(entity, Some(&after)).await.unwrap();
            rows.append(&mut page.rows);
        }
        rows
    }
}

fn users(rows: &[MemberRow]) -> BTreeSet<String> {
    let users = rows.iter().filter_map(|row| row.member.user.as_ref());
    users.map(ToString::to_string).collect()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}
