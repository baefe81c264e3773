//! `provost export`: the corpus for somebody else's reader.

use super::corpus;
use crate::export::{Export, Format};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportTo {
    /// For whom
    #[arg(long)]
    format: Format,
    /// A folder that is not there yet, or is empty
    dir: PathBuf,
    /// The folder of the corpus [default: that of the repository]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
}

impl ExportTo {
    pub(crate) fn run(&self) -> Result<u8> {
        let export = Export::of(&corpus(self.corpus.as_deref()))?;
        export.write(self.format, &self.dir)?;
        let answers: usize = export.cases.iter().flat_map(|case| &case.answers).map(|(by, _)| by.len()).sum();
        println!(
            "{}: {} cases, {answers} answers of {} interpreters; README.md says how to use them",
            self.dir.display(),
            export.cases.len(),
            export.interpreters.len()
        );
        Ok(0)
    }
}
