//! Smaller cases: what a finding is cut down to.
//!
//! A tape shrinks badly: drop one of its bytes, and every decision behind it is another one. So it is the case itself that
//! shrinks: a stream and a .pyc file first at their joints (`structure`), a program at those of its text (`source`),
//! then all of them byte by byte (`bytes`); and again from the beginning, until no single step of any kind leads to
//! a [simpler](order) case that is still interesting. As every step goes down in one total order, the same bug mostly
//! ends in the same bytes, wherever it was found.
//!
//! What is interesting is for the caller to say: the same relation fails in the same way for the same pair. A
//! [`Minimizer`] hands out candidates in batches, so that many can be put to an interpreter at once, and each may end it.
//! What comes out does not depend on how large the batches are. Nothing here reads a clock: whoever has no more time stops
//! asking, and has the best that was found.
//!
//! [`merge`] says which minimized findings are one.

mod bytes;
mod cause;
mod change;
pub mod merge;
mod numbering;
pub mod order;
mod reaction;
mod source;
mod structure;

pub(crate) use bytes::halves;

use crate::generators::Target;
use crate::generators::draft::Draft;
use order::compare;
use pyc_core::{Profile, Version};
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use structure::Step;

/// How often a case is tried before its answers are believed.
const TRIES: usize = 3;

/// How many candidates [`minimize`] makes at a time; it asks for one after the other.
const AHEAD: usize = 16;

/// Cases that were tried are remembered up to this number; later ones may be tried again.
const REMEMBERED: usize = 1 << 20;

/// What the bytes of a case are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A marshal stream, for this interpreter or for an unknown one.
    Stream(Option<Target>),
    /// A .pyc file.
    Pyc(Target),
    /// The text of a program.
    Source,
}

impl Form {
    /// How many bytes stand before the stream.
    fn header(self, case: &[u8]) -> usize {
        match self {
            Form::Pyc(target) => plain_header(target).len().min(case.len()),
            _ => 0,
        }
    }

    /// The case that has nothing in it. A predicate that holds for it says nothing about any case.
    #[must_use]
    pub fn trivial(self) -> Vec<u8> {
        match self {
            Form::Stream(_) => b"N".to_vec(),
            Form::Pyc(target) => [&plain_header(target)[..], b"N"].concat(),
            Form::Source => b"pass\n".to_vec(),
        }
    }
}

/// The magic number of a version, and zeros.
fn plain_header(target: Target) -> Vec<u8> {
    let (major, minor) = target.version;
    let Some(profile) = Profile::of(Version::new(major, minor)) else { return Vec::new() };
    let mut header = [&profile.magic.to_le_bytes()[..], b"\r\n"].concat();
    header.resize(profile.header.length(), 0);
    header
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It shrank as far as it went.
    Minimized(Minimized),
    /// It was not interesting to begin with.
    NotInteresting,
    /// The trivial case is interesting as well.
    TrivialToo,
    /// The same case is interesting at one time and not at another.
    Flaky,
}

/// A smaller case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimized {
    /// It.
    pub bytes: Vec<u8>,
    /// How many steps led to it.
    pub steps: u64,
    /// How many candidates were tried.
    pub tries: u64,
    /// Whether no single step makes it simpler; otherwise somebody stopped before that was known.
    pub complete: bool,
}

impl Outcome {
    /// The smaller case, if there is one.
    #[must_use]
    pub fn minimized(self) -> Option<Minimized> {
        match self {
            Outcome::Minimized(minimized) => Some(minimized),
            _ => None,
        }
    }
}

/// The simplest case that can be had from this one in single steps such that each is still `interesting`.
///
/// ```
/// use harness::minimize::{Form, minimize};
/// let stream = b"\xa9\x03\xda\x01xl\x01\0\0\0\x05\0[\x02\0\0\0r\x01\0\0\0g\0\0\0\0\0\0\0\x80rest";
/// let has_minus_zero = |stream: &[u8]| stream.windows(9).any(|w| w == b"g\0\0\0\0\0\0\0\x80");
/// let outcome = minimize(Form::Stream(None), stream, has_minus_zero, |_| true);
/// assert_eq!(outcome.minimized().unwrap().bytes, b"g\0\0\0\0\0\0\0\x80");
/// ```
///
/// `goes_on` is asked before each candidate and told how many were tried; the first `false` ends it.
pub fn minimize(
    form: Form,
    case: &[u8],
    mut interesting: impl FnMut(&[u8]) -> bool,
    goes_on: impl FnMut(u64) -> bool,
) -> Outcome {
    run(Minimizer::new(form, case.to_vec()), |_, candidate| interesting(candidate), goes_on)
}

/// [`minimize`], where the simplest case so far takes part in what is interesting.
fn run(
    mut minimizer: Minimizer,
    mut interesting: impl FnMut(&[u8], &[u8]) -> bool,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Outcome {
    loop {
        let batch = minimizer.batch(AHEAD);
        if batch.is_empty() {
            return minimizer.finish();
        }
        let mut answers = Vec::new();
        for candidate in &batch {
            // What it is at all is found out in any case.
            if minimizer.phase == Phase::Shrinking && !goes_on(minimizer.tries + answers.len() as u64) {
                minimizer.answer(&answers);
                return minimizer.finish();
            }
            answers.push(interesting(&minimizer.best, candidate));
            if minimizer.phase == Phase::Shrinking && answers.last() == Some(&true) {
                break;
            }
        }
        minimizer.answer(&answers);
    }
}

/// One way to a simpler case.
#[derive(Debug, Clone)]
enum Move {
    Structure(Step),
    /// The same, while references keep their numbers.
    Raw(Step),
    /// Other bytes in place of these.
    Edit(Range<usize>, Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Is the case interesting, each time, and the trivial one not?
    Checking,
    Shrinking,
    /// Is what came out still interesting, each time?
    Confirming,
    Done,
}

/// What is tried before what: the next begins where the one before it finds nothing more.
const LEVELS: usize = 3;

/// Shrinks step by step, for who decides elsewhere what is interesting.
#[derive(Debug, Clone)]
pub struct Minimizer {
    form: Form,
    best: Vec<u8>,
    phase: Phase,
    /// The answers to what is asked but for candidates.
    answers: Vec<bool>,
    /// Whether nothing is asked but candidates.
    trusting: bool,
    /// Whether nothing is done but to take away what is there.
    cutting: bool,
    verdict: Option<Outcome>,
    level: usize,
    moves: Vec<Move>,
    next: usize,
    /// Whether a candidate was accepted since the level began.
    accepted: bool,
    /// The candidates that were handed out, and where to go on after each.
    pending: Vec<(usize, Vec<u8>)>,
    tried: HashSet<u64>,
    steps: u64,
    tries: u64,
}

impl Minimizer {
    /// Starts from a case, of which it will ask whether it is interesting.
    #[must_use]
    pub fn new(form: Form, case: Vec<u8>) -> Minimizer {
        Minimizer {
            form,
            best: case,
            phase: Phase::Checking,
            answers: Vec::new(),
            trusting: false,
            cutting: false,
            verdict: None,
            level: 0,
            moves: Vec::new(),
            next: 0,
            accepted: false,
            pending: Vec::new(),
            tried: HashSet::new(),
            steps: 0,
            tries: 0,
        }
    }

    /// Starts from a case that is known to be interesting, and asks for nothing but candidates.
    #[must_use]
    pub fn trusting(form: Form, case: Vec<u8>) -> Minimizer {
        let mut minimizer = Minimizer { phase: Phase::Shrinking, trusting: true, ..Minimizer::new(form, case) };
        minimizer.begin(0);
        minimizer
    }

    /// Takes objects away, or parts of them, and does nothing else. The text of a program shrinks as ever.
    fn cutting(self) -> Minimizer {
        Minimizer { cutting: self.form != Form::Source, ..self }
    }

    /// The simplest case so far.
    #[must_use]
    pub fn best(&self) -> &[u8] {
        &self.best
    }

    /// How many candidates were tried.
    #[must_use]
    pub fn tries(&self) -> u64 {
        self.tries
    }

    /// Up to `most` cases, of which it has to be known whether they are interesting; none when it is done.
    pub fn batch(&mut self, most: usize) -> Vec<Vec<u8>> {
        if self.phase == Phase::Shrinking {
            self.pending = self.candidates(most.max(1));
            if self.pending.is_empty() {
                self.phase = if self.trusting { Phase::Done } else { Phase::Confirming };
            }
        }
        match self.phase {
            Phase::Shrinking => self.pending.iter().map(|(_, candidate)| candidate.clone()).collect(),
            Phase::Done => Vec::new(),
            _ => self.questions().into_iter().skip(self.answers.len()).take(most.max(1)).collect(),
        }
    }

    /// Which cases of the last batch are interesting, from its first on. Nothing has to be said of those behind a candidate
    /// that is; they may be handed out again.
    pub fn answer(&mut self, answers: &[bool]) {
        if self.phase == Phase::Shrinking {
            return self.answer_candidates(answers);
        }
        self.answers.extend(answers);
        let all = self.questions().len();
        let (same, trivial) = self.answers.split_at(self.answers.len().min(TRIES));
        let verdict = match (same, trivial) {
            _ if same.iter().any(|answer| *answer != same[0]) => Some(Outcome::Flaky),
            ([false, _, _], _) if self.phase == Phase::Confirming => Some(Outcome::Flaky),
            ([false, _, _], _) => Some(Outcome::NotInteresting),
            (_, [true]) => Some(Outcome::TrivialToo),
            _ => None,
        };
        if verdict.is_some() || self.answers.len() == all && self.phase == Phase::Confirming {
            (self.verdict, self.phase) = (verdict, Phase::Done);
        } else if self.answers.len() == all {
            self.answers.clear();
            self.phase = Phase::Shrinking;
            self.begin(0);
        }
    }

    /// What came of it, at any time.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let Minimizer { best: bytes, steps, tries, phase, verdict, .. } = self;
        verdict.unwrap_or(Outcome::Minimized(Minimized { bytes, steps, tries, complete: phase == Phase::Done }))
    }

    /// The cases of which has to be known before the first candidate, or after the last.
    fn questions(&self) -> Vec<Vec<u8>> {
        let trivial = self.form.trivial();
        let others = self.phase == Phase::Checking && self.best != trivial;
        std::iter::repeat_n(self.best.clone(), TRIES).chain(others.then_some(trivial)).collect()
    }

    fn answer_candidates(&mut self, answers: &[bool]) {
        for ((next, candidate), interesting) in std::mem::take(&mut self.pending).into_iter().zip(answers) {
            self.tries += 1;
            self.next = next;
            if self.tried.len() < REMEMBERED {
                self.tried.insert(hash(&candidate));
            }
            if *interesting {
                self.steps += 1;
                self.best = candidate;
                self.accepted = true;
                self.moves = self.moves_of(self.level);
                break;
            }
        }
    }

    fn begin(&mut self, level: usize) {
        (self.level, self.next, self.accepted) = (level, 0, false);
        self.moves = self.moves_of(level);
    }

    /// The next candidates, and the moves behind them.
    fn candidates(&mut self, most: usize) -> Vec<(usize, Vec<u8>)> {
        loop {
            let found = self.candidates_here(most);
            if !found.is_empty() {
                return found;
            }
            // What was tried in vain before may have become possible.
            match (self.accepted, self.level + 1) {
                (true, _) => self.begin(0),
                (false, LEVELS) => return Vec::new(),
                (false, next) => self.begin(next),
            }
        }
    }

    fn candidates_here(&self, most: usize) -> Vec<(usize, Vec<u8>)> {
        let stream = &self.best[self.form.header(&self.best)..];
        let header = &self.best[..self.best.len() - stream.len()];
        let draft = self.draft(stream);
        let mut seen = HashSet::new();
        let candidates = self.moves.iter().enumerate().skip(self.next).filter_map(|(place, step)| {
            let candidate = match step {
                Move::Edit(range, by) => [&self.best[..range.start], by, &self.best[range.end..]].concat(),
                Move::Structure(step) => [header, &change::apply(step, stream, draft.as_ref(), false)?].concat(),
                Move::Raw(step) => [header, &change::apply(step, stream, draft.as_ref(), true)?].concat(),
            };
            let is_simpler = candidate != self.best && compare(self.form, &candidate, &self.best) == Ordering::Less;
            let is_new = is_simpler && !self.tried.contains(&hash(&candidate)) && seen.insert(hash(&candidate));
            is_new.then_some((place + 1, candidate))
        });
        candidates.take(most).collect()
    }

    fn draft<'s>(&self, stream: &'s [u8]) -> Option<Draft<'s>> {
        match self.form {
            Form::Source => None,
            Form::Stream(target) => Draft::read(stream, target),
            Form::Pyc(target) => Draft::read(stream, Some(target)),
        }
    }

    fn moves_of(&self, level: usize) -> Vec<Move> {
        let n = self.best.len();
        let header = self.form.header(&self.best);
        let structure = |target| {
            let stream = &self.best[header..];
            let mut steps = structure::steps(stream, target);
            let draft = self.draft(stream);
            let end = draft.as_ref().map_or(0, |draft| stream.len() - draft.rest.len());
            steps.retain(|step| !self.cutting || step.is_cut(end));
            let raw = if change::has_references(draft.as_ref()) { steps.clone() } else { Vec::new() };
            steps.into_iter().map(Move::Structure).chain(raw.into_iter().map(Move::Raw)).collect::<Vec<_>>()
        };
        if self.cutting && level > 0 {
            return Vec::new();
        }
        match (level, self.form) {
            (0, Form::Source) => {
                source::edits(&self.best).into_iter().map(|(range, by)| Move::Edit(range, by)).collect()
            }
            (0, Form::Stream(target)) => structure(target),
            (0, Form::Pyc(target)) => {
                let plain = plain_header(target);
                let words = (0..header).step_by(4).map(|from| from..header.min(from + 4));
                let ranges = [0..header, header.min(4)..header].into_iter().chain(words);
                let edits = ranges.map(|range| Move::Edit(range.clone(), plain[range].to_vec()));
                edits.chain([Move::Edit(header..n, Vec::new())]).chain(structure(Some(target))).collect()
            }
            (1, _) => bytes::cuts(&self.best).into_iter().map(|range| Move::Edit(range, Vec::new())).collect(),
            (_, Form::Source) => Vec::new(),
            _ => bytes::simpler(self.form, &self.best).into_iter().map(|(range, by)| Move::Edit(range, by)).collect(),
        }
    }
}

fn hash(case: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    case.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
