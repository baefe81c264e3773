//! `provost info`: what is in a file.

use crate::subjects::core::Core;
use crate::toolbox::answer::{Output, answer};
use crate::toolbox::info::{View, Wanted};
use crate::toolbox::{Archives, Paths};
use anyhow::Result;
use clap::Args;

/// Arguments of `info`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 every file was read; 1 some file holds no stream that a Python reads; 2 the command was \
    wrong. Schema of --json: harness/schema/info.schema.json."
)]
pub(crate) struct Info {
    #[command(flatten)]
    paths: Paths,
    /// Read the file as this Python's, such as 3.14. Overrides the magic number
    #[arg(long = "as", value_name = "X.Y[.Z]")]
    python: Option<String>,
    /// Print every attribute of each code object, as co_names
    #[arg(long)]
    attributes: bool,
    #[command(flatten)]
    output: Output,
}

impl Info {
    pub(crate) fn run(&self) -> Result<u8> {
        let asked = self.python.as_deref().map(Core::named).transpose().map_err(anyhow::Error::msg)?;
        let wanted = Wanted { attributes: self.attributes, names: true };
        answer(&self.paths, Archives::Read, self.output, |_, bytes| View::of(&bytes, asked.as_ref(), wanted))
    }
}
