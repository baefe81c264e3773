use super::*;
use crate::generators::{Generator, generate, seeds, streams, tape, values};
use pyc_core::model::Loaded;
use pyc_core::{Profile, read};
use std::collections::BTreeMap;
use std::path::Path;

const LIMIT: usize = 1 << 16;

/// Valid streams of a profile, in the spelling of writers and in any.
fn valid(profile: &Profile, n: u64) -> impl Iterator<Item = Vec<u8>> {
    let target = Target::from(profile);
    (0..n).map(move |index| {
        let tape = tape(2, "mutations", index);
        let u = &mut Unstructured::new(&tape);
        if index % 2 == 0 { values::generate(u, target) } else { streams::legal(u, target) }
    })
}

/// Whatever there is: valid, broken, cut.
fn anything() -> impl Iterator<Item = Vec<u8>> {
    let profiles = Profile::all().map(Target::from);
    let made = profiles.flat_map(|t| (0..60).map(move |i| generate(Generator::Streams, t, 2, i, &[]).bytes));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let seeds = seeds(&corpus).unwrap();
    made.chain(seeds.into_iter().map(|(_, bytes)| bytes)).chain([vec![], vec![0xff; 9], vec![b'['; 4000]])
}

/// What the profile makes of a stream, the number of its bytes aside.
fn canon(profile: &Profile, bytes: &[u8]) -> Result<String, String> {
    let graph = read(bytes, profile).map_err(|error| error.exception(profile).message)?;
    let loaded = Loaded::new(&graph, profile);
    loaded.hazard().map_or_else(|| Ok(loaded.canon()), |cause| Err(cause.name().into()))
}

/// A move of this kind of the stream, if it has one.
fn moved(of: Move, round: u64, target: Target, base: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let tape = tape(round, "move", base.len() as u64);
    apply(Kind::Move(of), &mut Unstructured::new(&tape), Some(target), base, other, LIMIT)
}

#[test]
fn a_draft_is_written_as_it_was_read() {
    let mut whole = 0;
    for bytes in anything() {
        if let Some(draft) = Draft::read(&bytes, None) {
            assert_eq!(draft.write(usize::MAX).unwrap(), bytes);
            whole += 1;
        }
    }
    assert!(whole > 300, "{whole}");
}

#[test]
fn what_holds_and_what_is_held_is_related() {
    for bytes in anything().filter(|bytes| bytes.len() < 200) {
        let Some(draft) = Draft::read(&bytes, None) else { continue };
        for one in 0..draft.nodes.len() {
            for (id, related) in draft.related(one).into_iter().enumerate() {
                assert_eq!(related, draft.holds(id, one) || draft.holds(one, id), "{one} {id} {bytes:02x?}");
            }
        }
    }
}

#[test]
fn every_kind_occurs() {
    let mut seen: BTreeMap<Kind, u32> = BTreeMap::new();
    let bases: Vec<Vec<u8>> = anything().collect();
    for round in 0..12 {
        for (index, base) in bases.iter().enumerate() {
            let tape = tape(round, "kinds", index as u64);
            let other = &bases[(index + 1) % bases.len()];
            let kind = mutate_once(&mut Unstructured::new(&tape), None, &mut base.clone(), other, LIMIT);
            *seen.entry(kind).or_default() += 1;
        }
    }
    let kinds = Joint::ALL.map(Kind::Joint).into_iter().chain(Move::ALL.map(Kind::Move)).chain([Kind::Bytes]);
    for kind in kinds {
        assert!(seen.get(&kind).is_some_and(|n| *n >= 10), "{kind:?}: {seen:?}");
    }
}

#[test]
fn flags_and_spellings_keep_the_canon() {
    let mut kept: BTreeMap<Move, u32> = BTreeMap::new();
    for profile in Profile::all() {
        let target = Target::from(profile);
        for base in valid(profile, 150) {
            let before = canon(profile, &base);
            for of in [Move::Flag, Move::Respell] {
                for round in 0..3 {
                    if let Some(mutant) = moved(of, round, target, &base, b"") {
                        let after = canon(profile, &mutant);
                        assert_eq!(after, before, "{of:?} {}: {base:02x?} as {mutant:02x?}", profile.version);
                        *kept.entry(of).or_default() += 1;
                    }
                }
            }
        }
    }
    assert!(kept.values().all(|n| *n > 1000), "{kept:?}");
}

#[test]
fn moves_leave_streams_whole() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let bases: Vec<Vec<u8>> = valid(profile, 40).collect();
        for (index, base) in bases.iter().enumerate() {
            let other = &bases[(index + 1) % bases.len()];
            for of in Move::ALL {
                let Some(mutant) = moved(of, 0, target, base, other) else { continue };
                let draft = Draft::read(&mutant, Some(target));
                let whole = draft.is_some_and(|draft| {
                    draft.nodes.iter().all(|node| !b"rR".contains(&node.code) || node.target.is_some())
                });
                assert!(whole, "{of:?} {}: {base:02x?} as {mutant:02x?}", profile.version);
            }
        }
    }
}

#[test]
fn retargeting_changes_one_reference() {
    let meanings = |bytes: &[u8], target| -> Vec<Option<usize>> {
        Draft::read(bytes, Some(target)).unwrap().nodes.iter().map(|node| node.target).collect()
    };
    let mut checked = 0;
    for profile in Profile::all() {
        let target = Target::from(profile);
        for base in valid(profile, 150) {
            if let Some(mutant) = moved(Move::Retarget, 1, target, &base, b"") {
                let (before, after) = (meanings(&base, target), meanings(&mutant, target));
                assert_eq!(before.len(), after.len());
                assert_eq!(before.iter().zip(&after).filter(|(b, a)| b != a).count(), 1, "{base:02x?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "{checked}");
}

/// References mean what they meant, also when what they mean is gone, or copied, or comes later.
#[test]
fn references_follow_what_they_mean() {
    let check = |stream: &[u8], change: fn(&mut Draft), expected: &[u8]| {
        let mut draft = Draft::read(stream, None).unwrap();
        change(&mut draft);
        assert_eq!(draft.write(LIMIT).unwrap(), expected, "{stream:02x?}");
    };
    let stream = b"\xa9\x03\xda\x01a\xda\x01br\x02\0\0\0";
    check(
        stream,
        |d| {
            d.nodes[0].items.remove(0);
        },
        b"\xa9\x02\xda\x01br\x01\0\0\0",
    );
    check(
        stream,
        |d| {
            d.nodes[0].items.remove(1);
        },
        b"\xa9\x02\xda\x01a\xda\x01b",
    );
    check(stream, |d| d.nodes[0].items.swap(0, 2), b"\xa9\x03\xda\x01br\x01\0\0\0\xda\x01a");
    let twice = |d: &mut Draft| {
        let copy = d.copy(1);
        d.nodes[0].items.insert(0, copy);
    };
    check(stream, twice, b"\xa9\x04\xda\x01a\xda\x01a\xda\x01br\x03\0\0\0");
    // A list in itself, copied: the copy is in itself.
    let copied = |d: &mut Draft| {
        let copy = d.copy(1);
        d.nodes[0].items.push(copy);
    };
    check(b")\x01\xdb\x01\0\0\0r\0\0\0\0", copied, b")\x02\xdb\x01\0\0\0r\0\0\0\0\xdb\x01\0\0\0r\x01\0\0\0");
    // 2.7 counts strings, not flags.
    check(
        b"(\x03\0\0\0t\x01\0\0\0at\x01\0\0\0bR\x01\0\0\0",
        |d| {
            d.nodes[0].items.remove(0);
        },
        b"(\x02\0\0\0t\x01\0\0\0bR\0\0\0\0",
    );
}

#[test]
fn splices_bring_what_their_references_mean() {
    /// The object in the place of the first item of a list that refers to itself.
    fn check(donor: &[u8], gift: usize, expected: &[u8]) {
        let donor = Donor::read(donor).unwrap();
        let mut draft = Draft::read(b"\xdb\x02\0\0\0Nr\0\0\0\0", None).unwrap();
        let new = draft.splice(&donor, gift);
        draft.put(1, new);
        let expected = [b"\xdb\x02\0\0\0", expected, b"r\0\0\0\0"].concat();
        assert_eq!(draft.write(LIMIT).unwrap(), expected, "{:02x?}", donor.bytes);
    }
    check(b"\xa9\x02\xda\x01a[\x01\0\0\0r\x01\0\0\0", 2, b"[\x01\0\0\0\xda\x01a");
    // What is around the gift, and what that refers to.
    check(
        b")\x03\xda\x01aN\xdb\x03\0\0\0r\0\0\0\0\xdb\x01\0\0\0r\x01\0\0\0T",
        5,
        b"\xdb\x01\0\0\0\xdb\x03\0\0\0\xda\x01ar\x01\0\0\0T",
    );
    // What comes later or is not there stays a number.
    check(b")\x02r\0\0\0\0\xda\x01a", 1, b"r\0\0\0\0");
    check(b")\x02t\x01\0\0\0aR\0\0\0\0", 2, b"t\x01\0\0\0a");
}

#[test]
fn a_whole_stream_is_spliced_as_it_was_read() {
    let mut whole = 0;
    for bytes in anything() {
        if let Some(donor) = Donor::read(&bytes) {
            let mut draft = Draft::read(b"N", None).unwrap();
            let new = draft.splice(&donor, 0);
            draft.put(0, new);
            assert!(bytes.starts_with(&draft.write(usize::MAX).unwrap()), "{bytes:02x?}");
            whole += 1;
        }
    }
    assert!(whole > 300, "{whole}");
}

#[test]
fn children_have_parts_of_both() {
    let mut mixed = 0;
    for round in 0..100 {
        let tape = tape(round, "crossover", 0);
        let child = crossover(&mut Unstructured::new(&tape), None, b")\x02NT", b"[\x02\0\0\0F.", 64);
        assert!(Draft::read(&child, None).is_some(), "{child:02x?}");
        let has = |codes: &[u8]| child.iter().any(|byte| codes.contains(byte));
        mixed += u32::from(has(b"NT") && has(b"F."));
    }
    assert!(mixed > 30, "{mixed}");
}

#[test]
fn mutants_keep_to_their_limit() {
    let bases: Vec<Vec<u8>> = anything().collect();
    for (index, base) in bases.iter().enumerate() {
        let tape = tape(0, "limit", index as u64);
        let other = &bases[(index + 1) % bases.len()];
        for limit in [0, 1, 64, base.len()] {
            let u = &mut Unstructured::new(&tape);
            assert!(mutate(u, None, base, other, limit).len() <= limit);
            assert!(crossover(u, None, base, other, limit).len() <= limit);
        }
    }
}
