//! Code objects with other fields.
//!
//! Reviewed for Python 3.15.

use super::*;
use crate::faults::walk::integers;
use crate::generators::Target;
use crate::generators::skim::{Item, long, skim_for};
use crate::observation::{Accepted, Dump, Observation};
use pyc_core::code::Field;

pub(super) const FAULTS: [Fault; 19] = [
    Fault {
        name: "positional-only-lost",
        what: "posonlyargcount is 0",
        cause: "3.7's layout with a hole for what came later",
        versions: POSITIONAL_ONLY,
        way: Way::Reads(b"c", |walk, object| integer(walk, object, "posonlyargcount", |_| 0)),
        example: Example::Code(&[("posonlyargcount", b"\0\0\0\x01")]),
    },
    Fault {
        name: "argument-counts-swapped",
        what: "posonlyargcount and kwonlyargcount are exchanged",
        cause: "two neighbours of one type",
        versions: POSITIONAL_ONLY,
        way: Way::Reads(b"c", |walk, object| {
            let head = walk.bytes.get(object.at + 1..object.at + 13)?;
            let by = [&head[..4], &head[8..12], &head[4..8]].concat();
            if by == head { None } else { Edit::of(13, object.spelled(b'c', &by)) }
        }),
        example: Example::Code(&[("kwonlyargcount", b"\0\0\0\x01")]),
    },
    Fault {
        name: "argcount-of-all",
        what: "argcount counts keyword-only arguments, too",
        cause: "a sum that the interpreter makes elsewhere",
        versions: PYTHON3,
        way: Way::Reads(b"c", |walk, object| {
            let names = integers(walk.target);
            let place = names.iter().position(|name| *name == "kwonlyargcount")?;
            let keyword_only = long(&walk.bytes, object.at + 1 + 4 * place)?;
            let count = long(&walk.bytes, object.at + 1)?.checked_add(keyword_only)?;
            (keyword_only != 0).then(|| Edit { length: 5, by: object.spelled(b'c', &count.to_le_bytes()) })
        }),
        example: Example::Code(&[("kwonlyargcount", b"\0\0\0A")]),
    },
    Fault {
        name: "flags-16-bits",
        what: "flags keep their low 16 bits",
        cause: "a table of flags from before the future statements moved up",
        versions: EVERY,
        way: Way::Reads(b"c", |walk, object| integer(walk, object, "flags", |flags| flags & 0xffff)),
        example: Example::Code(&[("flags", b"\0\0\0\x01")]),
    },
    Fault {
        name: "stack-of-one",
        what: "a stacksize of 0 becomes 1",
        cause: "what 3.13 does, done for all",
        versions: (OLDEST, Version::new(3, 12)),
        way: Way::Reads(b"c", |walk, object| {
            integer(walk, object, "stacksize", |size| if size == 0 { 1 } else { size })
        }),
        example: Example::Code(&[]),
    },
    Fault {
        name: "negative-count-is-zero",
        what: "a negative argcount is 0 where it is an error",
        cause: "`max(0, n)` in place of a check",
        versions: EVERY,
        way: Way::Reads(b"c", |walk, object| integer(walk, object, "argcount", |count| count.max(0))),
        example: Example::Code(&[("argcount", b"\0\0\0\x80")]),
    },
    Fault {
        name: "nlocals-counted",
        what: "nlocals is the number of varnames",
        cause: "a field that seems to say nothing new",
        versions: SEPARATE_NAMES,
        way: Way::Reads(b"c", |walk, object| {
            let varnames = field(walk, object.at, Field::Varnames)?;
            let count = match varnames[0] & 0x7f {
                b')' => i32::from(*varnames.get(1)?),
                b'(' => long(varnames, 1)?,
                _ => return None,
            };
            integer(walk, object, "nlocals", |_| count)
        }),
        example: Example::Code(&[("nlocals", b"\0\0\0\x01")]),
    },
    Fault {
        name: "first-line-not-negative",
        what: "a negative firstlineno is 0",
        cause: "lines count from 1",
        versions: EVERY,
        way: Way::Reads(ANY, |walk, object| first_line(walk, object, |line| line.max(0))),
        example: Example::Code(&[("firstlineno", b"\0\0\0\x80")]),
    },
    Fault {
        name: "first-line-16-bits",
        what: "firstlineno keeps its low 16 bits",
        cause: "who writes 65536 lines?",
        versions: EVERY,
        way: Way::Reads(ANY, |walk, object| first_line(walk, object, |line| line & 0xffff)),
        example: Example::Code(&[("firstlineno", b"\0\0\0\x01")]),
    },
    Fault {
        name: "free-and-cell-names-swapped",
        what: "freevars and cellvars are exchanged",
        cause: "the order of the constructor's arguments taken for that of the stream",
        versions: SEPARATE_NAMES,
        way: Way::Reads(b"()", |walk, object| {
            (walk.field(object)? == Field::Freevars).then_some(())?;
            let freevars = walk.whole(object.at)?;
            let cellvars = walk.whole(object.at + freevars.len())?;
            // Flags inside would be numbered in another order, which is another fault.
            let is_plain = freevars != cellvars && !has_flags(walk, freevars) && !has_flags(walk, cellvars);
            is_plain.then(|| Edit { length: freevars.len() + cellvars.len(), by: [cellvars, freevars].concat() })
        }),
        example: Example::Code(&[("cellvars", b")\x01z\0")]),
    },
    Fault {
        name: "qualified-name-lost",
        what: "the qualified name is the name",
        cause: "a field that 3.11 brought",
        versions: LOCALSPLUS,
        way: Way::Reads(b"utaAzZ", |walk, object| {
            (walk.field(object)? == Field::Qualname).then_some(())?;
            let name = field(walk, object.parent_at, Field::Name)?;
            let (right, code) = (walk.whole(object.at)?, name[0] & 0x7f);
            let by = object.spelled(code, &name[1..]);
            (b"utaAzZ".contains(&code) && by != right).then_some(Edit { length: right.len(), by })
        }),
        example: Example::Code(&[("qualname", b"z\x01\0")]),
    },
    Fault {
        name: "line-and-exception-table-swapped",
        what: "linetable and exceptiontable are exchanged",
        cause: "two neighbours of one type",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            (walk.field(object)? == Field::Linetable).then_some(())?;
            let lines = walk.whole(object.at)?;
            let handlers = walk.whole(object.at + lines.len()).filter(|bytes| bytes[0] & 0x7f == b's')?;
            let by = [&lines[..1], &handlers[1..], &handlers[..1], &lines[1..]].concat();
            (lines[1..] != handlers[1..]).then_some(Edit { length: by.len(), by })
        }),
        example: Example::Code(&[("exceptiontable", b"s\x01\0\0\0\0")]),
    },
    Fault {
        name: "hidden-kind-lost",
        what: "the bit of hidden variables is lost",
        cause: "3.11's kinds, which have none",
        versions: HIDDEN_KINDS,
        way: Way::Reads(b"s", |walk, object| kinds(walk, object, |kind| kind & !0x10)),
        example: Example::Code(&[("localsplusnames", b")\x01z\0"), ("localspluskinds", b"s\x01\0\0\0\x10")]),
    },
    Fault {
        name: "argument-kinds-lost",
        what: "the bits that tell the kinds of arguments are lost",
        cause: "3.13's kinds, which have none",
        versions: ARGUMENT_KINDS,
        way: Way::Reads(b"s", |walk, object| kinds(walk, object, |kind| kind & 0xf0)),
        example: Example::Code(&[("localsplusnames", b")\x01z\0"), ("localspluskinds", b"s\x01\0\0\0\x01")]),
    },
    Fault {
        name: "argument-cell-split",
        what: "an argument that is also a cell is a cell only",
        cause: "kinds taken for one of three, where they are bits",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            kinds(walk, object, |kind| if kind & 0x60 == 0x60 { kind & !0x20 } else { kind })
        }),
        example: Example::Code(&[
            ("kwonlyargcount", b"\x01\0\0\0"),
            ("localsplusnames", b")\x01N"),
            ("localspluskinds", b"s\x01\0\0\0`"),
        ]),
    },
    Fault {
        name: "odd-instructions-taken",
        what: "instructions of an odd length lose the last byte where they are an error",
        cause: "pairs of bytes, and what is over is left",
        versions: LOCALSPLUS,
        way: Way::Reads(b"s", |walk, object| {
            let instructions = walk.payload(object).filter(|_| walk.field(object) == Some(Field::Code))?;
            let (_, even) = instructions.split_last().filter(|_| instructions.len() % 2 == 1)?;
            Edit::of(5 + instructions.len(), object.sized(b's', even))
        }),
        example: Example::Code(&[("code", b"s\x01\0\0\0\0")]),
    },
    Fault {
        name: "list-of-constants-taken",
        what: "constants may be a list",
        cause: "a field read as any sequence",
        versions: EVERY,
        way: Way::Reads(b"[", |walk, object| {
            (walk.field(object)? == Field::Consts).then(|| Edit { length: 1, by: object.spelled(b'(', &[]) })
        }),
        example: Example::Code(&[("consts", b"[\0\0\0\0")]),
    },
    Fault {
        name: "caches-kept",
        what: "dumps have the instructions as they were read",
        cause: "a writer that does not know inline caches and specialized instructions",
        versions: LOCALSPLUS,
        way: Way::Answers(|target, case, right| {
            as_read(target, case, right, |read, dump, bytes| {
                let field = |stream: &[u8], code: Item| {
                    let rest = stream.get(code.at..)?;
                    let items = skim_for(target, rest).items;
                    let field = items.iter().find(|item| item.parent == Some(0)).filter(|item| item.code == b's')?;
                    Some(code.at + field.at + 5..code.at + field.end)
                };
                let (from, to) = (field(case, read)?, field(bytes, dump)?);
                let instructions = case.get(from).filter(|instructions| instructions.len() == to.len())?;
                bytes.get_mut(to)?.copy_from_slice(instructions);
                Some(())
            })
        }),
        example: Example::Code(&[("code", b"s\x02\0\0\0\xe9\0")]),
    },
    Fault {
        name: "no-free-kept",
        what: "CO_NOFREE is dumped as it was read",
        cause: "a reader that does not work it out anew",
        versions: (PYTHON3.0, Version::new(3, 10)),
        way: Way::Answers(|target, case, right| {
            as_read(target, case, right, |read, dump, bytes| {
                let place = 1 + 4 * integers(target).iter().position(|name| *name == "flags")?;
                let flags = long(case, read.at + place)?.to_le_bytes();
                bytes.get_mut(dump.at + place..dump.at + place + 4)?.copy_from_slice(&flags);
                Some(())
            })
        }),
        example: Example::Code(&[]),
    },
];

/// Types of names, and what else may stand before the first line.
const ANY: &[u8] = b"utaAzZrsR";

/// The code object with another value of an integer that stands before its objects.
fn integer(walk: &Walk, object: Object, name: &str, wrong: impl Fn(i32) -> i32) -> Option<Edit> {
    let place = integers(walk.target).iter().position(|integer| *integer == name)?;
    let at = object.at + 1 + 4 * place;
    let right = long(&walk.bytes, at)?;
    let by = [walk.bytes.get(object.at..at)?, &wrong(right).to_le_bytes()].concat();
    (wrong(right) != right).then_some(Edit { length: by.len(), by })
}

/// The last object before firstlineno, with another line after it.
fn first_line(walk: &Walk, object: Object, wrong: impl Fn(i32) -> i32) -> Option<Edit> {
    ((object.parent, object.position) == (b'c', 7)).then_some(())?;
    let name = walk.whole(object.at)?;
    let right = long(&walk.bytes, object.at + name.len())?;
    let by = [name, &wrong(right).to_le_bytes()].concat();
    (wrong(right) != right).then_some(Edit { length: by.len(), by })
}

/// The bytes of a field of the code object at an offset.
fn field(walk: &Walk, at: usize, field: Field) -> Option<&[u8]> {
    let code = walk.bytes.get(at..)?;
    let items = skim_for(walk.target, code).items;
    let place = walk.fields().iter().position(|other| *other == field)?;
    let item = items.iter().find(|item| (item.parent, item.position) == (Some(0), place))?;
    code.get(item.at..item.end)
}

fn has_flags(walk: &Walk, bytes: &[u8]) -> bool {
    skim_for(walk.target, bytes).items.iter().any(|item| bytes[item.at] & 0x80 != 0)
}

/// The kinds of variables, each another one.
fn kinds(walk: &Walk, object: Object, wrong: fn(u8) -> u8) -> Option<Edit> {
    let right = walk.payload(object).filter(|_| walk.field(object) == Some(Field::Localspluskinds))?;
    let kinds: Vec<u8> = right.iter().copied().map(wrong).collect();
    (kinds != right).then(|| Edit { length: 5 + kinds.len(), by: object.sized(b's', &kinds) })
}

/// The dumps, with something of each code object as it was in the stream: `copy` is told both, and the bytes of the dump.
fn as_read(
    target: Target,
    case: &[u8],
    right: &Observation,
    copy: impl Fn(Item, Item, &mut Vec<u8>) -> Option<()>,
) -> Option<Observation> {
    let Observation::Accepted(accepted) = right else { return None };
    let codes = |stream: &[u8]| {
        let items = skim_for(target, stream).items;
        items.into_iter().filter(|item| item.code == b'c').collect::<Vec<_>>()
    };
    let read = codes(case);
    let dumps = accepted.dumps.iter().map(|(version, dump)| {
        let mut dump = dump.clone();
        if let Dump::Bytes { bytes, .. } = &mut dump {
            let dumped = codes(bytes);
            // Code objects that were dropped, or that are dumped twice, cannot be told apart.
            if read.len() == dumped.len() {
                read.iter().zip(dumped).for_each(|(read, dump)| copy(*read, dump, bytes).unwrap_or_default());
            }
        }
        (*version, dump)
    });
    let wrong = Observation::Accepted(Accepted { dumps: dumps.collect(), ..accepted.clone() });
    (wrong != *right).then_some(wrong)
}
