//! The time of faults: members act at a constant rate while functions are killed.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use herald_local::{
    faults::{DiesAfter, Step},
    gateway, sqs,
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    AT_ONCE, VISIBILITY_TIMEOUT, is_steady,
    member::{Act, Member},
};
use crate::harness::TestStack;

const SEED: u64 = 7;

/// The intervals of acts and of kills of the notifier: what a stack on two busy processors can do.
const ACT_EVERY: Duration = Duration::from_millis(150);
const NOTIFIER_KILL_EVERY: Duration = Duration::from_secs(1);

/// The share of acts of which a function is killed, and the longest time from the act to the kill.
const KILLED: f64 = 0.3;
const KILL_WITHIN: Duration = Duration::from_millis(150);

/// The interval at which the visibility timeout passes.
const REDELIVERY_EVERY: Duration = Duration::from_secs(5);

/// The numbers of what happened.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) acts: BTreeMap<Act, usize>,
    /// The kills of running processes, by function.
    pub(super) kills: BTreeMap<&'static str, usize>,
}

/// Members who act at random while everything fails.
pub(super) struct Chaos<'a> {
    stack: &'a TestStack,
    random: Rng,
    /// The members who do not act now.
    pub(super) members: Vec<Member>,
    acting: JoinSet<Member>,
    kills: JoinSet<Option<&'static str>>,
    pub(super) counts: Counts,
}

impl<'a> Chaos<'a> {
    pub(super) fn new(stack: &'a TestStack, members: Vec<Member>) -> Self {
        Self {
            stack,
            random: Rng::with_seed(SEED),
            members,
            acting: JoinSet::new(),
            kills: JoinSet::new(),
            counts: Counts::default(),
        }
    }

    /// Lets members act for some time, and ends the faults.
    pub(super) async fn run(&mut self, time: Duration) {
        self.begin_faults();
        let end = sleep(time);
        tokio::pin!(end);
        let mut act = interval(ACT_EVERY);
        act.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut kill = interval(NOTIFIER_KILL_EVERY);
        let mut redelivery = interval(REDELIVERY_EVERY);
        loop {
            tokio::select! {
                () = &mut end => break,
                Some(member) = self.acting.join_next() => self.members.push(member.unwrap()),
                _ = act.tick(), if self.acting.len() < AT_ONCE && !self.members.is_empty() => self.act(),
                _ = kill.tick() => self.kill("NotifierFunction", NOTIFIER_KILL_EVERY),
                _ = redelivery.tick() => self.stack.running().queues().clock().advance(VISIBILITY_TIMEOUT),
            }
        }
        while let Some(killed) = self.kills.join_next().await {
            if let Some(function) = killed.unwrap() {
                *self.counts.kills.entry(function).or_default() += 1;
            }
        }
        self.end_faults();
        while let Some(member) = self.acting.join_next().await {
            self.members.push(member.unwrap());
        }
    }

    fn begin_faults(&self) {
        let running = self.stack.running();
        running.gateway().set_faults(gateway::Faults {
            failing: 0.1,
            hidden: 0.1,
            lost_disconnects: 0.2,
            ..gateway::Faults::default()
        });
        running.queues().set_faults(sqs::Faults {
            duplicates: 0.1,
            shuffle: true,
            ..sqs::Faults::default()
        });
        let by_chance = DiesAfter::default()
            .with(Step::Audience, 0.1)
            .with(Step::Post, 0.02);
        running.crashes().set(by_chance);
    }

    fn end_faults(&self) {
        let running = self.stack.running();
        running.gateway().set_faults(gateway::Faults::default());
        running.queues().set_faults(sqs::Faults::default());
        running.crashes().set(DiesAfter::default());
    }

    /// Lets a random member act, and kills a function of it by chance.
    fn act(&mut self) {
        let index = self.random.usize(..self.members.len());
        let member = self.members.swap_remove(index);
        let act = self.choose(&member);
        *self.counts.acts.entry(act).or_default() += 1;
        self.acting.spawn(member.act(act));
        if self.random.f64() < KILLED {
            let functions = act.functions();
            let function = functions[self.random.usize(..functions.len())];
            self.kill(function, KILL_WITHIN);
        }
    }

    fn choose(&mut self, member: &Member) -> Act {
        if !member.is_present() {
            return Act::Join;
        }
        let acts: &[_] = if is_steady(&member.user) {
            &[Act::Renew, Act::Ping]
        } else {
            &[
                Act::Drop,
                Act::Drop,
                Act::Drop,
                Act::Close,
                Act::Unsubscribe,
                Act::Renew,
                Act::Renew,
                Act::Renew,
                Act::Ping,
            ]
        };
        acts[self.random.usize(..acts.len())]
    }

    /// Kills the processes of a function at a random time.
    fn kill(&mut self, function: &'static str, within: Duration) {
        let host = self.stack.running().functions().unwrap().clone();
        let time = within.mul_f64(self.random.f64());
        self.kills.spawn(async move {
            sleep(time).await;
            let is_running = !host.process_ids(function).is_empty();
            host.kill(function);
            is_running.then_some(function)
        });
    }
}
