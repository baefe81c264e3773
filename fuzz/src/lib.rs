//! The bodies of the fuzz targets: properties of bytes that hold or panic.
//!
//! A coverage-guided fuzzer finds what random generation does not, but only where it can look: inside pyc-core. So most
//! targets run the core alone, thousands of times a second, and one asks real interpreters too. The oracles are those of
//! the campaigns; nothing is decided here.
//!
//! Inputs are the real thing, a marshal stream or a .pyc file, without selector bytes in front: so the corpus is the
//! fuzzer's corpus, and what the fuzzer finds goes into the corpus as it is. Where one Python must be chosen, the *last*
//! byte chooses it; a byte after the end of a stream means nothing to a reader. One target is the exception: what
//! [`marshal_value`] is given is the tape of a generator, for a fuzzer that looks for values and not for encodings.

mod mutators;

pub use mutators::{Cross, Mutate, command, cross_pycs, cross_streams, mutate_pyc, mutate_stream};

use arbitrary::Unstructured;
use harness::case::{Case, Origin};
use harness::comparison::Pair;
use harness::generators::{normal, values};
use harness::observation::{Accepted, Dump, Observation};
use harness::oracle::{Relation, Verdict};
use harness::roundtrip::chosen;
use harness::subjects::Reality;
use harness::subjects::core::Core;
use interpreters::{Limits, Options, Workspace, discover};
use protocol::CanonMode;
use pyc_core::bytecode::safety::{self, STEPS_PER_INSTRUCTION, verify, verify_all};
use pyc_core::bytecode::{Argument, Assembly, Body, listing, text};
use pyc_core::code::fields;
use pyc_core::model::Loaded;
use pyc_core::pyc::PycError;
use pyc_core::{Cause, Graph, NodeId, Pyc, Value, read};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The profiles, oldest first; the last byte of an input is a place in this list.
static CORES: LazyLock<Vec<Core>> = LazyLock::new(|| Core::all().collect());

/// A profile either reads the stream or says where it cannot; both stay inside the input, and so does all that can be asked
/// of the result.
pub fn marshal_read(data: &[u8]) {
    let profile = chosen(&CORES, data).profile();
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
    roundtrip(chosen(&CORES, data), data);
}

/// Every tape makes a value that its target accepts, to the last byte, and that goes around as in [`marshal_roundtrip`].
pub fn marshal_value(tape: &[u8]) {
    let core = chosen(&CORES, tape);
    let tape = tape.split_last().map_or(tape, |(_, tape)| tape);
    let stream = values::generate(&mut Unstructured::new(tape), core.target());
    match roundtrip(core, &stream) {
        Observation::Accepted(Accepted { consumed, .. }) => assert_eq!(consumed, Some(stream.len() as u64)),
        other => panic!("core as {}: {other} of {stream:02x?}", core.profile().version),
    }
}

fn roundtrip(core: &Core, data: &[u8]) -> Observation {
    harness::roundtrip::roundtrip(core, data).unwrap_or_else(|e| panic!("{e}"))
}

fn name(core: &Core) -> String {
    format!("core as {}", core.profile().version)
}

/// The canon belongs to the value: it is that of every dump that loses nothing, and neither it nor any dump tells how the
/// stream was spelled, which flags nobody needed, and what came after its end.
pub fn canon_roundtrip(data: &[u8]) {
    let core = chosen(&CORES, data);
    let observation = core.observe(data);
    let Observation::Accepted(accepted) = &observation else { return };
    harness::roundtrip::reread(core, &observation, accepted).unwrap_or_else(|e| panic!("{e}"));
    let Some(normal) = normal(core.target(), data) else { return };
    match core.observe(&normal) {
        Observation::Accepted(Accepted { consumed, canon, dumps }) => {
            assert_eq!(consumed, Some(normal.len() as u64), "{}: {normal:02x?}", name(core));
            assert_eq!(canon, accepted.canon, "{}: {normal:02x?}", name(core));
            assert_eq!(dumps.len(), accepted.dumps.len(), "{}", name(core));
            for (anew, before) in dumps.iter().zip(&accepted.dumps) {
                // How far a value may expand is measured by the stream that it was read from, and the normal form is another.
                let is_cut = [anew, before]
                    .iter()
                    .any(|(_, dump)| matches!(dump, Dump::Undefined(cause) if *cause == Cause::Expansion.name()));
                assert!(
                    is_cut || anew == before,
                    "{}: {before:?}, {anew:?} of the normal form {normal:02x?}",
                    name(core)
                );
            }
        }
        other => panic!("{}: {other} of the normal form {normal:02x?}", name(core)),
    }
}

/// Code objects are their fields: a graph whose code objects are all built anew from what they say is written as the same
/// bytes and has the same canon.
pub fn code_roundtrip(data: &[u8]) {
    let profile = chosen(&CORES, data).profile();
    let Ok(graph) = read(data, profile) else { return };
    let Some(rebuilt) = with_codes_rebuilt(&graph) else { return };
    let written = rebuilt.write_anew().expect("code objects take the places of their like");
    assert!(written == data[..graph.consumed()], "{}: written as {written:02x?}", profile.version);
    let (before, after) = (Loaded::new(&graph, profile), Loaded::new(&rebuilt, profile));
    assert_eq!(before.hazard(), after.hazard(), "{}", profile.version);
    if before.hazard().is_none() {
        assert_eq!(before.canon(), after.canon(), "{}", profile.version);
    }
}

/// Instructions and tables come back: each code object's are the same bytes after they were taken apart and put together; and
/// whatever they are, they are shown.
pub fn bytecode_roundtrip(data: &[u8]) {
    let profile = chosen(&CORES, data).profile();
    let Ok(graph) = read(data, profile) else { return };
    for id in graph.ids() {
        let Value::Code(code) = graph.value(id) else { continue };
        let body = Body::new(&graph, &code, profile);
        assert!(body.instructions().flat_map(|it| it.bytes).eq(body.code), "{}", profile.version);
        for instruction in body.instructions() {
            let argument = body.argument(&instruction);
            assert_eq!(argument == Argument::None, instruction.operand.is_none(), "{}", profile.version);
            assert_eq!(matches!(argument, Argument::Target(_)), instruction.target().is_some(), "{}", profile.version);
        }
        let assembly = Assembly::of(&body, profile);
        let assembled = assembly.assemble().expect("what was taken apart goes together");
        assert_eq!(assembled.code, body.code, "{}", profile.version);
        assert_eq!(assembled.line_table, body.line_table, "{}", profile.version);
        assert_eq!(assembled.exception_table, body.exception_table, "{}", profile.version);
        // What it comes to is not for any bytes; that it comes to an end is.
        let _ = assembly.stack(body.flags);
    }
    let listing = listing(&graph, graph.root(), profile);
    assert!(listing.text.is_empty() || matches!(graph.value(graph.root()), Value::Code(_)));
}

/// The verifier answers for every code object, twice the same, in steps that the code's length and the frame's size bound; and
/// each violation has a sentence, and its place in the code.
pub fn verify_total(data: &[u8]) {
    let profile = chosen(&CORES, data).profile();
    let Ok(graph) = read(data, profile) else { return };
    for safety::Verdict { code: id, result } in verify_all(&graph, profile) {
        let Value::Code(code) = graph.value(id) else { continue };
        let length = Body::new(&graph, &code, profile).code.len();
        match (result, verify(&graph, id, profile)) {
            (Ok(facts), again) => {
                assert_eq!(again, Ok(facts), "{}", profile.version);
                let most = (facts.instructions + 16) * STEPS_PER_INSTRUCTION;
                assert!(facts.instructions <= length && facts.steps <= most, "{}: {facts:?}", profile.version);
            }
            (Err(violations), again) => {
                for it in violations.iter() {
                    assert!(it.offset.is_none_or(|offset| offset <= length), "{}: {it:?}", profile.version);
                    assert!(!it.to_string().is_empty());
                }
                // A closure that is missing is known of the whole graph only.
                assert!(
                    again.is_ok_and(|facts| facts.free_variables > 0) || verify(&graph, id, profile) == Err(violations)
                );
            }
        }
    }
}

/// `None` when there is no code object, or a flag on a reference, which only streams have that no one writes.
fn with_codes_rebuilt<'a>(graph: &Graph<'a>) -> Option<Graph<'a>> {
    let mut rebuilt = graph.clone();
    let mut anew: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let ids: Vec<NodeId> = graph.ids().collect();
    // What is inside a node comes after it.
    for id in ids.into_iter().rev() {
        match graph.value(id) {
            Value::Code(code) => {
                for (field, object) in code.objects() {
                    assert_eq!(code.object(field), Some(object), "{}", field.name());
                }
                let objects: Vec<NodeId> = code.objects().map(|(_, id)| *anew.get(&id).unwrap_or(&id)).collect();
                let whole = objects.len() == fields(code.layout()).len();
                let new = rebuilt.code(code.ints(), &objects);
                assert_eq!(new.is_some(), whole, "a code object has the fields of its layout");
                // One that a NULL cuts short stays what it is.
                let Some(new) = new else { continue };
                if graph.is_flagged(id) {
                    rebuilt.reference(new);
                }
                anew.insert(id, new);
            }
            Value::Ref(_) if graph.is_flagged(id) => return None,
            _ => {}
        }
    }
    let places: Vec<(NodeId, usize, NodeId)> = rebuilt.ids().flat_map(|id| places(&rebuilt, id)).collect();
    for (parent, place, child) in places {
        let (meant, is_reference) = match rebuilt.value(child) {
            Value::Ref(meant) => (meant, true),
            _ => (child, false),
        };
        if let Some(&new) = anew.get(&meant) {
            let new = if is_reference { rebuilt.reference(new) } else { new };
            assert!(rebuilt.set_child(parent, place, new), "a place that was there");
        }
    }
    if let Some(&root) = anew.get(&graph.root()) {
        rebuilt.set_root(root);
    }
    (!anew.is_empty()).then_some(rebuilt)
}

/// The places of a container, and what is there.
fn places(graph: &Graph, parent: NodeId) -> Vec<(NodeId, usize, NodeId)> {
    let items = match graph.value(parent) {
        Value::Tuple(items) | Value::List(items) | Value::Set(items) | Value::FrozenSet(items) => items.to_vec(),
        Value::Dict(items) | Value::FrozenDict(items) | Value::Slice(items) => items.to_vec(),
        Value::Code(code) => code.objects().map(|(_, id)| id).collect(),
        _ => Vec::new(),
    };
    items.into_iter().enumerate().map(|(place, child)| (parent, place, child)).collect()
}

/// The text of a stream assembles to the stream; and a text that was changed is refused, or says the same as the text of what
/// it says.
pub fn asm_roundtrip(data: &[u8]) {
    check_text(&String::from_utf8_lossy(data));
    let profile = chosen(&CORES, data).profile();
    let Ok(document) = text::disassemble(data, Some(profile)) else { return };
    let whole = text::print(&document);
    match text::assemble(&whole) {
        Ok(again) => assert!(again == data, "{}: another stream\n{whole}", profile.version),
        Err(error) => panic!("{}: {error}\n{whole}", profile.version),
    }
    for changed in changed(&whole, data) {
        check_text(&changed);
    }
}

fn check_text(given: &str) {
    let document = match text::parse(given) {
        Ok(document) => document,
        Err(error) => {
            let lines = given.split('\n').count();
            assert!(
                (1..=lines).contains(&error.line) && error.column > 0 && !error.message.is_empty(),
                "{error}\n{given}"
            );
            return;
        }
    };
    if let Ok(bytes) = document.write() {
        let again = text::print(&document);
        assert_eq!(text::assemble(&again).as_ref(), Ok(&bytes), "{given}\n{again}");
    }
}

/// FNV-1a.
fn fnv(data: &[u8]) -> u32 {
    data.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Texts with one line less, with two lines exchanged, and with two words exchanged; the bytes decide which.
fn changed(whole: &str, data: &[u8]) -> Vec<String> {
    let lines: Vec<&str> = whole.lines().collect();
    let mut luck = fnv(data);
    let mut below = |limit: usize| {
        luck = luck.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (luck >> 8) as usize % limit.max(1)
    };
    let mut out = Vec::new();
    for _ in 0..4 {
        let (first, second) = (below(lines.len()), below(lines.len()));
        let mut less = lines.clone();
        less.remove(first);
        let mut swapped = lines.clone();
        swapped.swap(first, second);
        out.extend([less.join("\n"), swapped.join("\n")]);
        let mut words: Vec<&str> = whole.split(' ').collect();
        let (first, second) = (below(words.len()), below(words.len()));
        words.swap(first, second);
        out.push(words.join(" "));
    }
    out
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

/// Of so many code objects an interpreter is asked about the instructions of one, which its bytes decide: `dis` takes it as long as
/// loading a hundred.
const INSTRUCTIONS: u32 = 64;

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
            && fnv(data).is_multiple_of(INSTRUCTIONS)
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
