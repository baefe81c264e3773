//! The simplest case that shows a divergence.

use super::{Compared, Pair, Question};
use crate::bytecode::{predict, reassemble};
use crate::case::{Case, Form, Origin};
use crate::execution::verify;
use crate::generators::{Generator, Target, generate, programs};
use crate::minimize::merge::{Way, minimize_finding};
use crate::minimize::{self, Minimized, Outcome};
use crate::observation::Observation;
use crate::oracle::{self, Divergence, Relation, Signature, Verdict};
use crate::properties;
use crate::subjects::core::{Prediction, guard, payload};
use crate::subjects::{Broken, Compiled};
use protocol::{CanonMode, Import};
use pyc_core::Pyc;
use std::cell::RefCell;
use std::collections::BTreeMap;

impl Pair {
    /// Cuts a case down to the simplest one on which the same relation fails for the same cause. Before each candidate
    /// `goes_on` hears how many were tried.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn minimize(
        &mut self,
        case: &Case,
        signature: &Signature,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Outcome, Broken> {
        let form = form(case, self.core.target());
        let broken: RefCell<Option<Broken>> = RefCell::new(None);
        let way = |bytes: &[u8]| {
            let candidate = Case { bytes: bytes.to_vec(), ..case.clone() };
            self.way(&candidate, signature).unwrap_or_else(|e| {
                *broken.borrow_mut() = Some(e);
                None
            })
        };
        let outcome = minimize_finding(form, &case.bytes, way, |tries| broken.borrow().is_none() && goes_on(tries));
        broken.into_inner().map_or(Ok(outcome), Err)
    }

    /// Cuts the program that a case was compiled from down to the simplest text whose compiled stream fails in the same way.
    /// `None` where the case is not a generated program's, or the text does not show it.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn minimize_program(
        &mut self,
        case: &Case,
        signature: &Signature,
        goes_on: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Minimized>, Broken> {
        let (Some((seed, index)), "programs") = (case.origin.made(), case.origin.generator()) else { return Ok(None) };
        let text = generate(Generator::Programs, self.core.target(), seed, index, &[]).bytes;
        let wanted = Way::from(signature);
        let mut broken = None;
        let shows = |text: &[u8]| {
            let shown = self.way_of_program(text, index, signature);
            shown.map(|way| way.as_ref() == Some(&wanted)).unwrap_or_else(|e| {
                broken = Some(e);
                false
            })
        };
        let outcome = minimize::minimize(minimize::Form::Source, &text, shows, goes_on);
        broken.map_or(Ok(outcome.minimized()), Err)
    }

    /// How the compiled stream of a program fails, if it does.
    fn way_of_program(&mut self, text: &[u8], index: u64, signature: &Signature) -> Result<Option<Way>, Broken> {
        let Some(subject) = self.subject() else { return Ok(None) };
        let Compiled::Pyc(pyc) = subject.compile(&programs::compile(text.to_vec(), index))? else { return Ok(None) };
        let Ok(stream) = payload(&pyc) else { return Ok(None) };
        self.way(&Case::stream(stream, Origin::generated(Generator::Programs, 0, index)), signature)
    }

    /// How a case fails in the relation of a signature, if it does.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn way(&mut self, case: &Case, signature: &Signature) -> Result<Option<Way>, Broken> {
        let compared = self.compare_in(signature.relation, &signature.family, std::slice::from_ref(case))?;
        Ok(compared.first().and_then(|one| match &one.verdict {
            Verdict::Diverge(divergence) => Some(Way::from(&divergence.signature)),
            _ => None,
        }))
    }

    /// Compares cases in one relation between the core and this family: `core` where the core is asked alone.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn compare_in(&mut self, relation: Relation, family: &str, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        match relation {
            Relation::Model | Relation::Value | Relation::Reader => self.compare_all(cases),
            Relation::Header => self.compare_headers(cases),
            Relation::Safe => self.compare_executions(cases),
            Relation::Bytecode if family == "core" => Ok(cases.iter().map(|case| self.reassemble(case)).collect()),
            Relation::Bytecode => self.compare_instructions(cases),
            Relation::Preserve => Ok(cases.iter().map(|case| self.preserve(case)).collect()),
            Relation::Property => Ok(cases.iter().map(|case| self.own(case)).collect()),
            Relation::Reread if family == "core" => Ok(cases.iter().map(|case| self.reread(case)).collect()),
            Relation::Reread => self.reread_all(cases),
        }
    }

    /// Every relation that does not hold on a case, as far as a single case shows it.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn divergences(&mut self, case: &Case) -> Result<Vec<(Divergence, Compared)>, Broken> {
        let owed = match case.form {
            Form::Stream => self.core.owed(),
            Form::Pyc(_) => Relation::Header,
        };
        let family = self.family.clone();
        let mut found = Vec::new();
        let alone = [Relation::Preserve, Relation::Reread, Relation::Bytecode, Relation::Property];
        let alone = alone.map(|relation| (relation, "core"));
        let asked = [owed, Relation::Bytecode].map(|relation| (relation, family.as_str()));
        for (relation, family) in asked.into_iter().chain(alone) {
            let of_streams = [Relation::Reread, Relation::Bytecode];
            if owed == Relation::Header && of_streams.contains(&relation) {
                continue;
            }
            let compared = self.compare_in(relation, family, std::slice::from_ref(case))?.swap_remove(0);
            if let Verdict::Diverge(divergence) = &compared.verdict {
                found.push(((**divergence).clone(), compared));
            }
        }
        Ok(found)
    }

    fn compare_all(&mut self, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        let mut compared: Vec<Compared> = cases.iter().map(|case| self.unasked(case)).collect();
        let mut groups: BTreeMap<Question, Vec<usize>> = BTreeMap::new();
        for (index, Compared { prediction, .. }) in compared.iter().enumerate() {
            // What is undefined is no divergence, whatever happens.
            if let Ok(question) = self.question(prediction) {
                groups.entry(question).or_default().push(index);
            }
        }
        for (question, indexes) in groups {
            let streams = indexes.iter().map(|&index| cases[index].bytes.clone()).collect();
            for (index, observation) in indexes.iter().zip(self.ask(&question, streams, CanonMode::Text)?) {
                let one = &mut compared[*index];
                one.verdict = self.judge(&one.prediction, &observation);
                one.observation = observation;
            }
        }
        Ok(compared)
    }

    /// What the core says, and nobody else.
    fn unasked(&self, case: &Case) -> Compared {
        let prediction = self.core.predict(&case.bytes);
        let observation = Observation::Skipped("it was not asked".into());
        let verdict = self.judge(&prediction, &observation);
        Compared { prediction, observation, verdict }
    }

    fn preserve(&self, case: &Case) -> Compared {
        let one = self.unasked(case);
        let verdict = match (&case.form, &one.prediction) {
            (Form::Stream, Prediction { observation: Observation::Accepted(accepted), rewritten: Some(again), .. }) => {
                let consumed = accepted.consumed.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
                oracle::preserve(&case.bytes, consumed, again)
            }
            (Form::Pyc(_), _) => match guard(|| Pyc::parse(&case.bytes).map(|pyc| pyc.to_bytes())) {
                Ok(Ok(again)) => oracle::preserve(&case.bytes, case.bytes.len(), &Ok(again)),
                Ok(Err(e)) => Verdict::Inconclusive(e.to_string()),
                Err(message) => Verdict::Inconclusive(message),
            },
            _ => one.verdict,
        };
        Compared { verdict, ..one }
    }

    fn reread(&self, case: &Case) -> Compared {
        let one = self.unasked(case);
        let verdict = self.reread_by_core(&one.prediction.observation).0.unwrap_or_else(|| one.verdict.clone());
        Compared { verdict, ..one }
    }

    /// The cases are dumps, which the subject reads.
    fn reread_all(&mut self, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        let version = |case: &Case| if let Origin::Dumped { version, .. } = case.origin { version } else { 0 };
        let originals: Vec<Prediction> = cases.iter().map(|case| self.core.predict(&case.bytes)).collect();
        let values: Vec<Observation> = cases.iter().map(|case| self.core.read(&case.bytes)).collect();
        let dumps: Vec<(u8, &Observation)> = cases.iter().map(version).zip(&values).collect();
        let bytes = cases.iter().map(|case| case.bytes.clone()).collect();
        let read = self.reread_by_subject(&dumps, bytes)?;
        let join = |((prediction, value), (observation, verdict)): ((Prediction, &Observation), _)| match value {
            Observation::Accepted(_) => Compared { prediction, observation, verdict },
            // Nobody dumps what cannot be read.
            refused => Compared { prediction, observation, verdict: Verdict::Inconclusive(refused.to_string()) },
        };
        Ok(originals.into_iter().zip(&values).zip(read).map(join).collect())
    }

    /// What the core takes apart and puts together.
    fn reassemble(&self, case: &Case) -> Compared {
        let came = reassemble(&self.core, &case.bytes);
        Compared { verdict: oracle::reassembled(came), ..self.unasked(case) }
    }

    /// What the core owes to itself.
    fn own(&self, case: &Case) -> Compared {
        let broken = match case.form {
            Form::Stream => properties::broken(&self.core, &case.bytes),
            Form::Pyc(_) => properties::broken_file(&case.bytes),
        };
        Compared { verdict: oracle::property(broken), ..self.unasked(case) }
    }

    fn compare_instructions(&mut self, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        let predicted: Vec<Observation> = cases.iter().map(|case| predict(&self.core, &case.bytes)).collect();
        let is_asked = |predicted: &Observation| matches!(predicted, Observation::Accepted(_));
        let asked: Vec<Vec<u8>> =
            cases.iter().zip(&predicted).filter(|(_, one)| is_asked(one)).map(|(case, _)| case.bytes.clone()).collect();
        let mut observed = self.disassemble(&asked)?.into_iter();
        let judge = |predicted: Observation| {
            let next = is_asked(&predicted).then(|| observed.next()).flatten();
            let observation = next.unwrap_or_else(|| Observation::Skipped("it was not asked".into()));
            let verdict = oracle::bytecode(&self.family, self.core.profile().pointer_bits, &predicted, &observation);
            Compared { prediction: Prediction::of_header(predicted), observation, verdict }
        };
        Ok(predicted.into_iter().map(judge).collect())
    }

    fn compare_executions(&mut self, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        let predicted: Vec<Observation> =
            cases.iter().map(|case| verify(&case.bytes, self.core.profile()).predicted()).collect();
        // What is not safe is no finding, whatever happens.
        let is_asked = |predicted: &&Observation| matches!(predicted, Observation::Accepted(_));
        let asked: Vec<Vec<u8>> =
            cases.iter().zip(&predicted).filter(|(_, one)| is_asked(one)).map(|(case, _)| case.bytes.clone()).collect();
        let mut observed = self.execute(&asked)?.into_iter();
        let judge = |predicted: Observation| {
            let next = is_asked(&&predicted).then(|| observed.next()).flatten();
            let observation = next.unwrap_or_else(|| Observation::Skipped("it was not asked".into()));
            let verdict = oracle::safe(&self.family, &predicted, &observation);
            Compared { prediction: Prediction::of_header(predicted), observation, verdict }
        };
        Ok(predicted.into_iter().map(judge).collect())
    }

    fn compare_headers(&mut self, cases: &[Case]) -> Result<Vec<Compared>, Broken> {
        let asks: Vec<Import> = cases.iter().map(Case::import).collect();
        let observed = self.ask_headers(&asks)?;
        let judge = |(ask, observation): (&Import, Observation)| {
            let predicted = self.core.import(ask);
            let verdict = self.judge_header(&predicted, &observation);
            Compared { prediction: Prediction::of_header(predicted), observation, verdict }
        };
        Ok(asks.iter().zip(observed).map(judge).collect())
    }
}

/// What the minimizer takes a case for.
pub(crate) fn form(case: &Case, target: Target) -> minimize::Form {
    match case.form {
        Form::Stream => minimize::Form::Stream(Some(target)),
        Form::Pyc(_) => minimize::Form::Pyc(target),
    }
}
