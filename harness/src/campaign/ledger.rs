//! What one subject came to: every number and every decision that its next cases depend on.
//!
//! A run that is continued starts from what its log tells. So whatever a turn leaves behind is here and in no other place,
//! goes into the log as a whole when it is saved, and comes back from there.

use super::messages::{Found, Silence, Turns};
use super::plan::{Member, Plan};
use super::schedule::Turn;
use super::supply::Without;
use crate::case::Case;
use crate::comparison::Unasked;
use crate::generators::Generator;
use crate::matrix::{self, Tally};
use crate::observation::Observation;
use crate::oracle::{Divergence, Relation, Signature, Verdict};
use crate::statistics::Statistics;
use crate::subjects::core::Prediction;
use reports::{Counts, Level, Place, Sighting};
use std::collections::{BTreeMap, BTreeSet};

/// Sources without a case are named in the first turns of their generators; the others are counted.
const TOLD_ROUNDS: u64 = 3;

/// How often a signature of a subject is confirmed in a fresh process, and told, when it turned out not to repeat.
const FLAKY: u32 = 3;

#[derive(Clone)]
pub(super) struct Ledger<'a> {
    plan: &'a Plan,
    id: String,
    version: String,
    release: String,
    alone: bool,
    /// Whether its column of the matrix says something: an interpreter is compared with a model.
    has_column: bool,
    place: Place,
    /// The turn that is going on.
    turn: Option<Turn>,
    counts: BTreeMap<&'static str, Counts>,
    statistics: BTreeMap<&'static str, Statistics>,
    sightings: BTreeMap<String, Sighting>,
    faults: BTreeMap<(String, Option<String>), u32>,
    tally: Tally,
    unsaved: Unsaved,
}

/// What the log does not have yet.
#[derive(Clone, Default)]
struct Unsaved {
    generators: BTreeSet<&'static str>,
    /// Signatures, with the entry that lists each.
    sightings: BTreeMap<String, Option<usize>>,
    /// The smallest case of each signature.
    found: BTreeMap<String, Found>,
    silences: Vec<Silence>,
    notes: Vec<(Level, String)>,
}

impl<'a> Ledger<'a> {
    /// An empty one, or what the log tells of the run that is continued.
    pub(super) fn new(plan: &'a Plan, member: &mut Member) -> Ledger<'a> {
        let core = member.pair.core();
        let alone = member.pair.is_alone();
        let mut ledger = Ledger {
            plan,
            id: member.id.clone(),
            version: member.version.clone(),
            release: member.release.clone(),
            alone,
            has_column: !alone && core.is_model(),
            place: Place { subject: member.id.clone(), ..Place::default() },
            turn: None,
            counts: BTreeMap::new(),
            statistics: BTreeMap::new(),
            sightings: BTreeMap::new(),
            faults: BTreeMap::new(),
            tally: Tally::new(&member.id, core.profile()),
            unsaved: Unsaved::default(),
        };
        let Some(before) = member.before.take() else { return ledger };
        ledger.place = before.place;
        for generator in &plan.generators {
            let name = generator.name();
            if let Some(counts) = before.counts.iter().find(|counts| counts.generator == name) {
                ledger.counts.insert(name, counts.clone());
            }
            if let Some(written) = before.statistics.iter().find(|statistics| statistics.generator == name) {
                ledger.make(*generator, member);
                ledger.statistics.entry(name).and_modify(|statistics| statistics.go_on(written));
            }
        }
        before.reached.iter().for_each(|column| ledger.tally.go_on(column));
        ledger.sightings.extend(before.sightings.into_iter().map(|sighting| (sighting.signature.clone(), sighting)));
        for kind in before.faults {
            *ledger.faults.entry(kind).or_default() += 1;
        }
        ledger
    }

    /// A turn begins.
    pub(super) fn begin(&mut self, turn: &Turn, member: &Member) {
        self.make(turn.generator, member);
        self.statistics.entry(turn.generator.name()).and_modify(|statistics| statistics.begin(turn.round));
        self.place.turn = turn.number;
        self.turn = Some(turn.clone());
    }

    /// A generator makes cases; one that never does is not starved.
    fn make(&mut self, generator: Generator, member: &Member) {
        let Member { id, pair, .. } = member;
        let owes = pair.core().owed() != Relation::Value;
        let wanted = match generator {
            // Only a CPython compiles what pyc-core reads ...
            Generator::Stdlib | Generator::Programs | Generator::Execution => !pair.is_alone() && owes,
            // ... and who has no code objects of CPython's gets none.
            Generator::Codes | Generator::Pyc => owes,
            Generator::Values | Generator::Streams | Generator::Keys => true,
        };
        let new = || Statistics::new(id, generator, pair.core().target(), owes, wanted);
        self.statistics.entry(generator.name()).or_insert_with(new);
        self.unsaved.generators.insert(generator.name());
    }

    /// The number of the first turn that can come, or of the one that is going on.
    pub(super) fn turn(&self) -> u64 {
        self.place.turn
    }

    /// The turn is over.
    pub(super) fn end_turn(&mut self) {
        self.place.turn += 1;
        self.turn = None;
        if self.has_column {
            for rule in self.tally.impossible() {
                let text = format!("{}: the matrix says that this cannot be reached, and it was: {rule}", self.id);
                self.unsaved.notes.push((Level::Warning, text));
            }
        }
    }

    /// The numbers of all generators.
    pub(super) fn snapshot(&self) -> Vec<Counts> {
        self.counts.values().cloned().collect()
    }

    /// Whether there is something that must not get lost, which numbers alone are not.
    pub(super) fn has_news(&self) -> bool {
        let Unsaved { found, silences, notes, .. } = &self.unsaved;
        !(found.is_empty() && silences.is_empty() && notes.is_empty())
    }

    /// Whether the log has everything.
    pub(super) fn is_saved(&self) -> bool {
        self.unsaved.generators.is_empty() && !self.has_news()
    }

    /// Hands out what the log does not have yet.
    pub(super) fn take(&mut self) -> Turns {
        let Unsaved { generators, sightings, found, silences, notes } = std::mem::take(&mut self.unsaved);
        let changed = |sighting: (String, Option<usize>)| Some((self.sightings.get(&sighting.0)?.clone(), sighting.1));
        Turns {
            place: self.place.clone(),
            counts: generators.iter().filter_map(|name| self.counts.get(name).cloned()).collect(),
            statistics: generators.iter().filter_map(|name| self.statistics.get(name).cloned()).collect(),
            reached: self.has_column.then(|| self.tally.column()),
            sightings: sightings.into_iter().filter_map(changed).collect(),
            found: found.into_values().collect(),
            silences,
            notes,
        }
    }

    pub(super) fn note(&mut self, level: Level, text: String) {
        self.unsaved.notes.push((level, text));
    }

    /// Counts sources that gave no case, and names some.
    pub(super) fn without(&mut self, sources: &[(String, Without)], generator: Generator) {
        for (source, reason) in sources {
            let counts = self.counts(generator.name());
            counts.cases += 1;
            counts.not_compiled += u64::from(matches!(reason, Without::NotCompiled(_)));
            *counts.skipped.entry(reason.kind()).or_default() += 1;
            if self.turn.as_ref().is_some_and(|turn| turn.round < TOLD_ROUNDS) {
                let reason = reason.to_string().replace('\n', " ");
                self.note(Level::Info, format!("{}: {source} {reason}", self.id));
            }
        }
    }

    pub(super) fn counts(&mut self, generator: &'static str) -> &mut Counts {
        let new = || Counts { subject: self.id.clone(), generator: generator.into(), ..Counts::default() };
        self.counts.entry(generator).or_insert_with(new)
    }

    /// Whether to ask what should not be asked: the first case of each cause, as each answer may cost a process.
    pub(super) fn may_kill(&mut self, why: &Unasked) -> bool {
        let causes = &mut self.place.causes;
        let cause = why.to_string();
        let may = *why != Unasked::Panicked && !causes.contains(&cause);
        if may {
            causes.push(cause);
        }
        may
    }

    /// Tells what became of a case that should not be asked. It counts as one that was not, and of the rules as the killer alone, so
    /// that the numbers of a run are the sums of those of its shards, each of which asks its own.
    pub(super) fn asked(&mut self, case: &Case, prediction: &Prediction, observation: &Observation) {
        self.tally.asked(prediction.reached.and(matrix::killers()));
        let why = match &prediction.observation {
            Observation::Undefined(cause) => cause.clone(),
            _ => Unasked::Foreign.to_string(),
        };
        let (kind, detail) = match observation {
            Observation::Faulted(fault) => (fault.kind(), fault.to_string()),
            Observation::Accepted(_) => ("accepted".into(), "a value came out".into()),
            Observation::Rejected(exception) => {
                ("rejected".into(), format!("{}: {}", exception.class, exception.message))
            }
            Observation::Skipped(why) | Observation::Undefined(why) => ("skipped".into(), why.clone()),
        };
        self.silent(case, kind, detail, Some(why));
    }

    /// Whether the subject has never had a divergence of this signature that stood a second look.
    pub(super) fn is_new(&self, signature: &Signature) -> bool {
        self.sightings.get(&signature.to_string()).is_none_or(|sighting| sighting.smallest.is_none())
    }

    /// Whether a fresh process should confirm it: that is for what is new, and for what was not found to be flaky too often.
    pub(super) fn wants_confirmation(&self, signature: &Signature) -> bool {
        let sighting = self.sightings.get(&signature.to_string());
        sighting.is_none_or(|sighting| sighting.smallest.is_none() && sighting.flaky < FLAKY)
    }

    /// A divergence was not there when the case was asked again.
    pub(super) fn flaky(&mut self, signature: &Signature, case: &Case, why: &str) {
        let (_, sighting) = self.sighting(signature);
        sighting.flaky += 1;
        if sighting.flaky <= FLAKY {
            let text = format!("{}: flaky, {why}: {signature}; {}", self.id, case.origin);
            self.note(Level::Warning, text);
        }
    }

    /// What is known of a signature, which has changed; and the entry that lists it.
    fn sighting(&mut self, signature: &Signature) -> (Option<usize>, &mut Sighting) {
        let entry = self.plan.expected.find(signature, &self.release);
        let name = signature.to_string();
        self.unsaved.sightings.insert(name.clone(), entry);
        let new = || Sighting {
            subject: self.id.clone(),
            signature: name.clone(),
            entry: entry.map(|entry| self.plan.expected.entries[entry].to_string()),
            ..Sighting::default()
        };
        (entry, self.sightings.entry(name.clone()).or_insert_with(new))
    }

    /// Counts what a stream reaches and is made of, and how it ended.
    pub(super) fn count(
        &mut self,
        case: &Case,
        prediction: &Prediction,
        observation: &Observation,
        verdicts: Vec<Verdict>,
    ) {
        match (&prediction.observation, observation, verdicts.first()) {
            (_, Observation::Skipped(_), _) => {}
            (_, _, Some(Verdict::Agree | Verdict::Diverge(_))) if !self.alone => {
                self.tally.compared(prediction.reached, &prediction.observation);
            }
            _ => {}
        }
        self.look(case, &prediction.observation, observation);
        self.settle(case, &prediction.observation, observation, verdicts);
    }

    /// Counts what a case is made of.
    pub(super) fn look(&mut self, case: &Case, predicted: &Observation, observed: &Observation) {
        let shown = if self.alone { predicted } else { observed };
        if let Some(statistics) = self.statistics.get_mut(case.origin.generator()) {
            statistics.count(case, predicted, shown);
        }
    }

    /// Counts a case in exactly one of the ways in which it can end, and notes what is new.
    pub(super) fn settle(
        &mut self,
        case: &Case,
        predicted: &Observation,
        observation: &Observation,
        verdicts: Vec<Verdict>,
    ) {
        if let Observation::Faulted(fault) = observation {
            let cause = match predicted {
                Observation::Undefined(cause) => Some(cause.clone()),
                _ => None,
            };
            self.silent(case, fault.kind(), fault.to_string(), cause);
        }
        let alone = self.alone;
        let mut unexpected = false;
        let mut listed = false;
        let mut agreed = false;
        let mut reason = None;
        for (index, verdict) in verdicts.into_iter().enumerate() {
            match verdict {
                // Without an interpreter any relation will do; with one, the case is about the model.
                Verdict::Agree => agreed |= alone || index == 0,
                Verdict::Refused(cause) => reason = reason.or(Some(format!("undefined: {cause}"))),
                Verdict::Inconclusive(why) => reason = reason.or(Some(why)),
                Verdict::Diverge(divergence) => match self.found(*divergence, case, predicted, observation) {
                    Some(_) => listed = true,
                    None => unexpected = true,
                },
            }
        }
        let shown = if alone { predicted } else { observation };
        let counts = self.counts(case.origin.generator());
        counts.cases += 1;
        counts.bytes += case.bytes.len() as u64;
        counts.accepted += u64::from(matches!(shown, Observation::Accepted(_)));
        counts.rejected += u64::from(matches!(shown, Observation::Rejected(_)));
        counts.compared += u64::from(unexpected || listed || agreed);
        match observation {
            _ if unexpected => counts.diverged += 1,
            _ if listed => counts.expected += 1,
            _ if agreed => counts.agreed += 1,
            Observation::Faulted(_) => counts.faulted += 1,
            Observation::Skipped(why) if !alone => *counts.skipped.entry(why.clone()).or_default() += 1,
            _ => {
                let reason = reason.unwrap_or_else(|| "rejected, and there is no interpreter to ask".into());
                *counts.inconclusive.entry(reason).or_default() += 1;
            }
        }
    }

    /// Notes a divergence; returns the entry that lists it.
    pub(super) fn found(
        &mut self,
        divergence: Divergence,
        case: &Case,
        predicted: &Observation,
        observed: &Observation,
    ) -> Option<usize> {
        let (expected, sighting) = self.sighting(&divergence.signature);
        sighting.occurrences += 1;
        let length = case.bytes.len() as u64;
        if sighting.smallest.is_none_or(|smallest| length < smallest) {
            let is_first = sighting.smallest.replace(length).is_none();
            let name = divergence.signature.to_string();
            let found = Found {
                subject: self.id.clone(),
                version: self.version.clone(),
                divergence,
                case: case.clone(),
                predicted: predicted.clone(),
                observed: observed.clone(),
                expected,
                turn: self.place.turn,
                is_first: is_first || self.unsaved.found.get(&name).is_some_and(|found| found.is_first),
            };
            self.unsaved.found.insert(name, found);
        }
        expected
    }

    fn silent(&mut self, case: &Case, kind: String, detail: String, predicted: Option<String>) {
        let told = self.faults.entry((kind.clone(), predicted.clone())).or_default();
        *told += 1;
        if *told <= reports::TOLD_FAULTS {
            let (subject, turn) = (self.id.clone(), self.place.turn);
            self.unsaved.silences.push(Silence { subject, turn, kind, detail, case: case.clone(), predicted });
        }
    }
}
