//! The rules and their one table: what each is called and which releases can reach it.
//!
//! Reviewed for Python 3.15.

use super::parts::{self, Encoding, Entry};
use pyc_core::{Cause, Profile};
use std::sync::LazyLock;

/// A rule of the format. A `u8` is the type byte that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    // A type byte in a stream that is accepted.
    Plain(u8),
    Flagged(u8),
    // How a stream is refused.
    EndAtObject,
    EndInNumber(u8),
    EndAtLength(u8),
    EndInPayload(u8),
    UnknownNowhere,
    UnknownElsewhere,
    NullAtTop,
    NullIn(u8),
    NullField(u8),
    Size(u8),
    Digit,
    Unnormalized,
    NegativeReference,
    ReferencePastEnd,
    ReferenceToUnfinished(u8),
    ReferenceToFrozendict,
    Unhashable { part: u8, key: bool },
    UnhashableIn(u8),
    EndlessHash,
    TooDeep,
    FloatText(u8),
    Unicode(u8),
    CodeDisallowed,
    TooManySlots,
    // What readers take all the same.
    Trailing,
    NullValue,
    NullValueOfUnhashable,
    ZeroLong,
    Latin1(u8),
    Surrogate(u8),
    TextCutAtNul,
    TextOverflow,
    TextUnderflow,
    TextMinusNan,
    SelfReference(u8),
    // What only 2.7 does.
    ShortNumber(u8),
    ShortSize,
    ShortReference,
    ShortDigits,
    ReadsOn,
    DeferredUnhashable,
    DepthBeforeType,
    Restricted,
    // What building a code object looks at.
    Field(&'static str),
    PositionalBeyondArguments,
    KindsLength,
    CodeIsUnicode,
    NameIn(&'static str),
    TooManyArguments,
    ArgumentsOverflow,
    OddCode,
    HugeCode,
    // What kills an interpreter.
    Killer(Cause),
    // How, where and to what an object is written.
    Encoded(Encoding),
    Reference(u8),
    Table(Entry),
    At(u8, u8),
}

/// A release: (3, 11, 5).
pub(super) type Python = (u8, u8, u8);

pub(super) type When = fn(Python) -> bool;

/// A row of the matrix.
pub(crate) struct Row {
    pub(crate) rule: Rule,
    pub(crate) group: &'static str,
    pub(crate) name: String,
    /// Whether an interpreter of this release can reach it, if it is built so ...
    pub(super) when: When,
    /// ... if this holds as well.
    pub(super) and: When,
}

impl Row {
    pub(super) fn can(&self, profile: &Profile) -> bool {
        let release = (profile.version.major, profile.version.minor, profile.release.micro);
        let is_built_so = match self.rule {
            Rule::Killer(Cause::DebugAssertion) => profile.debug,
            Rule::Killer(Cause::MemoryForList) => profile.free_threaded,
            _ => true,
        };
        (self.when)(release) && (self.and)(release) && is_built_so
    }
}

pub(super) const ALL: When = |_| true;
pub(super) const ONLY_2: When = |v| v < (3, 0, 0);
pub(super) const ONLY_3: When = |v| v >= (3, 0, 0);
const SINCE_38: When = |v| v >= (3, 8, 0);
pub(super) const UNTIL_310: When = |v| v < (3, 11, 0);
pub(super) const SINCE_311: When = |v| v >= (3, 11, 0);
pub(super) const SINCE_314: When = |v| v >= (3, 14, 0);
pub(super) const SINCE_315: When = |v| v >= (3, 15, 0);
/// The releases that resolve references to frozendicts.
pub(super) const SINCE_3151: When = |v| v >= (3, 15, 1);
/// No stream does; the row says why.
const NEVER: When = |_| false;

/// All type bytes of all versions.
pub(super) const TYPES: [u8; 31] = *b"0NTF.SiIlfgxystuRaAzZ()[{}<>:cr";

/// The releases that know a type byte.
pub(super) fn plain(code: u8) -> When {
    match code {
        b'I' => |v| !((3, 0, 0)..(3, 6, 4)).contains(&v),
        b'R' => ONLY_2,
        b'a' | b'A' | b'z' | b'Z' | b')' | b'r' => ONLY_3,
        b':' => SINCE_314,
        b'}' => SINCE_315,
        _ => ALL,
    }
}

/// The releases of Python 3 that know a type byte: 2.7 has no flags, and takes the missing bytes of a number as all ones.
fn in_python3(code: u8) -> When {
    match code {
        b'I' => |v| v >= (3, 6, 4),
        b'R' => NEVER,
        b':' | b'}' => plain(code),
        _ => ONLY_3,
    }
}

/// The group of the ways to kill an interpreter; whoever merges runs knows it by this name.
pub(super) const KILLERS: &str = reports::KILLERS;

/// The rows, in the order of the report.
pub(crate) static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let groups = [
        ("types", types()),
        ("refusals", refusals()),
        ("leniencies", leniencies()),
        ("2.7", python2()),
        ("code objects", code()),
        (KILLERS, killers()),
        ("encodings", parts::encodings()),
        ("references", parts::references()),
        ("tables", parts::tables()),
    ];
    let named = |group| move |(rule, name, when)| Row { rule, group, name, when, and: ALL };
    let rows = groups.into_iter().flat_map(|(group, rows)| rows.into_iter().map(named(group)));
    rows.chain(parts::places()).collect()
});

pub(super) type Rows = Vec<(Rule, String, When)>;

/// One row for each type byte; `#` in the name stands for it.
pub(super) fn each(codes: &[u8], rule: fn(u8) -> Rule, name: &str, when: fn(u8) -> When) -> Rows {
    codes.iter().map(|&code| (rule(code), name.replace('#', &char::from(code).to_string()), when(code))).collect()
}

fn some<const N: usize>(rows: [(Rule, &str, When); N]) -> Rows {
    rows.map(|(rule, name, when)| (rule, name.to_owned(), when)).to_vec()
}

fn types() -> Rows {
    let flagged = each(&TYPES, Rule::Flagged, "# flagged", in_python3);
    each(&TYPES, Rule::Plain, "#", plain)
        .into_iter()
        .zip(flagged)
        .flat_map(|(plain, flagged)| [plain, flagged])
        .collect()
}

fn refusals() -> Rows {
    let always = |_| ALL;
    let mut rows = some([(Rule::EndAtObject, "end where an object should start", ALL)]);
    rows.extend(each(b"ilsutaA([<>rc", Rule::EndInNumber, "end inside a number of #", in_python3));
    rows.extend(each(b"zZfx)", Rule::EndAtLength, "end where the length of # should be", plain));
    rows.extend(each(b"stuaAzZgyfx", Rule::EndInPayload, "end inside the payload of #", plain));
    rows.extend(each(b"Il", Rule::EndInPayload, "end inside the payload of #", in_python3));
    rows.extend(some([
        (Rule::UnknownNowhere, "type byte of no version", ALL),
        (Rule::UnknownElsewhere, "type byte of other versions", ALL),
        (Rule::NullAtTop, "NULL at the top", ALL),
    ]));
    rows.extend(each(b"()[<>", Rule::NullIn, "NULL in #", plain));
    rows.extend(some([
        (Rule::NullIn(b'c'), "NULL in c", |v| v >= (3, 11, 5)),
        (Rule::NullField(b'c'), "NULL in c makes c NULL", |v| v < (3, 11, 5)),
        (Rule::NullField(b':'), "NULL in : makes : NULL", SINCE_314),
    ]));
    rows.extend(each(b"sutaA([<>l", Rule::Size, "size of # out of range", plain));
    rows.extend(some([
        (Rule::Digit, "digit of l out of range", ALL),
        (Rule::Unnormalized, "top digit of l is 0", ALL),
        (Rule::NegativeReference, "negative reference", ALL),
        (Rule::ReferencePastEnd, "reference past the end of the table", ALL),
    ]));
    rows.extend(each(b">c:}", Rule::ReferenceToUnfinished, "reference to # while it is read", in_python3));
    rows.extend(some([(Rule::ReferenceToFrozendict, "reference to a finished }", |v| v == (3, 15, 0))]));
    for (part, name) in [(b'[', "list"), (b'{', "dict"), (b'<', "set")] {
        rows.push((Rule::Unhashable { part, key: true }, format!("{name} as, or in, a dict key"), ALL));
        rows.push((Rule::Unhashable { part, key: false }, format!("{name} as, or in, a set member"), ALL));
    }
    rows.extend(each(b"(c:}", Rule::UnhashableIn, "# as key or member, with a part that has no hash", plain));
    rows.extend(some([
        (Rule::EndlessHash, "tuple that contains itself as, or in, a key or member", |v| {
            ((3, 14, 10)..(3, 15, 0)).contains(&v) || v >= (3, 15, 2)
        }),
        (Rule::TooDeep, "nested too deep", ALL),
    ]));
    rows.extend(each(b"fx", Rule::FloatText, "text of # is no number", always));
    rows.extend(each(b"u", Rule::Unicode, "payload of # is not UTF-8", always));
    rows.extend(each(b"t", Rule::Unicode, "payload of # is not UTF-8", in_python3));
    rows.extend(some([
        (Rule::CodeDisallowed, "code object with allow_code=False (workers do not say that)", NEVER),
        (Rule::TooManySlots, "2^31-2 reference slots (as many bytes)", NEVER),
    ]));
    rows
}

fn leniencies() -> Rows {
    let mut rows = some([
        (Rule::Trailing, "bytes after the end", ALL),
        (Rule::NullValue, "NULL as a dict value", ALL),
        (Rule::NullValueOfUnhashable, "NULL as the value of a key without a hash", ALL),
        (Rule::ZeroLong, "l without digits", ALL),
    ]);
    rows.extend(each(b"aAzZ", Rule::Latin1, "Latin-1 in the \"ASCII\" of #", in_python3));
    rows.extend(each(b"u", Rule::Surrogate, "lone surrogate in #", plain));
    rows.extend(each(b"t", Rule::Surrogate, "lone surrogate in #", in_python3));
    rows.extend(some([
        (Rule::TextCutAtNul, "text of a float cut at NUL", ALL),
        (Rule::TextOverflow, "text of a float overflows", ALL),
        (Rule::TextUnderflow, "text of a float underflows", ALL),
        (Rule::TextMinusNan, "text of a float is -nan", ALL),
    ]));
    rows.extend(each(b"([{", Rule::SelfReference, "reference to # while it is read", in_python3));
    rows
}

fn python2() -> Rows {
    let mut rows = each(b"iI", Rule::ShortNumber, "# without all its bytes", |_| ONLY_2);
    rows.extend(some([
        (Rule::ShortSize, "size without all its bytes is negative", ONLY_2),
        (Rule::ShortReference, "index without all its bytes is negative", ONLY_2),
        (Rule::ShortDigits, "digit without all its bytes is out of range", ONLY_2),
        (Rule::ReadsOn, "a dict reads on after a value that fails", ONLY_2),
        (Rule::DeferredUnhashable, "a dict reads on after a key without a hash", ONLY_2),
        (Rule::DepthBeforeType, "too deep, and no type byte there", ONLY_2),
        (Rule::Restricted, "code object in restricted mode (workers do not enter it)", NEVER),
    ]));
    rows
}

/// The objects in a code object, and which releases have them.
pub(super) const FIELDS: [(&str, When); 14] = [
    ("code", ALL),
    ("consts", ALL),
    ("names", ALL),
    ("varnames", UNTIL_310),
    ("freevars", UNTIL_310),
    ("cellvars", UNTIL_310),
    ("localsplusnames", SINCE_311),
    ("localspluskinds", SINCE_311),
    ("filename", ALL),
    ("name", ALL),
    ("qualname", SINCE_311),
    ("lnotab", UNTIL_310),
    ("linetable", SINCE_311),
    ("exceptiontable", SINCE_311),
];

fn code() -> Rows {
    let names: [(&str, When); 5] = [
        ("names", |v| v >= (3, 9, 0)),
        ("varnames", |v| ((3, 9, 0)..(3, 11, 0)).contains(&v)),
        ("freevars", |v| ((3, 9, 0)..(3, 11, 0)).contains(&v)),
        ("cellvars", |v| ((3, 9, 0)..(3, 11, 0)).contains(&v)),
        ("localsplusnames", SINCE_311),
    ];
    let counts: [(&str, When); 6] = [
        ("argcount", ALL),
        ("posonlyargcount", SINCE_38),
        ("kwonlyargcount", ONLY_3),
        ("nlocals", UNTIL_310),
        ("stacksize", ALL),
        ("flags", ALL),
    ];
    let mut rows: Rows =
        counts.map(|(field, when)| (Rule::Field(field), format!("{field} is negative"), when)).to_vec();
    rows.extend(some([
        (Rule::PositionalBeyondArguments, "posonlyargcount exceeds argcount", SINCE_38),
        (Rule::TooManyArguments, "more arguments than variables", ALL),
        (Rule::ArgumentsOverflow, "numbers of arguments overflow", SINCE_311),
    ]));
    rows.extend(FIELDS.map(|(field, when)| (Rule::Field(field), format!("{field} has another type"), when)));
    rows.extend(names.map(|(field, when)| (Rule::NameIn(field), format!("{field} holds what is no string"), when)));
    rows.extend(some([
        (Rule::CodeIsUnicode, "code is a unicode object", ONLY_2),
        (Rule::KindsLength, "as many localspluskinds as localsplusnames there are not", SINCE_311),
        (Rule::OddCode, "code has an odd length", ALL),
        (Rule::HugeCode, "code is longer than 2^31-1 bytes", NEVER),
    ]));
    rows
}

/// The causes that loading, or looking at what was loaded, can have; those of dumps are among the masks.
fn killers() -> Rows {
    let causes: [(Cause, When); 8] = [
        (Cause::HashOfUnfinishedTuple, ONLY_3),
        (Cause::ConstantsContainThemselves, ONLY_3),
        (Cause::NonStringNameAborts, |v| v < (3, 9, 0)),
        (Cause::InstrumentedOpcode, |v| v >= (3, 12, 0)),
        (Cause::CachesPastEnd, SINCE_311),
        (Cause::FilenameFreed, |v| ((3, 0, 0)..(3, 7, 0)).contains(&v)),
        (Cause::DebugAssertion, SINCE_314),
        (Cause::MemoryForList, |v| v >= (3, 13, 0)),
    ];
    causes.map(|(cause, when)| (Rule::Killer(cause), cause.name().to_owned(), when)).to_vec()
}
