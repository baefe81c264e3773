//! Skeletons of adapters: small readers that work, for somebody to put a real one in their place.

use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The language of a skeleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub enum Language {
    Python,
    Rust,
    C,
    Go,
    Javascript,
    Java,
}

/// The files of a skeleton.
type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($folder:literal: $($file:literal),*) => {
        &[$(($file, include_str!(concat!("skeletons/", $folder, "/", $file)))),*]
    };
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 6] =
        [Language::Python, Language::Rust, Language::C, Language::Go, Language::Javascript, Language::Java];

    fn files(self) -> Files {
        match self {
            Language::Python => files!("python": "adapter.py"),
            Language::Rust => files!("rust": "Cargo.toml", "src/main.rs"),
            Language::C => files!("c": "Makefile", "adapter.c"),
            Language::Go => files!("go": "go.mod", "adapter.go"),
            Language::Javascript => files!("javascript": "adapter.mjs"),
            Language::Java => files!("java": "Adapter.java"),
        }
    }

    /// How the program is made, if it has to be, and how it is started: command lines in its folder.
    #[must_use]
    pub fn commands(self) -> (Option<&'static str>, &'static str) {
        match self {
            Language::Python => (None, "python3 adapter.py"),
            Language::Rust => (Some("cargo build --release"), "target/release/adapter"),
            Language::C => (Some("make"), "./adapter"),
            Language::Go => (Some("go build"), "./adapter"),
            Language::Javascript => (None, "node adapter.mjs"),
            Language::Java => (Some("javac Adapter.java"), "java -cp . Adapter"),
        }
    }
}

const FUZZ: Files = files!("fuzz": "Cargo.toml", "README.md", "fuzz_targets/read.rs");

/// Writes a skeleton into a folder that does not exist, or is empty. `provost` is the folder of this repository.
///
/// # Errors
/// When there is something already, or it cannot be written.
pub fn write(language: Language, fuzz: bool, folder: &Path, provost: &Path) -> Result<()> {
    ensure!(!fuzz || language == Language::Rust, "--fuzz is for --lang rust");
    let is_empty = !folder.exists() || folder.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    ensure!(is_empty, "{} is there already, and not empty", folder.display());
    for (name, text) in if fuzz { FUZZ } else { language.files() } {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let text = text.replace("PROVOST", &provost.display().to_string());
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
