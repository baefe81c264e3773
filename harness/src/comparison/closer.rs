//! A second look at a divergence: does it happen again, and does it happen in a process that has seen nothing else?

use super::{Pair, Question};
use crate::observation::Observation;
use crate::oracle::{Signature, Verdict};
use crate::subjects::Broken;
use crate::subjects::core::Prediction;
use protocol::CanonMode;

/// What the second look came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closer {
    /// The verdict that stands.
    pub verdict: Verdict,
    /// What it is about: with the canon's text where it may be looked at.
    pub observation: Observation,
    /// The divergence that was there and is not when the case is asked again.
    pub flaky: Option<Flaky>,
}

/// A divergence that depends on what a process did before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaky(pub Signature);

impl Pair {
    /// Asks again in full: the same process, which is cheap; and where `confirm` wants it, a fresh one, because a difference
    /// that depends on what a process did before is not one of this case.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn look_closer(
        &mut self,
        stream: &[u8],
        prediction: &Prediction,
        observation: Observation,
        confirm: &dyn Fn(&Signature) -> bool,
    ) -> Result<Closer, Broken> {
        let first = self.judge(prediction, &observation);
        let Ok(question) = self.question(prediction) else {
            return Ok(Closer { verdict: first, observation, flaky: None });
        };
        let was = if let Verdict::Diverge(divergence) = &first { Some(divergence.clone()) } else { None };
        let question = Question { canon: true, ..question };
        let mut second = Closer { verdict: first, observation, flaky: None };
        if matches!(second.observation, Observation::Accepted(_)) {
            second.observation = self.ask_one(&question, stream, CanonMode::Text)?;
            second.verdict = self.judge(prediction, &second.observation);
        }
        let Verdict::Diverge(divergence) = &second.verdict else {
            let verdict = Verdict::Inconclusive("did not happen again in the same process".into());
            let flaky = was.map(|divergence| Flaky(divergence.signature));
            return Ok(Closer { verdict, flaky, ..second });
        };
        let signature = divergence.signature.clone();
        if self.is_alone() || !confirm(&signature) {
            return Ok(second);
        }
        let observation = self.fresh().ask_one(&question, stream, CanonMode::Text)?;
        let verdict = self.judge(prediction, &observation);
        if matches!(&verdict, Verdict::Diverge(again) if again.signature == signature) {
            return Ok(Closer { verdict, observation, flaky: None });
        }
        let verdict = Verdict::Inconclusive("not the same in a fresh process".into());
        Ok(Closer { verdict, flaky: Some(Flaky(signature)), ..second })
    }
}
