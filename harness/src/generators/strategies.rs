//! The generators as [proptest] strategies, to test a reader of one's own (feature `proptest`).
//!
//! A strategy makes its cases from a number that proptest draws, so proptest's seeds and its files of regressions work as
//! ever. A case that fails shrinks as a stream ([`crate::minimize`]), not as the number: objects, items and bytes go away
//! until nothing can go without the failure. A case that was made to be accepted by its Python stays accepted while it
//! shrinks, as pyc-core predicts, and one that ends with its object gets no bytes behind it; so a counterexample is never
//! one that the property does not speak of.
//!
//! Shrinking takes a few hundred tries for a small stream and a few thousand for a large one; proptest stops after four
//! times the number of cases unless `max_shrink_iters` says otherwise.
//!
//! ```
//! use harness::generators::strategies::values;
//! use proptest::test_runner::{Config, TestRunner};
//! use pyc_core::{Profile, Version};
//!
//! /// The reader under test: it takes a constant, or a tuple or list of such, and has a mistake.
//! fn my_reader(stream: &[u8]) -> Result<usize, String> {
//!     let mut left = 1;
//!     let mut at = 0;
//!     while left > 0 {
//!         let [code, rest @ ..] = &stream[at..] else { return Err("end".into()) };
//!         let size = |n: usize| rest[..n].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
//!         left -= 1;
//!         at += 1 + match code & 0x7f {
//!             b'N' | b'T' | b'F' | b'.' | b'S' => 0,
//!             b'i' | b'r' => 4,
//!             b'g' => 8,
//!             b'y' => 16,
//!             b'z' | b'Z' => 1 + size(1),
//!             b's' | b'u' | b't' | b'a' | b'A' => 4 + size(4),
//!             b')' => { left += size(1); 1 }
//!             b'(' | b'[' => { left += size(4); 4 }
//!             b'l' if size(4) > 0x8000_0000 => return Err("a negative number of digits".into()),
//!             b'l' => 4 + 2 * size(4),
//!             _ => return Ok(stream.len()), // not for this reader
//!         };
//!     }
//!     Ok(at)
//! }
//!
//! let python = Profile::of(Version::new(3, 12)).unwrap();
//! let config = Config { cases: 2000, failure_persistence: None, ..Config::default() };
//! let result = TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()))
//!     .run(&values(python), |stream| {
//!         proptest::prop_assert_eq!(my_reader(&stream), Ok(stream.len()));
//!         Ok(())
//!     });
//! // An int of one digit, below zero: what is wrong, and nothing else.
//! let proptest::test_runner::TestError::Fail(_, stream) = result.unwrap_err() else { panic!() };
//! assert!(stream.len() <= 7 && stream[0] == b'l', "{stream:02x?}");
//! ```

use super::{Generator, Target, generate};
use crate::minimize::{Form, Minimizer};
use proptest::prelude::Rng;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use pyc_core::model::Loaded;
use pyc_core::{Profile, read};

/// Valid streams, dense in sharing, cycles and boundaries: [`super::values`].
#[must_use]
pub fn values(python: &Profile) -> Cases {
    Cases::of(Generator::Values, python)
}

/// Streams in any encoding, some of them wrong: [`super::streams`].
#[must_use]
pub fn streams(python: &Profile) -> Cases {
    Cases::of(Generator::Streams, python)
}

/// Code objects, some of them wrong: [`super::codes`].
#[must_use]
pub fn codes(python: &Profile) -> Cases {
    Cases::of(Generator::Codes, python)
}

/// A strategy for streams or .pyc files.
#[derive(Debug, Clone)]
pub struct Cases {
    generator: Generator,
    python: Profile,
    header: bool,
}

impl Cases {
    /// With nothing to start from.
    fn of(generator: Generator, python: &Profile) -> Cases {
        Cases { generator, python: python.clone(), header: false }
    }

    /// .pyc files of them: behind a header as the Python writes it, which stays while they shrink.
    #[must_use]
    pub fn in_pycs(self) -> Cases {
        Cases { header: true, ..self }
    }
}

impl Strategy for Cases {
    type Tree = Case;
    type Value = Vec<u8>;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let seed = runner.rng().next_u64();
        let made = generate(self.generator, Target::from(&self.python), seed, 0, &[]);
        let rest = if made.valid { rest_of_accepted(&self.python, &made.bytes) } else { None };
        let header = if self.header { header(&self.python, seed) } else { Vec::new() };
        let within = rest.map(|rest| (self.python.clone(), rest));
        let form = Form::Stream(Some(Target::from(&self.python)));
        let minimizer = Minimizer::trusting(form, made.bytes.clone());
        Ok(Case { header, stream: made.bytes, minimizer, waits: false, within })
    }
}

/// Magic number, flags (no, checked or unchecked hash), and arbitrary times, sizes and hashes.
fn header(python: &Profile, seed: u64) -> Vec<u8> {
    let flags = u32::from_le_bytes([[0, 1, 3][(seed % 3) as usize], 0, 0, 0]);
    let fields = [flags.to_le_bytes(), [1, 2, 3, 4], [5, 6, 7, 8]].concat();
    let length = python.header.length();
    let magic = [&python.magic.to_le_bytes()[..], b"\r\n"].concat();
    [&magic[..], &fields[fields.len() - (length - magic.len())..]].concat()
}

/// How many bytes stand behind the object, if loading is defined and leads to a value.
fn rest_of_accepted(python: &Profile, stream: &[u8]) -> Option<usize> {
    let graph = read(stream, python).ok()?;
    Loaded::new(&graph, python).hazard().is_none().then(|| stream.len() - graph.consumed())
}

/// One case, and what it may become.
#[derive(Debug)]
pub struct Case {
    header: Vec<u8>,
    stream: Vec<u8>,
    minimizer: Minimizer,
    /// Whether `stream` is a candidate that nobody has tried.
    waits: bool,
    /// The Python that has to accept whatever it becomes, and how many bytes may stand behind the object.
    within: Option<(Profile, usize)>,
}

impl Case {
    /// Tells whether the last candidate fails, and goes on to another one.
    fn next(&mut self, fails: bool) -> bool {
        if self.waits {
            self.minimizer.answer(&[fails]);
        }
        while let Some(candidate) = self.minimizer.batch(1).pop() {
            let may_become = |(python, most): &(Profile, usize)| {
                rest_of_accepted(python, &candidate).is_some_and(|rest| rest <= *most)
            };
            if self.within.as_ref().is_none_or(may_become) {
                (self.stream, self.waits) = (candidate, true);
                return true;
            }
            self.minimizer.answer(&[false]);
        }
        (self.stream, self.waits) = (self.minimizer.best().to_vec(), false);
        false
    }
}

impl ValueTree for Case {
    type Value = Vec<u8>;

    fn current(&self) -> Vec<u8> {
        [&self.header[..], &self.stream].concat()
    }

    /// The case fails: something simpler.
    fn simplify(&mut self) -> bool {
        self.next(true)
    }

    /// The case passes: something else that is simpler than the last that failed.
    fn complicate(&mut self) -> bool {
        self.next(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng};
    use pyc_core::{Pyc, Version};

    fn runner(seed: u8) -> TestRunner {
        let config = Config { cases: 5000, failure_persistence: None, max_shrink_iters: 100_000, ..Config::default() };
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
    }

    fn python() -> &'static Profile {
        Profile::of(Version::new(3, 14)).unwrap()
    }

    /// The canon of the value, a line for each object, of what is accepted.
    fn lines(stream: &[u8]) -> Vec<String> {
        let Ok(graph) = read(stream, python()) else { return Vec::new() };
        Loaded::new(&graph, python()).canon().lines().map(str::to_owned).collect()
    }

    /// A property that does not hold, and how many bytes its counterexamples have.
    fn check(what: &str, cases: &Cases, wrong: fn(&[u8]) -> bool, limit: usize) {
        for seed in 0..3 {
            let property = |case: Vec<u8>| if wrong(&case) { Err(TestCaseError::fail("wrong")) } else { Ok(()) };
            let Err(TestError::Fail(_, smallest)) = runner(seed).run(cases, property) else {
                panic!("{what} is not found")
            };
            assert!(wrong(&smallest) && smallest.len() <= limit, "{what}: {smallest:02x?}");
        }
    }

    #[test]
    fn counterexamples_are_small() {
        let encodings = streams(python());
        for cases in [&values(python()), &encodings] {
            check("-0.0", cases, |s| lines(s).contains(&"float 8000000000000000".into()), 9);
            check(
                "None as a key",
                cases,
                |s| lines(s).windows(2).any(|w| w[0].starts_with("dict") && w[0] != "dict 0" && w[1] == "none"),
                4,
            );
            check("an object in two places", cases, |s| lines(s).iter().any(|line| line.starts_with("ref")), 16);
            check("a code object", cases, |s| lines(s).iter().any(|line| line.starts_with("code")), 90);
        }
        for cases in [&encodings, &codes(python())] {
            check("a rejected stream", cases, |s| read(s, python()).is_err(), 1);
        }
        let wide = |file: &[u8]| lines(&file[16.min(file.len())..]).iter().any(|line| line.starts_with("complex"));
        check("a complex number in a file", &values(python()).in_pycs(), wide, 16 + 17);
    }

    #[test]
    fn files_have_the_header_of_their_python() {
        for python in Profile::all() {
            for _ in 0..20 {
                let file = values(python).in_pycs().new_tree(&mut runner(1)).unwrap().current();
                let pyc = Pyc::parse(&file).unwrap();
                assert_eq!(pyc.profile().version, python.version);
                assert!(read(pyc.payload, python).is_ok(), "{file:02x?}");
            }
        }
    }

    /// Whatever the verdicts: what was accepted at first is accepted all the way, with no more bytes behind it.
    #[test]
    fn valid_cases_stay_valid() {
        let mut runner = runner(7);
        for round in 0..50 {
            let mut case = values(python()).new_tree(&mut runner).unwrap();
            let mut fails = true;
            let rest = rest_of_accepted(python(), &case.current());
            for step in 0..200 {
                let now = rest_of_accepted(python(), &case.current());
                assert!(now.is_some() && now <= rest, "{:02x?}", case.current());
                if !(if fails { case.simplify() } else { case.complicate() }) {
                    break;
                }
                fails = (step + round) % 3 == 0;
            }
        }
    }
}
