//! The headers of .pyc files: what the core says of them against what the interpreter's import says.

use super::Hunter;
use crate::case::{Case, Form};
use crate::observation::Observation;
use crate::oracle;
use crate::properties;
use crate::subjects::Broken;
use crate::subjects::core::guard;
use protocol::Import;
use pyc_core::Pyc;

impl Hunter<'_> {
    /// Compares what is said of the headers; the streams behind those that are accepted are cases of their own.
    pub(super) fn headers(&mut self, files: Vec<Case>) -> Result<Vec<Case>, Broken> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let asks: Vec<Import> = files.iter().map(Case::import).collect();
        let observed = self.member.pair.ask_headers(&asks)?;
        let alone = self.member.pair.is_alone();
        let mut streams = Vec::new();
        for ((file, ask), observed) in files.into_iter().zip(asks).zip(observed) {
            let predicted = self.member.pair.core().import(&ask);
            let mut verdicts = Vec::new();
            if !alone || matches!(predicted, Observation::Faulted(_)) {
                verdicts.push(self.member.pair.judge_header(&predicted, &observed));
            }
            // Fuzz targets ask the core more than hunts do, and it may be they that found the file.
            if self.plan.inputs.is_some() {
                verdicts.push(oracle::property(properties::broken_file(&file.bytes)));
            }
            if let (Observation::Accepted(_), Ok(Ok(pyc))) = (&predicted, guard(|| Pyc::parse(&file.bytes))) {
                verdicts.push(oracle::preserve(&file.bytes, file.bytes.len(), &Ok(pyc.to_bytes())));
                // Of files that are given, the streams are cases of their own already.
                if self.plan.inputs.is_none() {
                    streams.push(Case { bytes: pyc.payload.to_vec(), form: Form::Stream, ..file.clone() });
                }
            }
            // What is behind an accepted header is counted by itself.
            if !matches!(if alone { &predicted } else { &observed }, Observation::Accepted(_)) {
                self.ledger.look(&file, &predicted, &observed);
            }
            self.ledger.settle(&file, &predicted, &observed, verdicts);
        }
        Ok(streams)
    }
}
