//! The contract of a log's rows, and of the log over them: the rows in memory and those on DynamoDB pass the
//! same. Every scenario has an audience of its own.

use herald_shared::log::{Log, LogRows};

mod bounds;
mod conditions;
mod failures;
pub(crate) mod fixture;
mod holes;
mod last;
mod numbering;
mod positions;

/// Runs the whole contract.
pub async fn keeps_the_contract<R: LogRows>(log: &Log<R>) {
    conditions::offsets_are_claimed_on_their_conditions(log.rows()).await;
    conditions::rows_are_written_once_and_read_in_pages(log.rows()).await;
    numbering::redelivered_event_has_the_offset_that_it_had(log).await;
    numbering::events_of_a_batch_claim_their_offsets_at_once(log).await;
    numbering::event_beyond_the_slots_claims_a_second_offset(log).await;
    numbering::another_retention_begins_another_epoch(log).await;
    positions::subscribe_to_a_log_without_messages_writes_nothing(log).await;
    positions::recovery_is_whole_or_lost(log).await;
    positions::recovery_reaches_as_far_as_is_allowed(log).await;
    positions::sync_answers_only_a_client_that_is_behind(log).await;
    holes::hole_is_filled_by_sync_once_it_is_old(log).await;
    holes::slow_writer_claims_a_new_offset(log).await;
    holes::expired_messages_are_lost_and_not_filled(log).await;
    holes::redelivered_row_proves_no_longer_than_its_neighbours(log).await;
    bounds::reply_is_bounded_in_messages_and_bytes(log).await;
    bounds::history_returns_the_messages_it_is_asked_for(log).await;
    last::last_message_is_on_the_head(log).await;
    last::stale_version_is_dropped(log).await;
    failures::failed_request_leaves_what_a_retry_completes(log).await;
}
