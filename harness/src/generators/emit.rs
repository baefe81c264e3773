//! The emitter: marshal bytes for scalars, type bytes with flags, references and the book of reference slots.
//!
//! A stream that merely *looks* right kills real interpreters: hashing a tuple that is not finished, or that contains
//! itself, ends in SIGSEGV. So every slot remembers what is known of the object in it, and [`Emitter::reference`] hands
//! out only those that may stand in the asked [`Place`].
//!
//! Reviewed for Python 3.15.

use super::Target;
use super::luck::Luck;
use super::skim::FLAG_REF;
use super::swarm::{Alphabet, Leaf, Swarm};
use arbitrary::Unstructured;
use std::io::Write;

/// Expanded size, in nodes, that one stream may have when sharing is undone (format versions below 3 do that).
const MAX_WEIGHT: u64 = 4096;

/// How encodings are chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// As a writer of this format version does it.
    Writer(u8),
    /// Anything that the target's reader accepts.
    Any,
}

/// Where a value will stand, and so what it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere: every value will do, unfinished ones included.
    Free,
    /// Below the constants of a code object, which the loader walks: nothing unfinished, no cycle.
    Closed,
    /// Dict key or set member, or part of one: hashable, and so closed.
    Hashed,
}

/// What is known of an emitted value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) hashable: bool,
    /// No reference to an object that was unfinished when the reference was written, so no cycle.
    pub(super) closed: bool,
}

impl Facts {
    pub(super) const PURE: Facts = Facts { hashable: true, closed: true };
    const BACK: Facts = Facts { hashable: false, closed: false };

    pub(super) fn and(self, other: Facts) -> Facts {
        Facts { hashable: self.hashable && other.hashable, closed: self.closed && other.closed }
    }

    pub(super) fn unhashable(self) -> Facts {
        Facts { hashable: false, ..self }
    }

    fn fits(self, place: Place) -> bool {
        match place {
            Place::Free => true,
            Place::Closed => self.closed,
            Place::Hashed => self.hashable,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string that a code object may have as a name.
    Text,
    Bytes,
    /// A tuple of such strings, not empty.
    Names,
    /// An empty tuple, which is one of names as well.
    NoItems,
    /// Empty bytes.
    NoBytes,
    Other,
}

#[derive(Clone, Copy)]
pub(super) enum State {
    /// Being read; the object itself is in the slot.
    Open,
    /// Being read; the slot holds a placeholder that no reference may name.
    Sealed,
    Done(Facts),
}

struct Slot {
    kind: Kind,
    state: State,
    /// While the object is open: the emitter's weight before it. Then its own.
    weight: u64,
}

pub(super) struct Emitter<'u, 'd> {
    pub(super) u: &'u mut Unstructured<'d>,
    pub(super) target: Target,
    pub(super) style: Style,
    pub(super) swarm: Swarm,
    pub(super) out: Vec<u8>,
    /// How many more nodes may be started.
    pub(super) nodes: u32,
    /// No container starts at this level or below.
    pub(super) deepest: u32,
    /// How many sets are open around the next value. Since 3.11 each doubles what writing the innermost one costs.
    pub(super) sets: u32,
    slots: Vec<Slot>,
    /// How many more code objects may be started.
    pub(super) codes: u32,
    /// Length of 2.7's table of interned strings.
    strings: u32,
    /// Nodes so far, with shared ones counted as often as they are reached.
    weight: u64,
    /// How many more references may close a cycle. Two cycles through one object make writing at format versions below 3
    /// exponential (CPython up to 3.13 walks all paths), so they are rare.
    cycles: u32,
}

impl<'u, 'd> Emitter<'u, 'd> {
    pub(super) fn new(u: &'u mut Unstructured<'d>, target: Target, style: Style) -> Self {
        let swarm = Swarm::draw(u, target, style);
        // Most streams are small, so that many can be had; the tail is long.
        let sizes = if swarm.large { [8, 16, 16, 32, 32, 64, 64, 160] } else { [4, 4, 8, 8, 8, 16, 16, 32] };
        let size = u.pick(&sizes);
        let nodes = 1 + u.below(size);
        let cycles = if u.one_in(16) { 4 } else { 1 };
        // 3.6 keeps a borrowed pointer to the first code object's file name and reads it at the next one, even when that
        // first one is long gone (an overwritten dict value): a use after free, with errors as memory has it.
        let codes = match target.version {
            _ if !target.codes => 0,
            (3, ..7) => 1,
            _ => u32::MAX,
        };
        Emitter {
            u,
            target,
            style,
            swarm,
            out: Vec::with_capacity(256),
            nodes,
            deepest: target.max_depth.min(9),
            sets: 0,
            slots: Vec::new(),
            codes,
            strings: 0,
            weight: 0,
            cycles,
        }
    }

    /// Whether an encoding of this format version may be used.
    pub(super) fn allows(&self, format: u8) -> bool {
        match self.style {
            Style::Writer(version) => version >= format,
            Style::Any => self.target.marshal_version >= format,
        }
    }

    pub(super) fn long(&mut self, n: i32) {
        self.out.extend(n.to_le_bytes());
    }

    pub(super) fn size(&mut self, n: usize) {
        self.long(i32::try_from(n).expect("generated sizes are small"));
    }

    fn flagged(&mut self) -> bool {
        self.allows(3) && self.u.chance(self.swarm.flags)
    }

    /// Whether to encode as no writer would.
    pub(super) fn odd(&mut self) -> bool {
        self.style == Style::Any && self.u.chance(self.swarm.odd)
    }

    // ---- slots

    /// Writes a type byte, perhaps with a flag; `during` is what the slot is until [`Emitter::close`].
    pub(super) fn open(&mut self, code: u8, kind: Kind, during: State) -> Option<usize> {
        let flagged = self.flagged();
        self.open_flagged(code, flagged, kind, during)
    }

    pub(super) fn open_flagged(&mut self, code: u8, flagged: bool, kind: Kind, during: State) -> Option<usize> {
        self.out.push(if flagged { code | FLAG_REF } else { code });
        let start = self.weight;
        self.weight += 1;
        flagged.then(|| {
            self.slots.push(Slot { kind, state: during, weight: start });
            self.slots.len() - 1
        })
    }

    pub(super) fn close(&mut self, slot: Option<usize>, facts: Facts) {
        if let Some(slot) = slot {
            let slot = &mut self.slots[slot];
            slot.weight = self.weight - slot.weight;
            slot.state = State::Done(facts);
        }
    }

    /// Writes a reference to an earlier object that may stand in `place`, if a few tries find one.
    pub(super) fn reference(&mut self, place: Place, kind: Option<Kind>) -> Option<Facts> {
        if self.target.is_python2() {
            return self.string_reference(kind);
        }
        for _ in 0..4 {
            if self.slots.is_empty() || !self.allows(3) {
                return None;
            }
            let index = self.u.index(self.slots.len());
            let slot = &self.slots[index];
            let (facts, weight) = match slot.state {
                State::Open => (Facts::BACK, 1),
                State::Sealed => continue,
                State::Done(facts) => (facts, slot.weight),
            };
            let affordable = self.weight + weight <= MAX_WEIGHT && (facts.closed || self.cycles > 0);
            if !affordable || !facts.fits(place) || kind.is_some_and(|k| k != slot.kind) {
                continue;
            }
            self.weight += weight;
            self.cycles -= u32::from(!facts.closed);
            // Nobody looks at the flag of a reference.
            let flagged = self.odd() && self.u.one_in(4);
            self.out.push(if flagged { b'r' | FLAG_REF } else { b'r' });
            self.size(index);
            return Some(facts);
        }
        None
    }

    /// 2.7's `R`.
    fn string_reference(&mut self, kind: Option<Kind>) -> Option<Facts> {
        if self.strings == 0
            || !self.allows(1)
            || !matches!(kind, None | Some(Kind::Text | Kind::Bytes | Kind::NoBytes))
        {
            return None;
        }
        let index = self.u.below(self.strings);
        self.out.push(b'R');
        self.size(index as usize);
        self.weight += 1;
        Some(Facts::PURE)
    }

    // ---- scalars

    pub(super) fn leaf(&mut self) -> Facts {
        match self.swarm.leaves.pick(self.u) {
            Leaf::Constant => self.constant(),
            Leaf::Int => {
                let n = random_int(self.u);
                self.int(n);
            }
            Leaf::Digits => self.huge_int(),
            Leaf::Float => self.float(),
            Leaf::Complex => self.complex(),
            Leaf::Bytes => {
                let bytes = self.random_bytes();
                self.bytes(&bytes, if bytes.is_empty() { Kind::NoBytes } else { Kind::Bytes });
            }
            Leaf::Text => {
                let text = self.random_text();
                self.text(&text);
            }
        }
        Facts::PURE
    }

    /// None, True, False, Ellipsis, StopIteration: a flag on them is ignored and takes no slot.
    fn constant(&mut self) {
        let code = self.u.pick(b"NNTF.S");
        let flagged = self.style == Style::Any && self.flagged();
        self.weight += 1;
        self.out.push(if flagged { code | FLAG_REF } else { code });
    }

    /// Opens, writes what the payload consists of, closes.
    fn scalar(&mut self, code: u8, kind: Kind, payload: &[&[u8]]) {
        let slot = self.open(code, kind, State::Sealed);
        for part in payload {
            self.out.extend_from_slice(part);
            self.weight += part.len() as u64 / 16;
        }
        self.close(slot, Facts::PURE);
    }

    fn sized(&mut self, code: u8, kind: Kind, payload: &[u8]) {
        let n = i32::try_from(payload.len()).expect("generated sizes are small");
        self.scalar(code, kind, &[&n.to_le_bytes(), payload]);
    }

    pub(super) fn int(&mut self, n: i128) {
        let short = i32::try_from(n).ok();
        let wide = i64::try_from(n).ok();
        // 2.7 has two types, and only `int` uses the short forms; 3.x has one type and its writer uses no `I`.
        let free = self.target.is_python2() || self.odd();
        let form = if free { self.u.below(4) } else { 0 };
        match (form, short, wide) {
            (0 | 1, Some(n), _) => self.scalar(b'i', Kind::Other, &[&n.to_le_bytes()]),
            (0..=2, _, Some(n)) if free => self.scalar(b'I', Kind::Other, &[&n.to_le_bytes()]),
            _ => {
                // Base 2^15, least significant digit first, none for 0.
                let (mut digits, mut length, mut rest) = ([0; 9], 0, n.unsigned_abs());
                while rest > 0 {
                    digits[length] = u16::try_from(rest & 0x7fff).expect("fifteen bits");
                    rest >>= 15;
                    length += 1;
                }
                self.digits(n < 0, &digits[..length]);
            }
        }
    }

    /// More digits than any machine word.
    fn huge_int(&mut self) {
        let n = self.u.pick(&[2, 4, 5, 9, 20, 60, 137]);
        let mut digits: Vec<u16> = (0..n).map(|_| (u16::from(self.u.byte()) << 7) | u16::from(self.u.byte())).collect();
        let top = digits.len() - 1;
        digits[top] |= 1;
        let negative = self.u.one_in(3);
        self.digits(negative, &digits);
    }

    fn digits(&mut self, negative: bool, digits: &[u16]) {
        let n = i32::try_from(digits.len()).expect("generated ints are small");
        let slot = self.open(b'l', Kind::Other, State::Sealed);
        self.long(if negative { -n } else { n });
        self.out.extend(digits.iter().flat_map(|d| d.to_le_bytes()));
        self.weight += digits.len() as u64 / 8;
        self.close(slot, Facts::PURE);
    }

    fn float(&mut self) {
        let x = random_float(self.u);
        if self.binary_floats() {
            self.scalar(b'g', Kind::Other, &[&x.to_le_bytes()]);
        } else {
            let text = self.float_text(x);
            self.scalar(b'f', Kind::Other, &[&text]);
        }
    }

    fn complex(&mut self) {
        let (re, im) = (random_float(self.u), random_float(self.u));
        if self.binary_floats() {
            self.scalar(b'y', Kind::Other, &[&re.to_le_bytes(), &im.to_le_bytes()]);
        } else {
            let (re, im) = (self.float_text(re), self.float_text(im));
            self.scalar(b'x', Kind::Other, &[&re, &im]);
        }
    }

    fn binary_floats(&mut self) -> bool {
        match self.style {
            Style::Writer(version) => version >= 2,
            Style::Any => !self.odd(),
        }
    }

    /// Length byte and text; odd spellings where the style allows them.
    fn float_text(&mut self, x: f64) -> Vec<u8> {
        let mut text = vec![0];
        if self.style == Style::Any && self.u.below(2) == 1 {
            text.extend(self.u.pick(&ODD).as_bytes());
        } else if x.is_nan() {
            text.extend(b"nan");
        } else {
            write!(text, "{x:e}").expect("writing to memory cannot fail");
        }
        text[0] = u8::try_from(text.len() - 1).expect("float texts are short");
        text
    }

    /// `s`; in 2.7, whose `str` this is, also `t`.
    pub(super) fn bytes(&mut self, bytes: &[u8], kind: Kind) {
        if self.target.is_python2() {
            return self.python2_str(bytes);
        }
        self.sized(b's', kind, bytes);
    }

    fn python2_str(&mut self, bytes: &[u8]) {
        let interned = self.allows(1) && self.u.chance(self.swarm.interned);
        self.strings += u32::from(interned);
        self.sized(if interned { b't' } else { b's' }, Kind::Text, bytes);
    }

    /// A `str` (2.7: a `unicode`) of these code points.
    pub(super) fn text(&mut self, text: &[u32]) {
        let interned = self.u.chance(self.swarm.interned);
        let narrow = match self.style {
            Style::Writer(version) => version >= 4 && text.iter().all(|&c| c < 0x80),
            Style::Any => self.allows(3) && text.iter().all(|&c| c < 0x100) && !self.odd(),
        };
        if !narrow {
            let code = if interned && self.allows(3) { b't' } else { b'u' };
            return self.sized(code, Kind::Text, &utf8(text));
        }
        let bytes: Vec<u8> = text.iter().map(|&c| u8::try_from(c).expect("narrow")).collect();
        match u8::try_from(bytes.len()) {
            Ok(n) if !self.odd() => self.scalar(if interned { b'Z' } else { b'z' }, Kind::Text, &[&[n], &bytes]),
            _ => self.sized(if interned { b'A' } else { b'a' }, Kind::Text, &bytes),
        }
    }

    /// Any bytes, or a word that is a text elsewhere.
    pub(super) fn random_bytes(&mut self) -> Vec<u8> {
        if self.u.below(2) == 0 {
            return self.word().as_bytes().to_vec();
        }
        let length = self.random_length();
        repeat(&self.u.octets(length.clamp(1, 16)), length)
    }

    /// Code points, lone surrogates included.
    pub(super) fn random_text(&mut self) -> Vec<u32> {
        let alphabet = self.swarm.alphabets.pick(self.u);
        if alphabet == Alphabet::Words {
            return self.word().chars().map(u32::from).collect();
        }
        let length = self.random_length();
        let mut beginning = [0; 4];
        let different = length.clamp(1, beginning.len());
        for c in &mut beginning[..different] {
            let byte = u32::from(self.u.byte());
            *c = match alphabet {
                Alphabet::Words | Alphabet::Lower => u32::from(b'a') + byte % 26,
                Alphabet::Ascii => byte & 0x7f,
                Alphabet::Latin1 => byte,
                Alphabet::Bmp => 0x100 * (1 + byte % 0xd7) + byte,
                Alphabet::Astral => 0x1_0000 + byte * 0x1010,
                Alphabet::Surrogates => 0xd800 + byte * 8,
            };
        }
        repeat(&beginning[..different], length)
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.u.index(self.swarm.words)]
    }

    /// Most lengths are small; now and then one at which an encoding changes.
    fn random_length(&mut self) -> usize {
        match self.u.below(64) {
            0..=51 => self.u.index(9),
            _ if !self.swarm.large => 1,
            52..=55 => 255,
            56..=60 => 256,
            _ if self.u.one_in(8) => self.u.pick(&[65535, 65536]),
            _ => self.u.pick(&[257, 1000, 4095]),
        }
    }

    /// A string that a code object may use as a name: `str` in both Pythons.
    pub(super) fn name(&mut self) {
        if self.u.below(4) == 3 && self.reference(Place::Free, Some(Kind::Text)).is_some() {
            return;
        }
        if self.target.is_python2() {
            let name = self.word();
            self.python2_str(name.as_bytes());
        } else {
            let name = self.random_text();
            self.text(&name);
        }
    }
}

/// Words that recur, so that equal strings, and equal bytes and strings, meet in one value.
pub(super) const WORDS: [&str; 13] =
    ["x", "", "spam", "<module>", "__name__", "_0", "self", "é", "naïve", "日本", "a\0b", "\u{1f40d}", "\u{feff}x"];

/// Spellings of floats that no writer chooses.
const ODD: [&str; 24] = [
    "0",
    "-0",
    "+0",
    "00012",
    ".5",
    "5.",
    "+1.5",
    "1e5",
    "1E+05",
    "1e-05",
    "1e400",
    "-1e400",
    "1e-400",
    "-1e-400",
    "inf",
    "-INF",
    "Infinity",
    "+infinity",
    "nan",
    "NaN",
    "+nan",
    "-nan",
    "0.1000000000000000055511151231257827",
    "1.5\0rest",
];

/// UTF-8 in which lone surrogates are ordinary code points (Python's `surrogatepass`).
fn utf8(text: &[u32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &c in text {
        if let Some(c) = char::from_u32(c) {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            let group = |shift: u32| u8::try_from(c >> shift & 0x3f).expect("six bits");
            out.extend([0xe0 | group(12), 0x80 | group(6), 0x80 | group(0)]);
        }
    }
    out
}

/// Small ints, and the neighbours of every boundary between caches, digits and machine words.
fn random_int(u: &mut Unstructured<'_>) -> i128 {
    match u.below(4) {
        0 => i128::from(u.byte()) - 8,
        1 => i128::from(u.pick(&[-6, -5, 255, 256, 257, 1000, 1024, 1025])),
        _ => {
            let power = 1_i128 << u.pick(&[7, 8, 15, 16, 30, 31, 32, 45, 60, 61, 62, 63, 64, 75, 90, 120]);
            let near = power + i128::from(u.below(4)) - 2;
            if u.below(2) == 1 { -near } else { near }
        }
    }
}

fn random_float(u: &mut Unstructured<'_>) -> f64 {
    const BITS: [u64; 16] = [
        0,
        0x8000_0000_0000_0000, // -0.0
        0x3ff0_0000_0000_0000, // 1.0, equal to the int
        0x3fb9_9999_9999_999a, // 0.1
        0xc000_0000_0000_0000, // -2.0
        0x7ff0_0000_0000_0000, // inf
        0xfff0_0000_0000_0000, // -inf
        0x7ff8_0000_0000_0000, // nan
        0xfff8_0000_0000_0000, // -nan
        0x7ff8_dead_beef_0001, // nan with a payload
        0x7ff0_0000_0000_0001, // signalling nan
        0xfff4_0000_0000_0000, // another
        0x0000_0000_0000_0001, // the smallest
        0x7fef_ffff_ffff_ffff, // the largest
        0x4340_0000_0000_0000, // 2^53
        0x43e0_0000_0000_0000, // 2^63
    ];
    if u.one_in(4) { u.arbitrary().unwrap_or(0.5) } else { f64::from_bits(u.pick(&BITS)) }
}

/// A short random beginning, then its repetition, so that long strings cost little tape.
fn repeat<T: Copy>(beginning: &[T], length: usize) -> Vec<T> {
    beginning.iter().copied().cycle().take(length).collect()
}
