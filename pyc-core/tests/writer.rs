//! Files in other forms, edited and compared: over all fixtures of the corpus, under every profile.

use pyc_core::compare::{Comparison, Kind, compare};
use pyc_core::model::Loaded;
use pyc_core::write::{
    HeaderError, HeaderKind, Interning, PycWriteConfig, PycWriteError, PycWriter, References, SetOrder, StreamError,
};
use pyc_core::{Graph, Profile, Pyc, Value, Version, read, salvage};
use std::path::{Path, PathBuf};

fn profile(minor: u8) -> &'static Profile {
    Profile::of(Version::new(3, minor)).unwrap()
}

fn greet(profile: &Profile) -> Vec<u8> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let file = std::fs::read(corpus.join(format!("seeds/greet-{}.pyc", profile.version))).unwrap();
    Pyc::parse(&file).unwrap().payload.to_vec()
}

/// The streams of all fixtures.
fn fixtures() -> Vec<(PathBuf, Vec<u8>)> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let folders = ["seeds", "coverage", "regressions"].map(|folder| corpus.join(folder));
    let paths = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for path in paths {
        let bytes = std::fs::read(&path).unwrap_or_default();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("marshal") => found.push((path, bytes)),
            Some("pyc") => found.extend(Pyc::parse(&bytes).ok().map(|pyc| (path, pyc.payload.to_vec()))),
            _ => {}
        }
    }
    assert!(found.len() > 100, "only {} fixtures", found.len());
    found
}

fn kinds(found: &Comparison) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = found.differences.iter().map(|it| it.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Whatever the form, it reads as the same value, and has it again when it is written in the same form.
#[test]
fn every_form_keeps_the_value_and_is_the_form_of_itself() {
    let mut written = 0;
    for (path, stream) in fixtures() {
        for profile in Profile::all() {
            let Ok(graph) = read(&stream, profile) else { continue };
            if Loaded::new(&graph, profile).hazard().is_some() {
                continue;
            }
            for references in [References::Minimal, References::Merged, References::None] {
                for (interning, set_order) in
                    [(Interning::Preserve, SetOrder::Preserve), (Interning::ByCode, SetOrder::Sorted)]
                {
                    let config = PycWriteConfig {
                        header: HeaderKind::None,
                        references,
                        interning,
                        set_order,
                        ..PycWriteConfig::new(profile)
                    };
                    let at = format!("{} {} {references:?} {interning:?}", path.display(), profile.version);
                    let form = match config.bytes(&graph) {
                        Ok(form) => form,
                        Err(PycWriteError::Stream {
                            why: StreamError::Recursive | StreamError::Shared | StreamError::Undefined(_),
                            ..
                        }) => continue,
                        // What is too deep, or has no type in the version that is written, has no dump either.
                        Err(PycWriteError::Stream { why: StreamError::Raises(_), .. }) => continue,
                        Err(e) => panic!("{at}: {e}"),
                    };
                    written += 1;
                    let again = read(&form, profile).unwrap();
                    assert_eq!(config.bytes(&again).unwrap(), form, "{at}");
                    // Loading drops duplicates of sets and dicts, and what NULL cuts off; loaded values are what is compared.
                    let plain = |graph: &Graph<'_>| {
                        let config = PycWriteConfig {
                            header: HeaderKind::None,
                            references: References::None,
                            interning: Interning::ByCode,
                            set_order: SetOrder::Sorted,
                            ..PycWriteConfig::new(profile)
                        };
                        config.bytes(graph).ok()
                    };
                    assert_eq!(plain(&graph), plain(&again), "{at}");
                }
            }
        }
    }
    assert!(written > 5000, "only {written} were written");
}

#[test]
fn normal_forms_differ_from_what_was_compiled_in_what_keeps_the_value() {
    for profile in Profile::all() {
        let stream = greet(profile);
        let graph = read(&stream, profile).unwrap();
        let config = PycWriteConfig { header: HeaderKind::None, ..PycWriteConfig::normal(profile) };
        let normal = config.bytes(&graph).unwrap();
        let again = read(&normal, profile).unwrap();
        let found = compare(&graph, &again, profile);
        assert!(found.is_same_value(), "{}: {:?}", profile.version, kinds(&found));
        // Only what is referred to is flagged.
        for id in again.ids().filter(|id| again.is_flagged(*id)) {
            assert!(again.ids().any(|other| other != id && again.resolve(other) == id), "{}", profile.version);
        }
        assert_eq!(compare(&graph, &graph, profile), Comparison::default());
    }
}

/// Streams that load as equal values, and so have one normal form.
#[test]
fn the_normal_form_knows_neither_flags_nor_sharing_nor_order() {
    let check = |minor: u8, streams: &[&[u8]], expected: &[u8]| {
        for stream in streams {
            let config = PycWriteConfig { header: HeaderKind::None, ..PycWriteConfig::normal(profile(minor)) };
            let graph = read(stream, profile(minor)).unwrap();
            assert_eq!(config.bytes(&graph).unwrap(), expected, "3.{minor} {stream:02x?}");
        }
    };
    // A name that was interned, or not; strings that take less than a reference; two tuples that are equal.
    check(
        13,
        &[b")\x02\xda\x04spamr\0\0\0\0", b")\x02z\x04spamz\x04spam", b"(\x02\0\0\0Z\x04spamA\x04\0\0\0spam"],
        b")\x02\xfa\x04spamr\0\0\0\0",
    );
    check(13, &[b"\xa9\x02\xda\x01xr\x01\0\0\0", b")\x02z\x01xz\x01x"], b")\x02Z\x01xZ\x01x");
    let tuples: [&[u8]; 2] =
        [b")\x02\xa9\x02g\0\0\0\0\0\0\xf0?Nr\0\0\0\0", b")\x02)\x02g\0\0\0\0\0\0\xf0?N)\x02f\x011N"];
    check(8, &tuples, b")\x02\xa9\x02g\0\0\0\0\0\0\xf0?Nr\0\0\0\0");
    // Sets by the streams of their members: numbers before strings.
    let sets: [&[u8]; 3] = [
        b">\x03\0\0\0\xda\x01bi\x07\0\0\0z\x01a",
        b"\xbe\x03\0\0\0i\x07\0\0\0z\x01bz\x01a",
        b">\x03\0\0\0z\x01al\x01\0\0\0\x07\0Z\x01b",
    ];
    for minor in [6, 10, 13, 15] {
        check(minor, &sets, b">\x03\0\0\0i\x07\0\0\0Z\x01aZ\x01b");
    }
    // Types and signs of zeros are told apart; a list is the list that it is.
    check(
        13,
        &[b")\x04i\x01\0\0\0Tg\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80"],
        b")\x04i\x01\0\0\0Tg\0\0\0\0\0\0\0\0g\0\0\0\0\0\0\0\x80",
    );
    check(13, &[b")\x02[\0\0\0\0[\0\0\0\0"], b")\x02[\0\0\0\0[\0\0\0\0");
    check(13, &[b")\x02\xdb\0\0\0\0r\0\0\0\0", b"\xa9\x02\xdb\0\0\0\0r\x01\0\0\0"], b")\x02\xdb\0\0\0\0r\0\0\0\0");
    // Two NaNs are two.
    let nans = b")\x02g\0\0\0\0\0\0\xf8\x7fg\0\0\0\0\0\0\xf8\x7f";
    check(13, &[nans], nans);
}

#[test]
fn what_cannot_be_written_is_refused_where_it_is() {
    type Change = fn(&mut PycWriteConfig<'_>);
    let check = |minor: u8, stream: &[u8], target: u8, change: Change, expected: &str| {
        let graph = read(stream, profile(minor)).unwrap();
        let mut config = PycWriteConfig { header: HeaderKind::None, ..PycWriteConfig::new(profile(target)) };
        change(&mut config);
        let mut out = Vec::new();
        let said = PycWriter::new(&mut out, config).write(&graph).map_err(|e| e.to_string());
        assert_eq!(said, Err(expected.to_owned()));
        assert!(out.is_empty());
    };
    let none: Change = |config| config.references = References::None;
    let merged: Change = |config| config.references = References::Merged;
    check(
        13,
        b")\x02\xdb\0\0\0\0r\0\0\0\0",
        13,
        none,
        "[0]: the object is in two places, and it matters that it is one",
    );
    check(13, b")\x02N\xdb\x01\0\0\0r\0\0\0\0", 13, merged, "[1]: the object holds itself");
    check(13, b"\xdb\x01\0\0\0r\0\0\0\0", 13, merged, "the object holds itself");
    check(14, b")\x02N:NNN", 13, |_| {}, "[1]: that Python refuses it: unknown type byte 0x3a");
    let fifth: Change = |config| (config.references, config.marshal_version) = (References::Minimal, Some(5));
    check(13, b"[\x01\0\0\0z\x01a", 13, fifth, "the options contradict each other: the target has no such version");
    check(
        13,
        b"N",
        13,
        |config| config.set_order = SetOrder::Sorted,
        "the options contradict each other: interning and the order of sets are part of these references",
    );
    let code = pyc_core::code::EXAMPLE_312;
    check(12, code, 10, |_| {}, "f: code objects of that version have other fields");
    check(
        6,
        b"N",
        6,
        |config| config.header = HeaderKind::Hash { source: b"", checked: true },
        "headers have hashes since 3.7",
    );
    assert!(matches!(
        PycWriteConfig { header: HeaderKind::Hash { source: b"", checked: true }, ..PycWriteConfig::new(profile(6)) }
            .bytes(&read(b"N", profile(6)).unwrap()),
        Err(PycWriteError::Header(HeaderError::NoHashes))
    ));
}

#[test]
fn nodes_know_their_bytes_and_their_way() {
    for profile in Profile::all() {
        let stream = greet(profile);
        let graph = read(&stream, profile).unwrap();
        let ranges = graph.byte_ranges().unwrap();
        assert_eq!(ranges[0], 0..stream.len());
        for id in graph.ids() {
            let range = graph.byte_range(id).unwrap();
            assert_eq!(stream[range.start] & 0x7F, graph.type_byte(id), "{}", profile.version);
            assert_eq!(graph.node_at(range.start), Some(id));
        }
        let codes = graph.code_objects();
        let paths: Vec<String> = codes.iter().map(|id| graph.path(*id)).collect();
        assert_eq!(paths[0], "<module>");
        assert!(paths.iter().any(|path| path == "Greeter.__init__"), "{paths:?}");
        // Clearing the flags that nobody needs, and no other, leaves a stream.
        let mut changed = graph.clone();
        let is_needed = |id| graph.ids().any(|other| other != id && graph.resolve(other) == id);
        for id in graph.ids() {
            if !is_needed(id) {
                changed.set_flagged(id, false);
            }
        }
        let written = changed.write().unwrap();
        let found = compare(&graph, &read(&written, profile).unwrap(), profile);
        assert!(found.is_same_but_for(|kind| kind == Kind::Flags), "{}: {:?}", profile.version, kinds(&found));
        assert_eq!(found.differences.is_empty(), profile.is_python2());
    }
}

/// Each rewrite shows as what it is, and as nothing else.
#[test]
fn rewrites_are_told_by_the_comparison() {
    for profile in Profile::all() {
        let stream = greet(profile);
        let before = read(&stream, profile).unwrap();
        let check = |what: &str, change: &dyn Fn(&mut pyc_core::Editor<'_, '_>), expected: &[Kind]| {
            let mut graph = before.clone();
            let mut editor = graph.edit(profile);
            change(&mut editor);
            assert!(editor.finish());
            let written = graph.write().unwrap_or_else(|e| panic!("{} {what}: {e}", profile.version));
            let after = read(&written, profile).unwrap();
            let found = compare(&before, &after, profile);
            let mut kinds = kinds(&found);
            // New strings and tuples are flagged and shared as they need.
            kinds.retain(|kind| !kind.keeps_value());
            assert_eq!(kinds, expected, "{} {what}", profile.version);
        };
        check("nothing", &|_| {}, &[]);
        let rename = |name: &[u8]| Some([b"/new/", name].concat());
        check("filenames", &|editor| assert!(editor.filenames(rename) > 3), &[Kind::Filename]);
        check("lines", &|editor| assert!(editor.shift_lines(1000) > 3), &[Kind::Lines]);
        check("all lines", &|editor| assert!(editor.erase_lines().unwrap() > 3), &[Kind::Lines]);
        let documented = |graph: &Graph<'_>| -> Vec<_> {
            let all = graph.code_objects().into_iter();
            all.filter(|id| graph.docstring(*id, profile).is_some()).collect()
        };
        assert!(!documented(&before).is_empty(), "{}", profile.version);
        for text in [Some("another"), None] {
            let change = |editor: &mut pyc_core::Editor<'_, '_>| {
                for id in documented(&before) {
                    assert!(editor.docstring(id, text).unwrap());
                }
            };
            check("docstrings", &change, &[Kind::Docstring]);
        }
        check("names", &|editor| assert!(editor.rename("rest", "others") > 0), &[Kind::Code]);
        let number = before.code_objects().into_iter().find_map(|id| {
            let consts = before.code_of(id)?.object(pyc_core::code::Field::Consts)?;
            let items = before.children(before.resolve(consts));
            let place = items.iter().position(|item| matches!(before.value(*item), Value::Int(_) | Value::Float(_)))?;
            Some((id, place))
        });
        let (id, place) = number.unwrap();
        let change = |editor: &mut pyc_core::Editor<'_, '_>| {
            let node = editor.graph().float(1e100);
            assert!(editor.constant(id, place, node));
        };
        check("constants", &change, &[Kind::Constant]);
    }
}

/// Whether two lists are one is a part of the value; of tuples it is not.
#[test]
fn sharing_matters_where_objects_change() {
    let check = |left: &[u8], right: &[u8], expected: &[Kind]| {
        let (left, right) = (read(left, profile(13)).unwrap(), read(right, profile(13)).unwrap());
        assert_eq!(kinds(&compare(&left, &right, profile(13))), expected);
        assert_eq!(kinds(&compare(&right, &left, profile(13))), expected);
    };
    check(b")\x02\xa9\x01Nr\0\0\0\0", b")\x02)\x01N)\x01N", &[Kind::Flags, Kind::Sharing]);
    check(b")\x02\xdb\x01\0\0\0Nr\0\0\0\0", b")\x02[\x01\0\0\0N[\x01\0\0\0N", &[Kind::Flags, Kind::Value]);
    // An object is compared with each that it is met with, not only with the first.
    check(b")\x02\xa9\x01Nr\0\0\0\0", b")\x02)\x01N)\x01T", &[Kind::Flags, Kind::Value]);
    check(b")\x02\xe9\x05\0\0\0r\0\0\0\0", b")\x02i\x05\0\0\0i\x06\0\0\0", &[Kind::Flags, Kind::Value]);
}

/// Graphs that no stream can be: none of this loops or panics.
#[test]
fn built_graphs_are_walked_to_an_end() {
    let profile = profile(13);
    let empty = Graph::new(profile);
    assert!(empty.code_objects().is_empty() && empty.byte_ranges().is_err() && empty.path(empty.root()).is_empty());
    assert!(compare(&empty, &empty, profile).is_same_value());
    let mut graph = Graph::new(profile);
    let inner = graph.tuple(&[]);
    let list = graph.list(&[inner, inner]);
    graph.set_root(list);
    assert!(graph.write().is_err());
    assert!(graph.settle());
    assert_eq!(graph.write().unwrap(), b"[\x02\0\0\0\xa9\0r\0\0\0\0");
    // A list that is in itself, and one in which a node of nobody is.
    graph.set_child(list, 1, list);
    assert!(!compare(&graph, &empty, profile).is_same_value());
    assert!(graph.settle());
    assert_eq!(graph.write().unwrap(), b"\xdb\x02\0\0\0\xa9\0r\0\0\0\0");
    let mut large = Graph::new(profile);
    let foreign = (0..10).map(|_| large.none()).last().unwrap();
    graph.set_child(list, 0, foreign);
    assert!(graph.settle());
    assert!(graph.write().is_err() && graph.path(foreign).is_empty());
    assert!(graph.edit(profile).docstring(foreign, None).is_ok_and(|found| !found));
    assert!(!graph.edit(profile).constant(foreign, 0, inner) && !graph.set_flagged(foreign, true));
    assert!(!compare(&graph, &large, profile).is_same_value());
}

/// A file that is cut anywhere keeps the functions that are whole.
#[test]
fn what_is_complete_is_salvaged() {
    for profile in Profile::all() {
        let stream = greet(profile);
        assert!(salvage(&stream, profile).is_none());
        let whole = read(&stream, profile).unwrap();
        let ranges = whole.byte_ranges().unwrap();
        let codes = whole.code_objects();
        let mut most = 0;
        for cut in (0..stream.len()).step_by(7) {
            let complete = codes.iter().filter(|id| ranges[id.index()].end <= cut).count();
            let Some(salvaged) = salvage(&stream[..cut], profile) else {
                assert_eq!(complete, 0, "{} {cut}", profile.version);
                continue;
            };
            assert!(salvaged.error.offset <= cut, "{}", profile.version);
            let written = salvaged.graph.write().unwrap();
            let again = read(&written, profile).unwrap_or_else(|e| panic!("{} {cut}: {e:?}", profile.version));
            // 2.7 takes what is missing of its integers for all ones, so the last code object may be whole for it.
            let kept = again.code_objects().len();
            let more = kept - usize::from(profile.is_python2() && kept > complete);
            assert_eq!(more, complete, "{} {cut}", profile.version);
            most = most.max(complete);
        }
        assert!(most > 3, "{}", profile.version);
    }
    // Damage in the middle, of every byte in turn.
    let stream = greet(profile(13));
    for at in 0..stream.len() {
        let mut damaged = stream.clone();
        damaged[at] ^= 0xFF;
        if let Some(salvaged) = salvage(&damaged, profile(13)) {
            assert!(read(&salvaged.graph.write().unwrap(), profile(13)).is_ok(), "{at}");
        }
    }
}
