//! The headers of .pyc files: what the core says of them against what the interpreter's import says.

use super::Hunter;
use crate::case::Case;
use crate::observation::{Observation, flags};
use crate::oracle::{self, Verdict};
use crate::subjects::Broken;
use crate::supply::PycFile;
use protocol::{Exception, Import};
use pyc_core::Pyc;
use pyc_core::pyc::{Refusal, SourceFile, import};

/// What the workers call the module that they would import.
const NAME: &str = "case";

impl Hunter<'_> {
    /// Compares what is said of the headers; the streams behind those that are accepted are cases of their own.
    pub(super) fn headers(&mut self, files: Vec<PycFile>) -> Result<Vec<Case>, Broken> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let asked = |PycFile { case, source }: &PycFile| Import {
            file: case.bytes.clone(),
            source: source.as_ref().map(|source| (source.bytes.clone(), source.mtime)),
        };
        let observed = match self.member.subject.as_deref_mut() {
            Some(subject) => subject.import(&files.iter().map(asked).collect::<Vec<_>>())?,
            None => files.iter().map(|_| Observation::Skipped("no interpreter".into())).collect(),
        };
        let alone = self.member.subject.is_none();
        let mut streams = Vec::new();
        for (PycFile { case, source }, observed) in files.into_iter().zip(observed) {
            let profile = self.member.core.profile();
            let source = source.as_ref().map(|source| SourceFile { bytes: &source.bytes, mtime: source.mtime });
            let predicted = match import(&case.bytes, profile, source, NAME) {
                Ok(n) => flags(n),
                Err(Refusal { class, message }) => Observation::Rejected(Exception { class: class.into(), message }),
            };
            let mut verdict = oracle::header(&self.member.family, &predicted, &observed);
            if let (Observation::Accepted(_), Ok(pyc)) = (&predicted, Pyc::parse(&case.bytes)) {
                let preserved = oracle::preserve(&case.bytes, case.bytes.len(), &Ok(pyc.to_bytes()));
                if alone || matches!(preserved, Verdict::Diverge(_)) {
                    verdict = preserved;
                }
                streams.push(Case { bytes: pyc.payload.to_vec(), ..case.clone() });
            }
            self.count_header(&case, &predicted, &observed, verdict);
        }
        Ok(streams)
    }

    /// Counts a file like a case: its header is one, its stream is another.
    fn count_header(&mut self, case: &Case, predicted: &Observation, observed: &Observation, verdict: Verdict) {
        let listed = match &verdict {
            Verdict::Diverge(divergence) => self.found((**divergence).clone(), case, predicted, observed),
            _ => None,
        };
        let shown = if self.member.subject.is_none() { predicted } else { observed };
        let (accepted, rejected) =
            (matches!(shown, Observation::Accepted(_)), matches!(shown, Observation::Rejected(_)));
        let counts = self.counts(case.origin.generator());
        counts.cases += 1;
        counts.bytes += case.bytes.len() as u64;
        counts.accepted += u64::from(accepted);
        counts.rejected += u64::from(rejected);
        counts.compared += u64::from(matches!(verdict, Verdict::Agree | Verdict::Diverge(_)));
        match verdict {
            Verdict::Agree => counts.agreed += 1,
            Verdict::Diverge(_) if listed.is_some() => counts.expected += 1,
            Verdict::Diverge(_) => counts.diverged += 1,
            Verdict::Refused(why) | Verdict::Inconclusive(why) => {
                *counts.inconclusive.entry(why).or_default() += 1;
            }
        }
    }
}
