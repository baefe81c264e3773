//! What can be wrong with a code object, one thing at a time.
//!
//! Some of these are refused, each with an error of its own; some are accepted, because no loader looks there; some end
//! the process. Which is which depends on the version, and is not said here: the interpreters know.
//!
//! Reviewed for Python 3.15.

#![expect(clippy::ptr_arg, reason = "all rows of the table have one signature")]

use super::super::Target;
use super::super::code::{CELL, DEADLY, FREE, LOCAL};
use super::super::luck::Luck;
use super::super::mutate::{put, replace};
use super::super::skim::long;
use super::bytecode;
use super::grown::{CODE, CONSTS, Integers, LINES, Parts, put_bytes};
use super::object::{VARARGS, VARKEYWORDS, small};
use super::opcodes::Opcodes;
use super::tables;
use arbitrary::Unstructured;
use std::ops::RangeInclusive;

type Version = (u8, u8);

/// A way to be wrong: how it is done, and the versions in which it can be.
pub(super) struct Wrong {
    pub(super) name: &'static str,
    pub(super) versions: RangeInclusive<Version>,
    /// Does it to a code object; `None` where that has not what it takes.
    change: fn(&mut Unstructured<'_>, Target, &mut Vec<u8>, &Parts) -> Option<()>,
}

const ANY: RangeInclusive<Version> = (2, 7)..=(3, 99);
const SINCE_38: RangeInclusive<Version> = (3, 8)..=(3, 99);
const SINCE_311: RangeInclusive<Version> = (3, 11)..=(3, 99);

macro_rules! wrongs {
    ($($versions:ident $change:ident: $name:literal,)*) => {
        &[$(Wrong { name: $name, versions: $versions, change: $change },)*]
    };
}

#[rustfmt::skip]
pub(super) static WRONGS: &[Wrong] = wrongs![
    ANY negative_count: "a count of arguments or locals is negative",
    ANY negative_stack: "the stack size is negative",
    ANY negative_flags: "the sign bit of the flags is set",
    SINCE_38 positional_only: "more positional-only arguments than positional ones",
    ANY arguments: "more arguments than local variables",
    ANY starred: "no local variable is left for *args and **kwargs",
    ANY wrapping: "counts whose sum does not fit in 32 bits",
    ANY integer_missing: "an integer of the layout is missing",
    ANY integer_added: "an integer of another layout is there",
    ANY object_missing: "an object of the layout is missing",
    ANY object_added: "an object of another layout is there",
    SINCE_311 odd_code: "half a unit at the end of the instructions",
    SINCE_311 caches_cut: "the caches of the last instruction are past the end",
    ANY extended_at_end: "nothing follows EXTENDED_ARG",
    ANY unknown_opcode: "an opcode that the version does not have",
    ANY far_argument: "an argument that names nothing",
    SINCE_311 specialized: "a specialized opcode with instructions where its caches should be",
    SINCE_311 instrumented: "an instrumented opcode",
    ANY lines_cut: "the line table ends inside an entry",
    ANY lines_inside: "the line table begins inside an entry",
    ANY lines_short: "the line table covers only part of the code",
    SINCE_311 exceptions_cut: "the exception table ends inside an entry",
    SINCE_311 exceptions_turned: "the exception table is not sorted",
    SINCE_311 kinds_contradict: "kinds that contradict each other",
    SINCE_311 kinds_count: "another number of kinds than of names",
    ANY name_no_string: "a name that is no string",
    ANY field_type: "an object of another type",
    ANY field_null: "an object is NULL",
    ANY size_negative: "an object has a negative size",
    ANY size_beyond: "an object has a size beyond the end of the stream",
    ANY itself: "a constant is the code object itself",
    ANY unhashable: "a code object that is hashed has a constant without a hash",
    ANY nested: "code objects in code objects, up to the limit of nesting",
    ANY cut: "the stream ends inside the code object",
];

/// Does something wrong to a code object of the stream; tells what it was.
pub(super) fn make(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>) -> Option<&'static str> {
    let start = u.index(WRONGS.len());
    let (before, from) = WRONGS.split_at(start);
    from.iter().chain(before).find_map(|wrong| wrong.apply(u, target, bytes))
}

impl Wrong {
    /// Its name, if it could be done.
    pub(super) fn apply(&self, u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>) -> Option<&'static str> {
        if !self.versions.contains(&target.version) {
            return None;
        }
        let parts = Parts::pick(u, target, bytes)?;
        let mut changed = bytes.clone();
        (self.change)(u, target, &mut changed, &parts)?;
        (changed != *bytes).then(|| {
            *bytes = changed;
            self.name
        })
    }
}

type Done = Option<()>;

// ---- integers

/// The places of the counts among the integers.
fn counts(target: Target) -> Vec<usize> {
    let integers = Integers::of(target.version);
    [Some(0), integers.positional_only, integers.keyword_only, integers.locals].into_iter().flatten().collect()
}

fn negative_count(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let index = u.pick(&counts(target));
    put(bytes, parts.integer(index), u.pick(&[-1, i32::MIN, -255]))
}

fn negative_stack(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    put(bytes, parts.integer(Integers::of(target.version).stack), u.pick(&[-1, i32::MIN]))
}

fn negative_flags(_: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let at = parts.integer(Integers::of(target.version).flags);
    let flags = long(bytes, at)?;
    put(bytes, at, flags | i32::MIN)
}

fn positional_only(_: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let n = long(bytes, parts.integer(0))?.checked_add(1)?;
    put(bytes, parts.integer(Integers::of(target.version).positional_only?), n)
}

fn arguments(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let index = if u.below(2) == 0 { 0 } else { Integers::of(target.version).keyword_only.unwrap_or(0) };
    let names = i32::try_from(parts.items_of(parts.fields[3]).len()).ok()?;
    put(bytes, parts.integer(index), u.pick(&[names.saturating_add(1), 200, i32::MAX]))
}

fn starred(_: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let integers = Integers::of(target.version);
    let locals = locals(target, bytes, parts)?;
    put(bytes, parts.integer(0), locals)?;
    if let Some(index) = integers.keyword_only {
        put(bytes, parts.integer(index), 0)?;
    }
    let at = parts.integer(integers.flags);
    let flags = long(bytes, at)?;
    put(bytes, at, flags | VARARGS | VARKEYWORDS)
}

/// How many local variables there are names for.
fn locals(target: Target, bytes: &[u8], parts: &Parts) -> Option<i32> {
    let count = if target.version >= (3, 11) {
        payload(bytes, parts, 4)?.iter().filter(|kind| **kind & LOCAL != 0).count()
    } else {
        parts.items_of(parts.fields[3]).len()
    };
    i32::try_from(count).ok()
}

fn wrapping(_: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    for index in [Some(0), Integers::of(target.version).keyword_only].into_iter().flatten() {
        put(bytes, parts.integer(index), i32::MAX)?;
    }
    Some(())
}

fn integer_missing(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let at = if u.below(4) == 0 { parts.line() } else { parts.integer(u.index(4)) };
    replace(bytes, at..at + 4, b"");
    Some(())
}

fn integer_added(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let at = if u.below(4) == 0 { parts.line() } else { parts.integer(u.index(4)) };
    replace(bytes, at..at, &[0; 4]);
    Some(())
}

// ---- objects

fn object_missing(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    replace(bytes, field.at..field.end, b"");
    Some(())
}

fn object_added(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    replace(bytes, field.at..field.at, u.pick(&[&b"(\0\0\0\0"[..], b"s\0\0\0\0", b"u\x01\0\0\0q", b"N"]));
    Some(())
}

fn name_no_string(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = parts.fields[2 + u.index(if target.version >= (3, 11) { 2 } else { 4 })];
    let names = parts.items_of(field);
    let name = names.get(u.index(names.len().max(1)))?;
    let others = [&b"N"[..], b"i\0\0\0\0", b"s\x01\0\0\0x", b"(\0\0\0\0", b"u\x01\0\0\0x", b"0"];
    let choices = if target.version < (3, 0) { 6 } else { 4 };
    let start = if target.version < (3, 0) && u.below(2) == 1 { 4 } else { 0 };
    replace(bytes, name.at..name.end, others[start + u.index(choices - start)]);
    Some(())
}

fn field_type(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    let others: [&[u8]; 9] = [
        b"N",
        b"i\x01\0\0\0",
        b"s\0\0\0\0",
        b"u\x02\0\0\0ab",
        b"(\0\0\0\0",
        b"[\0\0\0\0",
        b">\0\0\0\0",
        b"{0",
        b"g\0\0\0\0\0\0\xf8\x3f",
    ];
    replace(bytes, field.at..field.end, u.pick(&others));
    Some(())
}

fn field_null(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    replace(bytes, field.at..field.end, b"0");
    Some(())
}

fn size_negative(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    b"stu(aA".contains(&field.code).then_some(())?;
    put(bytes, field.at + 1, u.pick(&[-1, i32::MIN]))
}

fn size_beyond(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let field = u.pick(&parts.fields);
    b"stu(aA".contains(&field.code).then_some(())?;
    let beyond = i32::try_from(bytes.len()).ok()?;
    put(bytes, field.at + 1, beyond)
}

fn itself(_: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    // The outermost object, so that its slot is the first.
    let consts = parts.skimmed.items.iter().find(|i| i.parent == Some(0) && i.position == CONSTS)?;
    replace(bytes, consts.at..consts.end, b"(\x01\0\0\0r\0\0\0\0");
    bytes[0] |= 0x80;
    Some(())
}

fn unhashable(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let consts = parts.fields[CONSTS];
    let list = u.pick(&[&b"(\x01\0\0\0[\0\0\0\0"[..], b"(\x01\0\0\0{0", b"(\x01\0\0\0(\x01\0\0\0<\0\0\0\0"]);
    replace(bytes, consts.at..consts.end, list);
    let (before, after) = u.pick(&[(&b">\x01\0\0\0"[..], &b""[..]), (b"<\x01\0\0\0", b""), (b"{", b"N0")]);
    *bytes = [before, bytes, after].concat();
    Some(())
}

fn nested(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, _: &Parts) -> Done {
    // A code object and its constants are two levels.
    let depth = target.max_depth as usize / 2 - u.index(3);
    let code = small(&mut Unstructured::new(&[]), target);
    let consts = Parts::pick(u, target, &code)?.fields[CONSTS];
    let (before, after) = (&code[..consts.at], &code[consts.end..]);
    let before = [before, b"(\x01\0\0\0"].concat();
    *bytes = [before.repeat(depth), code.clone(), after.repeat(depth)].concat();
    Some(())
}

fn cut(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    bytes.truncate(parts.item.at + u.index(parts.item.end - parts.item.at));
    Some(())
}

// ---- instructions

/// The bytes of a field that has some of its own.
fn payload(bytes: &[u8], parts: &Parts, field: usize) -> Option<Vec<u8>> {
    let field = parts.fields[field];
    b"st".contains(&field.code).then(|| bytes[field.at + 5..field.end].to_vec())
}

/// Changes the bytes of a field.
fn change(bytes: &mut Vec<u8>, parts: &Parts, field: usize, by: impl FnOnce(&mut Vec<u8>) -> Done) -> Done {
    let mut changed = payload(bytes, parts, field)?;
    by(&mut changed)?;
    put_bytes(bytes, parts.fields[field], &changed)
}

fn odd_code(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let half = u.byte();
    change(bytes, parts, CODE, |code| {
        code.push(half);
        Some(())
    })
}

fn caches_cut(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let opcodes = Opcodes::of(target.version);
    let start = u.byte();
    let cached = (0..=255_u8).map(|step| start.wrapping_add(step)).find(|op| opcodes.caches(*op) > 0)?;
    let there = u.index(opcodes.caches(cached));
    change(bytes, parts, CODE, |code| {
        code.extend([cached, 0]);
        code.extend(std::iter::repeat_n(0, 2 * there));
        Some(())
    })
}

fn extended_at_end(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let opcodes = Opcodes::of(target.version);
    let n = 1 + u.index(4);
    change(bytes, parts, CODE, |code| {
        code.extend([opcodes.extended_arg, 1].repeat(n));
        Some(())
    })
}

/// Adds an instruction at the end, where it is no part of another one's caches.
fn add_opcode(target: Target, opcode: u8, argument: u32, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    change(bytes, parts, CODE, |code| {
        bytecode::put(Opcodes::of(target.version), opcode, argument, code);
        Some(())
    })
}

fn unknown_opcode(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let start = u.byte();
    // The high ones end a process, where they are asserted, and that needs no more than a few cases.
    let start = if target.asserts_opcodes && !u.one_in(16) { start & 0x7f } else { start };
    let opcode = Opcodes::of(target.version).from(start, b".")?;
    let argument = u.byte();
    add_opcode(target, opcode, argument.into(), bytes, parts)
}

fn far_argument(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let opcode = Opcodes::of(target.version).from(u.byte(), b"cnlf")?;
    let argument = u.pick(&[0xff, 0xffff, 0xff_ffff, u32::MAX]);
    add_opcode(target, opcode, argument, bytes, parts)
}

fn specialized(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let opcode = Opcodes::of(target.version).from(u.byte(), b"s")?;
    change(bytes, parts, CODE, |code| {
        code.extend([opcode, 0]);
        code.extend([1, 0].repeat(10));
        Some(())
    })
}

fn instrumented(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let opcodes = Opcodes::of(target.version);
    let opcode = if u.below(2) == 0 { u.pick(&DEADLY) } else { opcodes.from(u.byte(), b"i")? };
    change(bytes, parts, CODE, |code| {
        code.extend([opcode, 0]);
        code.extend([0; 20]);
        Some(())
    })
}

// ---- tables

fn lines_cut(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let new = target.version >= (3, 11);
    let cut = if new { u.pick(&[&[0x80][..], &[0xf0, 0x41], &[0xd0, 1], &[0xe8], &[0xe8, 0x7f]]) } else { &[1] };
    change(bytes, parts, LINES, |table| {
        table.extend(cut);
        Some(())
    })
}

fn lines_inside(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let junk: Vec<u8> = (0..1 + u.index(3)).map(|_| u.byte() & 0x7f).collect();
    change(bytes, parts, LINES, |table| {
        table.splice(0..0, junk);
        Some(())
    })
}

fn lines_short(u: &mut Unstructured<'_>, target: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let length = payload(bytes, parts, CODE)?.len();
    let part = tables::lines(u, target.version, length / 2);
    put_bytes(bytes, parts.fields[LINES], &part)
}

fn exceptions_cut(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let cut = u.pick(&[&[0x80][..], &[0x80, 1], &[0xc1], &[0x80, 1, 1, 0x41], &[0x41], &[0xff, 0x7f, 0x7f, 0x7f]]);
    change(bytes, parts, 9, |table| {
        table.extend(cut);
        Some(())
    })
}

fn exceptions_turned(_: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    change(bytes, parts, 9, |table| {
        table.extend([0x8a, 2, 3, 0, 0x82, 2, 3, 1, 0x82, 0, 0, 0]);
        Some(())
    })
}

fn kinds_contradict(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let kind = u.pick(&[LOCAL | FREE, CELL | FREE, LOCAL | CELL | FREE, 0, 0x0f, 0x10, 0x01, 0xff]);
    let at = u.byte();
    change(bytes, parts, 4, |kinds| {
        let at = usize::from(at).checked_rem(kinds.len())?;
        kinds[at] = kind;
        Some(())
    })
}

fn kinds_count(u: &mut Unstructured<'_>, _: Target, bytes: &mut Vec<u8>, parts: &Parts) -> Done {
    let more = u.below(2) == 0;
    change(bytes, parts, 4, |kinds| {
        if more {
            kinds.push(LOCAL)
        } else {
            kinds.truncate(kinds.len().checked_sub(1)?)
        }
        Some(())
    })
}
