use super::super::tape;
use super::table::{ATOMS, BULK, COMPOUNDS, PATTERNS, STATEMENTS};
use super::*;
use pyc_core::Profile;

fn versions() -> impl Iterator<Item = (u8, u8)> {
    Profile::all().map(|profile| (profile.version.major, profile.version.minor))
}

fn program(version: (u8, u8), index: u64) -> (String, BTreeSet<&'static str>) {
    write(&mut Unstructured::new(&tape(0, "programs", index)), version)
}

/// The names of the constructs that a version has.
fn constructs(version: (u8, u8)) -> BTreeSet<&'static str> {
    fn names<T>(rows: &'static [Row<T>], version: (u8, u8)) -> impl Iterator<Item = &'static str> {
        rows.iter().filter(move |row| row.exists(version)).map(|row| row.name)
    }
    names(ATOMS, version)
        .chain(names(COMPOUNDS, version))
        .chain(names(PATTERNS, version))
        .chain(names(STATEMENTS, version))
        .chain(names(BULK, version))
        .chain(names(DETAILS, version))
        .collect()
}

/// A campaign's programs are named by seed and index, so they may not depend on the machine. A change of the generator
/// changes them, and then the numbers below.
#[test]
fn programs_are_the_same_on_every_machine() {
    let print = |version| {
        (0..100)
            .flat_map(|index| program(version, index).0.into_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    };
    let prints = [(2, 7), (3, 6), (3, 15)].map(print);
    let pinned = [0xf23f_a598_2f81_db39, 0x3265_0a93_ce8b_ddc2, 0x8b44_46f6_5ace_d414];
    assert_eq!(prints, pinned, "{prints:#018x?}");
}

#[test]
fn every_construct_of_a_version_occurs_and_no_other() {
    for version in versions() {
        let exist = constructs(version);
        let mut used = BTreeSet::new();
        for index in 0..1000 {
            used.extend(program(version, index).1);
            if used.len() >= exist.len() {
                break;
            }
        }
        let missing: Vec<_> = exist.difference(&used).collect();
        let foreign: Vec<_> = used.difference(&exist).collect();
        assert!(missing.is_empty() && foreign.is_empty(), "{version:?}: missing {missing:?}, foreign {foreign:?}");
    }
}

#[test]
fn an_empty_tape_makes_the_simplest_program() {
    for version in versions() {
        let text = generate(&mut Unstructured::new(&[]), version);
        let code: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(code, ["pass"], "{version:?}");
    }
}

#[test]
fn sizes_differ() {
    let lengths: BTreeSet<usize> = (0..300).map(|index| program((3, 12), index).0.len()).collect();
    assert!(lengths.first() < Some(&100) && lengths.last() > Some(&20_000), "{lengths:?}");
}

/// What is open where a line of brackets ends, strings aside; before 3.12 no string contains another.
fn unclosed(text: &str) -> Vec<char> {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let quote = if rest.starts_with("'''") { "'''" } else { &rest[..c.len_utf8()] };
        rest = &rest[quote.len()..];
        match c {
            '\'' | '"' => {
                while !rest.starts_with(quote) {
                    let mut chars = rest.chars();
                    if chars.next() == Some('\\') {
                        chars.next();
                    }
                    rest = chars.as_str();
                }
                rest = &rest[quote.len()..];
            }
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => assert_eq!(open.pop(), Some(c), "{text}"),
            _ => {}
        }
    }
    open
}

#[test]
fn brackets_close() {
    for version in versions().filter(|version| *version < (3, 12)) {
        for index in 0..200 {
            let text = program(version, index).0;
            assert_eq!(unclosed(&text), [], "{version:?} {index}\n{text}");
        }
    }
}
