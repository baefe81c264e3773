//! One subject's part of a campaign: batch after batch, predict, ask, judge, count, tell.
//!
//! The model predicts the bytes of each dump, so the usual case costs one comparison of bytes and one of hashes; the
//! texts are fetched only for what differs. What the model calls undefined is asked a few times in each run, since every
//! such answer costs a process, and is counted apart from agreement.

mod headers;

use super::gate::{Gate, Over};
use super::messages::{Found, Message, Silence};
use super::minimizing::Job;
use super::plan::{Member, Plan};
use super::supply::{Batch, Supply, Without};
use crate::case::Case;
use crate::comparison::{Closer, Flaky, Question, Readable, Unasked};
use crate::generators::Generator;
use crate::matrix::Tally;
use crate::observation::{Fault, Observation};
use crate::oracle::{self, Divergence, Signature, Verdict};
use crate::statistics::Statistics;
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use protocol::CanonMode;
use reports::{Counts, Level};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// How many faults of one kind are told one by one; the others are counted.
const TOLD_FAULTS: u32 = 4;

/// How many sources without a case are named; the others are counted.
const TOLD_SOURCES: usize = 5;

/// In every n-th batch the core reads all dumps, and the interpreter reads its own. Reading costs more than predicting, and
/// whether what was written can be read is seldom news. Without an interpreter it is all there is to see.
const REREAD_EVERY: u64 = 4;

/// How often a signature of a subject is looked at in full when it turned out not to repeat.
const FLAKY: u32 = 3;

pub(super) struct Hunter<'a> {
    plan: &'a Plan,
    member: Member,
    /// How many cases are still to be made.
    left: u64,
    sender: Sender<Message>,
    /// Takes what is to be minimized.
    findings: Sender<Job>,
    counts: BTreeMap<&'static str, Counts>,
    statistics: BTreeMap<&'static str, Statistics>,
    /// Length of the smallest case of each signature.
    smallest: BTreeMap<Signature, usize>,
    flaky: BTreeMap<Signature, u32>,
    occurred: BTreeMap<Signature, (u64, Option<usize>)>,
    faults: BTreeMap<(String, Option<String>), u32>,
    killers: u32,
    /// The reasons not to ask that the subject was asked about all the same.
    causes: BTreeSet<Unasked>,
    tally: Tally,
    batches: u64,
    unsaved: bool,
}

/// What came of a case.
struct Judged {
    /// One for each relation that was looked at; the model's is the first.
    verdicts: Vec<Verdict>,
    /// What the verdicts are about: with the canon's text where it differs.
    observation: Observation,
    /// A dump that the interpreter can be asked to read again.
    dump: Option<Readable>,
}

impl<'a> Hunter<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        member: Member,
        cases: Option<u64>,
        sender: Sender<Message>,
        findings: Sender<Job>,
    ) -> Self {
        let tally = Tally::new(&member.id, member.pair.core().profile());
        Hunter {
            plan,
            member,
            left: cases.unwrap_or(u64::MAX),
            sender,
            findings,
            counts: BTreeMap::new(),
            statistics: BTreeMap::new(),
            smallest: BTreeMap::new(),
            flaky: BTreeMap::new(),
            occurred: BTreeMap::new(),
            faults: BTreeMap::new(),
            killers: 0,
            causes: BTreeSet::new(),
            tally,
            batches: 0,
            unsaved: false,
        }
    }

    /// Works until it is over, a limit is reached, or no generator has anything left.
    pub(super) fn hunt(mut self, gate: &Gate, over: &Over) -> Result<(), Broken> {
        let (mut supply, missing) = gate.pass(|| Supply::new(self.plan, &self.member));
        if let Some((level, text)) = missing {
            self.tell(Message::Noted(level, text));
        }
        let mut generators = self.plan.generators.clone();
        let mut turn = 0;
        let mut named = 0;
        let first_round = generators.len();
        while !generators.is_empty() && self.left > 0 && !over.stopped() {
            // However slow a subject is, something is compared with it: the time is looked at after one turn of each.
            if turn >= first_round && over.late() {
                break;
            }
            let generator = generators[turn % generators.len()];
            self.begin_statistics(generator);
            let done = gate.pass(|| -> Result<u64, Broken> {
                let begin = Instant::now();
                let batch = supply.next(generator, self.left, self.member.pair.subject())?;
                self.sources_without(&batch, generator, &mut named);
                let Batch { mut cases, files, without } = batch;
                let apart = (files.len() + without.len()) as u64;
                cases.extend(self.headers(files)?);
                // A file is a case, and so is the stream in it.
                cases.truncate(usize::try_from(self.left.saturating_sub(apart)).unwrap_or(usize::MAX));
                let done = apart + cases.len() as u64;
                if done > 0 {
                    self.work(cases, generator, begin, over)?;
                }
                Ok(done)
            })?;
            self.left -= done.min(self.left);
            turn += 1;
            if done == 0 {
                generators.retain(|other| *other != generator);
                if self.plan.full && generator == Generator::Stdlib && !self.member.pair.is_alone() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A generator that never had its turn is not starved.
    fn begin_statistics(&mut self, generator: Generator) {
        let Member { id, pair, .. } = &self.member;
        let owes = pair.core().is_model();
        let wanted = match generator {
            // Only a CPython compiles what pyc-core reads ...
            Generator::Stdlib | Generator::Programs => !pair.is_alone() && owes,
            // ... and who has no code objects of CPython's gets none.
            Generator::Codes | Generator::Pyc => owes,
            Generator::Values | Generator::Streams => true,
        };
        let new = || Statistics::new(id, generator, pair.core().target(), owes, wanted);
        self.statistics.entry(generator.name()).or_insert_with(new);
    }

    fn tell(&self, message: Message) {
        // The receiver is gone only when the campaign has failed, and then it is `over`.
        let _ = self.sender.send(message);
    }

    fn sources_without(&mut self, batch: &Batch, generator: Generator, named: &mut usize) {
        for (source, reason) in &batch.without {
            let counts = self.counts(generator.name());
            counts.cases += 1;
            counts.not_compiled += u64::from(matches!(reason, Without::NotCompiled(_)));
            *counts.skipped.entry(reason.kind()).or_default() += 1;
            if *named < TOLD_SOURCES {
                *named += 1;
                let reason = reason.to_string().replace('\n', " ");
                self.tell(Message::Noted(Level::Info, format!("{}: {source} {reason}", self.member.id)));
            }
        }
    }

    fn counts(&mut self, generator: &'static str) -> &mut Counts {
        let new = || Counts { subject: self.member.id.clone(), generator: generator.into(), ..Counts::default() };
        self.counts.entry(generator).or_insert_with(new)
    }

    /// One batch from beginning to end.
    fn work(&mut self, cases: Vec<Case>, generator: Generator, begin: Instant, over: &Over) -> Result<(), Broken> {
        let restarts = self.member.pair.restarts();
        let predictions: Vec<Prediction> =
            cases.iter().map(|case| self.member.pair.core().predict(&case.bytes)).collect();
        let observations = self.observe(&cases, &predictions, over)?;
        let mut owned = Vec::new();
        for ((case, prediction), observation) in cases.iter().zip(&predictions).zip(observations) {
            let Judged { verdicts, observation, dump } = self.judge(case, prediction, observation)?;
            owned.extend(dump.map(|dump| (case, prediction, dump)));
            self.count(case, prediction, &observation, verdicts);
        }
        if self.batches.is_multiple_of(REREAD_EVERY) {
            self.reread_by_interpreter(&owned)?;
        }
        self.batches += 1;
        let restarted = self.member.pair.restarts() - restarts;
        let counts = self.counts(generator.name());
        counts.restarts += u64::from(restarted);
        counts.ms += u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.report();
        Ok(())
    }

    /// Tells what the batch came to and waits until it is saved, if there was something to save.
    fn report(&mut self) {
        let occurred = std::mem::take(&mut self.occurred);
        if !occurred.is_empty() {
            self.tell(Message::Occurred(self.member.id.clone(), occurred));
        }
        self.tell(Message::Counted(self.counts.values().cloned().collect()));
        self.tell(Message::Made(self.statistics.values().cloned().collect()));
        if !self.member.pair.is_alone() && self.member.pair.core().is_model() {
            for rule in self.tally.impossible() {
                let text =
                    format!("{}: the matrix says that this cannot be reached, and it was: {rule}", self.member.id);
                self.tell(Message::Noted(Level::Warning, text));
            }
            self.tell(Message::Reached(self.tally.column()));
        }
        if std::mem::take(&mut self.unsaved) {
            let (sender, saved) = channel();
            self.tell(Message::Save(sender));
            // Fails at once when nobody listens any more.
            let _ = saved.recv();
        }
    }

    /// What the subject does with each case, asked in as few requests as the predictions allow.
    fn observe(&mut self, cases: &[Case], predictions: &[Prediction], over: &Over) -> Result<Vec<Observation>, Broken> {
        let mut observations = vec![Observation::Skipped("no interpreter".into()); cases.len()];
        if self.member.pair.is_alone() {
            return Ok(observations);
        }
        let mut groups: BTreeMap<Question, Vec<usize>> = BTreeMap::new();
        for (index, prediction) in predictions.iter().enumerate() {
            match self.member.pair.question(prediction) {
                Ok(question) => groups.entry(question).or_default().push(index),
                // A process takes its time to start; whoever wants to stop does not want to wait for a dozen of them.
                Err(_) if over.stopped() || over.late() => {
                    observations[index] = Observation::Skipped("the time was up".into());
                }
                Err(why) if self.may_kill(&why) => {
                    // Alone, so that no other case has to be asked twice.
                    let pair = &mut self.member.pair;
                    observations[index] = pair.ask_one(&Question::BARE, &cases[index].bytes, CanonMode::None)?;
                }
                Err(why) => observations[index] = Observation::Skipped(why.to_string()),
            }
        }
        for (question, indexes) in groups {
            let streams = indexes.iter().map(|&index| cases[index].bytes.clone()).collect();
            for (index, observation) in indexes.iter().zip(self.member.pair.ask(&question, streams, CanonMode::Hash)?) {
                observations[*index] = observation;
            }
        }
        Ok(observations)
    }

    /// Whether to ask what should not be asked: a few in each run, and each cause at least once, however slow the subject
    /// is to start again.
    fn may_kill(&mut self, why: &Unasked) -> bool {
        let may = *why != Unasked::Panicked && (self.killers < self.member.killers || !self.causes.contains(why));
        if may {
            self.killers += 1;
            self.causes.insert(why.clone());
        }
        may
    }

    /// The verdicts of all relations.
    fn judge(&mut self, case: &Case, prediction: &Prediction, mut observation: Observation) -> Result<Judged, Broken> {
        let mut verdicts = Vec::new();
        let alone = self.member.pair.is_alone();
        if !alone || matches!(prediction.observation, Observation::Faulted(_)) {
            let mut verdict = self.member.pair.judge(prediction, &observation);
            if let Verdict::Diverge(divergence) = &verdict {
                let first = !self.smallest.contains_key(&divergence.signature);
                if divergence.signature.path.ends_with("canon") || first {
                    (verdict, observation) = self.look_closer(case, prediction, observation)?;
                }
            }
            verdicts.push(verdict);
        }
        let mut readable = None;
        if let Observation::Accepted(accepted) = &prediction.observation {
            if let Some(rewritten) = &prediction.rewritten {
                let consumed = accepted.consumed.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
                verdicts.push(oracle::preserve(&case.bytes, consumed, rewritten));
            }
            if alone || self.batches.is_multiple_of(REREAD_EVERY) {
                let (verdict, agreed) = self.member.pair.reread_by_core(&prediction.observation);
                verdicts.extend(verdict);
                readable = agreed;
            }
        }
        // Only a dump that the interpreter really makes is one that it owes to read.
        let dump = readable.filter(|_| matches!(verdicts.first(), Some(Verdict::Agree)) && !alone);
        Ok(Judged { verdicts, observation, dump })
    }

    /// The verdict after a second look, and what it is about.
    fn look_closer(
        &mut self,
        case: &Case,
        prediction: &Prediction,
        observation: Observation,
    ) -> Result<(Verdict, Observation), Broken> {
        let (smallest, seen) = (&self.smallest, &self.flaky);
        // A fresh process is for what is new, and for what was not found to be flaky too often.
        let confirm = |signature: &Signature| {
            !smallest.contains_key(signature) && seen.get(signature).is_none_or(|&times| times < FLAKY)
        };
        let closer = self.member.pair.look_closer(&case.bytes, prediction, observation, &confirm)?;
        let Closer { verdict, observation, flaky } = closer;
        if let Some(Flaky(signature)) = flaky {
            let text =
                format!("{}: flaky, not the same in a fresh process: {signature}; {}", self.member.id, case.origin);
            *self.flaky.entry(signature).or_default() += 1;
            self.tell(Message::Noted(Level::Warning, text));
        }
        Ok((verdict, observation))
    }

    /// The interpreter reads dumps that it makes itself.
    fn reread_by_interpreter(&mut self, dumps: &[(&Case, &Prediction, Readable)]) -> Result<(), Broken> {
        if dumps.is_empty() || self.member.pair.is_alone() {
            return Ok(());
        }
        let bytes = dumps.iter().map(|(_, _, dump)| dump.bytes.clone()).collect();
        let originals: Vec<_> =
            dumps.iter().map(|(_, prediction, dump)| (dump.version, &prediction.observation)).collect();
        let read = self.member.pair.reread_by_subject(&originals, bytes)?;
        for ((case, prediction, Readable { version, bytes }), (read, verdict)) in dumps.iter().zip(read) {
            if let Verdict::Diverge(divergence) = verdict {
                let origin = crate::case::Origin::Dumped { version: *version, of: Box::new(case.origin.clone()) };
                let dump = Case { valid: true, ..Case::stream(bytes.clone(), origin) };
                self.found(*divergence, &dump, &prediction.observation, &read);
            }
        }
        Ok(())
    }

    /// Counts what a stream reaches and is made of, and how it ended.
    fn count(&mut self, case: &Case, prediction: &Prediction, observation: &Observation, verdicts: Vec<Verdict>) {
        let alone = self.member.pair.is_alone();
        match (&prediction.observation, observation, verdicts.first()) {
            (_, Observation::Skipped(_), _) => {}
            (Observation::Undefined(_), ..) => self.tally.asked(prediction.reached),
            (_, _, Some(Verdict::Agree | Verdict::Diverge(_))) if !alone => {
                self.tally.compared(prediction.reached, &prediction.observation);
            }
            _ => {}
        }
        let shown = if alone { &prediction.observation } else { observation };
        if let Some(statistics) = self.statistics.get_mut(case.origin.generator()) {
            statistics.count(case, &prediction.observation, shown);
        }
        self.settle(case, &prediction.observation, observation, verdicts);
    }

    /// Counts a case in exactly one of the ways in which it can end, and tells what is new.
    fn settle(&mut self, case: &Case, predicted: &Observation, observation: &Observation, verdicts: Vec<Verdict>) {
        if let Observation::Faulted(fault) = observation {
            self.silent(case, predicted, fault);
        }
        let alone = self.member.pair.is_alone();
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
    fn found(
        &mut self,
        divergence: Divergence,
        case: &Case,
        predicted: &Observation,
        observed: &Observation,
    ) -> Option<usize> {
        let signature = divergence.signature.clone();
        let expected = self.plan.expected.find(&signature, &self.member.release);
        self.occurred.entry(signature.clone()).or_insert((0, expected)).0 += 1;
        if self.smallest.get(&signature).is_none_or(|&length| case.bytes.len() < length) {
            let is_new = self.smallest.insert(signature, case.bytes.len()).is_none();
            self.unsaved = true;
            let found = Found {
                subject: self.member.id.clone(),
                version: self.member.version.clone(),
                divergence,
                case: case.clone(),
                predicted: predicted.clone(),
                observed: observed.clone(),
                expected,
            };
            // What is expected has an entry that says what it is.
            if is_new && expected.is_none() && !self.plan.minimize_for.is_zero() {
                // Nobody takes it only when the campaign has failed.
                let _ = self.findings.send(Job { pair: self.member.pair.fresh(), found: found.clone() });
            }
            self.tell(Message::Found(Box::new(found)));
        }
        expected
    }

    fn silent(&mut self, case: &Case, predicted: &Observation, fault: &Fault) {
        let predicted = match predicted {
            Observation::Undefined(cause) => Some(cause.clone()),
            _ => None,
        };
        let told = self.faults.entry((fault.kind(), predicted.clone())).or_default();
        *told += 1;
        if *told <= TOLD_FAULTS {
            self.unsaved = true;
            self.tell(Message::Silent(Box::new(Silence {
                subject: self.member.id.clone(),
                kind: fault.kind(),
                detail: fault.to_string(),
                case: case.clone(),
                predicted,
            })));
        }
    }
}
