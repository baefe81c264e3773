//! Each target over the corpus and some mutants of it, so that no target can rot between two fuzzing sessions.

use fuzz::{TARGETS, Target};
use harness::generators::{seeds, tape};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const LIMIT: usize = 4096;

/// Every `stride`th seed, some mutants of it, and some children that it has with the seed before.
fn check(name: &str, stride: usize) {
    let Target { body, mutators, .. } = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let corpus = seeds(&corpus).unwrap();
    assert!(corpus.len() > 100, "the corpus is not where it should be");
    let mut other = &corpus[0].1;
    for (number, (seed, bytes)) in corpus.iter().step_by(stride).enumerate() {
        // The last line before a panic names the input.
        println!("{name}: {seed}");
        body(bytes);
        for round in 0..4 {
            let tape = tape(round, name, number as u64);
            let luck = u32::from_le_bytes(*tape.first_chunk().unwrap());
            println!("{name}: {seed}, {luck}");
            let Some((mutate, cross)) = mutators else {
                body(&tape);
                continue;
            };
            let mut data = bytes.clone();
            data.resize(LIMIT.max(bytes.len()), 0);
            let size = mutate(&mut data, bytes.len(), LIMIT.max(bytes.len()), luck);
            body(&data[..size]);
            let size = cross(bytes, other, &mut data, luck);
            body(&data[..size]);
        }
        other = bytes;
    }
}

#[test]
fn marshal_read() {
    check("marshal_read", 1);
}

#[test]
fn marshal_roundtrip() {
    check("marshal_roundtrip", 1);
}

#[test]
fn marshal_value() {
    check("marshal_value", 1);
}

#[test]
fn canon_roundtrip() {
    check("canon_roundtrip", 1);
}

/// 3.9 may expand the 20 bytes to 65,856, and their normal form of 34 to 66,080: the dump at version 2 lies between.
#[test]
fn canon_roundtrip_of_a_dump_at_the_limit() {
    fuzz::canon_roundtrip(b"\xfbx\x010\x02-0r\0\0\0\0u\0\0\0\0f\x0100");
}

#[test]
fn code_roundtrip() {
    check("code_roundtrip", 1);
}

#[test]
fn bytecode_roundtrip() {
    check("bytecode_roundtrip", 1);
}

#[test]
fn verify_total() {
    check("verify_total", 1);
}

#[test]
fn asm_roundtrip() {
    check("asm_roundtrip", 1);
}

#[test]
fn pyc_roundtrip() {
    check("pyc_roundtrip", 1);
}

/// Skips itself, with a message, where there is no interpreter.
#[test]
fn marshal_differential() {
    check("marshal_differential", 9);
}

#[test]
fn mutators_keep_to_their_limit() {
    let pyc = [&pyc_core::Profile::all().last().unwrap().magic.to_le_bytes()[..], b"\r\n", &[0; 12], b"N"].concat();
    for (mutate, cross) in TARGETS.iter().filter_map(|target| target.mutators) {
        for luck in 0..200 {
            for input in [&[0xa9; 64][..], &[], &pyc] {
                let mut data = [input, &[0; 64]].concat();
                let limit = input.len() + 8;
                assert!(mutate(&mut data, input.len(), limit, luck) <= limit);
                assert!(cross(input, b"[\x01\0\0\0N", &mut data[..8], luck) <= 8);
            }
        }
    }
}

/// One list of targets, in as many places as tools and people look for it. CI asks `cargo fuzz list`, which reads Cargo.toml.
#[test]
fn every_target_is_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let files = |place: &str, extension: &str| -> BTreeSet<String> {
        let files = fs::read_dir(folder.join(place)).unwrap().map(|file| file.unwrap().path());
        let named = files.filter(|file| file.extension().is_some_and(|e| e == extension));
        named.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let between = |text: &str, before: &str, after: &str| -> BTreeSet<String> {
        let starts = text.lines().filter_map(|line| line.strip_prefix(before)?.split_once(after));
        starts.map(|(name, _)| name.to_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    let manifest = read("Cargo.toml");
    for (place, names) in [
        (
            "the names of Cargo.toml",
            between(&manifest, "name = \"", "\"").into_iter().filter(|n| n != "fuzz").collect(),
        ),
        ("the paths of Cargo.toml", between(&manifest, "path = \"fuzz_targets/", ".rs\"")),
        ("fuzz_targets", files("fuzz_targets", "rs")),
        ("*.options", files(".", "options")),
        ("README.md", between(&read("README.md"), "| `", "` |")),
    ] {
        assert_eq!(names, targets, "{place}");
    }
    for name in &targets {
        let glue = read(&format!("fuzz_targets/{name}.rs"));
        assert!(glue.contains(&format!("fuzz::target!(fuzz::{name}")), "{glue}");
    }
    assert!(read("../ci/run").contains("$(cargo fuzz list)"), "CI runs what Cargo.toml lists");
}

/// The dictionary is written by hand; new types and versions must not be forgotten there.
#[test]
fn the_dictionary_knows_every_type_and_magic_number() {
    let dictionary = include_str!("../marshal.dict");
    let check = |bytes: &[u8]| {
        let entry: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
        assert!(dictionary.contains(&format!("=\"{entry}\"\n")), "no entry {entry}");
    };
    for profile in pyc_core::Profile::all() {
        check(&[&profile.magic.to_le_bytes()[..], b"\r\n"].concat());
    }
    for code in b"NTF.SiIlfgxystRuaAzZ()[{}<>:cr" {
        check(&[*code]);
        check(&[*code | 0x80]);
    }
}
