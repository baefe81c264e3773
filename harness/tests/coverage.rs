//! Everything that pyc-core is asked in a hunt, over what the generators make and nothing else.
//!
//! `ci/coverage` measures which of pyc-core's lines this reaches (docs/COVERAGE.md). So it takes no stream that a person wrote,
//! not even to mutate it: what only such a stream reaches is not compared for long.

use arbitrary::Unstructured;
use harness::generators::{Generator, Target, generate, pyc, tape};
use pyc_core::model::{Dump, Loaded};
use pyc_core::pyc::{SourceFile, import};
use pyc_core::{Cause, Graph, Profile, Pyc, Release, WriteError, read};

/// The generators that need no interpreter, and how many cases of each one each profile is asked about: code objects are large.
const CASES: [(Generator, u64); 4] =
    [(Generator::Values, 250), (Generator::Streams, 1500), (Generator::Codes, 100), (Generator::Pyc, 100)];

/// Every version in its last release, and in its first one on a platform and in a build where all is different that can be.
fn profiles() -> Vec<Profile> {
    let both = |last: &Profile| {
        let first = Profile::for_release(&Release { micro: 0, ..last.release }).expect("a version that has a profile");
        let platform = first.with_pointer_bits(32).with_max_depth(1500).with_interned_elsewhere(b"\0a_\xe9");
        [last.clone(), platform.with_quiet_nans(true).with_assertions(true).with_free_threading(true)]
    };
    Profile::all().flat_map(both).collect()
}

/// What is read is written as it was, and everything can be asked of it; what is refused is refused inside the stream.
fn check(stream: &[u8], profile: &Profile) {
    let graph = match read(stream, profile) {
        Ok(graph) => graph,
        Err(error) => {
            assert!(error.offset <= stream.len(), "{}: {error} in {stream:02x?}", profile.release);
            let texts = [error.to_string(), error.exception(profile).to_string()];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}: {error:?}", profile.release);
            return;
        }
    };
    let expected = Ok(stream[..graph.consumed()].to_vec());
    assert_eq!([graph.write(), graph.write_anew()], [expected.clone(), expected], "{}", profile.release);
    check_loaded(&graph, profile);
    check_changed(&graph, profile);
}

/// What the interpreter makes of a graph: its canon, and for each marshal version its dump and what that loses.
fn check_loaded(graph: &Graph, profile: &Profile) -> Vec<Dump> {
    let loaded = Loaded::new(graph, profile);
    let dumps: Vec<Dump> = (0..=profile.marshal_version).map(|version| loaded.dump(version)).collect();
    if let Some(cause) = loaded.hazard() {
        assert!(dumps.iter().all(|dump| *dump == Dump::Undefined(cause)), "{}: {cause:?}", profile.release);
        return dumps;
    }
    assert!(loaded.canon().ends_with('\n'), "{}: a canon without an end: {graph:?}", profile.release);
    assert!(loaded.canon_aspect().is_none_or(|aspect| !aspect.name().is_empty()));
    for (version, dump) in (0..).zip(&dumps) {
        if let Dump::Bytes { bytes, unpredictable } = dump {
            assert!(!bytes.is_empty(), "{} at {version}: nothing is dumped of {graph:?}", profile.release);
            assert!(unpredictable.is_none_or(|aspect| !aspect.name().is_empty()));
        }
        assert!(loaded.loss(version).is_none_or(|loss| !loss.name().is_empty()));
    }
    dumps
}

/// A graph that was changed is written, or it is said why it cannot be: the last node alone, another first part, the whole
/// inside itself, a node of a graph in one that has only another, or in none. What was written is the same to the interpreter.
fn check_changed(graph: &Graph, profile: &Profile) {
    let (root, Some(last)) = (graph.root(), graph.ids().last()) else { return };
    let empty = Graph::new(profile);
    let (mut cut, mut other, mut cyclic, mut foreign) = (graph.clone(), graph.clone(), graph.clone(), empty.clone());
    cut.set_root(last);
    let part = other.bytes(b"another part");
    other.set_child(root, 0, part);
    cyclic.set_child(root, 0, root);
    foreign.none();
    foreign.set_root(last);
    assert_eq!(empty.write(), Err(WriteError::Empty));
    for changed in [cut, other, cyclic, foreign, empty] {
        match changed.write() {
            Ok(stream) => {
                if let Ok(again) = read(&stream, profile) {
                    let [changed, again] = [&changed, &again].map(|graph| check_loaded(graph, profile));
                    for (changed, again) in changed.iter().zip(&again) {
                        // How far a value may expand is measured by the stream that it was read from.
                        let is_cut = [changed, again].contains(&&Dump::Undefined(Cause::Expansion));
                        assert!(is_cut || changed == again, "{}: {stream:02x?}", profile.release);
                    }
                }
            }
            Err(error) => {
                let loaded = Loaded::new(&changed, profile);
                assert_eq!((loaded.hazard(), &*loaded.canon()), (Some(Cause::UnsoundGraph), ""), "{error}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// An import refuses what was made wrong and nothing else; what follows a header that was understood is a stream.
fn check_file(file: &pyc::Generated, profile: &Profile) {
    let source = file.source.as_ref().map(|source| SourceFile { bytes: &source.bytes, mtime: source.mtime });
    let imported = import(&file.bytes, profile, source, "case");
    let is_expected = imported.is_err() == file.wrong.is_some();
    assert!(is_expected, "{}: {imported:?}, made with {:?}", profile.release, file.wrong);
    match Pyc::parse(&file.bytes) {
        Ok(pyc) => {
            assert_eq!(pyc.to_bytes(), file.bytes);
            check(pyc.payload, pyc.profile());
        }
        Err(error) => assert!(imported.is_err() && !error.to_string().is_empty(), "{}: {error}", profile.release),
    }
}

#[test]
fn whatever_generators_make_is_answered() {
    for (profile, (generator, cases)) in profiles().iter().flat_map(|profile| CASES.map(|row| (profile, row))) {
        let target = Target::from(profile);
        // Python 2 reads on after an error, and what comes of that depends on much.
        let cases = if profile.is_python2() { 8 * cases } else { cases };
        for index in 0..cases {
            if generator == Generator::Pyc {
                let tape = tape(0, generator.name(), index);
                check_file(&pyc::generate(&mut Unstructured::new(&tape), target, &[]), profile);
            } else {
                check(&generate(generator, target, 0, index, &[]).bytes, profile);
            }
        }
    }
}
