//! Which cases a subject gets in which turn.
//!
//! A turn is a generator and some of its indexes, and both follow from the turn's number. So several machines can share a run:
//! each takes every n-th round, and all of them together make exactly the cases of one that takes every round.

use super::plan::{Plan, Shard};
use crate::generators::Generator;
use crate::generators::execution::OF_EACH;
use std::ops::Range;

/// A turn of a generator has this many cases ...
const CASES: u64 = 64;
/// ... or this many compiled files in a run that takes all of them ...
const FILES: u64 = 32;
/// ... or one in a mixed run, where compiling would else take most of the time ...
const FEW_FILES: u64 = 1;
/// ... or this many programs, each of which has to be compiled ...
const PROGRAMS: u64 = 1;
/// ... or this many mutants, as a process is forked to execute a turn's ...
const EXECUTIONS: u64 = 8 * OF_EACH;
/// ... or this many .pyc files, each of which is two cases, the header and the stream.
const PYC_FILES: u64 = CASES / 2;

/// All turns of one subject.
pub(super) struct Schedule {
    generators: Vec<Supplied>,
    /// How many cases there are to be in all shards together.
    cases: u64,
    /// How many turns each generator has in all shards together.
    rounds: u64,
    shard: Shard,
}

/// A generator, and how much there is of it.
struct Supplied {
    generator: Generator,
    /// Indexes in a turn.
    each: u64,
    /// Indexes in all.
    total: u64,
    /// How many cases an index is counted as.
    weight: u64,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// Its number, which is the same in a run of one shard and of many.
    pub(super) number: u64,
    /// How often each generator had a turn before.
    pub(super) round: u64,
    pub(super) generator: Generator,
    /// Never empty.
    pub(super) indexes: Range<u64>,
}

impl Schedule {
    /// `cases` is the subject's share of the limit; `total` tells how many indexes of a generator there are.
    pub(super) fn new(plan: &Plan, cases: Option<u64>, total: impl Fn(Generator) -> u64) -> Schedule {
        let supplied = |&generator: &Generator| Supplied {
            generator,
            each: match generator {
                Generator::Stdlib if plan.full => FILES,
                Generator::Stdlib => FEW_FILES,
                Generator::Programs => PROGRAMS,
                Generator::Pyc => PYC_FILES,
                Generator::Values | Generator::Streams | Generator::Keys | Generator::Codes => CASES,
                Generator::Execution => EXECUTIONS,
            },
            total: total(generator),
            weight: if generator == Generator::Pyc { 2 } else { 1 },
        };
        let generators: Vec<Supplied> = plan.generators.iter().map(supplied).collect();
        let library = generators.iter().find(|one| plan.full && one.generator == Generator::Stdlib);
        // A run of a whole library ends with it.
        let rounds = library.map_or(u64::MAX, |one| one.total.div_ceil(one.each).max(1));
        Schedule { generators, cases: cases.unwrap_or(u64::MAX), rounds, shard: plan.shard }
    }

    /// The first turn of this shard that is not before `number`.
    pub(super) fn next(&self, mut number: u64) -> Option<Turn> {
        let places = self.generators.len() as u64;
        // Turns are long before this ends; a round of generators that have nothing left is the end.
        while self.generators.iter().any(|one| self.first(one, number) < one.total) {
            let round = number / places;
            if round >= self.rounds {
                return None;
            }
            if round % self.shard.of != self.shard.index {
                number = (round + 1).checked_mul(places)?;
                continue;
            }
            let one = self.generators.get(usize::try_from(number % places).ok()?)?;
            let first = round.checked_mul(one.each)?;
            let end = first.checked_add(one.each)?.min(one.total);
            let room = self.cases.saturating_sub(self.before(number)) / one.weight;
            if first < end && room > 0 {
                return Some(Turn { number, round, generator: one.generator, indexes: first..end.min(first + room) });
            }
            if self.before(number) >= self.cases {
                return None;
            }
            number += 1;
        }
        None
    }

    /// Whether each generator has had a turn in this shard before the turn of this number.
    pub(super) fn has_begun(&self, number: u64) -> bool {
        number >= (self.shard.index + 1).saturating_mul(self.generators.len() as u64)
    }

    /// The first index that is not before a turn.
    fn first(&self, one: &Supplied, number: u64) -> u64 {
        let places = self.generators.len() as u64;
        let place = self.generators.iter().position(|other| other.generator == one.generator).unwrap_or(0) as u64;
        let rounds = number / places + u64::from(number % places > place);
        rounds.saturating_mul(one.each).min(one.total)
    }

    /// How many cases all shards together make before a turn.
    fn before(&self, number: u64) -> u64 {
        let cases = |one: &Supplied| self.first(one, number).saturating_mul(one.weight);
        self.generators.iter().fold(0, |sum, one| sum.saturating_add(cases(one)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(shard: Shard, cases: Option<u64>, generators: &[Generator], full: bool) -> Vec<Turn> {
        let plan = Plan { shard, generators: generators.to_vec(), full, ..Plan::of_nothing() };
        let total = |generator| match generator {
            Generator::Stdlib => 70,
            Generator::Codes => 0,
            _ => u64::MAX,
        };
        let schedule = Schedule::new(&plan, cases, total);
        let mut turns: Vec<Turn> = Vec::new();
        while let Some(turn) = schedule.next(turns.last().map_or(0, |turn| turn.number + 1)) {
            turns.push(turn);
        }
        turns
    }

    /// Whatever the number of shards, they make the same turns, each of them once.
    #[test]
    fn shards_are_the_run() {
        let mixes: [(&[Generator], bool); 4] = [
            (&Generator::ALL, false),
            (&[Generator::Stdlib, Generator::Values], true),
            (&[Generator::Pyc, Generator::Values], false),
            (&[Generator::Codes], false),
        ];
        for (generators, full) in mixes {
            for cases in [0, 1, 2, 63, 64, 65, 258, 4000, 4001] {
                let whole = turns(Shard::WHOLE, Some(cases), generators, full);
                for of in [1, 2, 3, 7, 64] {
                    let parts = (0..of).flat_map(|index| turns(Shard { index, of }, Some(cases), generators, full));
                    let mut parts: Vec<Turn> = parts.collect();
                    parts.sort_by_key(|turn| turn.number);
                    assert_eq!(parts, whole, "{generators:?}, {cases} cases, {of} shards");
                }
            }
        }
    }

    #[test]
    fn a_limit_is_kept() {
        let made = |cases, generators: &[Generator], full| -> u64 {
            let weight = |turn: &Turn| if turn.generator == Generator::Pyc { 2 } else { 1 };
            let turns = turns(Shard::WHOLE, Some(cases), generators, full);
            turns.iter().map(|turn| (turn.indexes.end - turn.indexes.start) * weight(turn)).sum()
        };
        for cases in [0, 1, 63, 64, 65, 1000, 1001] {
            assert_eq!(made(cases, &[Generator::Values, Generator::Streams], false), cases);
            assert_eq!(made(cases, &[Generator::Pyc], false), cases / 2 * 2, "a file is two cases");
        }
        assert_eq!(made(1000, &[Generator::Stdlib], true), 70, "a library has an end");
        assert_eq!(made(1000, &[Generator::Stdlib, Generator::Values], true), 70 + 3 * 64, "and the run with it");
        assert_eq!(made(1000, &[Generator::Codes], false), 0);
    }
}
