//! Goes through the orders of a world: through every one, or at random.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

use herald_shared::{
    log::memory::{MemoryLog, MemoryLogRows},
    store::memory::MemoryRows,
};

use super::{
    promises::{broken, broken_at_the_end},
    run::{Choice, Run},
    worlds::World,
};

/// Returns how many states the world has.
///
/// # Panics
///
/// Panics with the shortest order known that breaks a promise.
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

/// Replays an order, checks the promises, and returns the orders that go one step on. The code is
/// deterministic: a state that was seen leads to what was seen.
async fn visit(world: &World, order: Vec<Choice>, seen: &mut HashSet<u64>) -> Vec<Vec<Choice>> {
    let (listeners, log) = (MemoryRows::new(10), MemoryLog::new());
    let mut run = Run::new(&listeners, &log, world).await;
    for &choice in &order {
        run.step(choice).await;
    }
    if !seen.insert(hash(&run, &listeners)) {
        return Vec::new();
    }
    let choices = run.choices();
    let mut complaint = broken(&run);
    if complaint.is_none() && run.has_ended() {
        complaint = broken_at_the_end(&run).await;
    }
    if let Some(complaint) = complaint {
        panic!("{complaint}, after:\n  {}", story(world, &order).await);
    }
    choices
        .into_iter()
        .map(|choice| order.iter().copied().chain([choice]).collect())
        .collect()
}

/// Walks random orders to their ends.
///
/// # Panics
///
/// Panics with the order that breaks a promise.
pub(crate) async fn walk(world: &World, walks: u64) {
    for seed in 0..walks {
        let (listeners, log) = (MemoryRows::new(10), MemoryLog::new());
        let mut run = Run::new(&listeners, &log, world).await;
        let mut random = fastrand::Rng::with_seed(seed);
        let mut order = Vec::new();
        let mut complaint = None;
        while complaint.is_none() && !run.has_ended() {
            let choices = run.choices();
            let choice = choices[random.usize(..choices.len())];
            order.push(choice);
            run.step(choice).await;
            complaint = broken(&run);
        }
        if complaint.is_none() {
            complaint = broken_at_the_end(&run).await;
        }
        if let Some(complaint) = complaint {
            panic!("{complaint}, after:\n  {}", story(world, &order).await);
        }
    }
}

/// Returns an order in words, a step a line.
async fn story(world: &World, order: &[Choice]) -> String {
    let (listeners, log) = (MemoryRows::new(10), MemoryLog::new());
    let mut run = Run::new(&listeners, &log, world).await;
    let mut story = Vec::new();
    for &choice in order {
        story.push(run.describe(choice));
        run.step(choice).await;
    }
    story.join("\n  ")
}

/// Returns a hash over all that decides how the run goes on.
fn hash(run: &Run<'_, MemoryLogRows>, listeners: &MemoryRows) -> u64 {
    let state = run.scheduler.state();
    let waiting: Vec<_> = state
        .pending
        .values()
        .map(|waiting| (waiting.actor, waiting.name))
        .collect();
    let mut hasher = DefaultHasher::new();
    format!("{:?}{listeners:?}{:?}", run.log, run.replies).hash(&mut hasher);
    (&run.notifiers, &run.receives, &run.clients).hash(&mut hasher);
    (run.budgets, &run.asked, &*run.flight.borrow()).hash(&mut hasher);
    (&state.seen, waiting).hash(&mut hasher);
    hasher.finish()
}
