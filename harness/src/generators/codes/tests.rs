use super::super::emit::Style;
use super::super::skim::{Item, skim_for};
use super::super::{Generator, generate, seeds, tape};
use super::opcodes::Opcodes;
use super::wrongs::WRONGS;
use super::*;
use pyc_core::Profile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn targets() -> impl Iterator<Item = Target> {
    Profile::all().map(Target::from)
}

/// The compiled file of the corpus that is for this target, without its header.
fn compiled(target: Target) -> Vec<Vec<u8>> {
    let (major, minor) = target.version;
    let name = format!("greet-{major}.{minor}.pyc");
    let header = match target.version {
        (3, 7..) => 16,
        (3, _) => 12,
        _ => 8,
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds");
    let found = seeds(&folder).unwrap().into_iter().find(|(file, _)| *file == name);
    vec![found.unwrap_or_else(|| panic!("no seed {name}")).1[header..].to_vec()]
}

/// The objects of every code object in streams that are made from nothing.
fn code_objects(target: Target, n: u64, mut see: impl FnMut(&[u8], &[Item])) {
    for index in 0..n {
        let tape = tape(2, "object", index);
        let bytes = object::generate(&mut Unstructured::new(&tape), target, Style::Any);
        let skimmed = skim_for(target, &bytes);
        assert!(skimmed.complete && skimmed.end == bytes.len(), "{target:?} {bytes:02x?}");
        let mut fields: BTreeMap<usize, Vec<Item>> = BTreeMap::new();
        for item in &skimmed.items {
            if let Some(parent) = item.parent.filter(|parent| skimmed.items[*parent].code == b'c') {
                fields.entry(parent).or_default().push(*item);
            }
        }
        for fields in fields.values() {
            see(&bytes, fields);
        }
    }
}

fn payload<'b>(bytes: &'b [u8], field: &Item) -> &'b [u8] {
    assert!(b"st".contains(&field.code), "{field:?}");
    &bytes[field.at + 5..field.end]
}

/// Reads groups of six bits up to the last; `None` where the table ends before.
fn number(table: &mut impl Iterator<Item = u8>, little: bool) -> Option<u32> {
    let (mut n, mut shift) = (0_u32, 0);
    loop {
        let byte = table.next()?;
        let group = u32::from(byte & 0x3f);
        n = if little { n | group << shift } else { n << 6 | group };
        shift += 6;
        if byte & 0x40 == 0 {
            return Some(n);
        }
    }
}

/// How many groups of six bits a number takes, as far as that matters here.
fn groups(n: u32) -> u8 {
    match n {
        0..=0x3f => 1,
        0x40..=0xfff => 2,
        _ => 3,
    }
}

#[test]
fn location_tables_have_entries_of_every_kind_and_cover_the_code() {
    for target in targets().filter(|t| t.version >= (3, 11)) {
        let mut seen = BTreeSet::new();
        let mut long = BTreeSet::new();
        code_objects(target, 600, |bytes, fields| {
            let units = payload(bytes, &fields[grown::CODE]).len() / 2;
            let mut table = payload(bytes, &fields[grown::LINES]).iter().copied();
            let mut covered = 0;
            while let Some(first) = table.next() {
                assert!(first >= 0x80, "{target:?}: an entry begins with {first:#x}");
                let kind = first >> 3 & 15;
                covered += usize::from(first & 7) + 1;
                seen.insert((kind, first & 7));
                let rest = match kind {
                    0..=9 => 1,
                    10..=12 => 2,
                    13 | 14 => {
                        let n = number(&mut table, true).unwrap();
                        long.insert((kind, 0, groups(n >> 1), n & 1));
                        for field in 1..if kind == 14 { 4 } else { 1 } {
                            let n = number(&mut table, true).unwrap();
                            long.insert((kind, field, groups(n), u32::from(n == 0)));
                        }
                        0
                    }
                    _ => 0,
                };
                for _ in 0..rest {
                    assert!(table.next().unwrap() < 0x80, "{target:?}");
                }
            }
            assert_eq!(covered, units, "{target:?}");
        });
        assert_eq!(seen.len(), 16 * 8, "{target:?}: kinds and lengths");
        // The line both ways, in one, two and more groups; the others in one (also as 0), two and more.
        assert_eq!(long.len(), 2 * (2 * 3) + 3 * 4, "{target:?} {long:?}");
    }
}

#[test]
fn exception_tables_have_numbers_of_every_length() {
    for target in targets().filter(|t| t.version >= (3, 11)) {
        let mut seen = BTreeSet::new();
        code_objects(target, 600, |bytes, fields| {
            let table = payload(bytes, &fields[grown::LINES + 1]);
            let mut rest = table.iter().copied().peekable();
            let mut last = 0;
            while let Some(first) = rest.peek() {
                assert!(*first >= 0x80, "{target:?} {table:02x?}");
                let mut entry = [0; 4];
                for (field, n) in entry.iter_mut().enumerate() {
                    *n = number(&mut rest.by_ref().map(|b| b & 0x7f), false).unwrap();
                    seen.insert((field, groups(*n)));
                }
                assert!(entry[0] >= last, "{target:?} {table:02x?}");
                last = entry[0];
                seen.insert((4, u8::try_from(entry[3] & 1).unwrap()));
            }
        });
        assert_eq!(seen.len(), 4 * 3 + 2, "{target:?} {seen:?}");
    }
}

#[test]
fn line_tables_before_3_11_cover_the_code_and_go_both_ways() {
    for target in targets().filter(|t| t.version < (3, 11)) {
        let mut seen = BTreeSet::new();
        code_objects(target, 400, |bytes, fields| {
            let length = payload(bytes, &fields[grown::CODE]).len();
            let table = payload(bytes, &fields[grown::LINES]);
            let steps = table.chunks(2).map(|pair| usize::from(pair[0])).sum::<usize>();
            assert_eq!((table.len() % 2, steps), (0, length), "{target:?}");
            seen.extend(table.chunks(2).map(|pair| (pair[0] == 0, pair[1])));
        });
        // What goes on after the largest step, forwards and backwards; no line; a line back.
        let wanted: &[(bool, u8)] = match target.version {
            (3, 10) => &[(true, 0x7f), (false, 0x80), (false, 0xff), (false, 1)],
            (3, _) => &[(true, 0x7f), (true, 0x80), (false, 0xff), (false, 0)],
            _ => &[(true, 0xff), (false, 0x80), (false, 0xff), (false, 0)],
        };
        for entry in wanted {
            assert!(seen.contains(entry), "{target:?} {entry:02x?} {seen:02x?}");
        }
    }
}

/// Follows the instructions by their widths and caches, and sees each opcode with the number of EXTENDED_ARG before it.
#[test]
fn instructions_are_whole_and_of_every_opcode() {
    for target in targets() {
        let opcodes = Opcodes::of(target.version);
        assert_eq!(opcodes.version, target.version);
        let mut seen = BTreeSet::new();
        let mut chains = BTreeSet::new();
        let mut filled = 0;
        code_objects(target, 1500, |bytes, fields| {
            let code = payload(bytes, &fields[grown::CODE]);
            let (mut at, mut chain) = (0, 0);
            while at < code.len() {
                let opcode = code[at];
                seen.insert(opcode);
                at += match target.version {
                    (3, 6..) => 2,
                    _ if opcode < opcodes.have_argument => 1,
                    _ => 3,
                };
                let caches = at..at + 2 * opcodes.caches(opcode);
                filled += usize::from(code[caches.clone()].iter().any(|byte| *byte != 0));
                at = caches.end;
                chain = if opcode == opcodes.extended_arg { chain + 1 } else { 0 };
                chains.insert(chain);
            }
            assert_eq!(at, code.len(), "{target:?} {code:02x?}");
        });
        let wanted = |letters: &'static [u8]| {
            (0..=255_u8).filter(move |op| letters.contains(&opcodes.letters[usize::from(*op)]))
        };
        for opcode in wanted(b"cnlfaro-s") {
            assert!(seen.contains(&opcode), "{target:?} {opcode}");
        }
        let longest = if target.version < (3, 6) { 1 } else { 3 };
        assert!(chains.contains(&longest), "{target:?} {chains:?}");
        assert_eq!(filled > 0, target.version >= (3, 11), "{target:?}");
    }
}

#[test]
fn names_variables_and_nesting_take_every_form() {
    for target in targets() {
        let mut types: BTreeMap<usize, BTreeSet<u8>> = BTreeMap::new();
        let mut sizes = BTreeSet::new();
        let mut kinds: BTreeSet<u8> = BTreeSet::new();
        let mut deepest = 0;
        for index in 0..1500 {
            let tape = tape(3, "object", index);
            let bytes = object::generate(&mut Unstructured::new(&tape), target, Style::Any);
            let skimmed = skim_for(target, &bytes);
            // Items of each object so far, and the code objects around it.
            let mut items = vec![0; skimmed.items.len()];
            let mut around: Vec<u32> = Vec::new();
            for item in &skimmed.items {
                let codes = u32::from(item.code == b'c') + item.parent.map_or(0, |parent| around[parent]);
                around.push(codes);
                deepest = deepest.max(codes);
                item.parent.inspect(|parent| items[*parent] += 1);
            }
            for (item, n) in skimmed.items.iter().zip(items) {
                if item.parent.is_some_and(|parent| skimmed.items[parent].code == b'c') {
                    types.entry(item.position).or_default().insert(item.code);
                    if target.version >= (3, 11) && item.position == 4 && item.code == b's' {
                        kinds.extend(payload(&bytes, item));
                    }
                    if b"()".contains(&item.code) {
                        sizes.insert((item.position, n));
                    }
                }
            }
        }
        assert!(deepest >= 5, "{target:?} {deepest}");
        let filename = if target.version >= (3, 11) { 5 } else { 6 };
        let strings: &[u8] = if target.version < (3, 0) { b"stR" } else { b"zZaAutr" };
        for place in filename..8 {
            assert_eq!(types[&place], strings.iter().copied().collect(), "{target:?} {place}");
        }
        for place in 1..if target.version >= (3, 11) { 4 } else { 6 } {
            for size in [0, 1, 255, 256] {
                assert!(sizes.contains(&(place, size)), "{target:?} {place} {size}");
            }
        }
        let wanted: &[u8] = match target.version {
            (3, 14..) => &[0x22, 0x26, 0x24, 0x2a, 0x2c, 0x62, 0x66, 0x64, 0x6a, 0x6c, 0x20, 0x30, 0x40, 0x80],
            (3, 12..) => &[0x20, 0x30, 0x40, 0x60, 0x80],
            (3, 11) => &[0x20, 0x40, 0x60, 0x80],
            _ => &[],
        };
        assert!(wanted.iter().all(|kind| kinds.contains(kind)), "{target:?} {kinds:02x?}");
    }
}

/// The model accepts what is called valid. (That the interpreters do is measured by every campaign.)
#[test]
fn valid_code_is_accepted() {
    for profile in Profile::all() {
        let target = Target::from(profile);
        let bases = compiled(target);
        let mut valid = 0;
        for index in 0..800 {
            let made = generate(Generator::Codes, target, 1, index, &bases);
            if made.valid {
                valid += 1;
                if let Err(error) = pyc_core::read(&made.bytes, profile) {
                    panic!("{target:?} {index}: {} in {:02x?}", error.exception(profile), made.bytes);
                }
            }
        }
        assert!((400..600).contains(&valid), "{target:?} {valid}");
    }
}

#[test]
fn growing_changes_compiled_code_and_keeps_it_whole() {
    for target in targets() {
        let base = &compiled(target)[0];
        let mut changed = 0;
        for index in 0..100 {
            let tape = tape(4, "grown", index);
            let bytes = grown::generate(&mut Unstructured::new(&tape), target, base).unwrap();
            let skimmed = skim_for(target, &bytes);
            assert!(skimmed.complete && skimmed.end == bytes.len(), "{target:?} {bytes:02x?}");
            changed += u32::from(bytes != *base);
        }
        assert!(changed > 80, "{target:?} {changed}");
        for other in [&b"N"[..], b"", &base[..base.len() / 2]] {
            assert_eq!(grown::generate(&mut Unstructured::new(&[]), target, other), None);
        }
    }
}

#[test]
fn every_wrong_occurs_where_it_can() {
    let names: BTreeSet<&str> = WRONGS.iter().map(|wrong| wrong.name).collect();
    assert_eq!(names.len(), WRONGS.len());
    for target in targets() {
        let bases = compiled(target);
        let mut seen = BTreeSet::new();
        for index in 0..1500 {
            let tape = tape(5, "codes", index);
            let (bytes, wrong) = compose(&mut Unstructured::new(&tape), target, &bases);
            seen.extend(wrong);
            assert!(bytes.len() < 1 << 20);
        }
        let possible: BTreeSet<&str> =
            WRONGS.iter().filter(|w| w.versions.contains(&target.version)).map(|w| w.name).collect();
        assert_eq!(seen, possible, "{target:?}");
    }
}
