//! One subject's part of a campaign: batch after batch, predict, ask, judge, count, tell.
//!
//! The model predicts the bytes of each dump, so the usual case costs one comparison of bytes and one of hashes; the
//! texts are fetched only for what differs. What the model calls undefined is asked a few times in each run, since every
//! such answer costs a process, and is counted apart from agreement.

mod headers;

use crate::campaign::{Found, Gate, Member, Message, Over, Plan, Silence};
use crate::case::Case;
use crate::generators::Generator;
use crate::matrix::Tally;
use crate::observation::{Accepted, Canon, Dump, Fault, Observation};
use crate::oracle::{self, Divergence, Signature, Verdict};
use crate::statistics::Statistics;
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use crate::supply::{Batch, Supply};
use protocol::{CanonMode, Load};
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

/// Why few code objects are given to an interpreter that is not CPython.
const FOREIGN_CODE: &str = "its code objects are its own";

/// How often a signature of a subject is looked at in full when it turned out not to repeat.
const FLAKY: u32 = 3;

pub(crate) struct Hunter<'a> {
    plan: &'a Plan,
    member: Member,
    /// How many cases are still to be made.
    left: u64,
    sender: Sender<Message>,
    counts: BTreeMap<&'static str, Counts>,
    statistics: BTreeMap<&'static str, Statistics>,
    /// Length of the smallest case of each signature.
    smallest: BTreeMap<Signature, usize>,
    flaky: BTreeMap<Signature, u32>,
    occurred: BTreeMap<Signature, (u64, Option<usize>)>,
    faults: BTreeMap<(String, Option<String>), u32>,
    killers: u32,
    /// The causes of undefined behaviour that the subject was asked.
    causes: BTreeSet<String>,
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
    dump: Option<OwnDump>,
}

/// What the core and the interpreter both dumped.
struct OwnDump {
    version: u8,
    bytes: Vec<u8>,
}

/// How to ask for a case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    canon: bool,
    versions: Vec<u8>,
}

impl<'a> Hunter<'a> {
    pub(crate) fn new(plan: &'a Plan, member: Member, cases: Option<u64>, sender: Sender<Message>) -> Self {
        let tally = Tally::new(&member.id, member.core.profile());
        Hunter {
            plan,
            member,
            left: cases.unwrap_or(u64::MAX),
            sender,
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
    pub(crate) fn hunt(mut self, gate: &Gate, over: &Over) -> Result<(), Broken> {
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
                let batch = supply.next(generator, self.left, self.member.subject.as_deref_mut())?;
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
                if self.plan.full && generator == Generator::Stdlib && self.member.subject.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A generator that never had its turn is not starved.
    fn begin_statistics(&mut self, generator: Generator) {
        let Member { id, core, subject, .. } = &self.member;
        let owes = core.is_model();
        let wanted = match generator {
            // Only a CPython compiles what pyc-core reads ...
            Generator::Stdlib | Generator::Programs => subject.is_some() && owes,
            // ... and who has no code objects of CPython's gets none.
            Generator::Codes | Generator::Pyc => owes,
            Generator::Values | Generator::Streams => true,
        };
        let new = || Statistics::new(id, generator, core.target(), owes, wanted);
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
            *counts.skipped.entry(reason.split(':').next().unwrap_or(reason).to_owned()).or_default() += 1;
            if *named < TOLD_SOURCES {
                *named += 1;
                let reason = reason.replace('\n', " ");
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
        let restarts = self.member.subject.as_ref().map_or(0, |subject| subject.restarts());
        let predictions: Vec<Prediction> = cases.iter().map(|case| self.member.core.predict(&case.bytes)).collect();
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
        let restarted = self.member.subject.as_ref().map_or(0, |subject| subject.restarts()) - restarts;
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
        if self.member.subject.is_some() && self.member.core.is_model() {
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
        let Some(subject) = self.member.subject.as_deref_mut() else {
            return Ok(cases.iter().map(|_| Observation::Skipped("no interpreter".into())).collect());
        };
        let mut observations: Vec<Option<Observation>> = vec![None; cases.len()];
        let mut groups: BTreeMap<Question, Vec<usize>> = BTreeMap::new();
        for (index, prediction) in predictions.iter().enumerate() {
            // Nothing is owed about code objects of another format, and reading them ends PyPy's process often.
            let foreign = prediction.reached.has_code && !self.member.core.is_model();
            let question = if foreign { Err(FOREIGN_CODE.into()) } else { question(&prediction.observation) };
            match question {
                Ok(question) => groups.entry(question).or_default().push(index),
                // A process takes its time to start; whoever wants to stop does not want to wait for a dozen of them.
                Err(_) if over.stopped() || over.late() => {
                    observations[index] = Some(Observation::Skipped("the time was up".into()))
                }
                // Each cause at least once, however slow it is to start again.
                Err(cause)
                    if !cause.is_empty() && (self.killers < self.member.killers || !self.causes.contains(&cause)) =>
                {
                    self.killers += 1;
                    self.causes.insert(cause);
                    // Alone, so that no other case has to be asked twice.
                    let load = Question { canon: false, versions: Vec::new() }.about(&[&cases[index]], CanonMode::None);
                    observations[index] = subject.load(&load)?.pop();
                }
                Err(cause) if cause.is_empty() => {
                    observations[index] = Some(Observation::Skipped("the core panicked".into()));
                }
                Err(cause) => {
                    let reason = format!("undefined in this interpreter ({cause}); enough were asked");
                    observations[index] = Some(Observation::Skipped(reason));
                }
            }
        }
        for (question, indexes) in groups {
            let group: Vec<&Case> = indexes.iter().map(|&index| &cases[index]).collect();
            for (index, observation) in indexes.iter().zip(subject.load(&question.about(&group, CanonMode::Hash))?) {
                observations[*index] = Some(observation);
            }
        }
        let missing = || Observation::Skipped("the subject gave no answer for it".into());
        Ok(observations.into_iter().map(|observation| observation.unwrap_or_else(missing)).collect())
    }

    /// The verdicts of all relations.
    fn judge(&mut self, case: &Case, prediction: &Prediction, mut observation: Observation) -> Result<Judged, Broken> {
        let mut verdicts = Vec::new();
        let alone = self.member.subject.is_none();
        if !alone || matches!(prediction.observation, Observation::Faulted(_)) {
            let mut verdict = self.model(prediction, &observation);
            if let Verdict::Diverge(divergence) = &verdict {
                let first = !self.smallest.contains_key(&divergence.signature);
                if divergence.signature.path.ends_with("canon") || first {
                    (verdict, observation) = self.look_closer(case, prediction, observation, verdict)?;
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
                let (verdict, agreed) = self.reread_by_core(&prediction.observation, &accepted.dumps);
                verdicts.extend(verdict);
                readable = agreed;
            }
        }
        // Only a dump that the interpreter really makes is one that it owes to read.
        let dump = readable.filter(|_| matches!(verdicts.first(), Some(Verdict::Agree)) && !alone);
        Ok(Judged { verdicts, observation, dump })
    }

    /// The core reads all dumps: the first verdict that is not agreement, or that, and the highest dump that came back.
    fn reread_by_core(&self, original: &Observation, dumps: &[(u8, Dump)]) -> (Option<Verdict>, Option<OwnDump>) {
        let mut worst = None;
        let mut readable = None;
        let mut last: Option<(&[u8], Observation)> = None;
        for (version, dump) in dumps.iter().rev() {
            let Dump::Bytes { bytes, .. } = dump else { continue };
            let read = match last {
                Some((same, read)) if same == bytes => read,
                _ => self.member.core.read(bytes),
            };
            let verdict = oracle::reread("core", *version, original, &read);
            last = Some((bytes, read));
            if verdict == Verdict::Agree && readable.is_none() {
                readable = Some(OwnDump { version: *version, bytes: bytes.clone() });
            }
            match (&verdict, &worst) {
                (Verdict::Diverge(_), None | Some(Verdict::Agree)) => worst = Some(verdict),
                (Verdict::Agree, None) => worst = Some(verdict),
                _ => {}
            }
        }
        (worst, readable)
    }

    fn model(&self, prediction: &Prediction, observation: &Observation) -> Verdict {
        self.member.core.judge(&self.member.family, prediction, observation)
    }

    /// Asks again in full: first the same process, which is cheap, then, if the finding is new, a fresh one, because a
    /// difference that depends on what a process did before is not one of this case.
    fn look_closer(
        &mut self,
        case: &Case,
        prediction: &Prediction,
        observation: Observation,
        verdict: Verdict,
    ) -> Result<(Verdict, Observation), Broken> {
        let Ok(mut question) = question(&prediction.observation) else { return Ok((verdict, observation)) };
        let Some(subject) = self.member.subject.as_deref_mut() else { return Ok((verdict, observation)) };
        question.canon = true;
        let load = question.about(&[case], CanonMode::Text);
        let mut second = (verdict, observation);
        if matches!(second.1, Observation::Accepted(_)) {
            let observation = only(subject.load(&load)?);
            second = (self.model(prediction, &observation), observation);
        }
        let Verdict::Diverge(divergence) = &second.0 else {
            let reason = "did not happen again in the same process";
            return Ok((Verdict::Inconclusive(reason.into()), second.1));
        };
        let signature = divergence.signature.clone();
        if self.smallest.contains_key(&signature) || self.flaky.get(&signature).is_some_and(|&n| n >= FLAKY) {
            return Ok(second);
        }
        let Some(subject) = self.member.subject.as_deref_mut() else { return Ok(second) };
        let observation = only(subject.fresh().load(&load)?);
        let verdict = self.model(prediction, &observation);
        if matches!(&verdict, Verdict::Diverge(again) if again.signature == signature) {
            return Ok((verdict, observation));
        }
        *self.flaky.entry(signature.clone()).or_default() += 1;
        let text = format!("{}: flaky, not the same in a fresh process: {signature}; {}", self.member.id, case.origin);
        self.tell(Message::Noted(Level::Warning, text));
        Ok((Verdict::Inconclusive("not the same in a fresh process".into()), second.1))
    }

    /// The interpreter reads dumps that it makes itself.
    fn reread_by_interpreter(&mut self, dumps: &[(&Case, &Prediction, OwnDump)]) -> Result<(), Broken> {
        let Some(subject) = self.member.subject.as_deref_mut() else { return Ok(()) };
        if dumps.is_empty() {
            return Ok(());
        }
        let cases: Vec<Vec<u8>> = dumps.iter().map(|(_, _, dump)| dump.bytes.clone()).collect();
        let load = Load { canon: CanonMode::Hash, consumed: false, versions: Vec::new(), cases };
        let observations = subject.load(&load)?;
        for ((case, prediction, OwnDump { version, bytes }), read) in dumps.iter().zip(observations) {
            let original = &prediction.observation;
            if let Verdict::Diverge(divergence) = oracle::reread(&self.member.family, *version, original, &read) {
                let origin = crate::case::Origin::Dumped { version: *version, of: Box::new(case.origin.clone()) };
                let dump = Case { valid: true, ..Case::stream(bytes.clone(), origin) };
                self.found(*divergence, &dump, original, &read);
            }
        }
        Ok(())
    }

    /// Counts what a stream reaches and is made of, and how it ended.
    fn count(&mut self, case: &Case, prediction: &Prediction, observation: &Observation, verdicts: Vec<Verdict>) {
        let alone = self.member.subject.is_none();
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
        let alone = self.member.subject.is_none();
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
            self.smallest.insert(signature, case.bytes.len());
            self.unsaved = true;
            self.tell(Message::Found(Box::new(Found {
                subject: self.member.id.clone(),
                version: self.member.version.clone(),
                divergence,
                case: case.clone(),
                predicted: predicted.clone(),
                observed: observed.clone(),
                expected,
            })));
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

/// What may be asked about a case without undefined behaviour. The error is the cause, where loading alone is undefined;
/// empty, where the core panicked and so does not know.
pub(crate) fn question(prediction: &Observation) -> Result<Question, String> {
    match prediction {
        Observation::Accepted(Accepted { canon: Canon::Undefined(_), .. }) => {
            Ok(Question { canon: false, versions: Vec::new() })
        }
        Observation::Accepted(accepted) => {
            let finite = |(version, dump): &(u8, Dump)| dump.can_be_asked().then_some(*version);
            Ok(Question { canon: true, versions: accepted.dumps.iter().filter_map(finite).collect() })
        }
        // Should it be accepted after all, nothing is known of what looking at the value would do.
        Observation::Rejected(_) | Observation::Skipped(_) => Ok(Question { canon: false, versions: Vec::new() }),
        Observation::Undefined(cause) => Err(cause.clone()),
        Observation::Faulted(_) => Err(String::new()),
    }
}

impl Question {
    pub(crate) fn about(&self, cases: &[&Case], canon: CanonMode) -> Load {
        Load {
            canon: if self.canon { canon } else { CanonMode::None },
            consumed: true,
            versions: self.versions.clone(),
            cases: cases.iter().map(|case| case.bytes.clone()).collect(),
        }
    }
}

fn only(mut observations: Vec<Observation>) -> Observation {
    observations.pop().unwrap_or_else(|| Observation::Skipped("the subject gave no answer for it".into()))
}
