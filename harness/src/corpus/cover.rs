//! Which rules of the matrix, and which planted faults, no fixture reaches, and fixtures that do.
//!
//! A case that reaches a rule is generated, cut down as long as it does, and thrown into a pool with all the others; of the
//! pool those are taken that reach most of what nothing taken before did. So nobody chooses, and each fixture says what it
//! was taken for.

use super::{Fixture, Found, Kind, Sidecar, slug, span};
use crate::case::sha256_hex;
use crate::faults::Fault;
use crate::generators::{Generator, VERSION, generate};
use crate::matrix::{self, Reached};
use crate::minimize::{Form, Minimizer};
use crate::subjects::core::Core;
use pyc_core::model::Loaded;
use pyc_core::{Profile, read};
use std::collections::{BTreeMap, BTreeSet};

/// The generators of streams that need no interpreter, in the order in which they are asked.
const GENERATORS: [Generator; 3] = [Generator::Streams, Generator::Values, Generator::Codes];

/// Everything is looked for in small cases first, because large ones take long to cut down.
const PASSES: [(u64, usize); 2] = [(6_000, 1_000), (20_000, usize::MAX)];

/// How many rules a fixture names in its one line.
const NAMED: usize = 3;

/// The rows that a stream reaches, profile by profile.
type Rows = Vec<Reached>;

/// What a case reaches under one profile.
#[must_use]
pub fn reached(core: &Core, stream: &[u8]) -> Reached {
    let profile = core.profile();
    match read(stream, profile) {
        Ok(graph) => match Loaded::new(&graph, profile).hazard() {
            Some(cause) => matrix::killing(cause),
            None => matrix::accepted(stream, &graph, profile),
        },
        Err(error) => matrix::refused(stream, &error, profile),
    }
}

/// What fixtures reach, and what they should.
#[derive(Debug)]
pub struct Cover {
    cores: Vec<Core>,
    versions: Vec<String>,
    missing: Rows,
    /// The planted faults that no fixture shows.
    faults: Vec<&'static Fault>,
}

/// A case that was cut down.
struct Candidate {
    stream: Vec<u8>,
    found: Found,
    rows: Rows,
}

impl Cover {
    /// What these fixtures leave out.
    #[must_use]
    pub fn of(fixtures: &[Fixture]) -> Cover {
        let cores: Vec<Core> = Core::all().collect();
        let versions = cores.iter().map(|core| core.profile().version.to_string()).collect();
        let missing = cores.iter().map(|core| matrix::reachable(core.profile())).collect();
        let streams: Vec<Vec<u8>> = fixtures.iter().map(Fixture::stream).collect();
        let faults = caught(&streams, Fault::all()).into_iter().filter(|(_, by)| by.is_none()).map(|(fault, _)| fault);
        let mut cover = Cover { missing, versions, faults: faults.collect(), cores };
        for stream in &streams {
            let rows = cover.rows(stream);
            cover.take(&rows);
        }
        cover
    }

    /// Each rule without a fixture, with the versions in which it has none.
    #[must_use]
    pub fn missing(&self) -> BTreeMap<String, String> {
        self.named(&self.missing)
    }

    /// The names of the planted faults without a fixture.
    #[must_use]
    pub fn faults(&self) -> Vec<&'static str> {
        self.faults.iter().map(|fault| fault.name).collect()
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.missing.iter().all(|missing| missing.rows().next().is_none())
    }

    /// How many pairs of a rule and a profile there are.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.cores.iter().map(|core| matrix::reachable(core.profile()).rows().count()).sum()
    }

    fn rows(&self, stream: &[u8]) -> Rows {
        self.cores.iter().map(|core| reached(core, stream)).collect()
    }

    /// Counts what is reached as not missing any more; gives what was missing before.
    fn take(&mut self, rows: &Rows) -> Rows {
        let new = self.missing.iter().zip(rows).map(|(missing, rows)| missing.and(*rows)).collect();
        self.missing.iter_mut().zip(rows).for_each(|(missing, rows)| *missing = missing.without(*rows));
        new
    }

    fn named(&self, rows: &Rows) -> BTreeMap<String, String> {
        let mut versions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (profile, reached) in rows.iter().enumerate() {
            reached.rows().for_each(|row| versions.entry(row).or_default().push(profile));
        }
        versions.into_iter().map(|(row, of)| (matrix::label(row).1.to_owned(), span(&self.versions, &of))).collect()
    }

    /// Fixtures for what is missing, from one seed; `tell` hears what is going on.
    #[must_use]
    pub fn fill(mut self, seed: u64, tell: &dyn Fn(String)) -> Vec<Fixture> {
        tell(format!("looking for cases under {} profiles", self.cores.len()));
        let mut pool = self.pool(seed);
        tell(format!("choosing among {} cases", pool.len()));
        let mut fixtures = Vec::new();
        while let Some(best) = self.best(&pool) {
            let Candidate { stream, found, rows } = pool.swap_remove(best);
            let new = self.take(&rows);
            fixtures.push(self.fixture(stream, found, &new));
        }
        let mut streams: Vec<Vec<u8>> = fixtures.iter().map(Fixture::stream).collect();
        let hidden = caught(&streams, self.faults.iter().copied());
        streams.clear();
        for fault in hidden.into_iter().filter_map(|(fault, by)| by.is_none().then_some(fault)) {
            // What was found for another fault may do.
            if caught(&streams, [fault].into_iter()).iter().any(|(_, by)| by.is_some()) {
                continue;
            }
            tell(format!("looking for a case that shows {}", fault.name));
            let found = self.show(fault, seed);
            streams.extend(found.iter().map(Fixture::stream));
            fixtures.extend(found);
        }
        fixtures
    }

    /// Cut-down cases for all that is missing.
    fn pool(&self, seed: u64) -> Vec<Candidate> {
        let found: Vec<Vec<(Vec<u8>, Found)>> = std::thread::scope(|scope| {
            let each =
                self.cores.iter().zip(&self.missing).map(|(core, missing)| scope.spawn(|| look(core, *missing, seed)));
            let threads: Vec<_> = each.collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
        });
        let mut seen = BTreeSet::new();
        let new = found.into_iter().flatten().filter(|(stream, _)| seen.insert(stream.clone()));
        new.map(|(stream, found)| Candidate { rows: self.rows(&stream), stream, found }).collect()
    }

    /// The candidate that reaches most of what is missing; of equals the shortest.
    fn best(&self, pool: &[Candidate]) -> Option<usize> {
        let gain = |candidate: &Candidate| -> usize {
            self.missing.iter().zip(&candidate.rows).map(|(missing, rows)| missing.and(*rows).rows().count()).sum()
        };
        let key = |candidate: &Candidate| (candidate.stream.len(), candidate.stream.clone());
        let gains = pool.iter().enumerate().map(|(index, candidate)| (gain(candidate), index));
        let best = gains
            .filter(|(gain, _)| *gain > 0)
            .max_by(|(a, i), (b, j)| a.cmp(b).then_with(|| key(&pool[*j]).cmp(&key(&pool[*i]))));
        best.map(|(_, index)| index)
    }

    fn fixture(&self, stream: Vec<u8>, found: Found, new: &Rows) -> Fixture {
        let first =
            new.iter().flat_map(|reached| reached.rows().next()).min().map_or("rules", |row| matrix::label(row).0);
        let of: Vec<usize> = (0..new.len()).filter(|&profile| new[profile].rows().next().is_some()).collect();
        let versions = of.iter().map(|&profile| self.versions[profile].clone()).collect();
        fixture(first, stream, found, versions, self.named(new))
    }

    /// A case that shows a planted fault, cut down as long as it does.
    fn show(&self, fault: &Fault, seed: u64) -> Option<Fixture> {
        let core = Core::with(fault.last_profile().clone());
        let shows = |stream: &[u8]| fault.shows(&core, stream, &core.observe(stream));
        let (mut stream, mut found) = cases(&core, seed).find(|(stream, _)| shows(stream))?;
        stream = smallest(&core, stream, shows);
        found.minimized = Some(stream.len() as u64);
        let version = core.profile().version.to_string();
        let reaches = BTreeMap::from([(format!("planted fault {}", fault.name), version.clone())]);
        Some(fixture("faults", stream, found, vec![version], reaches))
    }
}

fn fixture(
    group: &str,
    stream: Vec<u8>,
    found: Found,
    versions: Vec<String>,
    reaches: BTreeMap<String, String>,
) -> Fixture {
    let python = found.subject.clone().unwrap_or_default();
    // The group of what only Python 2 does has its version for a name.
    let group = slug(group).replace("2-7", "python2");
    let name = format!("{}/{group}-{python}-{}.marshal", Kind::Coverage.folder(), &sha256_hex(&stream)[..8]);
    let names: Vec<&str> = reaches.keys().map(String::as_str).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; {more} more"),
    };
    let what = format!("{}{more}", names[..names.len().min(NAMED)].join("; "));
    let about = Sidecar {
        kind: Kind::Coverage,
        what,
        group: None,
        kills: None,
        relation: None,
        versions,
        root_cause: None,
        found: Some(found),
        reaches,
        answer: Vec::new(),
    };
    Fixture { name, bytes: stream, about }
}

/// The cases of a seed for one profile, without any base, so that seed and index are enough to make them again.
fn cases(core: &Core, seed: u64) -> impl Iterator<Item = (Vec<u8>, Found)> {
    let target = core.target();
    let subject = core.profile().version.to_string();
    let indexes = PASSES.into_iter().flat_map(|(cases, longest)| (0..cases).map(move |index| (index, longest)));
    let each = indexes.flat_map(|(index, longest)| GENERATORS.map(|generator| (generator, index, longest)));
    each.filter_map(move |(generator, index, longest)| {
        let stream = generate(generator, target, seed, index, &[]).bytes;
        let found = Found {
            by: generator.name().into(),
            generators: Some(VERSION),
            seed: Some(seed),
            index: Some(index),
            subject: Some(subject.clone()),
            original: Some(stream.len() as u64),
            minimized: None,
        };
        (stream.len() <= longest).then_some((stream, found))
    })
}

/// One cut-down case for each row that is missing, as far as the generators reach it.
fn look(core: &Core, mut missing: Reached, seed: u64) -> Vec<(Vec<u8>, Found)> {
    let mut pool = Vec::new();
    for (stream, found) in cases(core, seed) {
        if missing.rows().next().is_none() {
            break;
        }
        for row in missing.and(reached(core, &stream)).rows() {
            if !missing.has_row(row) {
                continue;
            }
            let smallest = smallest(core, stream.clone(), |smaller| reached(core, smaller).has_row(row));
            missing = missing.without(reached(core, &smallest));
            let minimized = Some(smallest.len() as u64);
            pool.push((smallest, Found { minimized, ..found.clone() }));
        }
    }
    pool
}

/// The simplest stream that can be had from this one such that it keeps what it was taken for. Here the trivial one may do.
fn smallest(core: &Core, stream: Vec<u8>, keeps: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut minimizer = Minimizer::trusting(Form::Stream(Some(core.target())), stream);
    loop {
        let batch = minimizer.batch(1);
        if batch.is_empty() {
            return minimizer.best().to_vec();
        }
        minimizer.answer(&batch.iter().map(|smaller| keeps(smaller)).collect::<Vec<_>>());
    }
}

/// For each fault the shortest of the streams that shows it, by its number, and to which version.
#[must_use]
pub fn caught(
    streams: &[Vec<u8>],
    faults: impl Iterator<Item = &'static Fault>,
) -> Vec<(&'static Fault, Option<(usize, &'static Profile)>)> {
    let mut order: Vec<usize> = (0..streams.len()).collect();
    order.sort_by_key(|&index| (streams[index].len(), &streams[index]));
    let members: Vec<(Core, &'static Profile)> =
        Profile::all().map(|profile| (Core::with(profile.clone()), profile)).collect();
    let mut found: Vec<(&'static Fault, Option<(usize, &'static Profile)>)> =
        faults.map(|fault| (fault, None)).collect();
    for index in order {
        let stream = &streams[index];
        for (core, profile) in members.iter().rev() {
            let mut pending = found.iter_mut().filter(|(fault, by)| by.is_none() && fault.concerns(profile)).peekable();
            if pending.peek().is_none() {
                continue;
            }
            let right = core.observe(stream);
            for (fault, by) in pending {
                if fault.shows(core, stream, &right) {
                    *by = Some((index, *profile));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{all, folder, tests::root};

    /// What CI is to notice: a rule that came, or a fixture that went away.
    #[test]
    fn every_rule_has_a_fixture_under_every_profile() {
        let cover = Cover::of(&all(&root()).unwrap());
        assert!(cover.missing().is_empty(), "run `cargo provost corpus cover --write`: {:?}", cover.missing());
        let chosen = folder(&root(), Kind::Coverage).unwrap();
        assert!(chosen.len() >= 500, "only {} fixtures were chosen", chosen.len());
    }

    #[test]
    fn every_planted_fault_is_caught_by_a_fixture() {
        let streams: Vec<Vec<u8>> = all(&root()).unwrap().iter().map(Fixture::stream).collect();
        let caught = caught(&streams, Fault::all());
        let hidden: Vec<&str> = caught.iter().filter(|(_, by)| by.is_none()).map(|(fault, _)| fault.name).collect();
        assert!(hidden.is_empty() && caught.len() >= 158, "{} faults, not caught: {hidden:?}", caught.len());
    }

    /// What a fixture says that it reaches, it reaches.
    #[test]
    fn fixtures_reach_what_they_say() {
        let cover = Cover::of(&[]);
        for fixture in folder(&root(), Kind::Coverage).unwrap() {
            let rows = cover.rows(&fixture.bytes);
            for (rule, versions) in fixture.about.reaches.iter().filter(|(rule, _)| !rule.starts_with("planted fault "))
            {
                let reaching =
                    rows.iter().enumerate().filter(|(_, rows)| rows.rows().any(|row| matrix::label(row).1 == rule));
                let reaching: Vec<String> = reaching.map(|(profile, _)| cover.versions[profile].clone()).collect();
                let first_and_last = versions.split([',', '-']).map(str::trim);
                let lacking: Vec<&str> = first_and_last.filter(|v| !reaching.iter().any(|r| r == v)).collect();
                assert!(lacking.is_empty(), "{} does not reach {rule} in {lacking:?}", fixture.name);
            }
        }
    }

    #[test]
    fn what_is_missing_is_found_again_from_its_seed() {
        let core = Core::named("3.12").unwrap();
        let missing = matrix::reachable(core.profile());
        let wanted = |row: &usize| ["N as list item", "end inside a number of i"].contains(&matrix::label(*row).1);
        let others = missing.rows().filter(|row| !wanted(row)).map(matrix::row);
        let only = others.fold(missing, Reached::without);
        let pool = look(&core, only, 1);
        let streams: Vec<&[u8]> = pool.iter().map(|(stream, _)| stream.as_slice()).collect();
        assert!(streams.contains(&&b"i"[..]) && streams.contains(&&b"[\x01\0\0\0N"[..]), "{streams:02x?}");
    }
}
