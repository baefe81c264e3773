//! The bodies of the fuzz targets: properties of bytes that hold or panic.
//!
//! A coverage-guided fuzzer finds what random generation does not, but only where it can look: inside pyc-core. So most
//! targets run the core alone, thousands of times a second, and one asks real interpreters too. The oracles are those of
//! the campaigns; nothing is decided here.
//!
//! Inputs are the real thing, a marshal stream or a .pyc file, without selector bytes in front: so the corpus is the
//! fuzzer's corpus, and what the fuzzer finds goes into the corpus as it is. Where one Python must be chosen, the *last*
//! byte chooses it; a byte after the end of a stream means nothing to a reader.

use arbitrary::Unstructured;
use harness::generators;
use harness::observation::{Accepted, Dump, Observation};
use harness::oracle::{self, Verdict};
use harness::subjects::core::{Core, Prediction};
use harness::subjects::{Reality, Subject};
use interpreters::{Limits, Options, Workspace, discover};
use protocol::{CanonMode, Load};
use pyc_core::model::Loaded;
use pyc_core::pyc::PycError;
use pyc_core::{Profile, Pyc, read};
use std::sync::{LazyLock, Mutex, PoisonError};

/// A profile either reads the stream or says where it cannot; both stay inside the input, and so does all that can be asked
/// of the result.
pub fn marshal_read(data: &[u8]) {
    static PROFILES: LazyLock<Vec<&Profile>> = LazyLock::new(|| Profile::all().collect());
    let profile = *chosen(&PROFILES, data);
    match read(data, profile) {
        Ok(graph) => {
            assert!(graph.consumed() <= data.len(), "{}: {} bytes consumed", profile.version, graph.consumed());
            let loaded = Loaded::new(&graph, profile);
            if loaded.hazard().is_none() {
                assert!(loaded.canon().ends_with('\n'), "{}: a canon without an end", profile.version);
            }
        }
        Err(error) => {
            assert!(error.offset <= data.len(), "{}: error at {}", profile.version, error.offset);
            assert!(!error.to_string().is_empty());
        }
    }
}

/// What one profile reads it writes again, byte for byte; and what its model dumps reads back to the same canon, for every
/// format version.
pub fn marshal_roundtrip(data: &[u8]) {
    static CORES: LazyLock<Vec<Core>> = LazyLock::new(|| Core::all().collect());
    let core = chosen(&CORES, data);
    let Prediction { observation, rewritten, .. } = core.predict(data);
    let name = format!("core as {}", core.profile().version);
    match &observation {
        Observation::Accepted(accepted) => {
            let consumed = accepted.consumed.and_then(|n| usize::try_from(n).ok()).expect("the core counts bytes");
            let rewritten = rewritten.expect("the core rewrites what it accepts");
            judge(&name, &oracle::preserve(data, consumed, &rewritten));
            for (version, dump) in &accepted.dumps {
                if let Dump::Bytes { bytes, .. } = dump {
                    judge(&name, &oracle::reread("core", *version, &observation, &core.read(bytes)));
                }
            }
        }
        Observation::Faulted(fault) => panic!("{name}: {fault}"),
        _ => assert!(rewritten.is_none(), "{name} rewrites what it does not accept"),
    }
}

/// A .pyc file that is understood is written again as it is, and what is not understood is refused inside the input.
pub fn pyc_roundtrip(data: &[u8]) {
    match Pyc::parse(data) {
        Ok(pyc) => {
            assert!(pyc.to_bytes() == data, "the file is written differently");
            assert_eq!(&data[pyc.payload_offset()..], pyc.payload);
            if let Ok(graph) = read(pyc.payload, pyc.profile()) {
                let written = graph.write_anew().expect("what was read can be written");
                assert!(written == pyc.payload[..graph.consumed()], "the payload is written differently");
            }
        }
        Err(error) => assert!(refused_inside(&error, data), "{error}"),
    }
}

fn refused_inside(error: &PycError, data: &[u8]) -> bool {
    error.offset() <= data.len() && !error.to_string().is_empty()
}

/// The profile predicts the interpreter: one of those that are found on this machine.
///
/// Without any the target says so once and does nothing.
pub fn marshal_differential(data: &[u8]) {
    static SUBJECTS: LazyLock<Vec<Interpreter>> = LazyLock::new(Interpreter::find);
    if SUBJECTS.is_empty() {
        return;
    }
    chosen(&SUBJECTS, data).compare(data);
}

/// An interpreter and what is predicted of it.
struct Interpreter {
    id: String,
    family: String,
    core: Core,
    reality: Mutex<Reality>,
}

impl Interpreter {
    fn find() -> Vec<Interpreter> {
        let limits = Limits::default();
        let home = Workspace::locate();
        let options = Options { pythons: Vec::new(), search: true, driver: None, pyodide: false, home, limits };
        let found: Vec<Interpreter> = discover(&options)
            .interpreters
            .iter()
            .filter(|interpreter| interpreter.facts.implementation == "cpython")
            .filter_map(|interpreter| {
                let core = Core::of(&interpreter.facts).ok()?;
                let reality = Mutex::new(Reality::new(interpreter, Limits::default()));
                let family = interpreter.facts.implementation.clone();
                Some(Interpreter { id: interpreter.id.clone(), family, core, reality })
            })
            .collect();
        if found.is_empty() {
            eprintln!("marshal_differential: no interpreter to compare with; every input is skipped");
        }
        found
    }

    fn compare(&self, data: &[u8]) {
        let Prediction { observation: predicted, .. } = self.core.predict(data);
        let versions = match &predicted {
            Observation::Undefined(_) => return,
            Observation::Accepted(Accepted { dumps, .. }) => {
                let defined = dumps.iter().filter(|(_, dump)| !matches!(dump, Dump::Undefined(_)));
                defined.map(|(version, _)| *version).collect()
            }
            _ => Vec::new(),
        };
        // The canon is asked for where the model knows that it can be: for accepted values without a hazard.
        let canon = if predicted.canon_text().is_some() { CanonMode::Text } else { CanonMode::None };
        let load = Load { canon, consumed: true, versions, cases: vec![data.to_vec()] };
        let mut reality = self.reality.lock().unwrap_or_else(PoisonError::into_inner);
        let observed = match reality.load(&load) {
            Ok(mut observations) => observations.remove(0),
            Err(broken) => panic!("{}: {broken:?}", self.id),
        };
        let bits = self.core.profile().pointer_bits;
        let reread = |stream: &[u8]| self.core.read(stream);
        judge(&self.id, &oracle::model(&self.family, bits, &predicted, &observed, &reread));
    }
}

/// The one of `all`, which is not empty, that the last byte names.
fn chosen<'a, T>(all: &'a [T], data: &[u8]) -> &'a T {
    &all[usize::from(data.last().copied().unwrap_or(0)) % all.len()]
}

fn judge(subject: &str, verdict: &Verdict) {
    if let Verdict::Diverge(d) = verdict {
        panic!("{subject}: {} (at {})\n  core:    {}\n  subject: {}", d.signature, d.at, d.core, d.subject);
    }
}

/// A mutator that cuts streams at their joints, for libFuzzer: `data[..size]` is the input, and the result takes at most
/// `limit` bytes of `data`. Gives the new size.
pub fn mutate_stream(data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    mutate_behind(0, data, size, limit, seed)
}

/// The same for .pyc files: the header stays, the stream behind it changes.
pub fn mutate_pyc(data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    let header = Pyc::parse(&data[..size]).map_or(0, |pyc| pyc.payload_offset());
    mutate_behind(header, data, size, limit, seed)
}

fn mutate_behind(header: usize, data: &mut [u8], size: usize, limit: usize, seed: u32) -> usize {
    let tape = generators::tape(u64::from(seed), "mutate", 0);
    let stream = &data[header..size];
    let mutant = generators::mutate(&mut Unstructured::new(&tape), stream, stream);
    let end = (header + mutant.len()).min(limit).min(data.len());
    data[header..end].copy_from_slice(&mutant[..end - header]);
    end
}

/// The entry points of a target: libFuzzer's under `cargo fuzz`, a hint otherwise. Every other mutation is libFuzzer's own,
/// which knows what it has seen and has the dictionary.
#[macro_export]
macro_rules! target {
    ($body:path, mutate: $mutate:path) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $body(data));

        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            match seed % 2 {
                0 => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
                _ => $mutate(data, size, max_size, seed),
            }
        });

        #[cfg(not(fuzzing))]
        fn main() {
            eprintln!("This is a fuzz target. Run it with: {}", $crate::command(env!("CARGO_BIN_NAME")));
            std::process::exit(2);
        }
    };
}

/// The command line that runs a target.
#[must_use]
pub fn command(target: &str) -> String {
    format!("cargo +nightly fuzz run {target} fuzz/corpus/{target} corpus/seeds")
}
