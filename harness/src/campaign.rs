//! Campaigns: every subject gets cases until a limit is reached, and everything that comes of it is told as it happens.
//!
//! One thread for each subject makes the cases, asks and judges; the caller's thread hears of it through messages and is
//! the only one that writes. A thread waits until what it found is saved before it goes on, so killing the program at any
//! moment loses nothing.

use crate::case::Case;
use crate::expected::Expected;
use crate::generators::Generator;
use crate::hunter::Hunter;
use crate::observation::Observation;
use crate::oracle::{Divergence, Signature};
use crate::statistics::Statistics;
use crate::subjects::Subject;
use crate::subjects::core::Core;
use anyhow::Result;
use protocol::Facts;
use reports::{Counts, Level, Reached};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What to do, and when to stop.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Decides all cases.
    pub seed: u64,
    /// Stop after this time.
    pub time: Option<Duration>,
    /// Stop after this many cases in total, of which each subject gets the same share.
    pub cases: Option<u64>,
    /// Which cases, taken in turn.
    pub generators: Vec<Generator>,
    /// Take every file of each standard library at every level, and stop when all are done.
    pub full: bool,
    /// How many subjects work at the same time.
    pub jobs: usize,
    /// The folder with `seeds`, `golden` and `regressions`.
    pub corpus: PathBuf,
    /// The folder of compiled standard libraries.
    pub cache: PathBuf,
    /// The divergences that are known.
    pub expected: Expected,
}

/// A subject that takes part.
pub struct Member {
    /// `cpython:3.12`, or `core:3.12` for the core alone.
    pub id: String,
    /// `cpython`
    pub family: String,
    /// `3.12.1`: the version of the language.
    pub version: String,
    /// The implementation's own release, which is the same for CPython.
    pub release: String,
    /// The core under this subject's profile.
    pub core: Core,
    /// What its interpreter says of itself.
    pub facts: Option<Facts>,
    /// The interpreter; none for the core alone.
    pub subject: Option<Box<dyn Subject>>,
    /// How many cases that the model calls undefined it is asked: each may cost a process.
    pub killers: u32,
}

/// [`Member::killers`] of an interpreter that starts in no time.
pub const KILLERS: u32 = 12;

impl Member {
    /// An interpreter that is compared with the core.
    #[must_use]
    pub fn interpreter(id: &str, facts: &Facts, core: Core, subject: Box<dyn Subject>) -> Member {
        Member {
            id: id.into(),
            family: facts.implementation.clone(),
            version: facts.version.clone(),
            release: facts.implementation_version.clone(),
            core,
            facts: Some(facts.clone()),
            subject: Some(subject),
            killers: KILLERS,
        }
    }

    /// The core alone, with the oracles that need no interpreter.
    #[must_use]
    pub fn alone(core: Core) -> Member {
        let version = core.profile().version.to_string();
        Member {
            id: format!("core:{version}"),
            family: "core".into(),
            release: version.clone(),
            version,
            core,
            facts: None,
            subject: None,
            killers: 0,
        }
    }
}

/// A divergence with the smallest case that this subject has had of it.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whose case it is.
    pub subject: String,
    /// That subject's version.
    pub version: String,
    /// What differs.
    pub divergence: Divergence,
    /// The case.
    pub case: Case,
    /// What the core says of it.
    pub predicted: Observation,
    /// What the subject says of it.
    pub observed: Observation,
    /// The entry of [`Plan::expected`] that lists it.
    pub expected: Option<usize>,
}

/// A case that was not answered.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Whose.
    pub subject: String,
    /// `SIGSEGV`, `timeout` ...
    pub kind: String,
    /// What is known of it.
    pub detail: String,
    /// The case.
    pub case: Case,
    /// The cause that the model gives, if it predicted that something would happen.
    pub predicted: Option<String>,
}

/// What a campaign tells while it goes on.
pub enum Message {
    /// A divergence that is new, or has a smaller case.
    Found(Box<Found>),
    /// How often signatures occurred in one batch, in which subject, and the entry that lists them.
    Occurred(String, BTreeMap<Signature, (u64, Option<usize>)>),
    /// A case was not answered.
    Silent(Box<Silence>),
    /// New snapshots for one subject, one for each generator.
    Counted(Vec<Counts>),
    /// What the generators made for one subject.
    Made(Vec<Statistics>),
    /// A new snapshot of one subject's column of the matrix.
    Reached(Reached),
    /// Something that a person should read.
    Noted(Level, String),
    /// Everything told before must be on disk before this is answered.
    Save(Sender<()>),
    /// A subject can no longer be asked: its id, and why.
    Broke(String, String),
}

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
        for (member, share) in members.into_iter().zip(shares) {
            let sender = sender.clone();
            let (gate, over) = (&gate, &over);
            scope.spawn(move || {
                let id = member.id.clone();
                if let Err(broken) = Hunter::new(plan, member, share, sender.clone()).hunt(gate, over) {
                    // Nobody listens any more only when the campaign has already failed.
                    let _ = sender.send(Message::Broke(id, broken.to_string()));
                }
            });
        }
        drop(sender);
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

/// Whether it is time to end.
pub(crate) struct Over<'a> {
    stop: &'a AtomicBool,
    /// Ends the threads when the listener fails, without touching the caller's flag.
    failed: &'a AtomicBool,
    deadline: Option<Instant>,
}

impl Over<'_> {
    /// Somebody wants it to end now.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }

    /// The time is up.
    pub(crate) fn late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Lets a limited number of threads work at the same time, first come first served: a thread that leaves and comes back
/// at once must not overtake those who wait.
pub(crate) struct Gate {
    state: Mutex<Places>,
    changed: Condvar,
}

struct Places {
    free: usize,
    /// The number that the next thread takes.
    next: u64,
    /// The numbers of those who wait.
    waiting: VecDeque<u64>,
}

impl Gate {
    fn new(free: usize) -> Gate {
        Gate { state: Mutex::new(Places { free, next: 0, waiting: VecDeque::new() }), changed: Condvar::new() }
    }

    /// Waits for a place and works there.
    pub(crate) fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Place<'a>(&'a Gate);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                self.0.places().free += 1;
                self.0.changed.notify_all();
            }
        }
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        places.waiting.push_back(number);
        let not_yet = |places: &mut Places| places.free == 0 || places.waiting.front() != Some(&number);
        let mut places = self.changed.wait_while(places, not_yet).unwrap_or_else(PoisonError::into_inner);
        places.free -= 1;
        places.waiting.pop_front();
        drop(places);
        // Another place may be free for the one who is first now.
        self.changed.notify_all();
        let _place = Place(self);
        work()
    }

    /// Nothing panics while it is locked.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "campaign_tests.rs"]
mod tests;
