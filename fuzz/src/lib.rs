//! The bodies of the fuzz targets: properties of bytes that hold or panic.
//!
//! A coverage-guided fuzzer finds what random generation does not, but only where it can look: inside pyc-core. So most
//! targets run the core alone, thousands of times a second, and one asks real interpreters too. The oracles are those of
//! the campaigns; nothing is decided here, and what the core owes to itself is in `harness::properties`.
//!
//! Inputs are the real thing, a marshal stream or a .pyc file, without selector bytes in front: so the corpus is the
//! fuzzer's corpus, and what the fuzzer finds goes into the corpus as it is. Where one Python must be chosen, the *last*
//! byte chooses it; a byte after the end of a stream means nothing to a reader. One target is the exception: what
//! [`marshal_value`] is given is the tape of a generator, for a fuzzer that looks for values and not for encodings.

mod mutators;

pub use mutators::{Cross, Mutate, command, cross_pycs, cross_streams, mutate_pyc, mutate_stream};

use harness::case::{Case, Origin};
use harness::comparison::Pair;
use harness::generators::fnv;
use harness::observation::{Accepted, Observation};
use harness::oracle::{Relation, Verdict};
use harness::properties;
use harness::roundtrip::{chosen, stream_of};
use harness::subjects::Reality;
use harness::subjects::core::Core;
use interpreters::{Limits, Options, Workspace, discover};
use protocol::CanonMode;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The profiles, oldest first; the last byte of an input is a place in this list.
static CORES: LazyLock<Vec<Core>> = LazyLock::new(|| Core::all().collect());

/// [`properties`] of one profile, which the last byte of an input chooses.
macro_rules! of_one_profile {
    ($($name:ident),+) => {
        $(
            #[doc = concat!("See [`properties::", stringify!($name), "`].")]
            pub fn $name(data: &[u8]) {
                properties::$name(chosen(&CORES, data), data);
            }
        )+
    };
}
of_one_profile!(marshal_read, canon_roundtrip, code_roundtrip, bytecode_roundtrip, verify_total, asm_roundtrip);

/// What one profile reads it writes again, byte for byte; and what its model dumps reads back to the same canon, for every
/// format version.
pub fn marshal_roundtrip(data: &[u8]) {
    roundtrip(chosen(&CORES, data), data);
}

/// Every tape makes a value that its target accepts, to the last byte, and that goes around as in [`marshal_roundtrip`].
pub fn marshal_value(tape: &[u8]) {
    let (core, stream) = stream_of(&CORES, tape);
    match roundtrip(core, &stream) {
        Observation::Accepted(Accepted { consumed, .. }) => assert_eq!(consumed, Some(stream.len() as u64)),
        other => panic!("core as {}: {other} of {stream:02x?}", core.profile().version),
    }
}

fn roundtrip(core: &Core, data: &[u8]) -> Observation {
    harness::roundtrip::roundtrip(core, data).unwrap_or_else(|e| panic!("{e}"))
}

/// See [`properties::pyc_roundtrip`].
pub fn pyc_roundtrip(data: &[u8]) {
    properties::pyc_roundtrip(data);
}

/// Of so many code objects an interpreter is asked about the instructions of one, which its bytes decide: `dis` takes it as long as
/// loading a hundred.
const INSTRUCTIONS: u64 = 64;

/// The profile predicts the interpreter, and of some code objects their instructions: one of those that are found on this machine.
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
    pair: Mutex<Pair>,
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
                let subject = Box::new(Reality::new(interpreter, Limits::default()));
                let pair = Mutex::new(Pair::new(&interpreter.facts.implementation, core, subject));
                Some(Interpreter { id: interpreter.id.clone(), pair })
            })
            .collect();
        if found.is_empty() {
            eprintln!("marshal_differential: no interpreter to compare with; every input is skipped");
        }
        found
    }

    /// What may end the process is not asked: libFuzzer would make little else.
    fn compare(&self, data: &[u8]) {
        let mut pair = self.pair.lock().unwrap_or_else(PoisonError::into_inner);
        let prediction = pair.core().predict(data);
        let Ok(question) = pair.question(&prediction) else { return };
        match pair.ask_one(&question, data, CanonMode::Text) {
            Ok(observed) => judge(&self.id, &pair.judge(&prediction, &observed)),
            Err(broken) => panic!("{}: {broken:?}", self.id),
        }
        let is_code = data.first().is_some_and(|byte| byte & 0x7F == b'c');
        if is_code
            && matches!(prediction.observation, Observation::Accepted(_))
            && fnv(data.iter().copied()).is_multiple_of(INSTRUCTIONS)
        {
            self.compare_instructions(&mut pair, data);
        }
    }

    /// What `dis` says, and what the core takes apart and puts together.
    fn compare_instructions(&self, pair: &mut Pair, data: &[u8]) {
        let case = [Case::stream(data.to_vec(), Origin::File("an input".into()))];
        for family in ["core".to_owned(), pair.family().to_owned()] {
            match pair.compare_in(Relation::Bytecode, &family, &case) {
                Ok(compared) => judge(&self.id, &compared[0].verdict),
                Err(broken) => panic!("{}: {broken:?}", self.id),
            }
        }
    }
}

fn judge(subject: &str, verdict: &Verdict) {
    if let Verdict::Diverge(divergence) = verdict {
        panic!("{subject}: {divergence}");
    }
}

/// A target: its body, and how its inputs are mutated where libFuzzer is not left alone with that.
pub struct Target {
    /// The name of its binary.
    pub name: &'static str,
    /// The property.
    pub body: fn(&[u8]),
    /// A mutator and a crossover for the kind of its inputs.
    pub mutators: Option<(Mutate, Cross)>,
}

/// All targets, as the tests run them.
pub const TARGETS: [Target; 10] = {
    const fn over(name: &'static str, body: fn(&[u8]), mutators: Option<(Mutate, Cross)>) -> Target {
        Target { name, body, mutators }
    }
    const STREAMS: Option<(Mutate, Cross)> = Some((mutate_stream, cross_streams));
    [
        over("marshal_read", marshal_read, STREAMS),
        over("marshal_roundtrip", marshal_roundtrip, STREAMS),
        over("marshal_value", marshal_value, None),
        over("canon_roundtrip", canon_roundtrip, STREAMS),
        over("code_roundtrip", code_roundtrip, STREAMS),
        over("bytecode_roundtrip", bytecode_roundtrip, STREAMS),
        over("verify_total", verify_total, STREAMS),
        over("asm_roundtrip", asm_roundtrip, STREAMS),
        over("pyc_roundtrip", pyc_roundtrip, Some((mutate_pyc, cross_pycs))),
        over("marshal_differential", marshal_differential, STREAMS),
    ]
};
