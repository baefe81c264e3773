//! `provost generate`: one case of a generator, by its seed and index.

use crate::case::hex;
use crate::generators::execution::{self, OF_EACH};
use crate::generators::{Generator, Target, generate};
use anyhow::{Context, Result, bail};
use clap::Args;
use pyc_core::{Profile, Release};
use std::io::Write;

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// programs or values; the cases of the others depend on what an interpreter compiled, and a finding keeps its own
    generator: Generator,
    /// The seed of the hunt
    #[arg(long)]
    seed: u64,
    /// The number of the case
    #[arg(long)]
    index: u64,
    /// The version that it is for
    #[arg(long, value_name = "X.Y")]
    python: String,
}

impl Generate {
    pub(crate) fn run(&self) -> Result<u8> {
        let release = Release::parse(&self.python).with_context(|| format!("{:?} is no version", self.python))?;
        let profile = Profile::for_release(&release).with_context(|| format!("no profile for {}", self.python))?;
        let case = generate(self.generator, Target::from(&profile), self.seed, self.index, &[]).bytes;
        let mut out = std::io::stdout().lock();
        match self.generator {
            // The program that it is made of.
            Generator::Execution => {
                out.write_all(&execution::program(Target::from(&profile), self.seed, self.index / OF_EACH).source)?;
            }
            Generator::Programs => out.write_all(&case)?,
            Generator::Values | Generator::Keys => writeln!(out, "{}", hex(&case))?,
            Generator::Stdlib | Generator::Streams | Generator::Codes | Generator::Pyc => {
                bail!("a case of {} is not made of seed and index alone", self.generator)
            }
        }
        Ok(0)
    }
}
