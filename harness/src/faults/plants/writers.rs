//! Values that are dumped as other bytes.
//!
//! Reviewed for Python 3.15.

use super::*;
use crate::faults::emission::{Dumped, Policy};
use crate::generators::skim::long;
use crate::observation::{Accepted, Dump, Observation};

/// Format versions: with binary floats, with references, with short forms.
const TEXT_FLOATS: &[u8] = &[0, 1];
const WITH_REFERENCES: &[u8] = &[3, 4, 5, 6];
const SHORT_FORMS: &[u8] = &[4, 5, 6];
const ALL_FORMATS: &[u8] = &[0, 1, 2, 3, 4, 5, 6];

pub(super) const FAULTS: [Fault; 26] = [
    Fault {
        name: "small-tuple-never",
        what: "tuples are written with `(` only",
        cause: "a writer from before format version 4",
        versions: PYTHON3,
        way: Way::Writes(SHORT_FORMS, b")", |walk, object| long_tuple(walk, object, 0)),
        example: Example::Stream(b")\0"),
    },
    Fault {
        name: "small-tuple-of-255",
        what: "a tuple of 255 items is written with `(`",
        cause: "`< 255` for `< 256`",
        versions: PYTHON3,
        way: Way::Writes(SHORT_FORMS, b")", |walk, object| long_tuple(walk, object, 255)),
        example: Example::Many(b")\xff", b'N', 255),
    },
    Fault {
        name: "short-ascii-of-255",
        what: "a string of 255 characters is written with its size in four bytes",
        cause: "`< 255` for `< 256`",
        versions: PYTHON3,
        way: Way::Writes(SHORT_FORMS, b"zZ", |walk, object| {
            let text = walk.payload(object).filter(|text| text.len() == 255)?;
            Edit::of(257, object.sized(if object.code == b'z' { b'a' } else { b'A' }, text))
        }),
        example: Example::Many(b"z\xff", 0, 255),
    },
    Fault {
        name: "int-minimum-long",
        what: "-2^31 is written with `l`",
        cause: "a limit on the absolute value",
        versions: PYTHON3,
        way: Way::Writes(ALL_FORMATS, b"i", |walk, object| {
            walk.long(object).filter(|value| *value == i32::MIN)?;
            Edit::of(5, object.spelled(b'l', b"\xfd\xff\xff\xff\0\0\0\0\x02\0"))
        }),
        example: Example::Stream(b"i\0\0\0\x80"),
    },
    Fault {
        name: "int64-as-long",
        what: "an int of more than 32 bits is written with `l`",
        cause: "what 3 does",
        versions: PYTHON2,
        way: Way::Writes(ALL_FORMATS, b"I", |walk, object| {
            let value = i64::from_le_bytes(walk.payload(object)?.try_into().ok()?);
            let mut rest = value.unsigned_abs();
            let mut digits = Vec::new();
            while rest > 0 {
                let [low, high, ..] = rest.to_le_bytes();
                digits.extend([low, high & 0x7f]);
                rest >>= 15;
            }
            let size = i32::try_from(digits.len() / 2).ok()?;
            let size = if value < 0 { -size } else { size };
            Edit::of(9, object.spelled(b'l', &[&size.to_le_bytes()[..], &digits].concat()))
        }),
        example: Example::Stream(b"I\0\0\0\0"),
    },
    Fault {
        name: "string-references-never",
        what: "a string that comes again is written as a plain one",
        cause: "a writer from before format version 1",
        versions: PYTHON2,
        way: Way::Writes(ALL_FORMATS, b"R", |walk, object| {
            let index = u32::try_from(walk.long(object)?).ok()?;
            let mut again = Walk::new(&walk.bytes, walk.target);
            let mut strings = std::iter::from_fn(|| again.advance().map(|object| (object, again.slots)));
            let (string, _) = strings.find(|(object, slots)| object.code == b't' && *slots == index)?;
            Edit::of(5, object.sized(b's', walk.payload(string)?))
        }),
        example: Example::Stream(b"(\x02\0\0\0s\0\0\0\0s\0\0\0\0"),
    },
    Fault {
        name: "binary-floats-early",
        what: "floats are binary in format versions 0 and 1",
        cause: "the version looked at when reading only",
        versions: EVERY,
        way: Way::Writes(TEXT_FLOATS, b"f", |walk, object| {
            let text = walk.payload(object)?;
            let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
            Edit::of(2 + text.len(), object.spelled(b'g', &value.to_le_bytes()))
        }),
        example: Example::Stream(b"f\x010"),
    },
    Fault {
        name: "float-text-shortest",
        what: "a float's text has as many digits as needed, not 17",
        cause: "`repr`",
        versions: EVERY,
        way: Way::Writes(TEXT_FLOATS, b"f", |walk, object| {
            let text = walk.payload(object)?;
            let value: f64 = str::from_utf8(text).ok()?.parse().ok()?;
            // Exponents are another matter.
            let shortest = (1e-4..1e16).contains(&value.abs()).then(|| value.to_string())?;
            let by = [&[u8::try_from(shortest.len()).ok()?], shortest.as_bytes()].concat();
            (shortest.as_bytes() != text).then(|| Edit { length: 2 + text.len(), by: object.spelled(b'f', &by) })
        }),
        example: Example::Stream(b"f\x02.1"),
    },
    Fault {
        name: "float-text-negative-zero",
        what: "the text of -0.0 has no sign",
        cause: "`value < 0` asked for the sign",
        versions: EVERY,
        way: Way::Writes(TEXT_FLOATS, b"f", |walk, object| {
            (walk.payload(object)? == b"-0").then(|| Edit { length: 4, by: object.spelled(b'f', b"\x010") })
        }),
        example: Example::Stream(b"f\x02-0"),
    },
    Fault {
        name: "interned-only-since-4",
        what: "format version 3 knows no interned strings",
        cause: "interned strings thought to be new with `A` and `Z`",
        versions: PYTHON3,
        way: Way::Writes(&[3], b"t", |walk, object| {
            walk.payload(object)?;
            Edit::of(1, object.spelled(b'u', &[]))
        }),
        example: Example::Stream(b"z\0"),
    },
    Fault {
        name: "latin1-as-ascii",
        what: "a text in Latin-1 is written as `z`",
        cause: "the width of the characters asked for, in place of ASCII",
        versions: PYTHON3,
        way: Way::Writes(SHORT_FORMS, b"ut", |walk, object| {
            let utf8 = walk.payload(object)?;
            let text = str::from_utf8(utf8).ok()?;
            let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
            let size = u8::try_from(latin1.as_ref()?.len()).ok()?;
            let code = if object.code == b'u' { b'z' } else { b'Z' };
            Edit::of(5 + utf8.len(), object.spelled(code, &[&[size], &latin1?[..]].concat()))
        }),
        example: Example::Stream(b"z\x01\x80"),
    },
    Fault {
        name: "flags-where-needed",
        what: "only objects that a reference names have a flag",
        cause: "a writer that sees the whole value first",
        versions: PYTHON3,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| dumped.is_flagged(item) && dumped.references[item] > 0),
        ),
        example: Example::Stream(b")\0"),
    },
    Fault {
        name: "flags-everywhere",
        what: "every object has a flag",
        cause: "a writer that counts no references",
        versions: PYTHON3,
        way: Way::Emits(WITH_REFERENCES, with_flags(|dumped, item| !b"NTF.S".contains(&dumped.items[item].code))),
        example: Example::Stream(b"{0"),
    },
    Fault {
        name: "root-flagged",
        what: "the outermost object has a flag",
        cause: "a reference that the caller holds",
        versions: PYTHON3,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| {
                dumped.is_flagged(item) || item == 0 && !b"NTF.S".contains(&dumped.items[item].code)
            }),
        ),
        example: Example::Stream(b"{0"),
    },
    Fault {
        name: "empty-tuple-not-flagged",
        what: "the empty tuple has no flag",
        cause: "a short cut for it",
        versions: PYTHON3,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| dumped.is_flagged(item) && !is_empty(dumped, item, b"()")),
        ),
        example: Example::Stream(b")\0"),
    },
    Fault {
        name: "empty-frozenset-flagged",
        what: "the empty frozenset has a flag",
        cause: "one object for all of them, as up to 3.9",
        versions: (Version::new(3, 10), NEWEST),
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| dumped.is_flagged(item) || is_empty(dumped, item, b">")),
        ),
        example: Example::Stream(b">\0\0\0\0"),
    },
    Fault {
        name: "small-ints-not-flagged",
        what: "an int that occurs once has no flag, though the interpreter keeps it",
        cause: "occurrences counted in the value",
        versions: PYTHON3,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| {
                dumped.is_flagged(item) && (dumped.items[item].code != b'i' || dumped.references[item] > 0)
            }),
        ),
        example: Example::Stream(b"i\0\0\0\0"),
    },
    Fault {
        name: "interned-not-flagged",
        what: "an interned string that occurs once has no flag",
        cause: "reference counts, which decided up to 3.10",
        versions: LOCALSPLUS,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| {
                let is_interned = b"tAZ".contains(&dumped.items[item].code);
                dumped.is_flagged(item) && (!is_interned || dumped.references[item] > 0)
            }),
        ),
        example: Example::Stream(b"z\0"),
    },
    Fault {
        name: "instructions-not-flagged",
        what: "the instructions of a code object have no flag",
        cause: "the bytes object that 3.11 makes to dump it, and holds",
        versions: LOCALSPLUS,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| {
                let parent = dumped.items[item].parent.map_or(0, |parent| dumped.items[parent].code);
                let is_code = (parent, dumped.items[item].position) == (b'c', 0);
                dumped.is_flagged(item) && (!is_code || dumped.references[item] > 0)
            }),
        ),
        example: Example::Code(&[("code", b"s\x02\0\0\0\0\0")]),
    },
    Fault {
        name: "members-not-flagged",
        what: "a member of a set that occurs once has no flag",
        cause: "no reference by who writes the set, as in 3.9 and 3.10",
        versions: LOCALSPLUS,
        way: Way::Emits(
            WITH_REFERENCES,
            with_flags(|dumped, item| {
                let parent = dumped.items[item].parent.map_or(0, |parent| dumped.items[parent].code);
                dumped.is_flagged(item) && (!b"<>".contains(&parent) || dumped.references[item] > 0)
            }),
        ),
        example: Example::Stream(b"<\x01\0\0\0)\0"),
    },
    Fault {
        name: "dict-from-the-end",
        what: "a dict is written from its last pair to its first",
        cause: "a stack of pairs",
        versions: PYTHON3,
        way: Way::Emits(
            ALL_FORMATS,
            in_order(|dumped, item, order| {
                if dumped.items[item].code == b'{' {
                    order.reverse();
                    order.chunks_mut(2).for_each(<[usize]>::reverse);
                }
            }),
        ),
        example: Example::Stream(b"{NNTN0"),
    },
    Fault {
        name: "set-from-the-end",
        what: "a set is written from its last member to its first",
        cause: "the order of another hash table",
        versions: LOCALSPLUS,
        way: Way::Emits(
            ALL_FORMATS,
            in_order(|dumped, item, order| {
                if b"<>".contains(&dumped.items[item].code) {
                    order.reverse();
                }
            }),
        ),
        example: Example::Stream(b"<\x02\0\0\0NT"),
    },
    Fault {
        name: "slice-in-version-4",
        what: "slices are written in format versions up to 4 as in version 5",
        cause: "a type that is written without a look at the version",
        versions: SLICES,
        way: Way::Answers(|_, _, right| instead(right, |version| (version <= 4).then_some(5))),
        example: Example::Stream(b":NNN"),
    },
    Fault {
        name: "frozendict-in-version-5",
        what: "frozendicts are written in format version 5 as in version 6",
        cause: "a type that is written without a look at the version",
        versions: FROZENDICTS,
        way: Way::Answers(|_, _, right| instead(right, |version| (version == 5).then_some(6))),
        example: Example::Stream(b"}0"),
    },
    Fault {
        name: "version-3-as-2",
        what: "format version 3 is written as version 2",
        cause: "references that come with the short forms of version 4 only",
        versions: PYTHON3,
        way: Way::Answers(|_, _, right| other_version(right, 3, 2)),
        example: Example::Stream(b")\0"),
    },
    Fault {
        name: "version-4-as-3",
        what: "format version 4 is written as version 3",
        cause: "`version > 4` for `version >= 4`",
        versions: PYTHON3,
        way: Way::Answers(|_, _, right| other_version(right, 4, 3)),
        example: Example::Stream(b")\0"),
    },
];

const fn with_flags(flags: fn(&Dumped, usize) -> bool) -> Policy {
    Policy { flags, order: Policy::order }
}

const fn in_order(order: fn(&Dumped, usize, &mut [usize])) -> Policy {
    Policy { flags: Policy::flags, order }
}

/// Whether an item is an empty container of one of these types.
fn is_empty(dumped: &Dumped, item: usize, codes: &[u8]) -> bool {
    let item = dumped.items[item];
    let size =
        if item.code == b')' { Some(i32::from(dumped.bytes[item.at + 1])) } else { long(dumped.bytes, item.at + 1) };
    codes.contains(&item.code) && size == Some(0)
}

/// A small tuple of so many items or more, with its size in four bytes.
fn long_tuple(walk: &Walk, object: Object, least: u8) -> Option<Edit> {
    let size = walk.bytes.get(object.at + 1).filter(|size| **size >= least)?;
    Edit::of(2, object.spelled(b'(', &u32::from(*size).to_le_bytes()))
}

fn dump(accepted: &Accepted, version: u8) -> Option<&Dump> {
    accepted.dumps.iter().find(|(other, _)| *other == version).map(|(_, dump)| dump)
}

/// Where a dump is refused, that of another version.
fn instead(right: &Observation, other: fn(u8) -> Option<u8>) -> Option<Observation> {
    let Observation::Accepted(accepted) = right else { return None };
    let dumps = accepted.dumps.iter().map(|(version, right)| {
        let other = || dump(accepted, other(*version)?).filter(|other| matches!(other, Dump::Bytes { .. }));
        let wrong = if matches!(right, Dump::Raises(_)) { other() } else { None };
        (*version, wrong.unwrap_or(right).clone())
    });
    let wrong = Accepted { dumps: dumps.collect(), ..accepted.clone() };
    (wrong != *accepted).then_some(Observation::Accepted(wrong))
}

/// One version's dump in place of another's.
fn other_version(right: &Observation, version: u8, by: u8) -> Option<Observation> {
    let Observation::Accepted(accepted) = right else { return None };
    let other = dump(accepted, by)?.clone();
    let dumps = accepted.dumps.iter().map(|(v, right)| (*v, if *v == version { other.clone() } else { right.clone() }));
    let wrong = Accepted { dumps: dumps.collect(), ..accepted.clone() };
    (wrong != *accepted).then_some(Observation::Accepted(wrong))
}
