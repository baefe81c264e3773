//! The mutants that cargo-mutants names.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Genre {
    /// A function does nothing but return this.
    FnValue,
    /// Another operator.
    BinaryOperator,
    /// None in its place.
    UnaryOperator,
    /// An arm of a match is not there.
    MatchArm,
    /// A guard is always true, or never.
    MatchArmGuard,
    /// A field of a struct is that of its base.
    StructField,
}

/// A change of the source, as cargo-mutants tells it.
#[derive(Debug, Clone, Deserialize)]
pub struct Mutant {
    /// `FILE:LINE:COLUMN: WHAT`.
    pub name: String,
    /// From the root of the workspace.
    pub file: String,
    /// The function that it is in; there is none around a constant.
    pub function: Option<Function>,
    /// What is changed.
    pub genre: Genre,
    /// What takes its place.
    pub replacement: String,
    /// Where.
    pub span: Span,
}

/// A function.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Its name, with that of its type.
    pub function_name: String,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Span {
    /// Its first character.
    pub start: Place,
    /// The one after its last.
    pub end: Place,
}

/// A character of a file; the first has line 1 and column 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// What `cargo mutants` lists in this workspace: `.cargo/mutants.toml` says of which files.
///
/// # Errors
/// When cargo-mutants is missing, or tells something else.
pub fn list(root: &Path) -> Result<Vec<Mutant>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = command.args(["mutants", "--list", "--json"]).current_dir(root).output().context("cargo mutants")?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        if error.contains("no such command") {
            bail!(
                "cargo-mutants is missing, which names the mutants; `cargo install cargo-mutants --locked` installs it"
            );
        }
        bail!("cargo mutants --list failed: {}", error.trim());
    }
    serde_json::from_slice(&output.stdout).context("what `cargo mutants --list --json` says is not understood")
}
