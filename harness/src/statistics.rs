//! What a generator's cases are made of, and whether it keeps its promises, counted while a hunt goes on.
//!
//! A generator that quietly stopped to make something, or whose valid cases are no longer accepted, still gives cases that
//! agree. So each subject counts for each generator what was accepted of what was made to be accepted, and looks at a
//! sample of the cases for their size and features. A generator that does not do what it promises is *starved*; the report
//! says so.

use crate::case::{Case, Form};
use crate::generators::features::{Shape, TABLE, shape};
use crate::generators::{Generator, Target};
use crate::observation::Observation;
use reports::{FeatureCount, Spread};
use std::collections::BTreeMap;

/// One in so many cases is looked at: looking at all of them would cost a tenth of a hunt's speed.
const ONE_IN: u64 = 8;

/// What one generator made for one subject.
#[derive(Debug, Clone)]
pub struct Statistics {
    subject: String,
    generator: Generator,
    target: Target,
    /// Whether there should be cases at all.
    wanted: bool,
    /// Whether the subject owes it to accept them: another implementation's refusals are findings of it, not the generator's.
    owes: bool,
    /// The place in the sequence of which a sample is looked at.
    place: u64,
    cases: u64,
    streams: u64,
    valid: u64,
    accepted: u64,
    sampled: u64,
    size: Spread,
    nodes: Spread,
    depth: Spread,
    flagged: u64,
    references: u64,
    cycles: u64,
    features: [u64; TABLE.len()],
}

impl Statistics {
    pub(crate) fn new(subject: &str, generator: Generator, target: Target, owes: bool, wanted: bool) -> Statistics {
        Statistics {
            subject: subject.into(),
            generator,
            target,
            wanted,
            owes,
            place: 0,
            cases: 0,
            streams: 0,
            valid: 0,
            accepted: 0,
            sampled: 0,
            size: Spread::default(),
            nodes: Spread::default(),
            depth: Spread::default(),
            flagged: 0,
            references: 0,
            cycles: 0,
            features: [0; TABLE.len()],
        }
    }

    /// Goes on from numbers that were written down.
    pub(crate) fn go_on(&mut self, written: &reports::Statistics) {
        let reports::Statistics { cases, streams, valid, valid_accepted, sampled, size, nodes, depth, .. } = *written;
        (self.cases, self.streams, self.sampled) = (cases, streams, sampled);
        (self.valid, self.accepted) = (valid, valid_accepted);
        (self.size, self.nodes, self.depth) = (size, nodes, depth);
        (self.flagged, self.references, self.cycles) = (written.flagged, written.references, written.cycles);
        for (row, count) in TABLE.iter().zip(&mut self.features) {
            *count =
                written.features.iter().find(|feature| feature.name == row.name).map_or(0, |feature| feature.cases);
        }
    }

    /// Whose, and of which generator.
    #[must_use]
    pub fn key(&self) -> (String, Generator) {
        (self.subject.clone(), self.generator)
    }

    /// A turn begins: which of its cases are looked at depends on nothing but its round.
    pub(crate) fn begin(&mut self, round: u64) {
        self.place = round;
    }

    /// Counts a case, with what the model says of it and what the subject (or the model, where it is alone) does.
    pub(crate) fn count(&mut self, case: &Case, predicted: &Observation, shown: &Observation) {
        let accepted = match shown {
            Observation::Accepted(_) => Some(true),
            // What was not asked says nothing, unless it was not asked because it may kill.
            Observation::Skipped(_) => matches!(predicted, Observation::Undefined(_)).then_some(false),
            _ => Some(false),
        };
        if let (true, Some(accepted)) = (case.valid, accepted) {
            self.valid += 1;
            self.accepted += u64::from(accepted);
        }
        if case.form == Form::Stream {
            if self.place.is_multiple_of(ONE_IN) {
                self.look(case.bytes.len() as u64, &shape(self.target, &case.bytes));
            }
            (self.streams, self.place) = (self.streams + 1, self.place + 1);
        }
        self.cases += 1;
    }

    fn look(&mut self, size: u64, shape: &Shape) {
        self.sampled += 1;
        for (spread, n) in [(&mut self.size, size), (&mut self.nodes, shape.nodes), (&mut self.depth, shape.depth)] {
            spread.sum += n;
            spread.max = spread.max.max(n);
        }
        self.flagged += shape.flagged;
        self.references += shape.references;
        self.cycles += shape.cycles;
        for (row, cases) in TABLE.iter().zip(&mut self.features) {
            *cases += u64::from(shape.has(row.feature));
        }
    }

    /// As a log has it.
    #[must_use]
    pub fn event(&self) -> reports::Statistics {
        let feature = |(row, cases): (&crate::generators::features::Row, u64)| FeatureCount {
            name: row.name.into(),
            cases,
            promised: row.is_promised(self.generator, self.target),
        };
        let mut event = reports::Statistics {
            subject: self.subject.clone(),
            generator: self.generator.name().into(),
            cases: self.cases,
            streams: self.streams,
            valid: self.valid,
            valid_accepted: self.accepted,
            sampled: self.sampled,
            size: self.size,
            nodes: self.nodes,
            depth: self.depth,
            flagged: self.flagged,
            references: self.references,
            cycles: self.cycles,
            features: TABLE.iter().zip(self.features).map(feature).collect(),
            wanted: self.wanted,
            owes: self.owes,
            starved: Vec::new(),
        };
        event.starved = event.starvation();
        event
    }
}

/// For the subjects of each family and each generator, how much of what was made to be accepted was: lines
/// for a terminal.
pub(crate) fn summary(all: &[reports::Statistics]) -> Vec<String> {
    let mut sums: BTreeMap<&str, BTreeMap<&str, (u64, u64)>> = BTreeMap::new();
    for one in all.iter().filter(|one| one.valid > 0) {
        let family = one.subject.split(':').next().unwrap_or_default();
        let (valid, accepted) = sums.entry(family).or_default().entry(&one.generator).or_default();
        *valid += one.valid;
        *accepted += one.valid_accepted;
    }
    let line = |(family, generators): (&str, BTreeMap<&str, (u64, u64)>)| {
        let share = |(name, (valid, accepted)): (&str, (u64, u64))| {
            format!("{name} {:.3} % of {valid}", 100.0 * accepted as f64 / valid as f64)
        };
        let shares: Vec<String> = generators.into_iter().map(share).collect();
        format!("made to be accepted, and accepted by {family}: {}", shares.join(", "))
    };
    sums.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Origin;
    use crate::subjects::core::Core;

    fn statistics(generator: Generator, cases: &[(&[u8], bool)]) -> reports::Statistics {
        let core = Core::named("3.12").unwrap();
        let mut statistics = Statistics::new("cpython:3.12", generator, core.target(), true, true);
        for &(bytes, valid) in cases {
            let case = Case { valid, ..Case::stream(bytes.to_vec(), Origin::generated(generator, 0, 0)) };
            let observation = core.predict(bytes).observation;
            statistics.count(&case, &observation, &observation);
        }
        statistics.event()
    }

    #[test]
    fn valid_cases_are_counted_and_a_sample_is_looked_at() {
        let mut cases = vec![(&b"\xa9\x01r\0\0\0\0"[..], true); 9];
        cases.push((b"?", false));
        let event = statistics(Generator::Values, &cases);
        assert_eq!((event.valid, event.valid_accepted, event.sampled), (9, 9, 2));
        assert_eq!((event.size, event.depth), (Spread { sum: 14, max: 7 }, Spread { sum: 4, max: 2 }));
        assert_eq!((event.flagged, event.references, event.cycles), (2, 2, 2));
        let tuples: Vec<u64> = event.features.iter().filter(|f| f.name == "tuple").map(|f| f.cases).collect();
        assert_eq!(tuples, [2]);
        assert_eq!(event.starved, [""; 0]);
        assert_eq!(summary(&[event]), ["made to be accepted, and accepted by cpython: values 100.000 % of 9"]);
    }

    #[test]
    fn a_starved_generator_is_named_with_its_reasons() {
        #[track_caller]
        fn check(cases: &[(&[u8], bool)], expected: &[&str]) {
            let starved = statistics(Generator::Values, cases).starved;
            assert!(expected.iter().all(|reason| starved.iter().any(|s| s == reason)), "{starved:?}");
            assert_eq!(starved.is_empty(), expected.is_empty(), "{starved:?}");
        }
        check(&[], &["made no case"]);
        check(&[(b"N", true)], &[]);
        check(&[(b"N", true), (b"?", true)], &[]);
        check(&[(b"N", true), (b"?", false)], &[]);
        let refused = |n: usize, of: usize| -> Vec<(&[u8], bool)> {
            (0..of).map(|i| (if i < n { &b"?"[..] } else { b"N" }, true)).collect()
        };
        check(&refused(9, 9), &[]);
        check(&refused(10, 10), &["10 of 10 valid cases were not accepted (100.0 %)"]);
        check(&refused(10, 10_000), &[]);
        check(&refused(11, 10_000), &["11 of 10000 valid cases were not accepted (0.1 %)"]);
        let enough = usize::try_from(10_000 * ONE_IN).unwrap();
        check(&vec![(&b"N"[..], true); enough], &["no list", "no shared object"]);
    }
}
