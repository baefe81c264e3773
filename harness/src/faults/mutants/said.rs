//! What pyc-core says of a case: everything that a hunt, a report or a tool has from it.

use crate::comparison::Question;
use crate::generators::fnv;
use crate::subjects::core::{Core, Prediction, guard};
use pyc_core::bytecode::safety::{Verdict, verify_all};
use pyc_core::code::{self, CodeInts, Field, kind};
use pyc_core::compare::{Comparison, compare};
use pyc_core::model::{Dump, Loaded};
use pyc_core::write::{HeaderKind, Interning, PycWriteConfig, References, SetOrder};
use pyc_core::{Cause, Graph, NodeId, Profile, Scratch, Value, WriteError, opcode, read, read_with, salvage};
use std::ops::Range;

/// An answer. A panic is one of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    prediction: Prediction,
    more: Result<More, String>,
}

#[derive(Debug, PartialEq, Eq)]
enum More {
    /// Of what can be read.
    Accepted(Box<Accepted>),
    /// The code objects that `repair --salvage` keeps of the rest, and the stream of them.
    Refused(Option<(Vec<NodeId>, Result<Vec<u8>, WriteError>)>),
}

#[derive(Debug, PartialEq, Eq)]
struct Accepted {
    /// The stream written again as it is.
    written: Result<Vec<u8>, WriteError>,
    /// Where its objects are, for `diff`; the object around a byte, and the bytes of an object.
    ranges: Result<Vec<Range<usize>>, WriteError>,
    places: (Option<NodeId>, Option<Range<usize>>),
    codes: Vec<CodeSaid>,
    /// The normal form, and one of the others that there are; what `diff` says of the two.
    normal: Result<Vec<u8>, String>,
    other_form: Result<Vec<u8>, String>,
    differences: Option<Comparison>,
    /// With another name for each file, as `normalize --remap` does it.
    remapped: Option<Result<Vec<u8>, WriteError>>,
    /// What a new process writes, and how many strings decide about it.
    alone: (Dump, usize),
    /// The canon by itself, and what it depends on.
    canon: Option<(String, Option<&'static str>)>,
    /// How long an interpreter takes to write it.
    cost: u64,
    /// The same stream, read with the memory of the one before.
    again: bool,
    /// What the verifier says.
    verdicts: Option<Vec<VerdictSaid>>,
}

/// What a code object says of itself: its integers, its variables, the names of its integers, the kinds of variables that are
/// free, and the instruction that kills.
#[derive(Debug, PartialEq, Eq)]
struct CodeSaid {
    ints: CodeInts,
    variables: [Vec<NodeId>; 3],
    named: Vec<(&'static str, i32)>,
    free: Vec<bool>,
    undefined: Option<(Cause, usize)>,
}

/// A verdict, as text.
type VerdictSaid = String;

/// Of larger streams the costly answers are asked one at a time; which follows from the bytes.
const SMALL: usize = 64;

impl Said {
    pub(super) fn about(core: &Core, case: &[u8], question: &Question) -> Said {
        Said { prediction: core.predict_about(case, question), more: more(core.profile(), case) }
    }

    /// Whether the answer is another one now.
    pub(super) fn differs(&self, core: &Core, case: &[u8], question: &Question) -> bool {
        self.prediction != core.predict_about(case, question) || self.more != more(core.profile(), case)
    }
}

fn more(profile: &Profile, case: &[u8]) -> Result<More, String> {
    guard(|| {
        let mut scratch = Scratch::default();
        let Ok(graph) = read_with(case, profile, &mut scratch) else {
            let salvaged = salvage(case, profile);
            return More::Refused(salvaged.map(|it| (it.codes, it.graph.write())));
        };
        More::Accepted(Box::new(accepted(graph, profile, case, &mut scratch)))
    })
}

fn accepted(graph: Graph<'_>, profile: &Profile, case: &[u8], scratch: &mut Scratch) -> Accepted {
    let chosen = fnv(case.iter().copied());
    let asks = |what: u64| case.len() <= SMALL || chosen % 4 == what;
    let loaded = Loaded::new(&graph, profile);
    let versions = u64::from(profile.marshal_version) + 1;
    let version = |chosen: u64| u8::try_from(chosen % versions).unwrap_or(0);
    let is_sound = loaded.hazard().is_none();
    let canon = (is_sound && asks(0)).then(|| (loaded.canon(), loaded.canon_aspect().map(|it| it.name())));
    let cost = if is_sound { loaded.cost(version(chosen >> 8)) } else { 0 };
    let normal = PycWriteConfig { header: HeaderKind::None, ..PycWriteConfig::normal(profile) };
    let pick = |shift: u32, of: u64| chosen >> shift & (of - 1);
    let other = PycWriteConfig {
        references: [References::None, References::Minimal, References::Merged, References::AsCPython]
            [usize::try_from(pick(16, 4)).unwrap_or(0)],
        interning: [Interning::Preserve, Interning::ByCode][usize::from(pick(20, 2) == 1)],
        set_order: [SetOrder::Preserve, SetOrder::Sorted][usize::from(pick(22, 2) == 1)],
        marshal_version: (pick(24, 2) == 1).then(|| version(chosen >> 28)),
        ..normal.clone()
    };
    let bytes = |form: &PycWriteConfig| form.bytes(&graph).map_err(|e| format!("{e:?}"));
    let (normal, other_form) = (bytes(&normal), bytes(&other));
    let second = normal.as_ref().ok().and_then(|form| read(form, profile).ok());
    let differences = second.filter(|_| asks(1)).map(|second| compare(&graph, &second, profile));
    let (alone, open) = Loaded::alone(&graph, profile);
    let alone = (alone.dump(profile.marshal_version), open);
    let ids: Vec<NodeId> = graph.ids().collect();
    let middle = ids.get(ids.len() / 2).and_then(|id| graph.byte_range(*id));
    let codes: Vec<CodeSaid> = ids.iter().filter_map(|id| code_said(&graph, *id, profile)).collect();
    let verdicts = |graph: &Graph| verify_all(graph, profile).iter().map(|it: &Verdict| format!("{it:?}")).collect();
    let verdicts = (!codes.is_empty() && asks(2)).then(|| verdicts(&graph));
    let mut said = Accepted {
        written: graph.write(),
        ranges: graph.byte_ranges(),
        places: (graph.node_at(case.len() / 2), middle),
        codes,
        normal,
        other_form,
        differences,
        remapped: None,
        alone,
        canon,
        cost,
        again: false,
        verdicts,
    };
    loaded.recycle(scratch);
    if !said.codes.is_empty() {
        let mut changed = graph;
        changed.edit(profile).filenames(|name| Some([b"/new/", name].concat()));
        said.remapped = Some(changed.write());
        changed.recycle(scratch);
    } else {
        graph.recycle(scratch);
    }
    said.again = read_with(case, profile, scratch).is_ok_and(|graph| graph.write() == said.written);
    said
}

fn code_said(graph: &Graph, id: NodeId, profile: &Profile) -> Option<CodeSaid> {
    let Value::Code(code) = graph.value(id) else { return None };
    let bytes = |field| match code.object(field).map(|id| graph.value(graph.resolve(id))) {
        Some(Value::Bytes(bytes) | Value::InternedBytes(bytes)) => bytes,
        _ => &[],
    };
    Some(CodeSaid {
        ints: code.ints(),
        variables: [code.locals(graph), code.cells(graph), code.frees(graph)],
        named: code::integers(code.layout()).iter().map(|name| (*name, 0)).chain(code.named_ints()).collect(),
        free: bytes(Field::Localspluskinds).iter().map(|it| kind::is_free(*it)).collect(),
        undefined: opcode::undefined_at(bytes(Field::Code), profile),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pyc_core::Version;

    /// What tools are told is there, and is what they are told.
    #[test]
    fn tools_are_answered() {
        let check = |version: (u8, u8), stream: &[u8]| {
            let profile = Profile::of(Version::new(version.0, version.1)).unwrap();
            let More::Accepted(said) = more(profile, stream).unwrap() else { panic!("{stream:x?}") };
            assert!(said.again);
            *said
        };
        // Two equal tuples become one, and a set is sorted.
        let said = check((3, 12), b")\x03)\x03i\x01\0\0\0i\x02\0\0\0Ng\0\0\0\0\0\0\0\0)\x03i\x01\0\0\0i\x02\0\0\0N");
        let normal = b")\x03\xa9\x03i\x01\0\0\0i\x02\0\0\0Ng\0\0\0\0\0\0\0\0r\0\0\0\0";
        assert_eq!(said.normal.as_deref(), Ok(&normal[..]));
        assert_eq!(check((3, 12), b"<\x02\0\0\0TN").normal.as_deref(), Ok(&b"<\x02\0\0\0NT"[..]));
        assert_eq!(check((2, 7), b"(\x01\0\0\0N").ranges, Ok(vec![0..6, 5..6]));
        // What ends a code object of an early version is not its line table.
        let said = check((3, 12), code::EXAMPLE_312);
        assert_eq!(said.codes.len(), 1);
        assert_eq!(said.codes[0].named.last().map(|(name, _)| *name), Some("firstlineno"));
        assert_ne!(said.remapped.as_ref().unwrap(), &said.written);
        // A code object that is whole, in a stream that is not.
        let cut = [b")\x02", code::EXAMPLE_312].concat();
        let profile = Profile::of(Version::new(3, 12)).unwrap();
        assert!(matches!(more(profile, &cut), Ok(More::Refused(Some((codes, Ok(_))))) if codes.len() == 1));
    }
}
