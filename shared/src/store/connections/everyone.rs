//! Reading the audience of everyone, which is spread over shards.
//!
//! The size of the first shard predicts those of the others, so the shards that will fit on the page are
//! then read at once. A small audience takes two round trips, and a large one reads few rows in vain.

use futures_util::future::try_join_all;

use crate::{
    audience::{Audience, Range},
    store::{Page, Rows, StoreError},
};

/// Reads the first page of a range of everyone.
pub(super) async fn read<R: Rows>(rows: &R, range: &Range) -> Result<Page, StoreError> {
    let shards = range.shards();
    let limit = rows.page_limit();
    let Some((first, others)) = shards.split_first() else {
        return Ok(Page::default());
    };
    let mut page = rows.listeners(&Audience::Everyone, first).await?;
    if page.read_to.is_some() {
        return Ok(page);
    }
    // An empty shard predicts nothing, and without a recipient the page would have no end to continue
    // from.
    let fit = match page.recipients.len() {
        0 => others.len(),
        in_shard => (limit.saturating_sub(in_shard) / in_shard).min(others.len()),
    };
    let reads = others[..fit]
        .iter()
        .map(|shard| rows.listeners(&Audience::Everyone, shard));
    for next in try_join_all(reads).await? {
        page.recipients.extend(next.recipients);
        page.read_to = next.read_to;
        if page.read_to.is_some() {
            break;
        }
    }
    let whole = fit == others.len() && page.read_to.is_none();
    if page.recipients.len() > limit || !whole {
        page.recipients.truncate(limit);
        let last = page.recipients.last();
        page.read_to = last.map(|recipient| recipient.connection.clone());
    }
    Ok(page)
}
