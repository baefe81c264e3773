//! Generators: where a campaign's cases come from, unless it is a standard library.
//!
//! A divergence that cannot be had again is worth nothing, so a case is a pure function of a few bytes, its *tape*: no
//! clock, no environment, no global state. [`tape`] makes the bytes of case number `index` of a campaign, and
//! [`arbitrary::Unstructured`] turns them into decisions, so the same code serves a campaign (tapes from a seed) and a
//! coverage-guided fuzzer (tapes from the fuzzer). What is kept of a finding is the stream itself, never the tape: tapes
//! lose their meaning whenever a generator changes.
//!
//! Reviewed for Python 3.15.
//!
//! | generator | asks | reaches | cannot reach |
//! |---|---|---|---|
//! | `stdlib` | do we read what is really out there? | everything that compilers and the standard library do | whatever no compiler emits: cycles, odd encodings, errors |
//! | [`values`] | is every *value* right? | sharing, cycles, hashing, every type, every boundary; always valid for its target | encodings that no writer chooses, rejected streams, huge sizes, real bytecode |
//! | [`streams`] | is every *encoding* right? | long forms, odd spellings, flags and references anywhere, single broken rules, mutations | deep agreement about values: many of its streams are rejected early |
//! | [`keys`] | is every *comparison* right? | members, keys and constants that are equal, nearly equal or of equal hash, in every spelling; 2.7 after an exception in a dict; instructions that kill | graphs of many objects, deep nesting |
//! | [`codes`] | is every *field* of a code object right? | every field of every layout, bytecode and tables of every form, code grown from compiled ones, one wrong thing at a time | code that could be run; whatever a code object does not hold |
//! | [`programs`] | is what compilers make of *anything* right? | code objects that no library contains: every construct of a version, more than 255 of anything, long jumps | what no compiler emits |
//! | [`pyc`] | is every header of a `.pyc` file right? | every header layout, flag, hash and way to be cut, before what `codes` makes | streams of other kinds, files of unsupported versions |
//! | [`execution`] | does what the verifier passes end an *interpreter*? | small programs that are executed, and one to three changes of their bytecode, tables and sizes | bytecode far from what compilers emit |
//!
//! Each case of `values` and `streams` first draws a configuration, `swarm`: which kinds of leaves and containers, which
//! alphabets, how many references, flags, interned strings and odd encodings it has, and whether it has large things. What is
//! off is not there at all and what is on is dense, so rare things meet. The configuration is made legal for the target: a
//! slice is never drawn for a version without slices, whatever the tape says. What each generator promises to make is the
//! table of `features`; a test holds it to that under every profile, and every hunt counts it.
//!
//! What the two make of the target's language:
//!
//! | | `values` | `streams`, as well |
//! |---|---|---|
//! | graph | nodes shared, in cycles through lists, dicts and tuples, nested to the limit | references forward, to what is not finished, to nothing |
//! | keys | of every kind that has a hash, equal ones of different types among them | without a hash, and unfinished |
//! | ints, floats | at the boundaries of digits and words; -0.0, infinities, nans with payloads | `I` and `l` for small ones; odd texts |
//! | strings | ASCII, Latin-1, BMP, astral, lone surrogates, NUL; of 0, 1, 255, 256, 65535; interned or not; words that bytes and str share | long and short forms, `u` for ASCII, `a` for Latin-1 |
//! | containers | of 0, 1, 255, 256 | long forms of tuples; flags on everything; NULL anywhere |
//! | end | | bytes after it, or too early |
//!
//! Streams also come from streams: [`mutate()`] and [`crossover`] make others near them, for campaigns and for libFuzzer,
//! [`crate::minimize`] makes smaller ones of what was found, and [`normal`] says what a stream means in one way of many. With the
//! feature `proptest`, `strategies` brings all this to the tests of other readers.
//!
//! The generators write bytes with a small emitter of their own. They share nothing with pyc-core but the version table
//! (through [`Target`]), because a bug that reader, writer and generator have in common would be invisible.

mod code;
pub mod codes;
mod corners;
pub(crate) mod draft;
mod emit;
pub mod execution;
pub(crate) mod features;
pub mod keys;
mod luck;
mod mutate;
pub mod programs;
pub mod pyc;
pub(crate) mod skim;
pub(crate) mod spell;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod streams;
mod swarm;
pub mod values;
mod version;

pub use mutate::{crossover, mutate};
pub use spell::normal;
pub use version::VERSION;

use arbitrary::Unstructured;
use pyc_core::{Profile, Version};
use std::path::Path;
use std::{fmt, fs, io, str};

/// The interpreter that a stream is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// Python's version: (3, 12).
    pub version: (u8, u8),
    /// `marshal.version`, the highest format version of the target.
    pub marshal_version: u8,
    /// The deepest nesting that the target's reader accepts, in objects.
    pub max_depth: u32,
    /// Whether it has CPython's code objects.
    pub codes: bool,
    /// Whether it finds a frozendict that a reference names.
    pub frozendict_references: bool,
    /// Whether it dies of an opcode that is none, where it looks at opcodes: debug builds of 3.14 and later do.
    pub asserts_opcodes: bool,
}

impl Target {
    fn is_python2(self) -> bool {
        self.version.0 == 2
    }

    /// pyc-core's, for what is not made but looked up: magic numbers, headers, the code objects of an interpreter.
    fn profile(self) -> Option<&'static Profile> {
        Profile::of(Version::new(self.version.0, self.version.1))
    }
}

impl From<&Profile> for Target {
    fn from(profile: &Profile) -> Target {
        Target {
            version: (profile.version.major, profile.version.minor),
            marshal_version: profile.marshal_version,
            max_depth: profile.max_depth,
            codes: true,
            frozendict_references: profile.refers_to_frozendicts(),
            asserts_opcodes: profile.debug && profile.version >= pyc_core::Version::new(3, 14),
        }
    }
}

/// Which generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generator {
    /// Streams that exist: compiled files of standard libraries, seeds, whatever the caller brings.
    Stdlib,
    /// Random value graphs, always valid: [`values`].
    Values,
    /// Random encodings, valid or nearly so, and mutations: [`streams`].
    Streams,
    /// Small containers whose members are equal, or nearly so: [`keys`].
    Keys,
    /// Code objects, valid or wrong in one respect: [`codes`].
    Codes,
    /// Random source text, which the interpreter compiles: [`programs`].
    Programs,
    /// Whole .pyc files, with right and wrong headers: [`pyc`].
    Pyc,
    /// Changed code objects of small programs, to be executed: [`execution`]. A hunt has it only alone, when it is asked for.
    Execution,
}

impl Generator {
    /// All generators, in the order in which they are listed for people.
    pub const ALL: [Generator; 8] = [
        Generator::Stdlib,
        Generator::Values,
        Generator::Streams,
        Generator::Keys,
        Generator::Codes,
        Generator::Programs,
        Generator::Pyc,
        Generator::Execution,
    ];

    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Generator::Stdlib => "stdlib",
            Generator::Values => "values",
            Generator::Streams => "streams",
            Generator::Keys => "keys",
            Generator::Codes => "codes",
            Generator::Programs => "programs",
            Generator::Pyc => "pyc",
            Generator::Execution => "execution",
        }
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl str::FromStr for Generator {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Generator::ALL.into_iter().find(|g| g.name() == name).ok_or_else(|| {
            let names = Generator::ALL.map(Generator::name).join(", ");
            format!("no generator is called {name:?}; there are {names}")
        })
    }
}

/// How many generated values are given to the mutators.
const VALUE_BASES: u64 = 64;

/// What a generator made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// A marshal stream; of [`Generator::Programs`] the source text that an interpreter makes one of; of
    /// [`Generator::Pyc`] a file.
    pub bytes: Vec<u8>,
    /// Whether it was made to be accepted by its target. Of the other cases nothing was promised.
    pub valid: bool,
}

/// Case number `index` of the campaign `seed`: a marshal stream for `target`, the same on every machine.
///
/// `bases` are streams to start from: `streams` mutates them (and makes do with streams of its own when there are none),
/// `stdlib` hands them out in turn as they are, `codes` changes fields in those that the target compiled (so it takes none
/// that the target might refuse), the others do not look at them. What `execution` makes has a function of its own.
#[must_use]
pub fn generate(generator: Generator, target: Target, seed: u64, index: u64, bases: &[Vec<u8>]) -> Generated {
    let tape = tape(seed, generator.name(), index);
    let mut u = Unstructured::new(&tape);
    match generator {
        Generator::Stdlib => {
            let turn = index.checked_rem(bases.len() as u64).and_then(|i| usize::try_from(i).ok());
            Generated { bytes: turn.map(|i| bases[i].clone()).unwrap_or_default(), valid: turn.is_some() }
        }
        Generator::Values => Generated { bytes: values::generate(&mut u, target), valid: true },
        Generator::Streams => streams::generate(&mut u, target, bases),
        Generator::Keys => keys::generate(&mut u, target),
        Generator::Codes => codes::generate(&mut u, target, bases),
        Generator::Programs => {
            Generated { bytes: programs::generate(&mut u, target.version).into_bytes(), valid: true }
        }
        // They are made of what a subject compiles.
        Generator::Execution => Generated { bytes: Vec::new(), valid: false },
        Generator::Pyc => {
            let pyc::Generated { bytes, valid, .. } = pyc::generate(&mut u, target, bases);
            Generated { bytes, valid }
        }
    }
}

/// Values for the mutators to start from: not those that a campaign of this seed begins with, which are compared anyway.
pub(crate) fn value_bases(target: Target, seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let last = u64::MAX - VALUE_BASES..u64::MAX;
    last.map(move |index| generate(Generator::Values, target, seed, index, &[]).bytes)
}

/// The pseudo-random bytes from which a case is made: 64 bytes to 4 KiB, most often a few hundred.
///
/// SplitMix64, started from a hash of everything that names the case.
#[must_use]
pub fn tape(seed: u64, generator: &str, index: u64) -> Vec<u8> {
    let mut state = fnv([&seed.to_le_bytes(), generator.as_bytes(), &index.to_le_bytes()].concat());
    let words = 8 << [0, 1, 2, 3, 4, 5, 5, 6][(splitmix(&mut state) & 7) as usize];
    let tape: Vec<[u8; 8]> = (0..words).map(|_| splitmix(&mut state).to_le_bytes()).collect();
    tape.into_flattened()
}

/// The next number of SplitMix64.
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// FNV-1a.
pub fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The streams in a folder of seeds, by file name and in its order: `.marshal` files as they are, `.pyc` files as they
/// are too (header included; whoever wants the stream inside cuts it off).
///
/// # Errors
/// When the folder or one of its files cannot be read.
pub fn seeds(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "marshal" || e == "pyc") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            seeds.push((name, fs::read(&path)?));
        }
    }
    seeds.sort();
    Ok(seeds)
}

#[cfg(test)]
mod tests;
