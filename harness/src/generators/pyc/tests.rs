use super::super::tape;
use super::*;
use pyc_core::Pyc;
use pyc_core::pyc::{SourceFile, import};
use std::collections::BTreeSet;

fn targets() -> impl Iterator<Item = (&'static Profile, Target)> {
    Profile::all().map(|profile| (profile, Target::from(profile)))
}

fn made(target: Target, index: u64) -> Generated {
    generate(&mut Unstructured::new(&tape(0, "pyc", index)), target, &[])
}

#[test]
fn the_model_says_of_a_header_what_was_made_of_it() {
    for (profile, target) in targets() {
        let mut seen = BTreeSet::new();
        for index in 0..1000 {
            let Generated { bytes, source, wrong, valid } = made(target, index);
            let source = source.as_ref().map(|s| SourceFile { bytes: &s.bytes, mtime: s.mtime });
            let said = import(&bytes, profile, source, "case");
            // What is no header may begin like one, and the one of 2.7 has nothing that could be wrong after its magic.
            if wrong != Some("no header") {
                assert_eq!(said.is_ok(), wrong.is_none(), "{target:?} {wrong:?} {said:?} {bytes:02x?}");
            }
            if wrong.is_none() {
                let pyc = Pyc::parse(&bytes).unwrap();
                assert_eq!(pyc.to_bytes(), bytes);
                assert!(!valid || pyc_core::read(pyc.payload, profile).is_ok(), "{target:?}");
                seen.insert(if valid { "code" } else { "no code" });
            }
            seen.extend(wrong);
        }
        let due = WRONGS.iter().filter(|(_, since, _)| target.version >= *since).count();
        assert_eq!(seen.len(), due + 2, "{target:?} {seen:?}");
    }
}

#[test]
fn every_kind_of_header_occurs_with_and_without_a_source() {
    for (profile, target) in targets() {
        let kinds: BTreeSet<(u32, bool)> = (0..500)
            .map(|index| made(target, index))
            .filter(|file| file.wrong.is_none())
            .map(|file| (import(&file.bytes, profile, None, "case").unwrap(), file.source.is_some()))
            .collect();
        assert_eq!(kinds.len(), if target.version >= (3, 7) { 8 } else { 2 }, "{target:?} {kinds:?}");
    }
}

/// The generator's own SipHash says what importlib says of `x=1`.
#[test]
fn source_hashes_are_importlibs() {
    let check = |minor, expected: u64| {
        let target = targets().find(|(_, target)| target.version == (3, minor)).unwrap().1;
        assert_eq!(source_hash(target, b"x=1\n").to_be(), expected, "3.{minor}");
    };
    check(7, 0x5e9b_d3d4_8344_ffeb);
    check(12, 0x2cf2_6ebe_7132_8671);
    check(15, 0xa697_0e2b_fa3b_160d);
}
