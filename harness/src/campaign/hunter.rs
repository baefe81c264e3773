//! One subject's part of a campaign: turn after turn, predict, ask, judge, count, tell.
//!
//! The model predicts the bytes of each dump, so the usual case costs one comparison of bytes and one of hashes; the
//! texts are fetched only for what differs. What the model calls undefined is asked once for each cause, since every such
//! answer costs a process, and is no agreement.
//!
//! The number of a turn decides its generator and its cases, and what was counted before decides the rest: nothing depends on
//! when something happens.

mod executions;
mod headers;
mod instructions;

use super::gate::{Gate, Over};
use super::ledger::Ledger;
use super::messages::{Found, Message};
use super::minimizing::Job;
use super::plan::{Before, Member, Plan};
use super::schedule::{Schedule, Turn};
use super::supply::{Batch, Supply};
use crate::case::Case;
use crate::comparison::{Closer, Flaky, Question, Readable};
use crate::observation::Observation;
use crate::oracle::{self, Verdict};
use crate::properties;
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use protocol::CanonMode;
use reports::Finding;
use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// In every n-th turn of a generator the core reads all dumps, and the interpreter reads its own. Reading costs more than
/// predicting, and whether what was written can be read is seldom news. Without an interpreter it is all there is to see.
const REREAD_EVERY: u64 = 8;

pub(super) struct Hunter<'a> {
    plan: &'a Plan,
    member: Member,
    ledger: Ledger<'a>,
    /// How many cases there are to be in all, if that is limited.
    cases: Option<u64>,
    sender: Sender<Message>,
    /// Takes what is to be minimized.
    findings: Sender<Job>,
    saved: Instant,
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
        mut member: Member,
        cases: Option<u64>,
        sender: Sender<Message>,
        findings: Sender<Job>,
    ) -> Self {
        let open = member.before.as_mut().map_or_else(Vec::new, |before| std::mem::take(&mut before.findings));
        let ledger = Ledger::new(plan, &mut member);
        member.before = Some(Before { findings: open, ..Before::default() });
        Hunter { plan, member, ledger, cases, sender, findings, saved: Instant::now() }
    }

    /// Works until it is over, a limit is reached, or no generator has anything left.
    pub(super) fn hunt(mut self, gate: &Gate, over: &Over) -> Result<(), Broken> {
        let (mut supply, missing) = gate.pass(|| Supply::new(self.plan, &self.member));
        if let Some((level, text)) = missing.filter(|_| self.ledger.turn() == 0) {
            self.ledger.note(level, text);
        }
        let open = self.member.before.take().unwrap_or_default().findings;
        gate.pass(|| open.into_iter().try_for_each(|(finding, case)| self.minimize_later(&finding, case)))?;
        let compiles = !self.member.pair.is_alone();
        let schedule = Schedule::new(self.plan, self.cases, |generator| supply.total(generator, compiles));
        while let Some(turn) = schedule.next(self.ledger.turn()).filter(|_| !over.stopped()) {
            // However slow a subject is, something is compared with it: the time is looked at after one turn of each.
            if schedule.has_begun(turn.number) && over.late() {
                break;
            }
            let before = self.ledger.clone();
            if let Err(broken) = gate.pass(|| self.turn(&mut supply, &turn)) {
                // Half a turn is none: it is done again when the run is continued.
                self.ledger = before;
                self.save();
                return Err(broken);
            }
            self.ledger.end_turn();
            if self.ledger.has_news() || self.saved.elapsed() >= self.plan.save_every {
                self.save();
            }
        }
        self.save();
        Ok(())
    }

    /// One turn of a generator.
    fn turn(&mut self, supply: &mut Supply, turn: &Turn) -> Result<(), Broken> {
        let Turn { generator, round, .. } = *turn;
        self.ledger.begin(turn, &self.member);
        let mut indexes = turn.indexes.clone();
        while !indexes.is_empty() {
            let begin = Instant::now();
            let batch = supply.next(generator, indexes.clone(), self.member.pair.subject())?;
            let Batch { mut cases, files, executed, without, used } = batch;
            indexes.start += used.max(1);
            self.ledger.without(&without, generator);
            // A file is a case, and so is the stream in it.
            cases.extend(self.headers(files)?);
            let restarts = self.member.pair.restarts();
            self.executions(&executed)?;
            self.work(&cases, round.is_multiple_of(REREAD_EVERY))?;
            let restarted = self.member.pair.restarts() - restarts;
            let counts = self.ledger.counts(generator.name());
            counts.restarts += u64::from(restarted);
            counts.ms += u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
        self.tell(Message::Counted(self.ledger.snapshot()));
        Ok(())
    }

    fn tell(&self, message: Message) {
        // The receiver is gone only when the campaign has failed, and then it is `over`.
        let _ = self.sender.send(message);
    }

    /// Waits until everything is on disk, and then has minimized what is new.
    fn save(&mut self) {
        if self.ledger.is_saved() {
            return;
        }
        let turns = self.ledger.take();
        let new = |found: &&Found| found.is_first && found.expected.is_none() && !self.plan.minimize_for.is_zero();
        let new: Vec<Found> = turns.found.iter().filter(new).cloned().collect();
        let (sender, saved) = channel();
        self.tell(Message::Save(Box::new(turns), sender));
        // Fails at once when nobody listens any more.
        let _ = saved.recv();
        self.saved = Instant::now();
        for found in new {
            let signature = found.divergence.signature.to_string();
            let job = Job { pair: self.member.pair.fresh(), signature, found, is_small: false };
            // Nobody takes it only when the campaign has failed.
            let _ = self.findings.send(job);
        }
    }

    /// A finding of the run that is continued is minimized as if it had just been found; one that was minimized before may still
    /// have the cause of another one.
    fn minimize_later(&mut self, finding: &Finding, case: Case) -> Result<(), Broken> {
        let Some(found) = self.member.find_again(finding, &case)? else {
            let Finding { signature, .. } = finding;
            let text =
                format!("{}: a finding could not be minimized: it did not happen again: {signature}", self.member.id);
            self.ledger.note(reports::Level::Warning, text);
            return Ok(());
        };
        let (signature, is_small) = (finding.signature.clone(), finding.original_length.is_some());
        let _ = self.findings.send(Job { pair: self.member.pair.fresh(), signature, found, is_small });
        Ok(())
    }

    /// One batch from beginning to end.
    fn work(&mut self, cases: &[Case], reread: bool) -> Result<(), Broken> {
        if cases.is_empty() {
            return Ok(());
        }
        let core = self.member.pair.core();
        let samples: Vec<Question> = cases.iter().map(|case| core.sample(&case.bytes)).collect();
        // What is read again is compared with the canon.
        let whole = reread || self.member.pair.is_alone();
        let predict = |(case, sample): (&Case, &Question)| {
            core.predict_about(
                &case.bytes,
                &Question { canon: sample.canon || whole, versions: sample.versions.clone() },
            )
        };
        let predictions: Vec<Prediction> = cases.iter().zip(&samples).map(predict).collect();
        let observations = self.observe(cases, &samples, &predictions)?;
        let mut instructions = self.instructions(cases, &predictions)?;
        let mut owned = Vec::new();
        for (place, ((case, prediction), observation)) in cases.iter().zip(&predictions).zip(observations).enumerate() {
            let Judged { mut verdicts, observation, dump } = self.judge(case, prediction, observation, reread)?;
            verdicts.extend(instructions.remove(&place).unwrap_or_default());
            // Fuzz targets ask the core more than hunts do, and it may be they that found the file.
            if self.plan.inputs.is_some() {
                verdicts.push(oracle::property(properties::broken(self.member.pair.core(), &case.bytes)));
            }
            owned.extend(dump.map(|dump| (case, prediction, dump)));
            self.ledger.count(case, prediction, &observation, verdicts);
        }
        if reread { self.reread_by_interpreter(&owned) } else { Ok(()) }
    }

    /// What the subject does with each case, asked in as few requests as the predictions allow.
    fn observe(
        &mut self,
        cases: &[Case],
        samples: &[Question],
        predictions: &[Prediction],
    ) -> Result<Vec<Observation>, Broken> {
        let mut observations = vec![Observation::Skipped("no interpreter".into()); cases.len()];
        if self.member.pair.is_alone() {
            return Ok(observations);
        }
        let mut groups: BTreeMap<Question, Vec<usize>> = BTreeMap::new();
        for (index, prediction) in predictions.iter().enumerate() {
            match self.member.pair.question(prediction) {
                Ok(question) => {
                    let canon = question.canon && samples[index].canon;
                    groups.entry(Question { canon, ..question }).or_default().push(index);
                }
                Err(why) if self.ledger.may_kill(&why) => {
                    // Alone, so that no other case has to be asked twice.
                    let case = &cases[index];
                    let observation = self.member.pair.ask_one(&Question::BARE, &case.bytes, CanonMode::None)?;
                    self.ledger.asked(case, prediction, &observation);
                    observations[index] = Observation::Skipped(why.to_string());
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

    /// The verdicts of all relations.
    fn judge(
        &mut self,
        case: &Case,
        prediction: &Prediction,
        mut observation: Observation,
        reread: bool,
    ) -> Result<Judged, Broken> {
        let mut verdicts = Vec::new();
        let alone = self.member.pair.is_alone();
        if !alone || matches!(prediction.observation, Observation::Faulted(_)) {
            let mut verdict = self.member.pair.judge(prediction, &observation);
            if let Verdict::Diverge(divergence) = &verdict {
                let signature = &divergence.signature;
                let in_part = signature.path.ends_with("canon") || signature.path.starts_with("dump");
                if in_part || self.ledger.is_new(signature) {
                    (verdict, observation) = self.look_closer(case, observation)?;
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
            if alone || reread {
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
    fn look_closer(&mut self, case: &Case, observation: Observation) -> Result<(Verdict, Observation), Broken> {
        // At some versions it differs; the signature is that of all of them, as whoever looks at this case alone sees it.
        let prediction = &self.member.pair.core().predict(&case.bytes);
        let confirm = |signature: &_| self.ledger.wants_confirmation(signature);
        let closer = self.member.pair.look_closer(&case.bytes, prediction, observation, &confirm)?;
        let Closer { verdict, observation, flaky } = closer;
        if let (Some(Flaky(signature)), Verdict::Inconclusive(why)) = (flaky, &verdict) {
            self.ledger.flaky(&signature, case, why);
        }
        Ok((verdict, observation))
    }

    /// The interpreter reads dumps that it makes itself.
    fn reread_by_interpreter(&mut self, dumps: &[(&Case, &Prediction, Readable)]) -> Result<(), Broken> {
        // A reader of somebody else owes what it declares and nothing more.
        if dumps.is_empty() || self.member.pair.is_alone() || self.member.pair.core().declaration().is_some() {
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
                self.ledger.found(*divergence, &dump, &prediction.observation, &read);
            }
        }
        Ok(())
    }
}
