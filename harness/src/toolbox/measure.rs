//! How well `identify` tells which Python wrote a stream: measured on whole standard libraries, without headers.

use crate::stdlib::{Cache, Item, Library};
use crate::subjects::core::payload;
use crate::subjects::{Compiled, Reality, Subject};
use anyhow::{Context, Result};
use interpreters::{Interpreter, Limits};
use pyc_core::identify::identify;
use pyc_core::model::{Dump, Loaded};
use pyc_core::{Profile, Version};
use std::path::Path;

/// An interpreter, and the version that it is.
pub struct Compiler {
    /// Its id.
    pub id: String,
    version: Version,
    subject: Reality,
    cache: Cache,
    library: Library,
}

/// What came of one library.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files that compile.
    pub files: usize,
    /// Those whose version comes first alone.
    pub first: usize,
    /// Those whose version is tied with others that compile the source to the same bytes.
    pub tied: usize,
    /// Those whose version is tied with others that compile the source to bytes in which only flags and references are others:
    /// these tell what else a process held when it compiled, not which Python it was.
    pub flags: usize,
    /// The others, by name: who came first or was tied.
    pub missed: Vec<String>,
}

impl Tally {
    /// The share of what was told right, in percent.
    #[must_use]
    pub fn share(&self) -> f64 {
        100.0 * (self.first + self.tied + self.flags) as f64 / self.files.max(1) as f64
    }
}

impl Compiler {
    /// One for an interpreter of a modelled version. Compiled files are kept in `folder`.
    ///
    /// # Errors
    /// When it has no standard library.
    pub fn of(interpreter: &Interpreter, profile: &Profile, folder: &Path) -> Result<Compiler> {
        Ok(Compiler {
            id: interpreter.id.clone(),
            version: profile.version,
            subject: Reality::new(interpreter, Limits::default()),
            cache: Cache::new(folder, &interpreter.facts),
            library: Library::open(&interpreter.facts.stdlib).context(interpreter.id.clone())?,
        })
    }

    /// The stream that it makes of a source; none if it refuses it.
    fn stream(&mut self, item: &Item, source: Vec<u8>) -> Result<Option<Vec<u8>>> {
        match self.cache.compile(&mut self.subject as &mut dyn Subject, item, source)? {
            Compiled::Pyc(pyc) => Ok(Some(payload(&pyc).map_err(anyhow::Error::msg)?)),
            _ => Ok(None),
        }
    }
}

/// Identifies the library of one of the compilers; the others say whether a tie is one. At most so many files, chosen at random
/// but always the same.
///
/// # Errors
/// When a source cannot be read, or an interpreter breaks.
pub fn measure(compilers: &mut [Compiler], which: usize, most: Option<usize>) -> Result<Tally> {
    let mut tally = Tally::default();
    let version = compilers[which].version;
    for item in compilers[which].library.items(&[0], 0) {
        if most.is_some_and(|most| tally.files == most) {
            break;
        }
        let source = compilers[which].library.read(&item.path)?;
        let Some(pyc) = compilers[which].stream(&item, source.clone())? else { continue };
        // A cached file has its hash behind the stream.
        let profile = Profile::of(version).context("no profile")?;
        let Ok(graph) = pyc_core::read(&pyc, profile) else { continue };
        let stream = &pyc[..graph.consumed()];
        tally.files += 1;
        let found = identify(stream);
        let tied: Vec<Version> = found.best().filter(|it| it.offset == 0).map(|it| it.profile.version).collect();
        let mut is_right = tied.contains(&version);
        let mut is_same = true;
        for other in compilers.iter_mut().filter(|other| other.version != version && tied.contains(&other.version)) {
            let theirs = other.stream(&item, source.clone())?.unwrap_or_default();
            is_same &= theirs.starts_with(stream);
            is_right &= theirs.starts_with(stream) || flat(&theirs, other.version) == flat(stream, version);
        }
        match (is_right, tied.len(), is_same) {
            (true, 1, _) => tally.first += 1,
            (true, _, true) => tally.tied += 1,
            (true, _, false) => tally.flags += 1,
            (false, ..) => {
                let names: Vec<String> = tied.iter().map(ToString::to_string).collect();
                tally.missed.push(format!("{}: {}", item.path, names.join(" or ")));
            }
        }
    }
    Ok(tally)
}

/// The stream without flags and references.
fn flat(stream: &[u8], version: Version) -> Option<Vec<u8>> {
    let profile = Profile::of(version)?;
    let graph = pyc_core::read(stream, profile).ok()?;
    match Loaded::new(&graph, profile).dump(2) {
        Dump::Bytes { bytes, .. } => Some(bytes),
        _ => None,
    }
}
