//! Findings become small while the hunt goes on: one thread takes them in turn and cuts each case down.
//!
//! The case as it was found is saved before; what is here lost with the process is only time. When all subjects are done,
//! the findings that have one cause are told.

use super::gate::Over;
use super::messages::{Found, Message, Small};
use super::plan::Member;
use crate::case::Case;
use crate::comparison::{Pair, form};
use crate::minimize::merge::{Finding, Way, merge};
use crate::minimize::{Minimized, Outcome};
use crate::oracle::{Relation, Verdict};
use crate::subjects::Broken;
use clap::ValueEnum;
use reports::Level;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// A finding, and a process of its own to look at it.
pub(super) struct Job {
    pub(super) pair: Pair,
    /// The finding's name: the signature that it was found with. The smallest case can have another one.
    pub(super) signature: String,
    pub(super) found: Found,
    /// Whether it was minimized before.
    pub(super) is_small: bool,
}

impl Member {
    /// What a finding of a log was when it was found: its case is compared once more. `None` if it does not diverge now.
    pub(super) fn find_again(&mut self, told: &reports::Finding, case: &Case) -> Result<Option<Found>, Broken> {
        let Ok(relation) = Relation::from_str(&told.relation, false) else { return Ok(None) };
        let families = [self.pair.family().to_owned(), "core".to_owned()];
        for family in families {
            let one = self.pair.compare_in(relation, &family, std::slice::from_ref(case))?.swap_remove(0);
            let Verdict::Diverge(divergence) = one.verdict else { continue };
            // The smallest case can have another signature.
            if divergence.signature.to_string() == told.signature || told.original_length.is_some() {
                return Ok(Some(Found {
                    subject: self.id.clone(),
                    version: self.version.clone(),
                    divergence: *divergence,
                    case: case.clone(),
                    predicted: one.prediction.observation,
                    observed: one.observation,
                    expected: None,
                    turn: told.turn,
                    is_first: true,
                }));
            }
        }
        Ok(None)
    }
}

/// Minimizes what comes until nobody sends any more, each finding for at most `limit`; then merges.
pub(super) fn work(jobs: &Receiver<Job>, limit: Duration, over: &Over, sender: &Sender<Message>) {
    let mut done: Vec<Job> = Vec::new();
    let mut begun: BTreeSet<String> = BTreeSet::new();
    for mut job in jobs {
        // Another subject may show the same.
        if over.stopped() || !begun.insert(job.signature.clone()) {
            continue;
        }
        if job.is_small {
            done.push(job);
            continue;
        }
        match minimize(&mut job, limit, over) {
            Ok(small) => {
                job.found = small.found.clone();
                let _ = sender.send(Message::Minimized(Box::new(small)));
            }
            Err(reason) => {
                let text = format!("{}: a finding could not be minimized: {reason}", job.found.subject);
                let _ = sender.send(Message::Noted(Level::Warning, text));
            }
        }
        done.push(job);
    }
    if !over.stopped() && done.len() > 1 {
        let _ = sender.send(Message::Merged(merge_all(&mut done, limit, over)));
    }
}

/// One finding with its simplest case.
fn minimize(job: &mut Job, limit: Duration, over: &Over) -> Result<Small, String> {
    let Job { pair, found, .. } = job;
    let signature = found.divergence.signature.clone();
    let original = found.case.bytes.len();
    let end = Instant::now() + limit;
    let mut goes_on = |_| !over.stopped() && Instant::now() < end;
    // What CPython itself writes says more than bytes that were cut down: half of the time is for the program.
    let half = Instant::now() + limit / 2;
    let program = pair
        .minimize_program(&found.case, &signature, &mut |_| !over.stopped() && Instant::now() < half)
        .map_err(|e| e.to_string())?
        .map(|minimized| String::from_utf8_lossy(&minimized.bytes).into_owned());
    let outcome = pair.minimize(&found.case, &signature, &mut goes_on).map_err(|e| e.to_string())?;
    let Minimized { bytes, complete, .. } = match outcome {
        Outcome::Minimized(minimized) => minimized,
        Outcome::Flaky => return Err(format!("it is not the same each time: {signature}")),
        Outcome::NotInteresting => return Err(format!("it did not happen again: {signature}")),
        Outcome::TrivialToo => return Err(format!("the simplest stream of all shows it, too: {signature}")),
    };
    let case = Case { bytes, ..found.case.clone() };
    let mut compared = pair
        .compare_in(signature.relation, &signature.family, std::slice::from_ref(&case))
        .map_err(|e| e.to_string())?;
    let one = compared.swap_remove(0);
    let Verdict::Diverge(divergence) = one.verdict else {
        return Err(format!("it did not happen again: {signature}"));
    };
    let small = Found {
        case,
        predicted: one.prediction.observation,
        observed: one.observation,
        divergence: *divergence,
        ..found.clone()
    };
    Ok(Small { signature: job.signature.clone(), found: small, original, complete, program })
}

/// Groups of findings that have one cause. Each is looked at with the subject that it was found with.
fn merge_all(done: &mut [Job], limit: Duration, over: &Over) -> Vec<Vec<String>> {
    let findings: Vec<Finding> = done.iter().map(|job| finding(&job.found, &job.pair)).collect();
    let end = Instant::now() + limit * u32::try_from(done.len()).unwrap_or(u32::MAX);
    let groups = merge(&findings, |bytes, other| {
        // Whoever has no time for it has two findings.
        if over.stopped() || Instant::now() >= end {
            return None;
        }
        let Job { pair, found, .. } = &mut done[other];
        let case = Case { bytes: bytes.to_vec(), ..found.case.clone() };
        let signature = &found.divergence.signature;
        pair.way(&case, signature).ok().flatten()
    });
    let signature = |index: usize| done[index].signature.clone();
    groups.into_iter().map(|group| group.into_iter().map(signature).collect()).collect()
}

fn finding(found: &Found, pair: &Pair) -> Finding {
    let form = form(&found.case, pair.core().target());
    let way = Way::from(&found.divergence.signature);
    Finding { form, bytes: found.case.bytes.clone(), way, standing: found.standing() }
}
