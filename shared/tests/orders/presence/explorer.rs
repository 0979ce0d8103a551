//! A search through every order of a world of presence, and random orders of larger worlds.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use herald_shared::{presence::memory::MemoryMemberRows, store::memory::MemoryRows};

use super::{
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

/// Takes so many random orders, always the same ones.
///
/// # Panics
///
/// Panics with the first order that breaks a promise.
pub(crate) async fn wander(world: &World, walks: u64) {
    for seed in 0..walks {
        let mut random = fastrand::Rng::with_seed(seed);
        let (connections, members) = (MemoryRows::new(10), MemoryMemberRows::new(10));
        let mut run = Run::new(&connections, &members, world).await;
        let mut order = Vec::new();
        while !run.has_ended() {
            let choices = run.choices();
            let choice = choices[random.usize(..choices.len())];
            order.push(choice);
            run.step(choice).await;
        }
        check(run, world, &order).await;
    }
}

async fn check(mut run: Run<'_>, world: &World, order: &[Choice]) {
    let mut complaint = run.flushed().await;
    if complaint.is_none() {
        run.let_time_pass().await;
        complaint = run.complaint().await;
    }
    if let Some(complaint) = complaint {
        panic!("{complaint}, after:\n  {}", described(world, order).await);
    }
}

/// Replays an order, checks the promise at its end, and returns the orders that are one step longer. The
/// code is deterministic, so a state that was seen before leads to nothing new.
async fn visit(world: &World, order: Vec<Choice>, seen: &mut HashSet<u64>) -> Vec<Vec<Choice>> {
    let connections = MemoryRows::new(10);
    let members = MemoryMemberRows::new(10);
    let mut run = Run::new(&connections, &members, world).await;
    for &choice in &order {
        run.step(choice).await;
    }
    if !seen.insert(hash(&run)) {
        return Vec::new();
    }
    let choices = run.choices();
    if run.has_ended() {
        check(run, world, &order).await;
    }
    choices
        .into_iter()
        .map(|choice| order.iter().copied().chain([choice]).collect())
        .collect()
}

async fn described(world: &World, order: &[Choice]) -> String {
    let (connections, members) = (MemoryRows::new(10), MemoryMemberRows::new(10));
    let mut run = Run::new(&connections, &members, world).await;
    let mut steps = Vec::new();
    for &choice in order {
        steps.push(run.describe(choice));
        run.step(choice).await;
    }
    steps.join("\n  ")
}

/// Returns a hash over everything that the run's further steps depend on.
fn hash(run: &Run<'_>) -> u64 {
    let state = run.scheduler.state();
    let pending: Vec<_> = state
        .pending
        .values()
        .map(|pending| (pending.actor, pending.name))
        .collect();
    let mut hasher = DefaultHasher::new();
    format!("{:?} {:?}", run.connections, run.members).hash(&mut hasher);
    format!("{:?} {:?}", run.outside, run.watcher).hash(&mut hasher);
    (&run.tasks, &run.states, run.crashes, run.late_writes).hash(&mut hasher);
    (&state.seen, pending).hash(&mut hasher);
    hasher.finish()
}
