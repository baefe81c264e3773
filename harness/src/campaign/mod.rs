//! Campaigns: every subject gets cases until a limit is reached, and everything that comes of it is told as it happens.
//!
//! One thread for each subject makes the cases, asks and judges; the caller's thread hears of it through messages and is
//! the only one that writes. A thread waits until what it found is saved before it goes on, so killing the program at any
//! moment loses nothing: what is saved is a whole number of turns, and a run that is continued begins with the next one. One
//! more thread cuts what was found down to its simplest case.

mod gate;
mod hunter;
mod ledger;
mod messages;
mod minimizing;
mod plan;
mod schedule;
mod supply;

pub use messages::{Found, Message, Silence, Small, Turns};
pub use plan::{BATCH, Before, Member, Plan, Shard};

use anyhow::Result;
use gate::{Gate, Over};
use hunter::Hunter;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Instant;

/// Runs a campaign; `hear` gets every message in this thread, and its first error ends the campaign.
///
/// # Errors
/// The first error of `hear`.
pub fn run(
    plan: &Plan,
    members: Vec<Member>,
    stop: &AtomicBool,
    hear: &mut dyn FnMut(Message) -> Result<()>,
) -> Result<()> {
    let gate = Gate::new(plan.jobs.max(1));
    let deadline = plan.time.and_then(|time| Instant::now().checked_add(time));
    let failed = AtomicBool::new(false);
    let over = Over { stop, failed: &failed, deadline };
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        let shares = shares(plan.cases, members.len());
        let (findings, jobs) = channel();
        let background = sender.clone();
        let over = &over;
        scope.spawn(move || minimizing::work(&jobs, plan.minimize_for, over, &background));
        for (member, share) in members.into_iter().zip(shares) {
            let (sender, findings) = (sender.clone(), findings.clone());
            let gate = &gate;
            scope.spawn(move || {
                let id = member.id.clone();
                if let Err(broken) = Hunter::new(plan, member, share, sender.clone(), findings).hunt(gate, over) {
                    // Nobody listens any more only when the campaign has already failed.
                    let _ = sender.send(Message::Broke(id, broken.to_string()));
                }
            });
        }
        drop((sender, findings));
        let mut result = Ok(());
        for message in receiver {
            if result.is_err() {
                continue;
            }
            result = hear(message);
            failed.store(result.is_err(), Ordering::Relaxed);
        }
        result
    })
}

/// How many cases each of `members` gets; the first ones get what does not divide.
fn shares(cases: Option<u64>, members: usize) -> impl Iterator<Item = Option<u64>> {
    let members = members as u64;
    (0..members).map(move |place| cases.map(|cases| cases / members + u64::from(place < cases % members)))
}

#[cfg(test)]
mod tests;
