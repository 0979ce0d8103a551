//! A log whose messages expire, whose writers are late or stop, and whose functions have clocks that differ.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use herald_shared::{
    audience::Audience,
    log::{Budget, Position, Reach, Recovery, Synced, memory::MemoryLog},
};

use super::contract::fixture::{POLICY, at, claim_only, entity, publish_one, since_epoch, texts};

/// The seconds by which a clock may be ahead or behind.
const SKEW: u64 = 25;

/// A log, and what is true of it.
struct Story {
    log: MemoryLog,
    audience: Audience,
    second: u64,
    /// Every message that was ever stored, by its offset.
    stored: BTreeMap<u64, String>,
    /// The events that claimed an offset and were not stored.
    pending: Vec<String>,
    events: usize,
    /// Positions that clients were told.
    positions: Vec<Position>,
    /// The offsets of which a client was told that they have no message.
    passed: BTreeSet<u64>,
    recovered: usize,
    lost: usize,
}

impl Story {
    fn new() -> Self {
        Self {
            log: MemoryLog::new(),
            audience: entity("order-1"),
            second: 1_000,
            stored: BTreeMap::new(),
            pending: Vec::new(),
            events: 0,
            positions: vec![Position::START],
            passed: BTreeSet::new(),
            recovered: 0,
            lost: 0,
        }
    }

    async fn step(&mut self, random: &mut Rng) {
        self.second += match random.u8(..20) {
            0 => random.u64(..700),
            _ => random.u64(..20),
        };
        let clock = self.second + random.u64(..=2 * SKEW) - SKEW;
        match random.u8(..10) {
            0..3 => {
                let id = self.new_event();
                self.publish(id, clock).await;
            }
            3 => {
                let id = self.new_event();
                claim_only(&self.log, &self.audience, &id, clock).await;
                self.pending.push(id);
            }
            4 if !self.pending.is_empty() => {
                let id = self.pending.swap_remove(random.usize(..self.pending.len()));
                self.publish(id, clock).await;
            }
            5 => {
                let end = self.log.position(&self.audience).await.unwrap();
                self.positions.push(end);
            }
            // The table removes what has expired some time later, by its own clock.
            6 => self
                .log
                .rows()
                .remove_expired(since_epoch(self.second - random.u64(..300))),
            _ => self.read(random, clock).await,
        }
    }

    fn new_event(&mut self) -> String {
        self.events += 1;
        format!("event-{}", self.events)
    }

    async fn publish(&mut self, id: String, clock: u64) {
        let offset = publish_one(&self.log, &self.audience, &id, clock).await;
        let is_passed = self.passed.contains(&offset);
        assert!(!is_passed, "{id} is stored at {offset}, which was passed");
        self.stored.insert(offset, id);
    }

    /// Reads from a position that a client was told, as a `subscribe` or a `sync`.
    async fn read(&mut self, random: &mut Rng, clock: u64) {
        let latest = self.positions.len().saturating_sub(8);
        let since = self.positions[random.usize(latest..self.positions.len())].clone();
        let (mut budget, now) = (Budget::REPLY, at(clock));
        let recovery = if random.bool() {
            let synced =
                self.log
                    .sync(&self.audience, POLICY, &since, Reach::Log, &mut budget, now);
            match synced.await.unwrap() {
                Synced::Behind(recovery) => recovery,
                Synced::Current => return,
            }
        } else {
            let recovery =
                self.log
                    .recover(&self.audience, POLICY, &since, Reach::Log, &mut budget, now);
            recovery.await.unwrap()
        };
        self.check(&since, recovery);
    }

    /// Checks that a client which recovers gets every message that was ever stored.
    fn check(&mut self, since: &Position, recovery: Recovery) {
        match recovery {
            Recovery::Lost(position) => {
                self.lost += 1;
                self.positions.push(position);
            }
            Recovery::Recovered(excerpt) => {
                self.recovered += 1;
                let offsets = since.offset + 1..excerpt.position.offset + 1;
                let stored = self.stored.range(offsets.clone());
                let stored: Vec<_> = stored.map(|(_, id)| id.clone()).collect();
                let got = texts(&excerpt.messages);
                assert_eq!(got, stored, "{offsets:?} at {}", self.second);
                self.passed
                    .extend(offsets.filter(|offset| !self.stored.contains_key(offset)));
                self.positions.push(excerpt.position);
            }
        }
    }
}

#[tokio::test]
async fn no_message_is_lost_without_a_word_while_rows_expire() {
    let (mut recovered, mut lost) = (0, 0);
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let mut story = Story::new();
        for _ in 0..200 {
            story.step(&mut random).await;
        }
        recovered += story.recovered;
        lost += story.lost;
    }
    println!("{recovered} recovered, {lost} lost");
    assert!(recovered > 2 * lost && lost > 100, "{recovered} and {lost}");
}
