//! Writes a copy of pyc-core with all its mutants and builds the program that compares them: `cargo provost faults --mutants`
//! runs both.

use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;

/// Builds all mutants of pyc-core into one program.
#[derive(Debug, Parser)]
struct Arguments {
    /// The workspace whose pyc-core is mutated
    root: PathBuf,
    /// The folder that the copy is written to
    out: PathBuf,
    /// The folder that it is built into
    target: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { root, out, target } = Arguments::parse();
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let mutants = mutants::list::list(&root)?;
    eprintln!("cargo-mutants names {} mutants", mutants.len());
    let built = mutants::copy::build(&root, &out, &target, &mutants)?;
    let path = out.join(mutants::copy::BUILT);
    std::fs::write(&path, serde_json::to_vec_pretty(&built)?).with_context(|| path.display().to_string())
}
