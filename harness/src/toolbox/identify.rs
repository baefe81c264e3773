//! `identify`: which Python wrote what is in a file.

use super::answer::Answer;
use crate::subjects::core::guard;
use pyc_core::identify::{Candidate, Identified, Kind, identify};
use pyc_core::magic::Magic;
use serde::Serialize;
use std::fmt;

/// So many candidates are shown to people; JSON has all of them.
const SHOWN: usize = 4;

/// Of what is no surer than this, in percent, nobody is told who asked for another Python.
const UNLIKELY: u8 = 20;

/// What a file is.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// For programs: `pyc`, `unknown-magic`, `mangled`, `zeros`, `empty`, `foreign` or `other`.
    pub kind: &'static str,
    /// The same in a sentence.
    pub what: String,
    /// The magic number, if it begins with one that is known.
    pub magic: Option<u16>,
    /// Size in bytes.
    pub size: usize,
    /// Whether offsets are in the bytes as they were before something took them for text.
    pub restored: bool,
    /// Whether there may be more streams than were found.
    pub is_cut: bool,
    /// The best first.
    pub candidates: Vec<CandidateView>,
    #[serde(skip)]
    tied: usize,
}

/// Whether an offset is inside of a stream of which a reader came so far before it gave up: then what begins there is a part of
/// that stream.
#[must_use]
pub fn is_inside(offset: usize, start: usize, end: Option<u64>) -> bool {
    offset > start && end.is_some_and(|end| offset as u64 <= end)
}

/// A version that may have written a stream.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateView {
    /// `3.12`
    pub python: String,
    /// `CPython` or `PyPy`
    pub implementation: &'static str,
    /// Where the stream is.
    pub offset: usize,
    /// How many bytes it has.
    pub length: usize,
    /// In percent.
    pub confidence: u8,
    /// Sentences.
    pub evidence: Vec<String>,
    /// Those of them that say that a table is not well formed.
    #[serde(skip)]
    pub flaws: Vec<String>,
}

/// What the magic number says, in words.
#[must_use]
pub fn magic_said(magic: Magic) -> String {
    let name = magic.name().unwrap_or("nobody that is known");
    format!("a .pyc file with magic number {} of {name}", magic.number())
}

impl View {
    /// Looks at a file.
    #[must_use]
    pub fn of(bytes: &[u8]) -> View {
        match guard(|| identify(bytes)) {
            Ok(found) => View::from_found(bytes, &found),
            Err(panic) => View {
                kind: "other",
                what: format!("pyc-core panicked: {panic}; report it with the file: this is a bug"),
                magic: None,
                size: bytes.len(),
                restored: false,
                is_cut: false,
                candidates: Vec::new(),
                tied: 0,
            },
        }
    }

    /// How sure it is that this Python wrote the stream at this offset, in percent.
    #[must_use]
    pub fn confidence(&self, python: &str, offset: usize) -> u8 {
        let own = self.candidates.iter().find(|it| it.is_cpythons(python, offset));
        own.map_or(1, |it| it.confidence)
    }

    /// What is wrong with the tables of the stream that this Python is said to have written at this offset.
    #[must_use]
    pub fn flaws(&self, python: &str, offset: usize) -> &[String] {
        self.candidates.iter().find(|it| it.is_cpythons(python, offset)).map_or(&[], |it| &it.flaws)
    }

    /// Who else it looks like, in a sentence, if that is likelier than that this Python wrote the stream at this offset.
    #[must_use]
    pub fn other_than(&self, python: &str, offset: usize) -> Option<String> {
        let best = self.candidates.first()?;
        let says_little = best.evidence.first().is_some_and(|first| first.contains("without a code object"));
        let is_own = self.candidates.iter().take(self.tied).any(|it| it.is_cpythons(python, offset));
        if is_own || says_little || best.confidence <= UNLIKELY {
            return None;
        }
        self.looks(offset)
    }

    /// What it looks like, in a sentence, to who knows of this offset.
    #[must_use]
    pub fn looks(&self, offset: usize) -> Option<String> {
        let best = self.candidates.first()?;
        let (versions, sure) = (self.versions(), self.sure());
        let what = match best.offset {
            at if at == offset => format!("a stream of {versions}"),
            0 => format!("a bare stream of {versions}"),
            at if self.restored => format!("a stream of {versions} behind {at} bytes of the restored file"),
            at => format!("a stream of {versions} behind {at} bytes"),
        };
        Some(format!("this looks like {what} ({sure} % sure)"))
    }

    /// The best candidates, in words.
    fn versions(&self) -> String {
        let tied: Vec<&str> = self.candidates.iter().take(self.tied).map(|it| it.python.as_str()).collect();
        let whose = self.candidates.first().map_or("CPython", |first| first.implementation);
        format!("{} {}", if whose == "CPython" { "Python" } else { whose }, tied.join(" or "))
    }

    /// How sure it is that it was one of these, in percent.
    fn sure(&self) -> usize {
        self.candidates.iter().take(self.tied).map(|it| usize::from(it.confidence)).sum()
    }

    fn from_found(bytes: &[u8], found: &Identified) -> View {
        let (kind, what) = said(found.kind);
        let magic = Magic::at_start(found.restored.as_deref().unwrap_or(bytes)).map(Magic::number);
        let view = |it: &Candidate| CandidateView {
            python: it.profile.version.to_string(),
            implementation: it.implementation(),
            offset: it.offset,
            length: it.length,
            confidence: it.confidence,
            evidence: it.evidence(),
            flaws: it.flaws(),
        };
        View {
            kind,
            what,
            magic,
            size: bytes.len(),
            restored: found.restored.is_some(),
            is_cut: found.is_cut,
            candidates: found.candidates.iter().map(view).collect(),
            tied: found.best().count(),
        }
    }
}

/// For programs and for people.
fn said(kind: Kind) -> (&'static str, String) {
    match kind {
        Kind::Empty => ("empty", "an empty file".into()),
        Kind::Zeros => ("zeros", "nothing but zeros: what a crash leaves of a file that was being written".into()),
        Kind::Pyc(magic) => ("pyc", magic_said(magic)),
        Kind::Unknown(number) => (
            "unknown-magic",
            format!("begins as a .pyc file with magic number {number}, which belongs to no known Python"),
        ),
        Kind::Mangled(mangling) => {
            ("mangled", format!("a .pyc file that went through a conversion of text: {}", mangling.said()))
        }
        Kind::Foreign(name) => ("foreign", name.to_owned()),
        Kind::Other => ("other", "no magic number that is known".into()),
    }
}

impl CandidateView {
    fn is_cpythons(&self, python: &str, offset: usize) -> bool {
        self.python == python && self.implementation == "CPython" && self.offset == offset
    }
}

impl Answer for View {
    fn verdict(&self) -> (&'static str, bool) {
        if self.candidates.is_empty() { ("without a stream", false) } else { ("identified", true) }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.candidates.first() {
            None => writeln!(f, "no Python's stream is in it")?,
            Some(first) => {
                let place = if self.restored { " of the restored file" } else { "" };
                writeln!(f, "{}, at byte {:#x}{place}, {} % sure", self.versions(), first.offset, self.sure())?;
            }
        }
        writeln!(f, "  file      {}, {} bytes", self.what, self.size)?;
        for it in self.candidates.iter().take(SHOWN.max(self.tied)) {
            writeln!(
                f,
                "  {:<8}  at {:#x}, {} bytes, {} %: {}",
                it.python,
                it.offset,
                it.length,
                it.confidence,
                it.evidence.join("; ")
            )?;
        }
        let more = self.candidates.len().saturating_sub(SHOWN.max(self.tied));
        if more > 0 {
            writeln!(f, "  ...       {more} more; --json has all of them")?;
        }
        if self.is_cut {
            writeln!(f, "  caution   so much looks like a stream that the search was ended; there may be more")?;
        }
        Ok(())
    }
}
