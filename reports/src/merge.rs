//! Several runs as one: what they came to together.
//!
//! The shards of a run come to what the whole run would have come to, because what a case is asked is decided by its place in
//! the run, and all numbers are sums. Only times, rates and how often a process was started again are other ones.

use crate::{
    Event, FaultEvent, Finding, Note, Part, Reached, Rules, Run, RunLog, Sighting, Spread, Statistics, Subject,
    TOLD_FAULTS, summary::add,
};
use std::collections::{BTreeMap, BTreeSet};

/// Why runs cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmergeable {
    /// There is nothing to merge.
    #[error("there is no run to merge")]
    Nothing,
    /// The runs are not of one version of Provost and its generators.
    #[error(
        "the runs are not of one version: {first} and {second}; the same seed gives other cases, and the same case may get \
         another verdict: run the older one again"
    )]
    Versions {
        /// That of one run.
        first: String,
        /// That of another one.
        second: String,
    },
    /// A subject is not the same in all of them.
    #[error(
        "{subject} is {first} in one run and {second} in another: name them apart, or merge runs over the same builds"
    )]
    Subjects {
        /// Its id.
        subject: String,
        /// What it is in one run.
        first: String,
        /// What it is in another one.
        second: String,
    },
}

impl RunLog {
    /// What makes two logs tell of the same work: the same cases, made by the same program, and given to the same subjects. Of two
    /// such logs one is enough. A log that ended before anything was counted names no subjects, as it may not have all of them.
    #[must_use]
    pub fn key(&self) -> (Vec<String>, String, Vec<String>) {
        let taking_part = self.subjects.iter().filter(|subject| subject.usable && !self.counts.is_empty());
        let mut subjects: Vec<String> =
            taking_part.map(|subject| format!("{} {}", subject.id, build(subject).unwrap_or_default())).collect();
        subjects.sort();
        (self.run.arguments.clone(), self.run.corpus.clone(), subjects)
    }

    /// How far the run has got: of two logs of the same work the one with more is taken.
    #[must_use]
    pub fn progress(&self) -> (bool, u64, String) {
        let whole = self.end.as_ref().is_some_and(|end| !end.interrupted);
        (whole, self.counts.iter().map(|counts| counts.cases).sum(), self.run.started.clone())
    }

    /// The log of the last state of everything, as events.
    #[must_use]
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Run(self.run)];
        events.extend(self.subjects.into_iter().map(Event::Subject));
        events.extend((!self.rules.rules.is_empty()).then_some(Event::Rules(self.rules)));
        events.extend(self.findings.into_iter().map(Event::Finding));
        events.extend(self.faults.into_iter().map(Event::Fault));
        events.extend(self.notes.into_iter().map(Event::Note));
        events.extend(self.sightings.into_iter().map(Event::Sighting));
        events.extend(self.counts.into_iter().map(Event::Counts));
        events.extend(self.statistics.into_iter().map(Event::Statistics));
        events.extend(self.reached.into_iter().map(Event::Reached));
        let places: Vec<_> = self.places.into_iter().map(Some).collect();
        let places = if places.is_empty() { vec![None] } else { places };
        let checkpoint = |place| Event::Checkpoint(crate::Checkpoint { seconds: self.seconds, place });
        events.extend(places.into_iter().map(checkpoint));
        events.extend(self.end.map(Event::End));
        events
    }
}

/// Merges runs, each with the path that its part has in the merged one. The order of `runs` does not matter; a log that tells of
/// the same work as another one is left out. The result has no [`End`](crate::End): that is for the one who sums up.
///
/// # Errors
/// See [`Unmergeable`].
pub fn merge(runs: Vec<(String, RunLog)>) -> Result<RunLog, Unmergeable> {
    let Some((_, first)) = runs.first() else { return Err(Unmergeable::Nothing) };
    let version = |run: &Run| format!("Provost {} with generators {}", run.provost_version, run.generator_version);
    for (_, other) in &runs {
        let (first, second) = (version(&first.run), version(&other.run));
        if first != second {
            return Err(Unmergeable::Versions { first, second });
        }
    }
    let runs = distinct(runs);
    let mut merged = RunLog::new(header(&runs));
    merged.subjects = subjects(&runs)?;
    merged.rules =
        runs.iter().map(|(_, run)| &run.rules).find(|rules| !rules.rules.is_empty()).cloned().unwrap_or_default();
    let logs = || runs.iter().map(|(_, run)| run);
    merged.counts = sums(logs().flat_map(|run| &run.counts), |c| (c.subject.clone(), c.generator.clone()), add);
    let key = |s: &Statistics| (s.subject.clone(), s.generator.clone());
    merged.statistics = sums(logs().flat_map(|run| &run.statistics), key, add_statistics);
    let rules = &merged.rules;
    let add_reached = |sum, one: &Reached| add_reached(sum, one, rules);
    merged.reached = sums(logs().flat_map(|run| &run.reached), |r| r.subject.clone(), add_reached);
    let key = |s: &Sighting| (s.subject.clone(), s.signature.clone());
    merged.sightings = sums(logs().flat_map(|run| &run.sightings), key, add_sighting);
    merged.findings = findings(logs().flat_map(|run| &run.findings), &merged.subjects);
    merged.faults = faults(logs().flat_map(|run| &run.faults));
    merged.notes = notes(&runs);
    merged.seconds = logs().map(|run| run.seconds).sum();
    merged.count_occurrences();
    Ok(merged)
}

/// One log for each work, in an order that does not depend on that of `runs`.
fn distinct(mut runs: Vec<(String, RunLog)>) -> Vec<(String, RunLog)> {
    let order = |(path, run): &(String, RunLog)| (run.key(), std::cmp::Reverse(run.progress()), path.clone());
    runs.sort_by_cached_key(order);
    runs.dedup_by(|later, kept| later.1.key() == kept.1.key());
    // One that came to nothing is less of any other one with its arguments.
    let begun = runs.iter().map(|(_, run)| run.key()).filter(|(_, _, subjects)| !subjects.is_empty());
    let begun: BTreeSet<_> = begun.map(|(arguments, corpus, _)| (arguments, corpus)).collect();
    runs.retain(|(_, run)| {
        let (arguments, corpus, subjects) = run.key();
        !subjects.is_empty() || !begun.contains(&(arguments, corpus))
    });
    runs
}

impl Run {
    /// The arguments of the whole run that a run is a part of.
    #[must_use]
    pub fn whole(&self) -> Vec<String> {
        let mut arguments = self.arguments.clone();
        if let Some(at) = arguments.iter().position(|argument| argument == "--shard") {
            arguments.drain(at..(at + 2).min(arguments.len()));
        }
        arguments
    }
}

/// The header: that of the run whose shards these are, or of the first of several runs.
fn header(runs: &[(String, RunLog)]) -> Run {
    let first = &runs[0].1.run;
    let arguments = first.whole();
    // The same work over other subjects is another run.
    let shards: BTreeSet<_> = runs.iter().map(|(_, run)| &run.run.shard).collect();
    let is_one = shards.len() == runs.len() && runs.iter().all(|(_, run)| run.run.whole() == arguments);
    let shard = first.shard.as_ref().map(|shard| format!(" --shard {shard}")).unwrap_or_default();
    let part = |(path, RunLog { run, .. }): &(String, RunLog)| Part {
        path: path.clone(),
        command: run.command.clone(),
        started: run.started.clone(),
    };
    let generators: BTreeSet<&String> = runs.iter().flat_map(|(_, run)| &run.run.generators).collect();
    let in_order = if is_one { first.generators.clone() } else { generators.into_iter().cloned().collect() };
    Run {
        started: runs.iter().map(|(_, run)| run.run.started.clone()).min().unwrap_or_default(),
        command: if is_one { first.command.replacen(&shard, "", 1) } else { "cargo provost merge".into() },
        arguments: if is_one { arguments } else { Vec::new() },
        minutes: first.minutes.filter(|_| is_one),
        cases: first.cases.filter(|_| is_one),
        generators: in_order,
        shard: None,
        parts: runs.iter().map(part).collect(),
        ..first.clone()
    }
}

/// What makes one build another one.
fn build(subject: &Subject) -> Option<String> {
    let facts = subject.facts.as_ref()?;
    let how = [(facts.debug, "debug"), (facts.free_threaded, "free-threaded"), (facts.pointer_bits == 32, "32 bit")];
    let how: String = how.into_iter().filter(|(is, _)| *is).map(|(_, word)| format!(", {word}")).collect();
    Some(format!("{} {}{how}", facts.implementation, facts.implementation_version))
}

fn subjects(runs: &[(String, RunLog)]) -> Result<Vec<Subject>, Unmergeable> {
    let mut subjects: Vec<Subject> = Vec::new();
    for subject in runs.iter().flat_map(|(_, run)| &run.subjects) {
        match subjects.iter_mut().find(|known| known.id == subject.id) {
            Some(known) => {
                if let (Some(first), Some(second)) = (build(known), build(subject))
                    && first != second
                {
                    return Err(Unmergeable::Subjects { subject: subject.id.clone(), first, second });
                }
                if subject.usable && !known.usable {
                    *known = subject.clone();
                }
            }
            None => subjects.push(subject.clone()),
        }
    }
    Ok(subjects)
}

/// Adds up what has the same key, in the order in which the keys first appear.
fn sums<'a, T: Clone + 'a, K: Ord>(
    all: impl Iterator<Item = &'a T>,
    key: impl Fn(&T) -> K,
    add: impl Fn(T, &T) -> T,
) -> Vec<T> {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut sums: Vec<T> = Vec::new();
    for one in all {
        let place = *places.entry(key(one)).or_insert(sums.len());
        match sums.get_mut(place) {
            Some(sum) => *sum = add(sum.clone(), one),
            None => sums.push(one.clone()),
        }
    }
    sums
}

fn add_statistics(mut sum: Statistics, one: &Statistics) -> Statistics {
    let spread = |sum: &mut Spread, one: &Spread| {
        sum.sum = sum.sum.saturating_add(one.sum);
        sum.max = sum.max.max(one.max);
    };
    spread(&mut sum.size, &one.size);
    spread(&mut sum.nodes, &one.nodes);
    spread(&mut sum.depth, &one.depth);
    let numbers = [
        (&mut sum.cases, one.cases),
        (&mut sum.streams, one.streams),
        (&mut sum.valid, one.valid),
        (&mut sum.valid_accepted, one.valid_accepted),
        (&mut sum.sampled, one.sampled),
        (&mut sum.flagged, one.flagged),
        (&mut sum.references, one.references),
        (&mut sum.cycles, one.cycles),
    ];
    for (sum, n) in numbers {
        *sum = sum.saturating_add(n);
    }
    for feature in &one.features {
        match sum.features.iter_mut().find(|known| known.name == feature.name) {
            Some(known) => known.cases = known.cases.saturating_add(feature.cases),
            None => sum.features.push(feature.clone()),
        }
    }
    sum.starved = sum.starvation();
    sum
}

/// Each shard asks once for each cause what may end a process, and the whole run once in all.
fn add_reached(mut sum: Reached, one: &Reached, rules: &Rules) -> Reached {
    sum.compared = sum.compared.saturating_add(one.compared);
    sum.dumps = sum.dumps.saturating_add(one.dumps);
    for (index, (sum, cases)) in sum.cases.iter_mut().zip(&one.cases).enumerate() {
        let is_killer = rules.rules.get(index).is_some_and(|rule| rule.group == crate::KILLERS);
        *sum = match (*sum, *cases) {
            (Some(a), Some(b)) if is_killer => Some(a.max(b)),
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    }
    for (mask, n) in &one.masked {
        let sum = sum.masked.entry(mask.clone()).or_default();
        *sum = sum.saturating_add(*n);
    }
    sum
}

fn add_sighting(mut sum: Sighting, one: &Sighting) -> Sighting {
    sum.occurrences = sum.occurrences.saturating_add(one.occurrences);
    sum.smallest = sum.smallest.into_iter().chain(one.smallest).min();
    sum.flaky = sum.flaky.saturating_add(one.flaky);
    sum.entry = sum.entry.or_else(|| one.entry.clone());
    sum
}

/// The best case of each signature, and which of them have one cause: those of which any run says so.
fn findings<'a>(all: impl Iterator<Item = &'a Finding>, subjects: &[Subject]) -> Vec<Finding> {
    let mut best: BTreeMap<String, Finding> = BTreeMap::new();
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    for finding in all {
        if let Some(head) = &finding.merged_into {
            let group = BTreeSet::from([head.clone(), finding.signature.clone()]);
            let (same, mut others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut groups).into_iter().partition(|other| !other.is_disjoint(&group));
            others.push(same.into_iter().flatten().chain(group).collect());
            groups = others;
        }
        let rank = |f: &Finding| (f.expected_entry.is_some(), f.case.length, f.subject.clone(), f.turn);
        match best.get_mut(finding.signature.as_str()) {
            None => drop(best.insert(finding.signature.clone(), finding.clone())),
            Some(known) => {
                let seen_in: BTreeSet<String> = known.seen_in.iter().chain(&finding.seen_in).cloned().collect();
                let fixture = known.fixture.clone().or_else(|| finding.fixture.clone());
                if rank(finding) < rank(known) {
                    *known = finding.clone();
                }
                known.seen_in = seen_in.into_iter().collect();
                known.fixture = fixture;
            }
        }
    }
    for finding in best.values_mut() {
        (finding.merged_into, finding.also) = (None, Vec::new());
        let of = |id: &str| subjects.iter().find(|subject| subject.id == id)?.caution.as_ref();
        finding.caution = caution(of, &finding.observed.subject, &finding.seen_in);
    }
    for mut group in groups {
        group.retain(|signature| best.contains_key(signature));
        let order = |signature: &&String| {
            let Finding { expected_entry, standing, case, .. } = &best[*signature];
            (expected_entry.is_some(), *standing, case.length, (*signature).clone())
        };
        let Some(head) = group.iter().min_by_key(order).cloned() else { continue };
        group.remove(&head);
        for other in &group {
            best.entry(other.clone()).and_modify(|finding| finding.merged_into = Some(head.clone()));
        }
        best.entry(head).and_modify(|finding| finding.also = group.into_iter().collect());
    }
    best.into_values().collect()
}

/// What to keep in mind about the subjects that a finding has been seen in; those of the core alone are about none of them.
#[must_use]
pub fn caution<'a>(of: impl Fn(&str) -> Option<&'a String>, observed: &str, seen_in: &[String]) -> Option<String> {
    let told = seen_in.iter().filter_map(|id| Some(format!("{id}: {}", of(id)?)));
    let told: Vec<String> = told.filter(|_| observed != "core").collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// The first faults of each kind and subject, and the first case of each cause for which something may fail.
fn faults<'a>(all: impl Iterator<Item = &'a FaultEvent>) -> Vec<FaultEvent> {
    let mut faults: Vec<&FaultEvent> = all.collect();
    faults.sort_by_key(|fault| (&fault.subject, fault.turn));
    let mut told: BTreeMap<(&str, &str, Option<&str>), u32> = BTreeMap::new();
    faults.retain(|fault| {
        let cause = fault.expected_by_model.as_deref();
        let (kind, most) = if cause.is_some() { ("", 1) } else { (fault.kind.as_str(), TOLD_FAULTS) };
        let told = told.entry((&fault.subject, kind, cause)).or_default();
        *told += 1;
        *told <= most
    });
    faults.into_iter().cloned().collect()
}

fn notes(runs: &[(String, RunLog)]) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    for note in runs.iter().flat_map(|(_, run)| &run.notes).filter(|note| !note.sums_up) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}
