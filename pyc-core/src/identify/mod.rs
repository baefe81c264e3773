//! Which Python wrote this, and where in the file its stream is: also without a header, with a wrong one, or inside of
//! something else.
//!
//! Every version that reads the stream is a candidate. What it would not have written so are its [`Doubt`]s: opcodes that
//! it has not, tables that do not fit the code, stack sizes that the instructions do not need, and what its compiler writes
//! differently. The one with the least against it comes first; versions that compile a source to the same bytes are tied. No
//! bytes make this panic, and its time is bounded by a multiple of their number.
//!
//! ```
//! use pyc_core::identify::identify;
//! let found = identify(pyc_core::code::EXAMPLE_312);
//! // So small a function is the same in two versions.
//! let tied: Vec<_> = found.best().map(|it| (it.profile.version.to_string(), it.offset)).collect();
//! assert_eq!(tied, [("3.11".to_string(), 0), ("3.12".to_string(), 0)]);
//! assert!(found.candidates[0].evidence().contains(&"the stream has a code object and 3 instructions".into()));
//! ```

mod foreign;
mod idioms;
mod scan;
mod weigh;

pub use foreign::{Kind, Mangling};
pub use weigh::Doubt;

use crate::graph::{Graph, Value};
use crate::magic::Magic;
use crate::prelude::*;
use crate::profile::Profile;
use crate::read::{Scratch, read_as};
use weigh::{DOUBTS, Weighed};

/// What a file is, and who may have written the streams in it.
#[derive(Debug, Clone)]
pub struct Identified {
    /// What the file is as a whole.
    pub kind: Kind,
    /// The bytes as they were before something took them for text; offsets are in these then.
    pub restored: Option<Vec<u8>>,
    /// The best first.
    pub candidates: Vec<Candidate>,
    /// Whether there may be more streams in the file: so much looked like one that the search was ended.
    pub is_cut: bool,
}

/// A version that may have written the stream at an offset.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The version.
    pub profile: &'static Profile,
    /// Where the stream is.
    pub offset: usize,
    /// How many bytes it takes.
    pub length: usize,
    /// How many bytes of the file follow it.
    pub behind: usize,
    /// Whether the magic number says the same.
    pub is_named: bool,
    /// How sure this is, in percent: that it was this version, among those that are modelled.
    pub confidence: u8,
    is_pypy: bool,
    /// Whether the magic number is one of PyPy.
    is_pypys_magic: bool,
    weighed: Weighed,
}

impl Identified {
    /// The first candidate, and those that nothing tells from it.
    pub fn best(&self) -> impl Iterator<Item = &Candidate> {
        let first = self.candidates.first();
        self.candidates.iter().filter(move |it| first.is_some_and(|first| it.is_tied_with(first)))
    }
}

impl Candidate {
    /// How much there is against it; 0 is nothing. What PyPy wrote is not measured by what CPython's compiler writes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        if self.is_named && self.is_pypy { 0 } else { self.weighed.weight() }
    }

    /// How many code objects the stream has.
    #[must_use]
    pub fn codes(&self) -> usize {
        self.weighed.codes
    }

    /// Who implements the Python that wrote it: `PyPy` if the magic number says so, or if every instruction that CPython's version
    /// has not is one of PyPy's own; otherwise `CPython`, whose versions are the ones that are modelled.
    #[must_use]
    pub fn implementation(&self) -> &'static str {
        if self.is_pypy { "PyPy" } else { "CPython" }
    }

    /// What is against it, and how often.
    pub fn doubts(&self) -> impl Iterator<Item = (Doubt, usize)> + '_ {
        DOUBTS.iter().map(|(doubt, ..)| (*doubt, self.weighed.count(*doubt))).filter(|(_, count)| *count > 0)
    }

    /// What speaks for it and against it, in sentences.
    #[must_use]
    pub fn evidence(&self) -> Vec<String> {
        let Weighed { codes, instructions, .. } = self.weighed;
        let version = self.profile.version;
        let mut said = vec![match codes {
            0 => format!("{version} reads a stream of {} bytes without a code object", self.length),
            1 => format!("the stream has a code object and {instructions} instructions"),
            _ => format!("the stream has {codes} code objects and {instructions} instructions"),
        }];
        if self.is_named {
            let whose = if self.is_pypys_magic { "PyPy " } else { "" };
            said.push(format!("the magic number is that of {whose}{version}"));
        }
        if self.behind > 0 {
            said.push(format!("{} bytes follow the stream", self.behind));
        }
        if self.weighed.pypy > 0 {
            said.push(format!("instructions that only PyPy has: {}", self.weighed.pypy));
        }
        let doubts = DOUBTS.iter().filter(|(doubt, ..)| self.weight() > 0 && self.weighed.count(*doubt) > 0);
        said.extend(doubts.map(|(doubt, _, what)| format!("{what}: {}", self.weighed.count(*doubt))));
        if codes > 0 && self.weighed.weight() == 0 {
            said.push(format!("its opcodes, tables and stack sizes are those of {version}"));
        }
        said
    }

    /// The evidence that a table is not well formed: one of lines that does not cover its code, one of handlers that names no place.
    #[must_use]
    pub fn flaws(&self) -> Vec<String> {
        let is_table = |doubt: Doubt| matches!(doubt, Doubt::Lines | Doubt::Handlers);
        let found = DOUBTS.iter().filter(|(doubt, ..)| is_table(*doubt) && self.weighed.count(*doubt) > 0);
        found.map(|(doubt, _, what)| format!("{what}: {}", self.weighed.count(*doubt))).collect()
    }

    /// The lower the better.
    fn rank(&self) -> (bool, u64, bool, bool, usize) {
        (self.codes() == 0, self.weight(), self.behind > 0, !self.is_named, self.offset)
    }

    /// Whether nothing tells these apart.
    fn is_tied_with(&self, other: &Candidate) -> bool {
        (self.codes() == 0, self.weight(), self.offset) == (other.codes() == 0, other.weight(), other.offset)
            && self.is_named == other.is_named
    }
}

/// The lengths that headers have, the likeliest first; and streams without one.
const HEADERS: [usize; 6] = [16, 12, 8, 0, 4, 20];

/// Says what a file is, and who may have written what is in it.
#[must_use]
pub fn identify(bytes: &[u8]) -> Identified {
    let (mut kind, mut restored) = foreign::kind(bytes);
    let looked_at = restored.as_deref().unwrap_or(bytes);
    let magic = Magic::at_start(looked_at);
    let pypy = magic.and_then(Magic::pypy);
    let mut finder = Finder { bytes: looked_at, is_pypy: pypy.is_some(), scratch: Scratch::default() };
    let mut candidates = Vec::new();
    let mut is_cut = false;
    if !matches!(kind, Kind::Empty | Kind::Zeros) {
        // A good file with its own header is what nearly all are.
        let own = pypy.or(magic.and_then(Magic::family));
        candidates.extend(own.and_then(|profile| finder.at(profile.header.length(), profile, own)));
        let is_plain = candidates.iter().any(|it: &Candidate| it.codes() > 0 && it.weight() < CLEAN && it.behind == 0);
        if !is_plain {
            candidates = finder.behind_headers(own);
        }
        let has_code = candidates.iter().any(|it| it.codes() > 0);
        let undone =
            own.filter(|_| !has_code && restored.is_none()).and_then(|own| with_line_feeds(bytes, own, pypy.is_some()));
        if let Some((original, candidate)) = undone {
            kind = Kind::Mangled(Mangling::LineFeeds);
            restored = Some(original);
            candidates = vec![candidate];
        } else if !has_code {
            let found = scan::scan(&mut finder);
            is_cut = found.is_cut;
            candidates.extend(found.candidates);
        }
    }
    candidates.sort_by_key(Candidate::rank);
    rate(&mut candidates);
    Identified { kind, restored, candidates, is_cut }
}

/// The file as it was before each line feed became a carriage return and a line feed, but for those that had one already, as that of
/// the magic number. That it was so shows that its version then reads a code object that takes the whole file.
fn with_line_feeds(bytes: &[u8], own: &'static Profile, is_pypy: bool) -> Option<(Vec<u8>, Candidate)> {
    let (number, rest) = bytes.split_at_checked(4)?;
    let original = [number, &foreign::with_line_feeds(rest)].concat();
    if original.len() == bytes.len() {
        return None;
    }
    let mut finder = Finder { bytes: &original, is_pypy, scratch: Scratch::default() };
    let candidate = finder.at(own.header.length(), own, Some(own))?;
    (candidate.codes() > 0 && candidate.behind == 0).then_some((original, candidate))
}

/// Where in a file the stream is that this version reads: behind the header that the magic number or else the version asks
/// for, unless a code object begins elsewhere. In a file with no magic number that is known it is looked for everywhere.
#[must_use]
pub fn payload_offset(bytes: &[u8], profile: &Profile) -> usize {
    let magic = Magic::at_start(bytes);
    let is_magic = bytes.get(2..4) == Some(b"\r\n");
    let expected = match magic.and_then(Magic::family) {
        Some(own) => own.header.length(),
        None if magic.is_some() || is_magic => profile.header.length(),
        None => 0,
    };
    let Some(profile) = Profile::of(profile.version) else { return expected };
    let mut finder = Finder { bytes, is_pypy: false, scratch: Scratch::default() };
    let offsets = [expected].into_iter().chain(HEADERS);
    let mut found = offsets.filter_map(|offset| finder.at(offset, profile, None)).filter(|it| it.codes() > 0);
    let mut first = found.next();
    drop(found);
    let is_whole = finder.at(expected, profile, None).is_some_and(|it| it.behind == 0);
    if first.is_none() && magic.is_none() && !is_whole {
        let scanned = scan::scan(&mut finder).candidates;
        first = scanned.into_iter().filter(|it| it.profile == profile && it.codes() > 0).min_by_key(Candidate::rank);
    }
    first.map_or(expected, |it| it.offset).min(bytes.len())
}

/// Below this, there is nothing but a few stack sizes against a version.
const CLEAN: u64 = 100;

/// Looks for streams in a file.
struct Finder<'a> {
    bytes: &'a [u8],
    /// Whether the magic number is one of PyPy.
    is_pypy: bool,
    scratch: Scratch,
}

impl Finder<'_> {
    /// The stream at an offset, as a version's; none if that refuses it.
    fn at(&mut self, offset: usize, profile: &'static Profile, named: Option<&Profile>) -> Option<Candidate> {
        self.try_at(offset, profile, named).ok()
    }

    /// The same, or how many bytes were read in vain.
    fn try_at(
        &mut self,
        offset: usize,
        profile: &'static Profile,
        named: Option<&Profile>,
    ) -> Result<Candidate, usize> {
        let stream = self.bytes.get(offset..).filter(|stream| !stream.is_empty()).ok_or(0_usize)?;
        let is_named = named == Some(profile) && offset == profile.header.length();
        // The magic number stands against an instruction that the version dies of.
        let graph: Graph = read_as(stream, profile, &mut self.scratch, is_named).map_err(|error| error.offset + 1)?;
        let length = graph.consumed();
        // Where the value is none, the file is not there for it.
        let is_code = matches!(graph.value(graph.root()), Value::Code(_));
        let weighed = if is_code { weigh::weigh(&graph, profile) } else { Weighed::default() };
        graph.recycle(&mut self.scratch);
        let is_pypys_magic = is_named && self.is_pypy;
        let is_pypy = is_pypys_magic || weighed.pypy > 0 && weighed.pypy == weighed.count(Doubt::Opcode);
        let behind = stream.len() - length;
        Ok(Candidate { profile, offset, length, behind, is_named, confidence: 0, is_pypy, is_pypys_magic, weighed })
    }

    /// All versions at all lengths that headers have. What is no code object counts only where it takes the whole rest.
    fn behind_headers(&mut self, named: Option<&'static Profile>) -> Vec<Candidate> {
        let mut found = Vec::new();
        for offset in HEADERS {
            for profile in Profile::all() {
                let candidate = self.at(offset, profile, named);
                found.extend(candidate.filter(|it| it.codes() > 0 || it.behind == 0 || it.is_named));
            }
        }
        found
    }
}

/// Fills in how sure each is: a share of what its evidence is worth among those that are tied, little for what comes after.
fn rate(candidates: &mut [Candidate]) {
    let Some(first) = candidates.first().cloned() else { return };
    let tied = candidates.iter().filter(|it| it.is_tied_with(&first)).count();
    for it in candidates {
        let worth: usize = match it.weight() {
            _ if it.codes() == 0 => 90,
            0 => 99,
            1..10 => 97,
            10..CLEAN => 90,
            CLEAN..1000 => 70,
            1000..10_000 => 40,
            _ => 10,
        };
        let worth = match () {
            () if it.is_tied_with(&first) => worth / tied,
            // Another stream in the same file.
            () if it.offset != first.offset && it.codes() > 0 && it.weight() < CLEAN => worth,
            () => worth.min(20),
        };
        it.confidence = u8::try_from(worth.max(1)).unwrap_or(99);
    }
}

#[cfg(test)]
mod tests;
