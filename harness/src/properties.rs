//! Properties of pyc-core that it owes to itself, on any bytes, beside those of [`crate::roundtrip`]: what it reads
//! is well formed, and what it takes apart goes together.
//!
//! Each is the body of a fuzz target of the same name, where it fails by a panic. A hunt over files that are given looks at all
//! of them under the Pythons that take part, so that what a fuzz target found has a finding there: with a signature, minimized,
//! ready to be promoted.

use crate::generators::{fnv, normal};
use crate::observation::{Accepted, Dump, Observation};
use crate::roundtrip;
use crate::subjects::core::{Core, guard};
use pyc_core::bytecode::safety::{self, STEPS_PER_INSTRUCTION, verify, verify_all};
use pyc_core::bytecode::{Argument, Assembly, Body, listing, text};
use pyc_core::code::fields;
use pyc_core::model::Loaded;
use pyc_core::pyc::PycError;
use pyc_core::{Cause, Graph, NodeId, Pyc, Value, read};
use std::collections::BTreeMap;

/// A property of a profile and any bytes: it holds, or panics with what does not.
pub type Property = fn(&Core, &[u8]);

/// Those of streams, by the names of their fuzz targets.
pub const PROPERTIES: [(&str, Property); 6] = [
    ("marshal_read", marshal_read),
    ("canon_roundtrip", canon_roundtrip),
    ("code_roundtrip", code_roundtrip),
    ("bytecode_roundtrip", bytecode_roundtrip),
    ("verify_total", verify_total),
    ("asm_roundtrip", asm_roundtrip),
];

/// What of a .pyc file does not hold, and what it says.
#[must_use]
pub fn broken_file(file: &[u8]) -> Option<(&'static str, String)> {
    Some(("pyc_roundtrip", guard(|| pyc_roundtrip(file)).err()?))
}

/// The first of them that does not hold, and what it says.
#[must_use]
pub fn broken(core: &Core, stream: &[u8]) -> Option<(&'static str, String)> {
    PROPERTIES.into_iter().find_map(|(name, holds)| Some((name, guard(|| holds(core, stream)).err()?)))
}

/// A profile either reads the stream or says where it cannot; both stay inside the input, and so does all that can be asked
/// of the result.
pub fn marshal_read(core: &Core, data: &[u8]) {
    let profile = core.profile();
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

/// The canon belongs to the value: it is that of every dump that loses nothing, and neither it nor any dump tells how the
/// stream was spelled, which flags nobody needed, and what came after its end.
pub fn canon_roundtrip(core: &Core, data: &[u8]) {
    let observation = core.observe(data);
    let Observation::Accepted(accepted) = &observation else { return };
    roundtrip::reread(core, &observation, accepted).unwrap_or_else(|e| panic!("{e}"));
    let Some(normal) = normal(core.target(), data) else { return };
    match core.observe(&normal) {
        Observation::Accepted(Accepted { consumed, canon, dumps }) => {
            assert_eq!(consumed, Some(normal.len() as u64), "{}: {normal:02x?}", roundtrip::name(core));
            assert_eq!(canon, accepted.canon, "{}: {normal:02x?}", roundtrip::name(core));
            assert_eq!(dumps.len(), accepted.dumps.len(), "{}", roundtrip::name(core));
            for (anew, before) in dumps.iter().zip(&accepted.dumps) {
                // How far a value may expand is measured by the stream that it was read from, and the normal form is another.
                let is_cut = [anew, before]
                    .iter()
                    .any(|(_, dump)| matches!(dump, Dump::Undefined(cause) if *cause == Cause::Expansion.name()));
                assert!(
                    is_cut || anew == before,
                    "{}: {before:?}, {anew:?} of the normal form {normal:02x?}",
                    roundtrip::name(core)
                );
            }
        }
        other => panic!("{}: {other} of the normal form {normal:02x?}", roundtrip::name(core)),
    }
}

/// Code objects are their fields: a graph whose code objects are all built anew from what they say is written as the same
/// bytes and has the same canon.
pub fn code_roundtrip(core: &Core, data: &[u8]) {
    let profile = core.profile();
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
pub fn bytecode_roundtrip(core: &Core, data: &[u8]) {
    let profile = core.profile();
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
pub fn verify_total(core: &Core, data: &[u8]) {
    let profile = core.profile();
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
pub fn asm_roundtrip(core: &Core, data: &[u8]) {
    check_text(&String::from_utf8_lossy(data));
    let profile = core.profile();
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

/// Texts with one line less, with two lines exchanged, and with two words exchanged; the bytes decide which.
fn changed(whole: &str, data: &[u8]) -> Vec<String> {
    let lines: Vec<&str> = whole.lines().collect();
    let mut luck = fnv(data.iter().copied());
    let mut below = |limit: usize| {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(luck >> 33).unwrap_or(0) % limit.max(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_hold_on_the_corpus() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/regressions");
        let streams = crate::generators::seeds(&folder).unwrap();
        assert!(streams.len() > 10, "{}", streams.len());
        for core in Core::all() {
            for (file, stream) in &streams {
                assert_eq!(broken(&core, stream), None, "{file}, core as {}", core.profile().version);
            }
        }
    }
}
