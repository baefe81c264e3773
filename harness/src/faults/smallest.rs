//! Whether the minimizer cuts findings down to the smallest cases there are.
//!
//! For each fault the stated minimum is its example in the table (`plants`). The first cases that show the fault, one for
//! each generator and seed, are minimized to the last of its versions, and the findings merged.

use super::contest::{Column, Member, columns};
use super::{Fault, signature, types};
use crate::generators::{generate, splitmix};
use crate::minimize::merge::{Finding, Standing, Way, merge, minimize_finding};
use crate::minimize::{Form, Minimized};
use crate::observation::Observation;
use crate::subjects::core::Core;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A case that shows a fault, and what became of it.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// Who made it.
    pub generator: &'static str,
    /// From which seed.
    pub seed: u64,
    /// Its number.
    pub index: u64,
    /// How long it was.
    pub from: usize,
    /// How it shows the fault.
    pub way: Way,
    /// What is left of it.
    pub smallest: Minimized,
    /// How long a processor took for that.
    pub took: Duration,
}

/// A fault, and what became of the cases that show it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The fault.
    pub fault: &'static Fault,
    /// The stated minimum.
    pub minimum: Vec<u8>,
    /// In the order of generators and seeds.
    pub cases: Vec<Shrunk>,
    /// The same as they were found.
    starts: Vec<Vec<u8>>,
    /// Which of the cases are one finding.
    pub findings: Vec<Vec<usize>>,
}

impl Row {
    /// What the first finding is told by.
    #[must_use]
    pub fn smallest(&self) -> Option<&[u8]> {
        self.cases.iter().map(|case| &case.smallest.bytes[..]).min_by_key(|bytes| bytes.len())
    }

    /// How many times as long as the stated minimum the smallest case is.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.smallest().map_or(f64::INFINITY, |smallest| ratio(smallest, &self.minimum))
    }

    /// The same of each case.
    pub fn ratios(&self) -> impl Iterator<Item = f64> {
        self.cases.iter().map(|case| ratio(&case.smallest.bytes, &self.minimum))
    }

    /// How long a processor took for the slowest case.
    #[must_use]
    pub fn slowest(&self) -> Duration {
        self.cases.iter().map(|case| case.took).max().unwrap_or_default()
    }
}

/// Hears of what so many of all are done.
pub type Tell<'t> = &'t (dyn Fn(&str, usize, usize) + Sync);

/// How long a case is minimized at most.
const LONGEST: Duration = Duration::from_secs(20);

/// How many times as long as the stated minimum a smallest case may be.
pub const MOST: f64 = 1.25;

#[expect(clippy::cast_precision_loss, reason = "cases are short")]
fn ratio(case: &[u8], minimum: &[u8]) -> f64 {
    // Nothing at all shows a fault as well. One byte is twice as much: then both are counted with one byte more.
    let more = usize::from(minimum.is_empty());
    (case.len() + more) as f64 / (minimum.len() + more) as f64
}

/// A case that shows a fault.
#[derive(Debug, Clone)]
struct Start {
    fault: usize,
    generator: &'static str,
    seed: u64,
    index: u64,
    case: Vec<u8>,
}

/// The stated minimum, in a list if it shows the fault there as well: rare faults want one case at least.
fn by_hand(fault: usize, planted: &Fault) -> Start {
    let core = Core::with(planted.last_profile().clone());
    let minimum = planted.example();
    let held = [b"(\x03\0\0\0T", &minimum[..], b"T"].concat();
    let case = if planted.shows(&core, &held, &core.observe(&held)) { held } else { minimum };
    Start { fault, generator: "by hand", seed: 0, index: 0, case }
}

/// Does the jobs with these numbers, in so many threads, and keeps their order.
fn in_threads<T: Send>(
    threads: usize,
    jobs: usize,
    tell: &(dyn Fn(usize, usize) + Sync),
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        break;
                    }
                    let result = work(job);
                    let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    done.push((job, result));
                    tell(done.len(), jobs);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(job, _)| *job);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Looks for cases that show the faults, among so many from each seed, and minimizes them.
pub fn smallest(
    faults: &[&'static Fault],
    seeds: &[u64],
    cases: u64,
    members: &[Member],
    threads: usize,
    tell: Tell,
) -> Vec<Row> {
    let generators = columns().into_iter().filter(|column| *column != Column::Baseline);
    let tracks = generators.flat_map(|column| seeds.iter().map(move |seed| (column, *seed)));
    let jobs: Vec<(&Member, Column, u64)> =
        tracks.flat_map(|(column, seed)| members.iter().map(move |member| (member, column, seed))).collect();
    let starts = in_threads(threads, jobs.len(), &|done, all| tell("campaigns", done, all), |job| {
        let (member, column, seed) = jobs[job];
        starts(faults, member, column, seed, cases)
    });
    let by_hand = faults.iter().enumerate().map(|(fault, planted)| by_hand(fault, planted));
    let starts: Vec<Start> = starts.into_iter().flatten().chain(by_hand).collect();
    let shrunk = in_threads(threads, starts.len(), &|done, all| tell("cases", done, all), |job| {
        let Start { fault, generator, seed, index, case } = &starts[job];
        let fault = faults[*fault];
        let core = Core::with(fault.last_profile().clone());
        shrink(&[fault], &core, case).map(|(way, smallest, took)| Shrunk {
            generator,
            seed: *seed,
            index: *index,
            from: case.len(),
            way,
            smallest,
            took,
        })
    });
    let mut rows: Vec<Row> = Vec::new();
    for (place, fault) in faults.iter().enumerate() {
        let of = starts.iter().zip(&shrunk).filter(|(start, _)| start.fault == place);
        let (starts, cases): (Vec<Vec<u8>>, Vec<Shrunk>) =
            of.filter_map(|(start, shrunk)| Some((start.case.clone(), shrunk.clone()?))).unzip();
        let findings = merged(&[fault], &Core::with(fault.last_profile().clone()), &cases);
        rows.push(Row { fault, minimum: fault.example(), cases, starts, findings });
    }
    rows
}

fn starts(faults: &[&'static Fault], member: &Member, column: Column, seed: u64, cases: u64) -> Vec<Start> {
    let profile = member.core.profile();
    let of_this = |fault: &&Fault| fault.last_profile().version == profile.version;
    let mut pending: Vec<usize> = (0..faults.len()).filter(|place| of_this(&faults[*place])).collect();
    let mut starts = Vec::new();
    for index in 0..cases {
        let Column::Generator(generator) = column else { break };
        if pending.is_empty() {
            break;
        }
        let case = generate(generator, member.core.target(), seed, index, member.bases_of(generator)).bytes;
        let right = member.core.observe(&case);
        let types = types(&case, member.core.target());
        pending.retain(|&fault| {
            let shows = faults[fault].shows_among(types, &member.core, &case, &right);
            if shows {
                starts.push(Start { fault, generator: column.name(), seed, index, case: case.clone() });
            }
            !shows
        });
    }
    starts
}

/// The way in which a case shows these faults, if it does.
fn way(faults: &[&Fault], core: &Core, case: &[u8]) -> Option<Way> {
    let way = signature(faults, core, case, &core.observe(case)).as_ref().map(Way::from);
    // No implementation says this of itself.
    way.filter(|way| way.subject != "undefined")
}

fn shrink(faults: &[&Fault], core: &Core, case: &[u8]) -> Option<(Way, Minimized, Duration)> {
    let begun = processor_time();
    let took = || processor_time().saturating_sub(begun);
    let form = Form::Stream(Some(core.target()));
    let outcome = minimize_finding(form, case, |case| way(faults, core, case), |_| took() < LONGEST);
    let smallest = outcome.minimized()?;
    Some((way(faults, core, &smallest.bytes)?, smallest, took()))
}

/// How long this thread has had a processor: what others do on the machine does not count.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Two faults, and how many findings there are when one implementation has both.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The faults.
    pub faults: [&'static Fault; 2],
    /// The smallest case of each finding.
    pub findings: Vec<Vec<u8>>,
}

/// Whether nothing tells two faults apart where they are smallest.
///
/// If the stated minimum of one shows the other as well, whatever shows the one mostly has two causes, and which of them is
/// left is chance. If the minima differ in a single byte, every change of that byte makes the same of both.
fn are_mixed([one, other]: [&Row; 2]) -> bool {
    let core = Core::with(one.fault.last_profile().clone());
    let shows = |fault: &Fault, case: &[u8]| fault.shows(&core, case, &core.observe(case));
    let different = one.minimum.iter().zip(&other.minimum).filter(|(a, b)| a != b).count();
    shows(one.fault, &other.minimum)
        || shows(other.fault, &one.minimum)
        || one.minimum.len() == other.minimum.len() && different == 1
}

/// So many pairs of faults, drawn at random, that are not mixed (`are_mixed`), and how many mixed ones were passed over. In
/// each, the cases that show the one or the other are those that a hunt would
/// meet.
pub fn pairs(rows: &[Row], count: usize, seed: u64, threads: usize, tell: Tell) -> (Vec<Pair>, usize) {
    let mut state = seed;
    let mut drawn: Vec<[&Row; 2]> = Vec::new();
    let mut mixed = 0;
    let mut draw = || {
        let below = usize::try_from(splitmix(&mut state) >> 32).unwrap_or(0);
        &rows[below % rows.len()]
    };
    for _ in 0..100 * count {
        let [one, other] = [draw(), draw()];
        let are_one_version = one.fault.last_profile().version == other.fault.last_profile().version;
        if one.minimum != other.minimum && are_one_version && !one.cases.is_empty() && !other.cases.is_empty() {
            if are_mixed([one, other]) {
                mixed += 1;
            } else {
                drawn.push([one, other]);
            }
        }
        if drawn.len() == count {
            break;
        }
    }
    let pairs = in_threads(threads, drawn.len(), &|done, all| tell("pairs", done, all), |job| {
        let faults = drawn[job].map(|row| row.fault);
        let core = Core::with(faults[0].last_profile().clone());
        let cases = drawn[job].iter().flat_map(|row| &row.starts);
        let cases: Vec<Shrunk> = cases
            .filter_map(|case| {
                let (way, smallest, took) = shrink(&faults, &core, case)?;
                Some(Shrunk { generator: "", seed: 0, index: 0, from: case.len(), way, smallest, took })
            })
            .collect();
        let groups = merged(&faults, &core, &cases);
        Pair { faults, findings: groups.iter().map(|group| cases[group[0]].smallest.bytes.clone()).collect() }
    });
    (pairs, mixed)
}

fn merged(faults: &[&Fault], core: &Core, cases: &[Shrunk]) -> Vec<Vec<usize>> {
    let findings: Vec<Finding> = cases.iter().map(|case| finding(core, case)).collect();
    merge(&findings, |case, _| way(faults, core, case))
}

fn finding(core: &Core, case: &Shrunk) -> Finding {
    let bytes = case.smallest.bytes.clone();
    let standing = match core.read(&bytes) {
        Observation::Accepted(_) => Standing::Accepted,
        _ => Standing::Refused,
    };
    Finding { form: Form::Stream(Some(core.target())), bytes, way: case.way.clone(), standing }
}
