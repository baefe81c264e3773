//! What pyc-core says of a case: everything that a hunt, a report or a tool has from it.

use crate::comparison::Question;
use crate::generators::fnv;
use crate::subjects::core::{Core, Prediction, guard};
use pyc_core::bytecode::safety::verify_all;
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

/// What a graph is written as.
type Written = Result<Vec<u8>, WriteError>;

#[derive(Debug, PartialEq, Eq)]
enum More {
    /// Of what can be read.
    Accepted(Box<Accepted>),
    /// The code objects that `repair --salvage` keeps of the rest, and the stream of them.
    Refused(Option<(Vec<NodeId>, Written)>),
}

/// What is asked of a stream that is read. Of one that is not small it is one part after the other, as the bytes decide: all of
/// them have most in common, and this is asked for each mutant again.
#[derive(Debug, PartialEq, Eq, Default)]
struct Accepted {
    codes: Vec<CodeSaid>,
    /// The stream written again as it is.
    written: Option<Written>,
    /// Where its objects are, for `diff`; the object around a byte, and the bytes of an object.
    ranges: Option<Result<Vec<Range<usize>>, WriteError>>,
    places: Option<(Option<NodeId>, Option<Range<usize>>)>,
    /// The normal form, and one of the others that there are; what `diff` says of the stream and its normal form.
    normal: Option<Result<Vec<u8>, String>>,
    other_form: Option<Result<Vec<u8>, String>>,
    differences: Option<Comparison>,
    /// With another name for each file, as `normalize --remap` does it.
    remapped: Option<Written>,
    /// What a new process writes, and how many strings decide about it.
    alone: Option<(Dump, usize)>,
    /// The canon by itself, and what it depends on.
    canon: Option<(String, Option<&'static str>)>,
    /// How long an interpreter takes to write it.
    cost: Option<u64>,
    /// The same stream, read with the memory of the one before and written again.
    again: Option<Written>,
    /// What the verifier says.
    verdicts: Option<Vec<String>>,
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

/// Of a stream of at most so many bytes everything is asked, else one of so many parts.
const SMALL: usize = 64;
const PARTS: u64 = 6;

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
    let chosen = fnv(case.iter().copied()) >> 32;
    let asks = |part: u64| case.len() <= SMALL || chosen % PARTS == part;
    let mut said = Accepted {
        codes: graph.ids().filter_map(|id| code_said(&graph, id, profile)).collect(),
        ..Accepted::default()
    };
    if asks(0) {
        said.written = Some(graph.write());
        said.ranges = Some(graph.byte_ranges());
        let middle = graph.ids().nth(graph.len() / 2);
        said.places = Some((graph.node_at(case.len() / 2), middle.and_then(|id| graph.byte_range(id))));
    }
    if asks(1) {
        let normal = PycWriteConfig { header: HeaderKind::None, ..PycWriteConfig::normal(profile) };
        let normal = normal.bytes(&graph).map_err(|e| format!("{e:?}"));
        let second = normal.as_ref().ok().and_then(|form| read(form, profile).ok());
        said.differences = second.map(|second| compare(&graph, &second, profile));
        said.normal = Some(normal);
    }
    if asks(2) {
        said.other_form = Some(form(chosen >> 16, profile).bytes(&graph).map_err(|e| format!("{e:?}")));
    }
    if asks(3) {
        let (alone, open) = Loaded::alone(&graph, profile);
        said.alone = Some((alone.dump(profile.marshal_version), open));
    }
    if asks(4) && !said.codes.is_empty() {
        said.verdicts = Some(verify_all(&graph, profile).iter().map(|verdict| format!("{verdict:?}")).collect());
    }
    if !asks(5) {
        return said;
    }
    let loaded = Loaded::new_with(&graph, profile, scratch);
    if loaded.hazard().is_none() {
        said.canon = Some((loaded.canon(), loaded.canon_aspect().map(|it| it.name())));
        said.cost = Some(loaded.cost(u8::try_from((chosen >> 16) % versions(profile)).unwrap_or(0)));
    }
    loaded.recycle(scratch);
    let mut graph = graph;
    if !said.codes.is_empty() {
        graph.edit(profile).filenames(|name| Some([b"/new/", name].concat()));
        said.remapped = Some(graph.write());
    }
    graph.recycle(scratch);
    said.again = read_with(case, profile, scratch).ok().map(|graph| graph.write());
    said
}

fn versions(profile: &Profile) -> u64 {
    u64::from(profile.marshal_version) + 1
}

/// One of the forms that are not the normal one.
fn form(chosen: u64, profile: &Profile) -> PycWriteConfig<'static> {
    let is_set = |bit: u32| chosen >> bit & 1 == 1;
    PycWriteConfig {
        header: HeaderKind::None,
        references: match chosen & 3 {
            0 => References::None,
            1 => References::Minimal,
            2 => References::Merged,
            _ => References::AsCPython,
        },
        interning: if is_set(2) { Interning::ByCode } else { Interning::Preserve },
        set_order: if is_set(3) { SetOrder::Sorted } else { SetOrder::Preserve },
        marshal_version: is_set(4).then(|| u8::try_from((chosen >> 8) % versions(profile)).unwrap_or(0)),
        ..PycWriteConfig::new(profile)
    }
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
            *said
        };
        // Two equal tuples become one, and a set is sorted.
        let said = check((3, 12), b")\x03)\x03i\x01\0\0\0i\x02\0\0\0Ng\0\0\0\0\0\0\0\0)\x03i\x01\0\0\0i\x02\0\0\0N");
        let normal = b")\x03\xa9\x03i\x01\0\0\0i\x02\0\0\0Ng\0\0\0\0\0\0\0\0r\0\0\0\0";
        assert_eq!(said.normal, Some(Ok(normal.to_vec())));
        assert_eq!(said.again, said.written);
        assert_eq!(check((3, 12), b"<\x02\0\0\0TN").normal, Some(Ok(b"<\x02\0\0\0NT".to_vec())));
        assert_eq!(check((2, 7), b"(\x01\0\0\0N").ranges, Some(Ok(vec![0..6, 5..6])));
        let said = check((3, 12), code::EXAMPLE_312);
        assert_eq!(said.codes.len(), 1);
        assert_eq!(said.codes[0].named.last().map(|(name, _)| *name), Some("firstlineno"));
        // A code object that is whole, in a stream that is not.
        let cut = [b")\x02", code::EXAMPLE_312].concat();
        let profile = Profile::of(Version::new(3, 12)).unwrap();
        assert!(matches!(more(profile, &cut), Ok(More::Refused(Some((codes, Ok(_))))) if codes.len() == 1));
    }

    /// Of what is larger each part is asked of some streams, and none of all.
    #[test]
    fn larger_streams_are_asked_for_one_part() {
        let profile = Profile::of(Version::new(3, 12)).unwrap();
        let mut counts = [0; 5];
        for n in 0..60 {
            let stream = [&b"s\x40\0\0\0"[..], &[n; 64]].concat();
            let More::Accepted(said) = more(profile, &stream).unwrap() else { panic!("{stream:x?}") };
            let said = [
                said.written.is_some(),
                said.normal.is_some(),
                said.other_form.is_some(),
                said.alone.is_some(),
                said.canon.is_some(),
            ];
            counts.iter_mut().zip(said).for_each(|(count, said)| *count += u32::from(said));
        }
        assert!(counts.iter().all(|count| (1..30).contains(count)), "{counts:?}");
    }
}
