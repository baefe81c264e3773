//! The streams that are timed.
//!
//! One kind of stream makes one kind of reader look good: a copier shines on long strings, and a reader that starts slowly
//! is never noticed on large files. So there are three kinds, the same on every run: what compilers write, what programs
//! keep, and streams so short that starting is all there is to do.

use crate::generators::{self, Generator, Target};
use crate::roundtrip::chosen;
use crate::stdlib::{Cache, Library};
use crate::subjects::core::{Core, payload};
use crate::subjects::{Compiled, Reality};
use anyhow::{Context, Result, bail};
use arbitrary::Unstructured;
use interpreters::{Interpreter, Limits};
use pyc_core::model::{Dump, Loaded};
use pyc_core::{Profile, read};
use std::path::Path;

/// How many streams of values there are, and of how many records each.
const VALUES: u64 = 48;
const RECORDS: u32 = 400;

/// How many tiny streams there are, and what each is shorter than.
const TINY: usize = 20_000;
const SHORT: usize = 100;

/// How many cases a generator makes in a round.
const MADE: usize = 20_000;

/// How often each seed is mutated: most are small, and few mutants of a large one decide nothing.
const TIMES_MUTATED: usize = 8;

/// What a fuzzer's mutant is no longer than.
const LONGEST_MUTANT: usize = 1 << 14;

/// A kind of stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The interpreter's own standard library, compiled at level 0.
    Stdlib,
    /// Records with text, floats, and ints of every length, as the interpreter writes them.
    Values,
    /// Random values in fewer than 100 bytes.
    Tiny,
    /// Streams that a reader has much to remember of; the benchmark of memory makes them itself.
    Crafted,
    /// The cases of the generator `values`.
    Graphs,
    /// The cases of the generator `streams` of fewer than 100 bytes.
    Streams,
    /// The corpus that fuzzers begin with.
    Seeds,
}

impl Input {
    /// All, in the order of the table.
    pub const ALL: [Input; 7] =
        [Input::Stdlib, Input::Values, Input::Tiny, Input::Crafted, Input::Graphs, Input::Streams, Input::Seeds];

    /// The second half of a row's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Input::Stdlib => "stdlib",
            Input::Values => "values",
            Input::Tiny => "tiny",
            Input::Crafted => "crafted",
            Input::Graphs => "graphs",
            Input::Streams => "streams",
            Input::Seeds => "seeds",
        }
    }

    /// The streams, for an interpreter (or for nobody) of this profile; `root` is the folder of this repository, and `cache`
    /// keeps compiled files.
    ///
    /// # Errors
    /// Why there are none.
    pub fn streams(
        self,
        profile: &Profile,
        interpreter: Option<&Interpreter>,
        root: &Path,
        cache: &Path,
    ) -> Result<Vec<Vec<u8>>> {
        match self {
            Input::Stdlib => stdlib(interpreter.context("there is no interpreter to compile it")?, cache),
            Input::Values => (0..VALUES).map(|seed| values(seed, profile)).collect(),
            Input::Tiny => Ok(tiny(Target::from(profile))),
            Input::Crafted => Ok(Vec::new()),
            Input::Graphs | Input::Streams => Ok(self.made(Target::from(profile)).iter().map(Case::make).collect()),
            Input::Seeds => seeds(&root.join("corpus/seeds")),
        }
    }

    /// The cases that a race of generators makes, by name: making them is the race.
    #[must_use]
    pub fn made(self, target: Target) -> Vec<Case> {
        let all = |generator| (0..).map(move |index| Case { generator, target, index });
        match self {
            Input::Graphs => all(Generator::Values).take(MADE).collect(),
            Input::Streams => all(Generator::Streams).filter(|case| case.make().len() < SHORT).take(MADE).collect(),
            _ => Vec::new(),
        }
    }
}

/// A generator's case that is not made yet.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    generator: Generator,
    target: Target,
    index: u64,
}

impl Case {
    /// Its bytes.
    #[must_use]
    pub fn make(&self) -> Vec<u8> {
        generators::generate(self.generator, self.target, 1, self.index, &[]).bytes
    }
}

/// The streams that libFuzzer would not cut short.
fn seeds(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let seeds = generators::seeds(folder).with_context(|| folder.display().to_string())?;
    let streams =
        seeds.into_iter().filter(|(name, stream)| name.ends_with(".marshal") && stream.len() <= LONGEST_MUTANT);
    Ok(streams.map(|(_, stream)| stream).collect())
}

/// What a fuzzer makes of the streams: each mutated, and crossed with the next, a few times; the same for every call.
#[must_use]
pub fn mutants(streams: &[Vec<u8>], cores: &[Core]) -> Vec<Vec<u8>> {
    let next = streams.iter().cycle().skip(1);
    let make = |(index, (one, other)): (u64, (&Vec<u8>, &Vec<u8>))| {
        let target = chosen(cores, one).target();
        let tape = |of| generators::tape(1, of, index);
        let mutant =
            generators::mutate(&mut Unstructured::new(&tape("mutate")), Some(target), one, one, LONGEST_MUTANT);
        let child =
            generators::crossover(&mut Unstructured::new(&tape("cross")), Some(target), one, other, LONGEST_MUTANT);
        [mutant, child]
    };
    let times = streams.len() * TIMES_MUTATED;
    (0..).zip(streams.iter().zip(next).cycle().take(times)).flat_map(make).collect()
}

fn stdlib(interpreter: &Interpreter, cache: &Path) -> Result<Vec<Vec<u8>>> {
    let mut library = Library::open(&interpreter.facts.stdlib)?;
    let cache = Cache::new(cache, &interpreter.facts);
    let mut subject = Reality::new(interpreter, Limits::default());
    let mut items = library.items(&[0], 0);
    items.sort();
    let mut streams = Vec::new();
    for item in &items {
        let source = library.read(&item.path)?;
        // The standard library has files that are not meant to compile.
        if let Compiled::Pyc(pyc) = cache.compile(&mut subject, item, source)? {
            streams.push(payload(&pyc).map_err(anyhow::Error::msg)?);
        }
    }
    Ok(streams)
}

/// A list of records, written as this Python's `marshal.dumps` writes it.
fn values(seed: u64, profile: &Profile) -> Result<Vec<u8>> {
    let mut out = Writer { bytes: Vec::new(), random: seed };
    out.sized(b'[', RECORDS);
    (0..RECORDS).for_each(|number| out.record(number));
    let graph = read(&out.bytes, profile).map_err(|e| anyhow::anyhow!("a record is not read: {e}"))?;
    match Loaded::new(&graph, profile).dump(profile.marshal_version) {
        Dump::Bytes { bytes, .. } => Ok(bytes),
        other => bail!("a record is not dumped: {other:?}"),
    }
}

fn tiny(target: Target) -> Vec<Vec<u8>> {
    let all = (0..).map(|index| generators::generate(Generator::Values, target, 1, index, &[]).bytes);
    all.filter(|stream| stream.len() < SHORT).take(TINY).collect()
}

/// Writes values in the forms that every version reads.
struct Writer {
    bytes: Vec<u8>,
    random: u64,
}

impl Writer {
    fn random(&mut self) -> u64 {
        generators::splitmix(&mut self.random)
    }

    fn sized(&mut self, code: u8, length: u32) {
        self.bytes.push(code);
        self.bytes.extend(length.to_le_bytes());
    }

    fn data(&mut self, code: u8, data: &[u8]) {
        self.sized(code, u32::try_from(data.len()).expect("the data is short"));
        self.bytes.extend(data);
    }

    fn text(&mut self, text: &str) {
        self.data(b'u', text.as_bytes());
    }

    fn int(&mut self, value: u32) {
        self.sized(b'i', value);
    }

    fn float(&mut self) {
        self.bytes.push(b'g');
        let value = self.random() as f64 / 1e9;
        self.bytes.extend(value.to_le_bytes());
    }

    fn long(&mut self, digits: u32) {
        self.sized(b'l', digits);
        for _ in 0..digits {
            let [low, high, ..] = self.random().to_le_bytes();
            // A digit has 15 bits, and the highest must not be 0.
            self.bytes.extend([low | 1, high & 0x7F]);
        }
    }

    fn record(&mut self, number: u32) {
        self.bytes.push(b'{');
        self.text("id");
        self.int(number);
        self.text("name");
        self.text(&format!("record number {number}"));
        self.text("title");
        self.text(["Überschrift", "заголовок", "見出し", "🐍 🦀"][number as usize % 4]);
        self.text("ratios");
        self.sized(b'(', 4);
        (0..4).for_each(|_| self.float());
        self.text("keys");
        self.sized(b'[', 6);
        [1, 2, 3, 5, 9, 70].into_iter().for_each(|digits| self.long(digits));
        self.text("counts");
        self.bytes.push(b'{');
        for key in 0..6 {
            self.int(key);
            let value = self.random().to_le_bytes()[0];
            self.int(value.into());
        }
        self.bytes.push(b'0');
        self.text("data");
        let data: Vec<u8> = (0..number % 50).map(|_| self.random().to_le_bytes()[0]).collect();
        self.data(b's', &data);
        self.text("state");
        let state = b"NTF"[number as usize % 3];
        self.bytes.extend([state, b'0']);
    }
}

/// Streams in one file, each after its length, as the other side of a contest reads them.
#[must_use]
pub fn pack(streams: &[Vec<u8>]) -> Vec<u8> {
    let length = |stream: &Vec<u8>| u32::try_from(stream.len()).expect("a stream is shorter than 4 GiB").to_le_bytes();
    streams.iter().flat_map(|stream| [&length(stream)[..], stream].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_large_and_read_by_every_profile() {
        for profile in Profile::all() {
            let stream = values(1, profile).unwrap();
            assert!(stream.len() > 100_000, "{} {}", profile.version, stream.len());
            let graph = read(&stream, profile).unwrap();
            assert_eq!(graph.consumed(), stream.len());
        }
        let profile = Profile::all().last().unwrap();
        assert_eq!(values(1, profile).unwrap(), values(1, profile).unwrap());
        assert_ne!(values(1, profile).unwrap(), values(2, profile).unwrap());
    }

    #[test]
    fn packed_streams_have_their_lengths_before_them() {
        assert_eq!(
            pack(&[b"N".to_vec(), Vec::new(), b"i\x01\0\0\0".to_vec()]),
            b"\x01\0\0\0N\0\0\0\0\x05\0\0\0i\x01\0\0\0"
        );
    }
}
