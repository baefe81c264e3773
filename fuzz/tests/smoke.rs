//! Each target over the corpus and some mutants of it, so that no target can rot between two fuzzing sessions.

use harness::generators::{seeds, tape};
use std::path::Path;

type Body = fn(&[u8]);
type Mutator = fn(&mut [u8], usize, usize, u32) -> usize;

const LIMIT: usize = 4096;

fn check(target: &str, body: Body, mutator: Mutator, stride: usize) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let corpus = seeds(&corpus).unwrap();
    assert!(corpus.len() > 100, "the corpus is not where it should be");
    for (number, (name, bytes)) in corpus.iter().step_by(stride).enumerate() {
        // The last line before a panic names the input.
        println!("{target}: {name}");
        body(bytes);
        for round in 0..4 {
            let tape = tape(round, target, number as u64);
            let seed = u32::from_le_bytes(*tape.first_chunk().unwrap());
            let mut data = bytes.clone();
            data.resize(LIMIT.max(bytes.len()), 0);
            let size = mutator(&mut data, bytes.len(), LIMIT, seed);
            println!("{target}: {name}, mutated with {seed}");
            body(&data[..size]);
        }
    }
}

#[test]
fn marshal_read() {
    check("marshal_read", fuzz::marshal_read, fuzz::mutate_stream, 1);
}

#[test]
fn marshal_roundtrip() {
    check("marshal_roundtrip", fuzz::marshal_roundtrip, fuzz::mutate_stream, 1);
}

#[test]
fn pyc_roundtrip() {
    check("pyc_roundtrip", fuzz::pyc_roundtrip, fuzz::mutate_pyc, 1);
}

/// Skips itself, with a message, where there is no interpreter.
#[test]
fn marshal_differential() {
    check("marshal_differential", fuzz::marshal_differential, fuzz::mutate_stream, 9);
}

#[test]
fn mutators_keep_to_their_limit() {
    for seed in 0..200 {
        let mut data = vec![0xa9; 64];
        assert!(fuzz::mutate_stream(&mut data, 64, 64, seed) <= 64);
        assert!(fuzz::mutate_pyc(&mut data, 0, 64, seed) <= 64);
    }
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
