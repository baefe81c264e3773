//! Values, and what is equal to them or nearly so.
//!
//! Reviewed for Python 3.15.

use super::{Maker, sized};
use crate::generators::codes::opcodes::Opcodes;
use crate::generators::luck::Luck;
use crate::generators::spell::to_digits;

/// A value with everything that is equal to it in some language.
#[derive(Debug, Clone)]
pub(super) enum Family {
    Int(i128),
    Real(f64),
    /// By its bits.
    Nan(u64),
    Complex(f64, f64),
    Text(String),
    /// An object that is like nothing else.
    Constant(u8),
    /// Code objects that differ in one field, or in none.
    Code,
}

/// How a member holds what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Bare,
    Tuple,
    Pair,
    Frozenset,
    /// A tuple of a tuple and of something else.
    Nested,
    Slice,
    Frozendict,
    /// A frozenset in a tuple.
    Both,
}

/// Around these powers of two numbers change their form: of small ints, digits, words, the mantissa of floats.
const POWERS: [u32; 21] = [0, 1, 3, 7, 8, 15, 30, 31, 32, 45, 47, 48, 49, 52, 53, 60, 62, 63, 64, 75, 100];

/// Numbers that interpreters treat by themselves.
const NUMBERS: [i128; 14] = [0, 1, -1, -2, 2, -5, -6, 256, 257, 10, 1, 0, 97, 233];

/// Fractions, and what is hard to tell from a whole number.
const REALS: [f64; 12] = [
    0.5,
    -0.5,
    1.5,
    0.1,
    5e-324,
    2.2e-308,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1e300,
    -1e22,
    4_503_599_627_370_495.5,
    -0.0,
];

const NANS: [u64; 4] = [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff8_0000_0000_0001, 0x7ffc_0000_0000_0000];

/// Texts: of each width, with a length at which something changes, alike at both ends.
const TEXTS: [&str; 20] = [
    "a",
    "",
    "b",
    "é",
    "\u{ff}x",
    "name",
    "a b",
    "abcdefg",
    "abcdefgh",
    "abcdefgh1abcdefgh",
    "abcdefgh2abcdefgh",
    "abcdefghabcdefgh",
    "日本",
    "\u{1f40d}",
    "a\0",
    "abcdefghi",
    // Names of the code objects.
    "n",
    "f",
    "file",
    "x",
];

impl Maker<'_, '_> {
    pub(super) fn family(&mut self) -> Family {
        match self.u.below(16) {
            0..=3 => Family::Int(self.u.pick(&NUMBERS)),
            4..=6 => Family::Int(self.number()),
            7 | 8 => Family::Real(self.u.pick(&REALS)),
            9 => Family::Nan(self.u.pick(&NANS)),
            10 => {
                let parts: [f64; 6] = [0.0, 1.0, -0.0, 2.0, -1.0, f64::INFINITY];
                Family::Complex(self.u.pick(&parts), self.u.pick(&parts))
            }
            11..=13 => Family::Text(self.u.pick(&TEXTS).to_owned()),
            14 => Family::Constant(self.u.pick(b"N.STF")),
            _ => Family::Code,
        }
    }

    pub(super) fn number(&mut self) -> i128 {
        let power = 1_i128 << self.u.pick(&POWERS);
        let near = power + self.u.pick(&[0, 0, 0, 1, -1]);
        if self.u.below(3) == 1 { -near } else { near }
    }

    /// An object that is equal to others of its kind only.
    pub(super) fn constant(&mut self) -> Vec<u8> {
        vec![self.u.pick(b"N.STF")]
    }

    pub(super) fn wrapping(&mut self) -> Wrapping {
        match self.u.below(16) {
            8 | 9 => Wrapping::Tuple,
            10 => Wrapping::Pair,
            11 => Wrapping::Frozenset,
            12 => Wrapping::Nested,
            13 => Wrapping::Both,
            14 if self.target.marshal_version >= 5 => Wrapping::Slice,
            15 if self.target.marshal_version >= 6 => Wrapping::Frozendict,
            _ => Wrapping::Bare,
        }
    }

    /// A member of one of these families.
    pub(super) fn wrapped(&mut self, wrapping: Wrapping, families: &[Family]) -> Vec<u8> {
        let one = |maker: &mut Self| {
            let family = &families[maker.u.index(families.len())];
            maker.spelled(family)
        };
        match wrapping {
            Wrapping::Bare => one(self),
            Wrapping::Tuple => {
                let items = [one(self)];
                self.tuple(&items)
            }
            Wrapping::Pair => {
                let items = [one(self), one(self)];
                self.tuple(&items)
            }
            Wrapping::Frozenset => {
                let n = self.u.index(3);
                let items: Vec<Vec<u8>> = (0..n).map(|_| one(self)).collect();
                sized(b'>', &items)
            }
            Wrapping::Nested => {
                let inner = [one(self)];
                let items = [self.tuple(&inner), one(self)];
                self.tuple(&items)
            }
            Wrapping::Both => {
                let inner = [one(self), one(self)];
                let items = [sized(b'>', &inner), one(self)];
                self.tuple(&items)
            }
            Wrapping::Slice => [b":".to_vec(), one(self), one(self), b"N".to_vec()].concat(),
            Wrapping::Frozendict => {
                let values = [one(self), one(self)];
                [b"}".to_vec(), one(self), values[0].clone(), one(self), values[1].clone(), b"0".to_vec()].concat()
            }
        }
    }

    /// A spelling of a value, or of one near it.
    pub(super) fn spelled(&mut self, family: &Family) -> Vec<u8> {
        let is_near = self.u.below(5) == 1;
        match family {
            Family::Int(n) => {
                let n = if is_near { self.near(*n) } else { *n };
                self.int(n)
            }
            Family::Real(x) => {
                let x = match self.u.below(2) {
                    _ if !is_near => *x,
                    0 => -x,
                    _ => f64::from_bits(x.to_bits() ^ 1),
                };
                self.real(x)
            }
            Family::Nan(bits) => {
                let x = f64::from_bits(*bits);
                match self.u.below(4) {
                    0 | 1 => self.float(x),
                    2 => self.complex(x, 0.0),
                    _ => self.complex(1.0, x),
                }
            }
            Family::Complex(re, im) => {
                let im = if is_near { -im } else { *im };
                self.complex(*re, im)
            }
            Family::Text(text) => {
                let near = format!("{text}x");
                let text = if is_near { near } else { text.clone() };
                self.text(&text)
            }
            Family::Constant(code) => vec![*code],
            Family::Code => {
                let n = self.u.index(2);
                let number = self.u.pick(&[0, 1]);
                let consts: Vec<Vec<u8>> = (0..n).map(|_| self.spelled(&Family::Int(number))).collect();
                self.code(&consts).unwrap_or_else(|| b"N".to_vec())
            }
        }
    }

    /// A number that is nearly another one.
    fn near(&mut self, n: i128) -> i128 {
        match self.u.below(4) {
            0 => -n,
            1 => n + 1,
            2 => n - 1,
            // Of the same lower digits, and of the same remainder.
            _ => n + self.u.pick(&[1 << 32, 1 << 62, 1 << 64, (1 << 64) - 1]),
        }
    }

    /// Any spelling of an integer.
    pub(super) fn int(&mut self, n: i128) -> Vec<u8> {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // compared afterwards
        let float = Some(n as f64).filter(|x| *x as i128 == n);
        match self.u.below(8) {
            0 | 1 if i32::try_from(n).is_ok() => integer(n, b'i'),
            2 if i64::try_from(n).is_ok() => integer(n, b'I'),
            3 | 4 if n == 0 || n == 1 => vec![if n == 1 { b'T' } else { b'F' }],
            4..=6 => float.map_or_else(|| integer(n, b'l'), |x| self.real(x)),
            0..=2 if i32::try_from(n).is_ok() => integer(n, b'i'),
            _ => integer(n, b'l'),
        }
    }

    /// A float, or a complex number that is equal to it.
    fn real(&mut self, x: f64) -> Vec<u8> {
        if self.u.below(3) < 2 {
            return self.float(x);
        }
        let imaginary = self.u.pick(&[0.0, 0.0, -0.0, 1.0]);
        self.complex(x, imaginary)
    }

    fn float(&mut self, x: f64) -> Vec<u8> {
        if self.u.below(3) < 2 { binary(b'g', &[x]) } else { [&b"f"[..], &text_of(x)].concat() }
    }

    fn complex(&mut self, re: f64, im: f64) -> Vec<u8> {
        if self.u.below(3) < 2 { binary(b'y', &[re, im]) } else { [&b"x"[..], &text_of(re), &text_of(im)].concat() }
    }

    /// Any spelling of a text: bytes of it, too.
    fn text(&mut self, text: &str) -> Vec<u8> {
        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let python2 = self.target.is_python2();
        match (self.u.below(8), latin1) {
            // 2.7 compares these bytes with the text.
            (0, Some(bytes)) => string(b's', &bytes),
            (1, Some(bytes)) if python2 => string(b't', &bytes),
            (2 | 3, Some(bytes)) if !python2 => {
                let code = self.u.pick(b"zZ");
                short(code, &bytes)
            }
            (4, Some(bytes)) if !python2 => string(self.u.pick(b"aA"), &bytes),
            (5, _) if !python2 => string(b't', text.as_bytes()),
            (0 | 6, _) => string(b's', text.as_bytes()),
            _ => string(b'u', text.as_bytes()),
        }
    }

    /// A small code object with these constants; now and then one that differs in a field. `None` if there may be no more.
    pub(super) fn code(&mut self, consts: &[Vec<u8>]) -> Option<Vec<u8>> {
        self.codes = self.codes.checked_sub(1)?;
        let version = self.target.version;
        // Mostly nothing is different.
        let differs = self.u.below(24);
        let changed = |place: u32| i32::from(differs == place);
        let flags = [0, 1, 4 | 0x40, 0x20][self.u.index(4) * usize::from(differs == 12)];
        let mut ints = vec![changed(1)];
        ints.extend((version >= (3, 8)).then_some(0));
        ints.extend((version >= (3, 0)).then_some(0));
        ints.extend((version < (3, 11)).then_some(1));
        ints.extend([2 + changed(2), flags]);
        let python2 = version < (3, 0);
        let name = |text: &str| if python2 { string(b's', text.as_bytes()) } else { short(b'z', text.as_bytes()) };
        let names = |texts: &[&str]| sized(b'(', &texts.iter().map(|text| name(text)).collect::<Vec<_>>());
        let or = |place, one: &'static str, other: &'static str| if differs == place { other } else { one };
        let mut objects = vec![string(b's', &self.plain_instructions(differs == 3)), self.tuple(consts)];
        objects.push(if differs == 4 { names(&["n", "m"]) } else { names(&["n"]) });
        if version >= (3, 11) {
            objects.push(names(&[or(5, "x", "y"), "z"]));
            objects.push(string(b's', &[0x20, if differs == 6 { 0x60 } else { 0x80 }]));
        } else {
            objects.push(names(&[or(5, "x", "y")]));
            objects.push(if differs == 6 { names(&["z"]) } else { names(&[]) });
            objects.push(if differs == 7 { names(&["z"]) } else { names(&[]) });
        }
        objects.push(name(or(8, "file", "other")));
        objects.push(name(or(9, "f", "g")));
        objects.extend((version >= (3, 11)).then(|| name(or(10, "f", "C.f"))));
        let line = [(1 + changed(11)).to_le_bytes()].concat();
        let mut tables = vec![string(b's', or(13, "", "\0").as_bytes())];
        tables.extend((version >= (3, 11)).then(|| string(b's', or(14, "", "\0").as_bytes())));
        let ints = ints.iter().flat_map(|n| n.to_le_bytes()).collect();
        Some([b"c".to_vec(), ints, objects.concat(), line, tables.concat()].concat())
    }

    /// A few instructions of the target, whose caches are empty.
    fn plain_instructions(&mut self, more: bool) -> Vec<u8> {
        let opcodes = Opcodes::of(self.target.version);
        let wanted: &[u8] = if more { b"o" } else { b"-" };
        let Some(opcode) = opcodes.from(if more { 100 } else { 4 }, wanted) else { return Vec::new() };
        let mut code = vec![opcode, 0];
        code.extend(vec![0; 2 * opcodes.caches(opcode)]);
        code
    }
}

pub(super) fn string(code: u8, bytes: &[u8]) -> Vec<u8> {
    [&[code][..], &super::size(bytes.len()), bytes].concat()
}

/// One whose size is a byte.
fn short(code: u8, bytes: &[u8]) -> Vec<u8> {
    [&[code][..], &counted(bytes)].concat()
}

/// A length byte, and that many.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap_or(0)][..], bytes].concat()
}

/// A float (`g`) or the two of a complex number (`y`).
pub(super) fn binary(code: u8, parts: &[f64]) -> Vec<u8> {
    std::iter::once(code).chain(parts.iter().flat_map(|part| part.to_le_bytes())).collect()
}

/// Length byte and text of a float.
pub(super) fn text_of(x: f64) -> Vec<u8> {
    let text = if x.is_nan() { "nan".to_owned() } else { format!("{x:e}") };
    counted(text.as_bytes())
}

/// An integer in this form, which can hold it.
pub(super) fn integer(n: i128, code: u8) -> Vec<u8> {
    let bytes = n.to_le_bytes();
    match code {
        b'i' => [&b"i"[..], &bytes[..4]].concat(),
        b'I' => [&b"I"[..], &bytes[..8]].concat(),
        _ => [&b"l"[..], &to_digits(n)].concat(),
    }
}
