//! The part of the report about the order of messages, by their positions.

use herald_client::EntityId;
use serde::Serialize;

use super::super::{events::RunId, run::Run};
use crate::commands::counted;

/// The most entities that the text lists.
const LISTED: usize = 10;

/// The order of the messages of the entities with logs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Positions {
    /// The number of entities with a log.
    logs: usize,
    out_of_order: u64,
    /// Offsets that did not arrive at a subscriber, below the highest one that did. `None` if clients publish.
    missing: Option<u64>,
    /// The times that a client reported that messages may be lost.
    reported_lost: u64,
    /// The entities at whose subscribers a message was lost, repeated or out of order.
    entities: Vec<Entity>,
}

/// The faults of one entity, summed over its subscribers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    entity_id: EntityId,
    lost: u64,
    repeated: u64,
    out_of_order: u64,
    reported_lost: u64,
}

impl Entity {
    fn has_fault(&self) -> bool {
        self.lost + self.repeated + self.out_of_order + self.reported_lost > 0
    }
}

impl Positions {
    /// Returns the order of a run's messages. `None` if no entity has a log.
    pub(super) fn of(run: &Run, run_id: &RunId) -> Option<Self> {
        let lost = run.account.lost_by_entity();
        let with_log = || {
            let entities = run.order.entities().iter().enumerate();
            entities.filter(|(_, entity)| entity.has_log || entity.reported_lost > 0)
        };
        let logs = with_log().count();
        let entities = with_log().map(|(number, order)| Entity {
            entity_id: run_id.entity(number),
            lost: lost[number],
            repeated: order.repeated,
            out_of_order: order.out_of_order,
            reported_lost: order.reported_lost,
        });
        (logs > 0).then(|| Self {
            logs,
            out_of_order: with_log().map(|(_, entity)| entity.out_of_order).sum(),
            missing: run.order.missing(),
            reported_lost: with_log().map(|(_, entity)| entity.reported_lost).sum(),
            entities: entities.filter(Entity::has_fault).collect(),
        })
    }

    pub(super) fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    pub(super) fn text(&self) -> String {
        let Self {
            logs,
            out_of_order,
            missing,
            reported_lost,
            entities,
        } = self;
        let missing = missing.map_or(String::new(), |missing| format!(", {missing} missing"));
        let mut text = format!(
            "positions    {}: {out_of_order} out of order{missing}, {reported_lost} reported as lost\n",
            counted(*logs as u64, "log")
        );
        for entity in entities.iter().take(LISTED) {
            text += &format!(
                "  {}  {} lost, {} repeated, {} out of order\n",
                entity.entity_id, entity.lost, entity.repeated, entity.out_of_order
            );
        }
        if entities.len() > LISTED {
            text += &format!("  and {} more: see --json\n", entities.len() - LISTED);
        }
        text
    }
}
