//! Whether dumps read back to the value that was dumped.

use super::{Pair, Question};
use crate::observation::{Dump, Observation};
use crate::oracle::{self, Verdict};
use crate::subjects::Broken;
use protocol::CanonMode;

/// A dump that came back as the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable {
    /// The marshal version.
    pub version: u8,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Pair {
    /// The core reads the dumps of a prediction: the first verdict that is not agreement, or that, and the highest dump that
    /// came back.
    #[must_use]
    pub fn reread_by_core(&self, original: &Observation) -> (Option<Verdict>, Option<Readable>) {
        let Observation::Accepted(accepted) = original else { return (None, None) };
        let mut worst = None;
        let mut readable = None;
        let mut last: Option<(&[u8], Observation)> = None;
        for (version, dump) in accepted.dumps.iter().rev() {
            let Dump::Bytes { bytes, .. } = dump else { continue };
            let read = match last {
                Some((same, read)) if same == bytes => read,
                _ => self.core.read(bytes),
            };
            let verdict = oracle::reread("core", *version, original, &read);
            last = Some((bytes, read));
            if verdict == Verdict::Agree && readable.is_none() {
                readable = Some(Readable { version: *version, bytes: bytes.clone() });
            }
            match (&verdict, &worst) {
                (Verdict::Diverge(_), None | Some(Verdict::Agree)) => worst = Some(verdict),
                (Verdict::Agree, None) => worst = Some(verdict),
                _ => {}
            }
        }
        (worst, readable)
    }

    /// The subject reads dumps that it makes itself: for each what it read, and the verdict. Of each comes the marshal
    /// version, and the value that was dumped.
    ///
    /// # Errors
    /// When the subject can no longer be asked anything.
    pub fn reread_by_subject(
        &mut self,
        dumps: &[(u8, &Observation)],
        bytes: Vec<Vec<u8>>,
    ) -> Result<Vec<(Observation, Verdict)>, Broken> {
        let observations = self.ask(&Question::VALUE, bytes, CanonMode::Hash)?;
        let judge = |((version, original), read): (&(u8, &Observation), Observation)| {
            let verdict = oracle::reread(&self.family, *version, original, &read);
            (read, verdict)
        };
        Ok(dumps.iter().zip(observations).map(judge).collect())
    }
}
