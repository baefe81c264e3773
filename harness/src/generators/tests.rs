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

fn fingerprint(generator: Generator, target: Target) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for case in cases(generator, target, 200) {
        for byte in (case.len() as u64).to_le_bytes().iter().chain(&case) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

/// A campaign's cases are named by seed and index, so they may not depend on the machine. A change of a generator changes
/// them, and then the numbers below.
#[test]
fn cases_are_the_same_on_every_machine() {
    let profiles = ["2.7", "3.9", "3.15"].map(|v| pyc_core::Release::parse(v).unwrap());
    let prints: Vec<u64> = profiles
        .iter()
        .map(|release| Target::from(&Profile::for_release(release).unwrap()))
        .flat_map(|target| [Generator::Values, Generator::Streams].map(|g| fingerprint(g, target)))
        .collect();
    let pinned = [
        0x0052_f780_79f7_b7f0,
        0x12cc_7ab2_6a16_ef2b,
        0x1fa3_1444_c79b_f3e9,
        0x9c7b_efdf_fcd3_0aca,
        0xb4cb_4931_f45b_e608,
        0xc3b3_1de3_4437_45c8,
    ];
    assert_eq!(prints, pinned, "{prints:#018x?}");
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
        for case in cases(Generator::Values, target, 500) {
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

/// Every seed has a row in the README, and where the row has bytes they are the file's.
#[test]
fn the_table_of_seeds_is_true() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .map(|line| line.split('|').map(str::trim).skip(1).collect())
        .filter(|row: &Vec<&str>| row.first().is_some_and(|name| name.contains('.')))
        .collect();
    let seeds = seeds(&folder).unwrap();
    let names: BTreeSet<&str> = seeds.iter().map(|(name, _)| name.as_str()).collect();
    let listed: BTreeSet<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, listed);
    for (name, bytes) in &seeds {
        let row = rows.iter().find(|row| row[0] == name).unwrap();
        if row[1].starts_with('`') && name.ends_with(".marshal") {
            let hex: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(row[1].trim_matches('`'), hex.join(" "), "{name}");
        }
    }
}

#[test]
fn generators_have_names() {
    for generator in Generator::ALL {
        assert_eq!(generator.to_string().parse(), Ok(generator));
    }
    assert_eq!(
        "value".parse::<Generator>(),
        Err("no generator is called \"value\"; there are stdlib, values, streams, codes, programs".into())
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
