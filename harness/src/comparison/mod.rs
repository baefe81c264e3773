//! The one place that compares: pyc-core under an interpreter's profile, and that interpreter.
//!
//! ```text
//! predict -> question (what may be asked) -> ask -> judge -> look closer
//! ```
//!
//! Hunts, `replay`, `golden`, the minimizer and the fuzz target all go this way, so that a case has the same verdict
//! wherever it is looked at.

mod closer;
mod question;
mod reread;
mod smaller;

pub use closer::{Closer, Flaky};
pub use question::{Question, Unasked};
pub use reread::Readable;
pub(crate) use smaller::form;

use crate::observation::Observation;
use crate::oracle::{self, Relation, Verdict};
use crate::subjects::core::{Core, Prediction};
use crate::subjects::{Broken, Subject};
use protocol::{CanonMode, Import, Load};

/// The core under a profile, and the subject whose profile it is.
pub struct Pair {
    /// What the signatures call the subject: `cpython`.
    family: String,
    core: Core,
    subject: Option<Box<dyn Subject>>,
}

/// One case, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What the core says.
    pub prediction: Prediction,
    /// What the subject says.
    pub observation: Observation,
    /// What the oracle says.
    pub verdict: Verdict,
}

impl Pair {
    /// A subject of this family, and the core under its profile.
    #[must_use]
    pub fn new(family: &str, core: Core, subject: Box<dyn Subject>) -> Pair {
        Pair { family: family.into(), core, subject: Some(subject) }
    }

    /// The core without anybody to compare it with. Every question to the subject is skipped.
    #[must_use]
    pub fn alone(core: Core) -> Pair {
        Pair { family: "core".into(), core, subject: None }
    }

    /// The same pair with a process that has seen nothing yet.
    #[must_use]
    pub fn fresh(&self) -> Pair {
        Pair {
            family: self.family.clone(),
            core: self.core.clone(),
            subject: self.subject.as_ref().map(|subject| subject.fresh()),
        }
    }

    /// What the signatures call the subject.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The core.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Whether nobody is there to compare the core with.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.subject.is_none()
    }

    /// The subject, for what is no comparison: compiling.
    pub fn subject(&mut self) -> Option<&mut (dyn Subject + 'static)> {
        self.subject.as_deref_mut()
    }

    /// How many processes of the subject had to be started in place of one that died.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.subject.as_ref().map_or(0, |subject| subject.restarts())
    }

    /// What the subject may be asked about a stream of which this was predicted.
    ///
    /// # Errors
    /// Why it should not be asked. [`Question::BARE`] may be asked all the same: it ends a process at worst.
    pub fn question(&self, prediction: &Prediction) -> Result<Question, Unasked> {
        // Nothing is owed about code objects of another format, and reading them ends PyPy's process often.
        if prediction.reached.has_code && self.core.owed() == Relation::Value {
            return Err(Unasked::Foreign);
        }
        Question::about(&prediction.observation)
    }

    /// What the subject does with these streams: one observation for each, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn ask(
        &mut self,
        question: &Question,
        streams: Vec<Vec<u8>>,
        canon: CanonMode,
    ) -> Result<Vec<Observation>, Broken> {
        let wanted = streams.len();
        let Some(subject) = self.subject.as_deref_mut() else {
            return Ok(vec![Observation::Skipped("no interpreter".into()); wanted]);
        };
        let load = Load {
            canon: if question.canon { canon } else { CanonMode::None },
            consumed: true,
            versions: question.versions.clone(),
            cases: streams,
        };
        let mut observations = subject.load(&load)?;
        observations.resize(wanted, Observation::Skipped("the subject gave no answer for it".into()));
        Ok(observations)
    }

    /// What the subject does with one stream.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn ask_one(&mut self, question: &Question, stream: &[u8], canon: CanonMode) -> Result<Observation, Broken> {
        let mut observations = self.ask(question, vec![stream.to_vec()], canon)?;
        Ok(observations.swap_remove(0))
    }

    /// What the oracle says of a prediction and an observation.
    #[must_use]
    pub fn judge(&self, prediction: &Prediction, observed: &Observation) -> Verdict {
        let Prediction { observation: predicted, reached, rewritten, .. } = prediction;
        let read = |stream: &[u8]| self.core.read(stream);
        if let Some(declaration) = self.core.declaration() {
            let python2 = self.core.profile().is_python2();
            return oracle::reader(declaration, python2, *reached, predicted, rewritten.as_ref(), observed, &read);
        }
        match self.core.owed() {
            Relation::Value => oracle::value(&self.family, *reached, predicted, observed, &read),
            _ => oracle::model(&self.family, self.core.profile().pointer_bits, predicted, observed, &read),
        }
    }

    /// The whole way for one stream: predict, ask in full what may be asked, judge. What should not be asked is asked
    /// barely: whoever compares one case wants to see what it does.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn compare(&mut self, stream: &[u8]) -> Result<Compared, Broken> {
        let prediction = self.core.predict(stream);
        let question = self.question(&prediction).unwrap_or(Question::BARE);
        let observation = self.ask_one(&question, stream, CanonMode::Text)?;
        let verdict = self.judge(&prediction, &observation);
        Ok(Compared { prediction, observation, verdict })
    }

    /// What the subject's import says of the headers of .pyc files: one observation for each, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn ask_headers(&mut self, files: &[Import]) -> Result<Vec<Observation>, Broken> {
        let Some(subject) = self.subject.as_deref_mut() else {
            return Ok(vec![Observation::Skipped("no interpreter".into()); files.len()]);
        };
        let mut observations = subject.import(files)?;
        observations.resize(files.len(), Observation::Skipped("the subject gave no answer for it".into()));
        Ok(observations)
    }

    /// What the subject says of the instructions of the code objects in streams: one observation for each, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn disassemble(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        match self.subject.as_deref_mut() {
            Some(subject) => subject.disassemble(streams),
            None => Ok(vec![Observation::Skipped("no interpreter".into()); streams.len()]),
        }
    }

    /// Executes streams: one observation for each, in order.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn execute(&mut self, streams: &[Vec<u8>]) -> Result<Vec<Observation>, Broken> {
        match self.subject.as_deref_mut() {
            Some(subject) => subject.execute(streams),
            None => Ok(vec![Observation::Skipped("no interpreter".into()); streams.len()]),
        }
    }

    /// What the oracle says of a header: what the core predicted of the import, and what the import said.
    #[must_use]
    pub fn judge_header(&self, predicted: &Observation, observed: &Observation) -> Verdict {
        // A reader of headers may read those of other versions as well.
        if self.core.owed() == Relation::Reader && matches!(predicted, Observation::Rejected(_)) {
            return Verdict::Inconclusive("not claimed: to refuse what an import refuses".into());
        }
        oracle::header(&self.family, predicted, observed)
    }
}
