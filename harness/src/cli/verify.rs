//! `provost verify`: are files valid, stale, and would they be imported?

use crate::subjects::core::Core;
use crate::toolbox::answer::{Output, answer, answer_beside};
use crate::toolbox::safe::View as Safe;
use crate::toolbox::verify::View;
use crate::toolbox::{Archives, Paths};
use anyhow::Result;
use clap::Args;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 every file is good and would be imported; 1 some file is bad, doubtful, stale, refused or \
    not looked at; 2 the command was wrong. With --safe: 0 every code object of every file is safe; 1 some is not, or a file cannot be read. \
    Schemas of --json: harness/schema/verify.schema.json, and with --safe harness/schema/safe.schema.json."
)]
pub(crate) struct Verify {
    #[command(flatten)]
    paths: Paths,
    /// Only whether the code objects are safe to run: they cannot crash their interpreter (docs/SAFE.md)
    #[arg(long)]
    safe: bool,
    /// With --safe: which Python is meant, such as 3.14; needed for streams without a .pyc header
    #[arg(long = "as", value_name = "X.Y[.Z]", requires = "safe")]
    python: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Verify {
    pub(crate) fn run(&self) -> Result<u8> {
        if self.safe {
            let asked = self.python.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
            return answer(&self.paths, Archives::Read, self.output, |_, bytes| Safe::of(&bytes, asked.as_ref()));
        }
        answer_beside(&self.paths, Archives::Read, self.output, |entry, bytes, beside| View::of(entry, &bytes, beside))
    }
}
