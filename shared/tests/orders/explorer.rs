//! A search through every order of a world, over rows in memory.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use herald_shared::store::memory::MemoryRows;

use super::{
    promises::{broken, broken_at_the_end, stored},
    run::{Choice, Run},
    worlds::World,
};

/// Returns the number of the world's states.
///
/// # Panics
///
/// Panics with the shortest order that breaks a promise.
pub(crate) async fn explore(world: &World) -> usize {
    let mut seen = HashSet::new();
    let mut level = vec![Vec::new()];
    // Level by level, so that the first order that breaks a promise is a shortest one.
    while !level.is_empty() {
        let mut next = Vec::new();
        for order in level {
            next.extend(visit(world, order, &mut seen).await);
        }
        level = next;
    }
    seen.len()
}

/// Replays an order, checks the promises, and returns the orders that are one step longer. The code is
/// deterministic, so a state that was seen before leads to nothing new.
async fn visit(world: &World, order: Vec<Choice>, seen: &mut HashSet<u64>) -> Vec<Vec<Choice>> {
    let rows = MemoryRows::new(10);
    let mut run = Run::new(&rows, world).await;
    let mut steps = Vec::new();
    for &choice in &order {
        steps.push(run.describe(choice));
        run.step(choice).await;
    }
    if !seen.insert(hash(&run, &rows)) {
        return Vec::new();
    }
    let choices = run.choices();
    let stored = stored(&rows).await;
    let mut complaint = broken(&run, &stored);
    if complaint.is_none() && run.has_ended() {
        complaint = broken_at_the_end(&mut run, &stored).await;
    }
    if let Some(complaint) = complaint {
        panic!("{complaint}, after:\n  {}", steps.join("\n  "));
    }
    choices
        .into_iter()
        .map(|choice| order.iter().copied().chain([choice]).collect())
        .collect()
}

/// Returns a hash over everything that the run's further steps depend on.
fn hash(run: &Run<'_, MemoryRows>, rows: &MemoryRows) -> u64 {
    let state = run.scheduler.state();
    let pending: Vec<_> = state
        .pending
        .values()
        .map(|pending| (pending.actor, pending.name))
        .collect();
    let mut hasher = DefaultHasher::new();
    format!("{rows:?}").hash(&mut hasher);
    (&run.states, run.open.get(), run.crashes).hash(&mut hasher);
    (run.lost_answers, run.late_writes, &state.late).hash(&mut hasher);
    (&state.seen, &state.changes, pending).hash(&mut hasher);
    hasher.finish()
}
