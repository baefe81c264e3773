//! The finer rows of the matrix: in which place each type stands, in which of several encodings a value is written, to what
//! references lead, and which entries the tables of a code object have.
//!
//! A reader treats an object by where it stands: a member is hashed, a name must be a string, the first byte of a slice may
//! be anything. That `g` and frozendicts are both reached says nothing of a float as the key of one. All these rows are told
//! from accepted streams.
//!
//! Reviewed for Python 3.15.

use super::table::{
    ALL, FIELDS, ONLY_2, ONLY_3, Row, Rows, SINCE_311, SINCE_314, SINCE_315, SINCE_3151, TYPES, UNTIL_310, When, each,
    plain,
};
use super::{ROWS, Reached, Rule};
use pyc_core::code::{Code, Field};
use pyc_core::{Graph, NodeId, Profile, Value};
use std::sync::LazyLock;

/// Where an object can stand outside of code objects, which have a place for each of [`FIELDS`].
const OUTSIDE: [(&str, When); 10] = [
    ("top", ALL),
    ("tuple item", ALL),
    ("list item", ALL),
    ("set member", ALL),
    ("frozenset member", ALL),
    ("dict key", ALL),
    ("dict value", ALL),
    ("slice part", SINCE_314),
    ("frozendict key", SINCE_315),
    ("frozendict value", SINCE_315),
];
const TOP: usize = 0;
const TUPLE: usize = 1;
const LIST: usize = 2;
const SET: usize = 3;
const FROZENSET: usize = 4;
const KEY: usize = 5;
const VALUE: usize = 6;
const SLICE: usize = 7;
const FROZEN_KEY: usize = 8;
const FROZEN_VALUE: usize = 9;

/// All places, those in code objects last.
const PLACES: usize = OUTSIDE.len() + FIELDS.len();

/// The field of a code object that a place is.
fn field(place: usize) -> Option<&'static str> {
    FIELDS.get(place.checked_sub(OUTSIDE.len())?).map(|(name, _)| *name)
}

fn is_text(field: &str) -> bool {
    matches!(field, "filename" | "name" | "qualname")
}

/// The types that a place takes; whether the version has them is another matter.
fn types(place: usize) -> &'static [u8] {
    match place {
        // A reference needs something before it.
        TOP => b"NTF.SiIlfgxystuaAzZ()[{}<>:c",
        SET | FROZENSET | KEY | FROZEN_KEY => b"NTF.SiIlfgxystuRaAzZ()}>:cr",
        TUPLE | LIST | VALUE | SLICE | FROZEN_VALUE => b"NTF.SiIlfgxystuRaAzZ()[{}<>:cr",
        _ => match field(place).unwrap_or_default() {
            "consts" | "names" | "varnames" | "freevars" | "cellvars" | "localsplusnames" => b"()r",
            name if is_text(name) => b"stuRaAzZr",
            _ => b"stRr",
        },
    }
}

/// Whether a release takes that type at that place.
fn possible(code: u8, place: usize) -> When {
    match (field(place).map(is_text), code) {
        // Names are `str`, which is another type in 2.7; the other strings are bytes.
        (Some(true), b's') | (Some(false), b't') => ONLY_2,
        (Some(true), b'u') => ONLY_3,
        _ => plain(code),
    }
}

/// One way of several to write a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// An int in more room than it needs, or in just as much: 32 bits, 64 bits, more.
    Wide(u8, u8),
    /// A str by its widest character: 1 for ASCII, 2 for Latin-1, 3 for the BMP, 4 for the others.
    Width(u8, u8),
    /// A size below or not below 256.
    Short(u8),
    Long(u8),
    Empty(u8),
}

/// An entry of a table of a code object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    Location(u8),
    /// Bytes of a number in the table of exceptions.
    Exception(u8),
    ByteStep(u8),
    LineStep(u8),
}

pub(super) fn places() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, (name, has)) in OUTSIDE.into_iter().chain(FIELDS).enumerate() {
        for &code in types(place) {
            let rule = Rule::At(code, u8::try_from(place).expect("there are few places"));
            let name = format!("{} as {name}", char::from(code));
            rows.push(Row { rule, group: "places", name, when: possible(code, place), and: has });
        }
    }
    rows
}

pub(super) fn encodings() -> Rows {
    let mut rows = Rows::new();
    for (code, room, name, when) in [
        (b'I', 32, "I for 32 bits", plain(b'I')),
        (b'I', 64, "I for 64 bits", plain(b'I')),
        (b'l', 32, "l for 32 bits", ALL),
        (b'l', 64, "l for 64 bits", ALL),
        (b'l', 128, "l for more", ALL),
    ] {
        rows.push((Rule::Encoded(Encoding::Wide(code, room)), name.into(), when));
    }
    for (width, name) in [(1, "ASCII in #"), (2, "Latin-1 in #"), (3, "BMP in #"), (4, "astral in #")] {
        for code in *b"ut" {
            let name = name.replace('#', &char::from(code).to_string());
            rows.push((Rule::Encoded(Encoding::Width(code, width)), name, if code == b'u' { ALL } else { ONLY_3 }));
        }
    }
    rows.extend(each(b"aA(", |code| Rule::Encoded(Encoding::Short(code)), "# of less than 256", plain));
    rows.extend(each(b"aA(", |code| Rule::Encoded(Encoding::Long(code)), "# of 256 or more", plain));
    rows.extend(each(b"stuaAzZ()[<>{}", |code| Rule::Encoded(Encoding::Empty(code)), "empty #", plain));
    rows
}

pub(super) fn references() -> Rows {
    let when = |code| match code {
        b'I' => |v| v >= (3, 6, 4),
        b'}' => SINCE_3151,
        _ => in_python3(code),
    };
    each(b"iIlfgxystuaAzZ()[{<>}:c", Rule::Reference, "reference to #", when)
}

fn in_python3(code: u8) -> When {
    if code == b':' { SINCE_314 } else { ONLY_3 }
}

pub(super) fn tables() -> Rows {
    let lnotab: When = |v| v < (3, 10, 0);
    let signed: When = |v| ((3, 6, 0)..(3, 11, 0)).contains(&v);
    let mut rows = Rows::new();
    for kind in 0..16 {
        rows.push((Rule::Table(Entry::Location(kind)), format!("location of kind {kind}"), SINCE_311));
    }
    for width in 1..=3 {
        let name = format!("number of {width} bytes or more in exceptiontable");
        rows.push((Rule::Table(Entry::Exception(width)), name, SINCE_311));
    }
    let some: [(Entry, &str, When); 7] = [
        (Entry::ByteStep(0), "lnotab: step of 0 bytes", UNTIL_310),
        (Entry::ByteStep(255), "lnotab: step of 255 bytes", lnotab),
        (Entry::ByteStep(254), "lnotab: step of 254 bytes", |v| ((3, 10, 0)..(3, 11, 0)).contains(&v)),
        (Entry::LineStep(127), "lnotab: step of 127 lines", signed),
        (Entry::LineStep(128), "lnotab: step back of 128 lines, or no line", signed),
        (Entry::LineStep(129), "lnotab: step back of fewer lines", signed),
        (Entry::LineStep(255), "lnotab: step of 255 lines", ONLY_2),
    ];
    rows.extend(some.map(|(entry, name, when)| (Rule::Table(entry), name.to_owned(), when)));
    rows
}

/// The row of each type at each place, or none.
static CELLS: LazyLock<Vec<[Option<usize>; TYPES.len()]>> = LazyLock::new(|| {
    let row = |place: usize| {
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        TYPES.map(|code| ROWS.get(&Rule::At(code, place)).copied())
    };
    (0..PLACES).map(row).collect()
});

/// Types by place, while the objects of a graph are looked at.
pub(super) struct Places([u128; PLACES]);

impl Places {
    pub(super) fn of(graph: &Graph) -> Places {
        let mut places = Places([0; PLACES]);
        places.stands(TOP, graph.type_byte(graph.root()));
        places
    }

    fn stands(&mut self, place: usize, code: u8) {
        self.0[place] |= 1 << code;
    }

    /// The items of a container.
    pub(super) fn look_at(&mut self, id: NodeId, graph: &Graph) {
        let mut each = |places: [usize; 2], items: &[NodeId]| {
            for (index, &item) in items.iter().enumerate() {
                self.stands(places[index % 2], graph.type_byte(item));
            }
        };
        match graph.value(id) {
            Value::Tuple(items) => each([TUPLE; 2], items),
            Value::List(items) => each([LIST; 2], items),
            Value::Set(items) => each([SET; 2], items),
            Value::FrozenSet(items) => each([FROZENSET; 2], items),
            Value::Slice(items) => each([SLICE; 2], items),
            Value::Dict(items) => each([KEY, VALUE], items),
            Value::FrozenDict(items) => each([FROZEN_KEY, FROZEN_VALUE], items),
            Value::Code(code) => {
                // Nobody has looked at the fields of one that NULL cuts short.
                let is_cut = is_cut(&code, graph);
                let is_seen = |object| !is_cut || graph.type_byte(object) == b'0';
                for (field, object) in code.objects().filter(|(_, object)| is_seen(*object)) {
                    if let Some(place) = FIELDS.iter().position(|(name, _)| *name == field.name()) {
                        self.stands(OUTSIDE.len() + place, graph.type_byte(object));
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn add_to(&self, reached: &mut Reached) {
        for (set, rows) in self.0.iter().zip(CELLS.iter()).filter(|(set, _)| **set != 0) {
            for (code, row) in TYPES.iter().zip(rows) {
                if let (true, Some(row)) = (set >> code & 1 != 0, row) {
                    reached.insert_row(*row);
                }
            }
        }
    }
}

/// Whether a field is NULL, which leaves the code object unmade.
pub(super) fn is_cut(code: &Code, graph: &Graph) -> bool {
    code.objects().any(|(_, object)| graph.type_byte(object) == b'0')
}

/// In which of several ways a value is written.
pub(super) fn encoding(reached: &mut Reached, code: u8, value: &Value) {
    let length = match value {
        Value::Int64(n) => {
            let room = if i32::try_from(*n).is_ok() { 32 } else { 64 };
            return reached.insert(Rule::Encoded(Encoding::Wide(code, room)));
        }
        Value::Long(long) => {
            let room = match long.to_i64() {
                Some(n) if i32::try_from(n).is_ok() => 32,
                Some(_) => 64,
                None => 128,
            };
            return reached.insert(Rule::Encoded(Encoding::Wide(code, room)));
        }
        Value::Str(text) => {
            if !text.latin1 && !text.bytes.is_empty() {
                // The first byte of each character tells how wide it is, and the widest is the largest.
                let width = match text.bytes.iter().max() {
                    Some(0xf0..) => 4,
                    Some(0xc4..) => 3,
                    Some(0x80..) => 2,
                    _ => 1,
                };
                reached.insert(Rule::Encoded(Encoding::Width(code, width)));
            }
            text.bytes.len()
        }
        Value::Bytes(bytes) | Value::InternedBytes(bytes) => bytes.len(),
        Value::Tuple(items)
        | Value::List(items)
        | Value::Set(items)
        | Value::FrozenSet(items)
        | Value::Dict(items)
        | Value::FrozenDict(items) => items.len(),
        _ => return,
    };
    if length == 0 {
        reached.insert(Rule::Encoded(Encoding::Empty(code)));
    }
    if b"aA(".contains(&code) {
        reached.insert(Rule::Encoded(if length < 256 { Encoding::Short(code) } else { Encoding::Long(code) }));
    }
}

/// Which entries the tables of a code object have. They are not checked by any loader, so any bytes are a table.
pub(super) fn entries(reached: &mut Reached, code: &Code, graph: &Graph, profile: &Profile) {
    let bytes = |field| match code.object(field).map(|object| graph.value(graph.resolve(object))) {
        Some(Value::Bytes(bytes) | Value::InternedBytes(bytes)) => bytes,
        _ => &[],
    };
    // Only the first byte of a location has its highest bit set.
    for &byte in bytes(Field::Linetable).iter().filter(|&&byte| byte >= 0x80) {
        reached.insert(Rule::Table(Entry::Location(byte >> 3 & 15)));
    }
    let mut width = 0;
    for &byte in bytes(Field::Exceptiontable) {
        width += 1;
        if byte & 0x40 == 0 {
            reached.insert(Rule::Table(Entry::Exception(width.min(3))));
            width = 0;
        }
    }
    let python2 = profile.is_python2();
    let longest = if !python2 && profile.version.minor == 10 { 254 } else { 255 };
    for pair in bytes(Field::Lnotab).chunks_exact(2) {
        if pair[0] == 0 || pair[0] == longest {
            reached.insert(Rule::Table(Entry::ByteStep(pair[0])));
        }
        match pair[1] {
            255 if python2 => reached.insert(Rule::Table(Entry::LineStep(255))),
            _ if python2 => {}
            line @ 127..=128 => reached.insert(Rule::Table(Entry::LineStep(line))),
            129.. => reached.insert(Rule::Table(Entry::LineStep(129))),
            _ => {}
        }
    }
}
