//! What a stream is made of: its size, its depth, and which of a list of features it has.
//!
//! A generator that quietly stops to make something still looks busy. So what each promises is a table, and both a test and
//! every hunt count what really comes. Everything is told from the bytes, with [`skim`](super::skim) and not with pyc-core,
//! so that refused streams count as well.
//!
//! Reviewed for Python 3.15.

use super::skim::{FLAG_REF, Item, SLOTLESS, long, skim_for};
use super::{Generator, Target};

/// Something that a stream can have; the order is that of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    None,
    Bool,
    Ellipsis,
    StopIteration,
    SmallInt,
    DigitBoundary,
    WordBoundary,
    ManyDigits,
    Float,
    NegativeZero,
    NanPayload,
    Infinity,
    Complex,
    Bytes,
    Str,
    Latin1,
    Bmp,
    Astral,
    Surrogate,
    Nul,
    Interned,
    SameContent,
    Length0,
    Length1,
    Length255,
    Length256,
    Length65535,
    Tuple,
    List,
    Dict,
    Set,
    Frozenset,
    Slice,
    Frozendict,
    Items0,
    Items1,
    Items255,
    Items256,
    KeyNone,
    KeyEllipsis,
    KeyTuple,
    KeyFrozenset,
    KeyInt,
    KeyFloat,
    KeyNegativeZero,
    KeyNanPayload,
    KeyComplex,
    KeyBytes,
    KeyStr,
    KeyCode,
    Shared,
    CycleTuple,
    CycleList,
    CycleDict,
    Deep,
    Code,
    NestedCode,
    IgnoredFlag,
    LongSmallInt,
    WideSmallInt,
    WideAscii,
    NarrowLatin1,
    LongAscii,
    LongTuple,
    TextFloat,
    OddFloat,
    Trailing,
    ForwardReference,
    ReferenceNowhere,
    Cut,
}

/// A row of the table.
pub(crate) struct Row {
    pub(crate) feature: Feature,
    pub(crate) name: &'static str,
    /// Whether streams for the target can have it.
    when: fn(Target) -> bool,
    /// Whether only [`streams`](super::streams) promise it.
    odd: bool,
}

const ALWAYS: fn(Target) -> bool = |_| true;
const PYTHON3: fn(Target) -> bool = |t| !t.is_python2();
const CODES: fn(Target) -> bool = |t| t.codes;

const fn row(feature: Feature, name: &'static str, when: fn(Target) -> bool) -> Row {
    Row { feature, name, when, odd: false }
}

const fn odd(feature: Feature, name: &'static str, when: fn(Target) -> bool) -> Row {
    Row { feature, name, when, odd: true }
}

/// All features.
pub(crate) const TABLE: [Row; 70] = [
    row(Feature::None, "None", ALWAYS),
    row(Feature::Bool, "True or False", ALWAYS),
    row(Feature::Ellipsis, "Ellipsis", ALWAYS),
    row(Feature::StopIteration, "StopIteration", ALWAYS),
    row(Feature::SmallInt, "int that interpreters keep", ALWAYS),
    row(Feature::DigitBoundary, "int at a boundary of digits", ALWAYS),
    row(Feature::WordBoundary, "int at a boundary of words", ALWAYS),
    row(Feature::ManyDigits, "int of 20 digits or more", ALWAYS),
    row(Feature::Float, "float", ALWAYS),
    row(Feature::NegativeZero, "-0.0", ALWAYS),
    row(Feature::NanPayload, "nan with a payload", ALWAYS),
    row(Feature::Infinity, "infinity", ALWAYS),
    row(Feature::Complex, "complex", ALWAYS),
    row(Feature::Bytes, "bytes", ALWAYS),
    row(Feature::Str, "str", ALWAYS),
    row(Feature::Latin1, "Latin-1 in a str", ALWAYS),
    row(Feature::Bmp, "BMP in a str", ALWAYS),
    row(Feature::Astral, "astral str", ALWAYS),
    row(Feature::Surrogate, "lone surrogate", ALWAYS),
    row(Feature::Nul, "NUL in a string", ALWAYS),
    row(Feature::Interned, "interned str", ALWAYS),
    row(Feature::SameContent, "bytes and str of one content", ALWAYS),
    row(Feature::Length0, "string of length 0", ALWAYS),
    row(Feature::Length1, "string of length 1", ALWAYS),
    row(Feature::Length255, "string of length 255", ALWAYS),
    row(Feature::Length256, "string of length 256", ALWAYS),
    row(Feature::Length65535, "string of length 65535", ALWAYS),
    row(Feature::Tuple, "tuple", ALWAYS),
    row(Feature::List, "list", ALWAYS),
    row(Feature::Dict, "dict", ALWAYS),
    row(Feature::Set, "set", ALWAYS),
    row(Feature::Frozenset, "frozenset", ALWAYS),
    row(Feature::Slice, "slice", |t| t.marshal_version >= 5),
    row(Feature::Frozendict, "frozendict", |t| t.marshal_version >= 6),
    row(Feature::Items0, "container of 0", ALWAYS),
    row(Feature::Items1, "container of 1", ALWAYS),
    row(Feature::Items255, "container of 255", ALWAYS),
    row(Feature::Items256, "container of 256", ALWAYS),
    row(Feature::KeyNone, "key None", ALWAYS),
    row(Feature::KeyEllipsis, "key Ellipsis", ALWAYS),
    row(Feature::KeyTuple, "key tuple", ALWAYS),
    row(Feature::KeyFrozenset, "key frozenset", ALWAYS),
    row(Feature::KeyInt, "key int", ALWAYS),
    row(Feature::KeyFloat, "key float", ALWAYS),
    row(Feature::KeyNegativeZero, "key -0.0", ALWAYS),
    row(Feature::KeyNanPayload, "key nan with a payload", ALWAYS),
    row(Feature::KeyComplex, "key complex", ALWAYS),
    row(Feature::KeyBytes, "key bytes", ALWAYS),
    row(Feature::KeyStr, "key str", ALWAYS),
    row(Feature::KeyCode, "key code object", CODES),
    row(Feature::Shared, "shared object", ALWAYS),
    row(Feature::CycleTuple, "cycle through a tuple", PYTHON3),
    row(Feature::CycleList, "cycle through a list", PYTHON3),
    row(Feature::CycleDict, "cycle through a dict", PYTHON3),
    row(Feature::Deep, "nested to the limit", ALWAYS),
    row(Feature::Code, "code object", CODES),
    // The loader of 3.6 reads freed memory at the second code object, so its streams have one.
    row(Feature::NestedCode, "code object in a code object", |t| t.codes && !((3, 0)..(3, 7)).contains(&t.version)),
    odd(Feature::IgnoredFlag, "flag on what takes no slot", PYTHON3),
    odd(Feature::LongSmallInt, "l for a small int", PYTHON3),
    odd(Feature::WideSmallInt, "I for a small int", PYTHON3),
    odd(Feature::WideAscii, "u or t for ASCII", PYTHON3),
    odd(Feature::NarrowLatin1, "Latin-1 in a, A, z or Z", PYTHON3),
    odd(Feature::LongAscii, "a or A for a short str", PYTHON3),
    odd(Feature::LongTuple, "( for a short tuple", PYTHON3),
    odd(Feature::TextFloat, "text of a float", ALWAYS),
    odd(Feature::OddFloat, "odd text of a float", ALWAYS),
    odd(Feature::Trailing, "bytes after the end", ALWAYS),
    odd(Feature::ForwardReference, "reference to a later object", PYTHON3),
    odd(Feature::ReferenceNowhere, "reference to nothing", ALWAYS),
    odd(Feature::Cut, "cut off, or not understood", ALWAYS),
];

/// What is not for [`keys`](super::keys) to make.
const OF_VALUES: [Feature; 11] = [
    Feature::ManyDigits,
    Feature::Surrogate,
    Feature::Length255,
    Feature::Length256,
    Feature::Length65535,
    Feature::Items255,
    Feature::Items256,
    Feature::CycleTuple,
    Feature::CycleList,
    Feature::CycleDict,
    Feature::Deep,
];

impl Row {
    /// Whether a generator promises it, given some ten thousand cases for the target.
    pub(crate) fn is_promised(&self, generator: Generator, target: Target) -> bool {
        let offered = match generator {
            // Their values are what compilers leave, or what fields need.
            Generator::Stdlib | Generator::Codes | Generator::Programs | Generator::Pyc | Generator::Execution => {
                matches!(self.feature, Feature::Code | Feature::NestedCode)
            }
            Generator::Values => !self.odd,
            // Small objects, none of which is in itself.
            Generator::Keys => !self.odd && !OF_VALUES.contains(&self.feature),
            Generator::Streams => true,
        };
        offered && (self.when)(target)
    }
}

/// What is told of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Objects, references among them.
    pub(crate) nodes: u64,
    /// Levels of nesting.
    pub(crate) depth: u64,
    /// Objects with a flag.
    pub(crate) flagged: u64,
    pub(crate) references: u64,
    /// References to objects that are still being read.
    pub(crate) cycles: u64,
    /// One bit for each row of the table.
    features: u128,
}

impl Shape {
    fn set(&mut self, feature: Feature) {
        self.features |= 1 << feature as u32;
    }

    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.features >> feature as u32 & 1 != 0
    }
}

/// Looks at a stream.
pub(crate) fn shape(target: Target, bytes: &[u8]) -> Shape {
    let skimmed = skim_for(target, bytes);
    let items = &skimmed.items;
    let mut look =
        Look { bytes, items, target, shape: Shape::default(), slots: Vec::new(), contents: [const { Vec::new() }; 2] };
    look.shape.nodes = items.len() as u64;
    if items.iter().any(|item| item.code == b'r') {
        let takes_slot = |item: &&Item| bytes[item.at] & FLAG_REF != 0 && !SLOTLESS.contains(&item.code);
        look.slots = items.iter().filter(takes_slot).copied().collect();
    }
    let mut levels: Vec<u32> = Vec::with_capacity(items.len());
    let mut deepest = 0;
    for item in items {
        let level = item.parent.map_or(1, |parent| levels[parent] + 1);
        levels.push(level);
        deepest = deepest.max(level);
        look.item(item);
    }
    look.shape.depth = deepest.into();
    if deepest + 8 > target.max_depth {
        look.shape.set(Feature::Deep);
    }
    let [some, others] = &look.contents;
    if some.iter().any(|content| !content.is_empty() && others.contains(content)) {
        look.shape.set(Feature::SameContent);
    }
    if !skimmed.complete {
        look.shape.set(Feature::Cut);
    } else if skimmed.end < bytes.len() {
        look.shape.set(Feature::Trailing);
    }
    look.shape
}

/// How many strings of a stream are compared with each other.
const CONTENTS: usize = 24;

struct Look<'a> {
    bytes: &'a [u8],
    items: &'a [Item],
    target: Target,
    shape: Shape,
    /// The objects that reference slots belong to.
    slots: Vec<Item>,
    /// Payloads of bytes, and of what is a str.
    contents: [Vec<&'a [u8]>; 2],
}

impl<'a> Look<'a> {
    fn item(&mut self, item: &Item) {
        let parent = item.parent.map_or(0, |parent| self.items[parent].code);
        let key = b"<>".contains(&parent) || b"{}".contains(&parent) && item.position.is_multiple_of(2);
        let feature = |feature, as_key| {
            let has = 1_u128 << feature as u32;
            if key { has | 1 << as_key as u32 } else { has }
        };
        if self.bytes[item.at] & FLAG_REF != 0 {
            self.shape.flagged += 1;
            if b"NTF.Sr".contains(&item.code) {
                self.shape.set(Feature::IgnoredFlag);
            }
        }
        self.shape.features |= match item.code {
            b'N' => feature(Feature::None, Feature::KeyNone),
            b'T' | b'F' => feature(Feature::Bool, Feature::Bool),
            b'.' => feature(Feature::Ellipsis, Feature::KeyEllipsis),
            b'S' => feature(Feature::StopIteration, Feature::StopIteration),
            b'i' | b'I' | b'l' => {
                self.int(item);
                if key { 1 << Feature::KeyInt as u32 } else { 0 }
            }
            b'f' | b'g' => {
                self.float(item, key);
                feature(Feature::Float, Feature::KeyFloat)
            }
            b'x' | b'y' => feature(Feature::Complex, Feature::KeyComplex),
            b's' => {
                self.string(item);
                feature(Feature::Bytes, Feature::KeyBytes)
            }
            b't' if self.target.is_python2() => {
                self.string(item);
                self.shape.set(Feature::Interned);
                feature(Feature::Bytes, Feature::KeyBytes)
            }
            b'u' | b't' | b'a' | b'A' | b'z' | b'Z' => {
                self.string(item);
                feature(Feature::Str, Feature::KeyStr)
            }
            b'(' | b')' => feature(Feature::Tuple, Feature::KeyTuple),
            b'[' => feature(Feature::List, Feature::List),
            b'{' => feature(Feature::Dict, Feature::Dict),
            b'<' => feature(Feature::Set, Feature::Set),
            b'>' => feature(Feature::Frozenset, Feature::KeyFrozenset),
            b':' => feature(Feature::Slice, Feature::Slice),
            b'}' => feature(Feature::Frozendict, Feature::Frozendict),
            b'c' => {
                if item
                    .parent
                    .is_some_and(|parent| self.items[parent].parent.is_some_and(|p| self.items[p].code == b'c'))
                {
                    self.shape.set(Feature::NestedCode);
                }
                feature(Feature::Code, Feature::KeyCode)
            }
            b'r' | b'R' => {
                self.reference(item);
                0
            }
            _ => 0,
        };
        let count = match item.code {
            b')' => self.bytes.get(item.at + 1).map(|n| i32::from(*n)),
            b'(' | b'[' | b'<' | b'>' => long(self.bytes, item.at + 1),
            _ => return,
        };
        match count {
            Some(0) => self.shape.set(Feature::Items0),
            Some(1) => self.shape.set(Feature::Items1),
            Some(255) => self.shape.set(Feature::Items255),
            Some(256) => self.shape.set(Feature::Items256),
            _ => {}
        }
        if item.code == b'(' && !self.target.is_python2() && count.is_some_and(|n| (0..256).contains(&n)) {
            self.shape.set(Feature::LongTuple);
        }
    }

    fn int(&mut self, item: &Item) {
        let payload = &self.bytes[item.at + 1..item.end];
        let value = match item.code {
            b'i' => payload.first_chunk().map(|n| i128::from(i32::from_le_bytes(*n))),
            b'I' => payload.first_chunk().map(|n| i128::from(i64::from_le_bytes(*n))),
            _ => {
                let Some((head, digits)) = payload.split_first_chunk() else { return };
                let n = i32::from_le_bytes(*head);
                if n.unsigned_abs() >= 20 {
                    self.shape.set(Feature::ManyDigits);
                }
                let digit = |d: &[u8]| i128::from(u16::from_le_bytes([d[0], d[1]]));
                let value = || digits.chunks_exact(2).rev().fold(0, |value, d| value << 15 | digit(d));
                (n.unsigned_abs() <= 8).then(value).map(|value| if n < 0 { -value } else { value })
            }
        };
        let Some(value) = value else { return };
        let small = i32::try_from(value).is_ok();
        match item.code {
            b'l' if small => self.shape.set(Feature::LongSmallInt),
            b'I' if small => self.shape.set(Feature::WideSmallInt),
            _ => {}
        }
        let near = |power: u32| (value.abs() - (1 << power)).abs() <= 2;
        if (-5..=256).contains(&value) {
            self.shape.set(Feature::SmallInt);
        } else if [15, 30, 45, 60, 75, 90, 120].into_iter().any(near) {
            self.shape.set(Feature::DigitBoundary);
        } else if [16, 31, 32, 63, 64].into_iter().any(near) {
            self.shape.set(Feature::WordBoundary);
        }
    }

    fn float(&mut self, item: &Item, key: bool) {
        let payload = &self.bytes[item.at + 1..item.end];
        let bits = if item.code == b'g' {
            payload.first_chunk().map(|bits| u64::from_le_bytes(*bits))
        } else {
            self.shape.set(Feature::TextFloat);
            let text = payload.get(1..).unwrap_or_default();
            // As `repr` and `%.17g` begin.
            let plain = text.first().is_some_and(|c| b"-0123456789in".contains(c)) && !text.contains(&b'E');
            if !plain || text.starts_with(b"00") || text.ends_with(b".") {
                self.shape.set(Feature::OddFloat);
            }
            str::from_utf8(text).ok().and_then(|text| text.parse().ok()).map(f64::to_bits)
        };
        let mut set = |feature, as_key| {
            self.shape.set(feature);
            if key {
                self.shape.set(as_key);
            }
        };
        match bits {
            Some(0x8000_0000_0000_0000) => set(Feature::NegativeZero, Feature::KeyNegativeZero),
            Some(bits) if f64::from_bits(bits).is_infinite() => self.shape.set(Feature::Infinity),
            Some(bits) if f64::from_bits(bits).is_nan() && bits << 13 != 0 => {
                set(Feature::NanPayload, Feature::KeyNanPayload);
            }
            _ => {}
        }
    }

    fn string(&mut self, item: &Item) {
        let header = if b"zZ".contains(&item.code) { 2 } else { 5 };
        let payload = self.bytes.get(item.at + header..item.end).unwrap_or_default();
        let wide = item.code == b'u' || item.code == b't' && !self.target.is_python2();
        let text = wide || b"aAzZ".contains(&item.code);
        let ascii = payload.is_ascii();
        let mut length = payload.len();
        if wide && !ascii {
            length = payload.iter().filter(|&&b| b & 0xc0 != 0x80).count();
            for (feature, has) in [
                (Feature::Latin1, payload.iter().any(|b| (0xc2..=0xc3).contains(b))),
                (Feature::Bmp, payload.iter().any(|b| (0xc4..=0xef).contains(b))),
                (Feature::Astral, payload.iter().any(|b| (0xf0..=0xf4).contains(b))),
                (Feature::Surrogate, payload.windows(2).any(|w| w[0] == 0xed && w[1] >= 0xa0)),
            ] {
                if has {
                    self.shape.set(feature);
                }
            }
        } else if wide && !self.target.is_python2() {
            self.shape.set(Feature::WideAscii);
        } else if text && !ascii {
            self.shape.set(Feature::Latin1);
            self.shape.set(Feature::NarrowLatin1);
        }
        if b"aA".contains(&item.code) && length < 256 {
            self.shape.set(Feature::LongAscii);
        }
        if b"AZ".contains(&item.code) || wide && item.code == b't' {
            self.shape.set(Feature::Interned);
        }
        if payload.contains(&0) {
            self.shape.set(Feature::Nul);
        }
        match length {
            0 => self.shape.set(Feature::Length0),
            1 => self.shape.set(Feature::Length1),
            255 => self.shape.set(Feature::Length255),
            256 => self.shape.set(Feature::Length256),
            65535 => self.shape.set(Feature::Length65535),
            _ => {}
        }
        let contents = &mut self.contents[usize::from(text)];
        if contents.len() < CONTENTS {
            contents.push(payload);
        }
    }

    fn reference(&mut self, item: &Item) {
        self.shape.references += 1;
        let index = long(self.bytes, item.at + 1).and_then(|n| usize::try_from(n).ok());
        if item.code == b'R' {
            // The table of 2.7 holds strings only, all of which are finished.
            let interned = self.items.iter().take_while(|other| other.at < item.at).filter(|other| other.code == b't');
            let named = index.is_some_and(|index| index < interned.count());
            return self.shape.set(if named { Feature::Shared } else { Feature::ReferenceNowhere });
        }
        let feature = match index.and_then(|index| self.slots.get(index)) {
            None => Feature::ReferenceNowhere,
            Some(owner) if owner.at > item.at => Feature::ForwardReference,
            Some(owner) if owner.end <= item.at => Feature::Shared,
            Some(owner) => {
                self.shape.cycles += 1;
                match owner.code {
                    b'(' | b')' => Feature::CycleTuple,
                    b'[' => Feature::CycleList,
                    b'{' => Feature::CycleDict,
                    _ => return,
                }
            }
        };
        self.shape.set(feature);
    }
}
