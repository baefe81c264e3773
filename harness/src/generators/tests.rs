use super::features::{Feature, TABLE, shape};
use super::skim::{Skim, long, skim, skim_for};
use super::*;
use arbitrary::Unstructured;
use std::collections::BTreeSet;

fn targets() -> impl Iterator<Item = Target> {
    Profile::all().map(Target::from)
}

fn cases(generator: Generator, target: Target, n: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..n).map(move |index| generate(generator, target, 0, index, &[]).bytes)
}

/// Type bytes that the target's reader knows, `0` aside; the order is that of the versions which introduced them.
fn alphabet(target: Target) -> Vec<u8> {
    let mut codes = b"NTF.SiIlfgxystu([{<>c".to_vec();
    if target.is_python2() {
        codes.push(b'R');
    } else {
        codes.extend(b"aAzZ)r");
    }
    codes.extend(&b":}"[..usize::from(target.marshal_version.clamp(4, 6) - 4)]);
    codes
}

/// Nesting depth of the deepest object, a dict's `0` included.
fn depth(skimmed: &Skim) -> u32 {
    let mut levels: Vec<u32> = Vec::new();
    for item in &skimmed.items {
        levels.push(item.parent.map_or(1, |parent| levels[parent] + 1));
    }
    skimmed
        .items
        .iter()
        .zip(&levels)
        .map(|(item, level)| level + u32::from(b"{}".contains(&item.code)))
        .max()
        .unwrap_or(0)
}

#[test]
fn seed_generator_and_index_each_matter() {
    let tapes: BTreeSet<Vec<u8>> =
        [tape(0, "values", 0), tape(1, "values", 0), tape(0, "streams", 0), tape(0, "values", 1)].into();
    assert_eq!(tapes.len(), 4);
    let lengths: BTreeSet<usize> = (0..100).map(|i| tape(0, "values", i).len()).collect();
    assert_eq!((lengths.first(), lengths.last()), (Some(&64), Some(&4096)));
}

#[test]
fn values_are_whole_and_keep_to_their_target() {
    for target in targets() {
        let known = alphabet(target);
        let mut deepest = 0;
        for case in cases(Generator::Values, target, 2000) {
            let skimmed = skim_for(target, &case);
            assert!(skimmed.complete && skimmed.end == case.len(), "{target:?} {case:02x?}");
            for item in &skimmed.items {
                assert!(known.contains(&item.code), "{target:?} {item:?}");
                assert!(!target.is_python2() || case[item.at] < 0x80, "{target:?} {item:?}");
            }
            deepest = deepest.max(depth(&skimmed));
        }
        assert_eq!(deepest, target.max_depth, "{target:?}");
    }
}

/// Within how many cases a generator keeps its promises.
const PROMISED: u64 = 10_000;

#[test]
fn every_generator_makes_what_it_promises() {
    for (index, row) in TABLE.iter().enumerate() {
        assert_eq!(row.feature as usize, index, "{}", row.name);
    }
    std::thread::scope(|scope| {
        for target in targets() {
            scope.spawn(move || {
                for generator in [Generator::Values, Generator::Streams, Generator::Keys, Generator::Codes] {
                    let mut counts = [0; TABLE.len()];
                    for case in cases(generator, target, PROMISED) {
                        let shape = shape(target, &case);
                        TABLE.iter().zip(&mut counts).for_each(|(row, n)| *n += u32::from(shape.has(row.feature)));
                    }
                    let missing: Vec<&str> = TABLE
                        .iter()
                        .zip(counts)
                        .filter(|(row, n)| *n == 0 && row.is_promised(generator, target))
                        .map(|(row, _)| row.name)
                        .collect();
                    assert!(missing.is_empty(), "{generator} {target:?}: {missing:?}\n{counts:?}");
                }
            });
        }
    });
}

#[test]
fn features_are_told_from_bytes() {
    let target = targets().last().unwrap();
    #[track_caller]
    fn check(target: Target, bytes: &[u8], expected: &[Feature]) {
        let shape = shape(target, bytes);
        let found: Vec<Feature> = TABLE.iter().map(|row| row.feature).filter(|f| shape.has(*f)).collect();
        assert_eq!(found, expected, "{bytes:02x?}");
    }
    check(target, b"N", &[Feature::None]);
    check(target, b"\xceN", &[Feature::None, Feature::IgnoredFlag, Feature::Trailing]);
    check(target, b"i\x05\0\0\0", &[Feature::SmallInt]);
    check(target, b"l\x02\0\0\0\0\0\x01\0", &[Feature::DigitBoundary, Feature::LongSmallInt]);
    check(target, b"g\0\0\0\0\0\0\0\x80", &[Feature::Float, Feature::NegativeZero]);
    check(target, b"g\x01\0\0\0\0\0\xf8\x7f", &[Feature::Float, Feature::NanPayload]);
    check(target, b"g\0\0\0\0\0\0\xf8\x7f", &[Feature::Float]);
    check(target, b"f\x02+1", &[Feature::Float, Feature::TextFloat, Feature::OddFloat]);
    check(target, b"\xa9\x01r\0\0\0\0", &[Feature::Tuple, Feature::Items1, Feature::CycleTuple]);
    check(target, b")\x02r\0\0\0\0\xe9\0\0\0\0", &[Feature::SmallInt, Feature::Tuple, Feature::ForwardReference]);
    check(target, b"<\x01\0\0\0N", &[Feature::None, Feature::Set, Feature::Items1, Feature::KeyNone]);
    check(
        target,
        b")\x02s\x01\0\0\0xz\x01x",
        &[Feature::Bytes, Feature::Str, Feature::SameContent, Feature::Length1, Feature::Tuple],
    );
    check(target, b"u\x03\0\0\0\xed\xa0\x80", &[Feature::Str, Feature::Bmp, Feature::Surrogate, Feature::Length1]);
    check(target, b"[\0\0", &[Feature::Cut]);
}

#[test]
fn every_type_of_the_target_occurs() {
    for target in targets() {
        for generator in [Generator::Values, Generator::Streams] {
            let seen: BTreeSet<u8> = cases(generator, target, 500)
                .flat_map(|case| skim_for(target, &case).items)
                .map(|item| item.code)
                .collect();
            // No writer of 3.x writes `I`.
            let rare: &[u8] = if generator == Generator::Values && !target.is_python2() { b"I" } else { b"" };
            for code in alphabet(target) {
                assert!(seen.contains(&code) || rare.contains(&code), "{target:?} {generator} {}", char::from(code));
            }
        }
    }
}

/// The model accepts what the generator calls valid. (That the interpreters do is measured by every campaign.)
#[test]
fn valid_streams_are_accepted() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let check = |origin: &str, case: Vec<u8>| {
            if let Err(error) = pyc_core::read(&case, profile) {
                panic!("{origin} {target:?}: {} in {case:02x?}", error.exception(profile));
            }
        };
        for index in 0..200 {
            check("values", generate(Generator::Values, target, 1, index, &[]).bytes);
            check("legal", streams::legal(&mut Unstructured::new(&tape(1, "legal", index)), target));
        }
    }
}

#[test]
fn an_empty_tape_makes_the_simplest_stream() {
    for target in targets() {
        let stream = values::generate(&mut Unstructured::new(&[]), target);
        let skimmed = skim_for(target, &stream);
        assert!(skimmed.complete && skimmed.items.len() <= 2, "{target:?} {stream:02x?}");
    }
}

#[test]
fn values_share_and_have_cycles() {
    let target = targets().last().unwrap();
    let (mut shared, mut cyclic) = (0, 0);
    for case in cases(Generator::Values, target, 500) {
        let items = skim_for(target, &case).items;
        let flagged: Vec<usize> =
            (0..items.len()).filter(|&i| case[items[i].at] & 0x80 != 0 && !b"NTF.S".contains(&items[i].code)).collect();
        for item in items.iter().filter(|item| item.code == b'r') {
            let slot = long(&case, item.at + 1).unwrap();
            let target = items[flagged[usize::try_from(slot).unwrap()]];
            if target.end > item.at { cyclic += 1 } else { shared += 1 }
        }
    }
    assert!(shared > 100 && cyclic > 20, "{shared} {cyclic}");
}

#[test]
fn mutations_take_anything() {
    let bases: Vec<Vec<u8>> =
        targets().flat_map(|t| cases(Generator::Streams, t, 20)).chain([vec![], vec![0xff; 9]]).collect();
    let mut changed = 0;
    for (index, base) in bases.iter().enumerate() {
        for round in 0..20 {
            let tape = tape(round, "mutate", index as u64);
            let other = &bases[(index * 7 + 1) % bases.len()];
            changed += usize::from(mutate(&mut Unstructured::new(&tape), None, base, other, 1 << 16) != *base);
        }
    }
    assert!(changed > bases.len() * 16, "{changed} of {}", bases.len() * 20);
}

#[test]
fn skimming_finds_the_joints() {
    let check = |bytes: &[u8], spans: &[(usize, usize)], complete: bool| {
        let skimmed = skim(bytes);
        let found: Vec<(usize, usize)> = skimmed.items.iter().map(|i| (i.at, i.end)).collect();
        assert_eq!((found.as_slice(), skimmed.complete), (spans, complete), "{bytes:02x?}");
    };
    check(b"", &[], false);
    check(b"Nrest", &[(0, 1)], true);
    check(b"\xa9\x02{i\x01\0\0\0N0z\x01x", &[(0, 13), (2, 10), (3, 8), (8, 9), (10, 13)], true);
    check(b"[\x02\0\0\0N", &[(0, 6), (5, 6)], false);
    check(b"s\xff\0\0\0abc", &[(0, 8)], false);
    check(b"x\x010\x02-0N", &[(0, 6)], true);
}

#[test]
fn generators_have_names() {
    for generator in Generator::ALL {
        assert_eq!(generator.to_string().parse(), Ok(generator));
    }
    assert_eq!(
        "value".parse::<Generator>(),
        Err("no generator is called \"value\"; there are stdlib, values, streams, keys, codes, programs, pyc, execution"
            .into())
    );
}

#[test]
fn stdlib_hands_out_its_bases_in_turn() {
    let target = targets().next().unwrap();
    let bases = [b"N".to_vec(), b"T".to_vec()];
    let turns: Vec<Vec<u8>> = (0..3).map(|i| generate(Generator::Stdlib, target, 0, i, &bases).bytes).collect();
    assert_eq!(turns, [b"N", b"T", b"N"]);
    assert_eq!(generate(Generator::Stdlib, target, 0, 0, &[]), Generated { bytes: Vec::new(), valid: false });
}
