//! 2.7 after an exception in a dict.
//!
//! Its reader looks for exceptions at the end of a dict only, so it goes on with one pending, and whoever compares two keys
//! meanwhile may take it for his own, or clear it. Only keys of one hash are compared. So these come in pairs whose
//! hashes are the same: two spellings of a value; -1 and -2; numbers that differ by 2^64 - 1; a text and bytes that it cannot be
//! compared with; anything, and the integer that is its hash. In tuples a pair that is compared with an effect stands before
//! one that merely has the same hash: then the effect shows that hash.

use super::hash::hash;
use super::members::{binary, counted, integer, string, text_of};
use super::{Maker, sized};
use crate::generators::luck::Luck;

/// How something fails inside a dict: entries of it.
const FAILURES: [&[u8]; 6] = [
    b"N?",
    b"N?",
    // A set without a hash for its member, and a key without one.
    b"N<\x01\0\0\0[\0\0\0\0",
    b"[\0\0\0\0N",
    b"N(\x01\0\0\0?",
    // No UTF-8.
    b"Nu\x01\0\0\0\xff",
];

/// Members without a twin.
const OTHERS: [&[u8]; 6] = [b"N", b".", b"S", b"i\x07\0\0\0", b"s\x01\0\0\0q", b"(\0\0\0\0"];

/// Around these sizes a reader has not the memory.
const SIZES: [i32; 6] = [1 << 23, (1 << 23) + 1, i32::MAX, -(1 << 23), -(1 << 23) - 1, i32::MIN];

type Pair = [Vec<u8>; 2];

impl Maker<'_, '_> {
    /// A dict in which something fails, and what is read after that.
    pub(super) fn after_exception(&mut self) -> Vec<u8> {
        let mut dict = b"{".to_vec();
        let pair = self.twins(0);
        // Some keys may be there before.
        let is_before = self.u.below(4) == 1;
        if is_before {
            if self.u.below(2) == 0 {
                dict.extend(b"NN");
            }
            dict.extend(&pair[0]);
            let value: &[u8] = if self.u.one_in(4) { b"0" } else { b"N" };
            dict.extend(value);
        }
        dict.extend(self.u.pick(&FAILURES));
        if is_before {
            dict.extend(&pair[1]);
            dict.push(b'N');
        }
        for _ in 0..1 + self.u.below(2) {
            let entry = self.entry();
            dict.extend(entry);
        }
        if self.u.one_in(24) {
            // Cut off, so that missing bytes are read as ones.
            dict.extend(self.u.pick(&[&b"Ni"[..], b"NI\0\0\0\0", b"Ns\x02\0\0\0a"]));
            return dict;
        }
        dict.push(b'0');
        match self.u.below(12) {
            0 => [b"(\x02\0\0\0", &dict[..], b"N"].concat(),
            1 => [b"{N", &dict[..], b"0"].concat(),
            2 => [b"<\x01\0\0\0", &dict[..]].concat(),
            _ => dict,
        }
    }

    /// An entry that is read while an exception is pending.
    fn entry(&mut self) -> Vec<u8> {
        match self.u.below(16) {
            0 => {
                // What is taken for a failure, and what is not.
                let x: f64 = self.u.pick(&[-1.0, -1.0, -1.0, 1.0, -2.0, -1.5]);
                let text = counted(x.to_string().as_bytes());
                let value = match self.u.below(5) {
                    0 => binary(b'g', &[x]),
                    1 => [&b"f"[..], &text].concat(),
                    2 => binary(b'y', &[x, 0.0]),
                    3 => binary(b'y', &[0.0, x]),
                    _ => [&b"x"[..], &text, b"\x010"].concat(),
                };
                self.telling(&value)
            }
            1 if self.u.one_in(4) => {
                let code = self.u.pick(b"st(l[");
                [&b"N"[..], &[code], &self.u.pick(&SIZES).to_le_bytes()].concat()
            }
            // Making a code object may forgive.
            2 => {
                let consts = if self.u.below(4) == 0 {
                    vec![b"N".to_vec()]
                } else {
                    let inner = sized(b'>', &[]);
                    let nested = self.u.below(3);
                    vec![[b"N".to_vec(), inner.clone(), sized(b'(', &[b"N".to_vec(), inner])][nested as usize].clone()]
                };
                let code = self.code(&consts).unwrap_or_else(|| b"N".to_vec());
                self.telling(&code)
            }
            // Keys of the dict itself, or of one in it.
            3..=5 => {
                let is_inside = self.u.below(3) == 1;
                let keys = self.probe();
                let entries: Vec<u8> = keys.iter().flat_map(|key| [key, &b"N"[..]].concat()).collect();
                if is_inside { [b"N{", &entries[..], b"0"].concat() } else { entries }
            }
            _ => {
                let keys = self.probe();
                let holder = self.u.pick(b"<<>");
                self.telling(&sized(holder, &keys))
            }
        }
    }

    /// An entry with this value in a tuple. If the value fails, what stands behind it are an entry of its own, whose key
    /// has no hash: another exception.
    fn telling(&mut self, value: &[u8]) -> Vec<u8> {
        match self.u.below(4) {
            0 => [b"N", value].concat(),
            _ => [&b"N(\x03\0\0\0"[..], value, b"[\0\0\0\0N"].concat(),
        }
    }

    /// Keys of which two or three are compared.
    fn probe(&mut self) -> Vec<Vec<u8>> {
        if self.u.one_in(8) {
            // The first equal one ends the search, if it comes before one that fails.
            return (0..3).map(|_| self.minus_one_or_two()).collect();
        }
        let mut twins = self.twins(2);
        if self.u.one_in(24) {
            // Nobody looks deeper than so.
            let levels = 62 + self.u.index(4);
            twins = twins.map(|one| [&b"(\x01\0\0\0".repeat(levels)[..], &one].concat());
        }
        let [one, other] = twins;
        let mut keys = vec![one, other];
        if self.u.one_in(3) {
            // A third one of the same hash.
            let again = match hash(&keys[0]) {
                Some(hash) if self.u.below(2) == 0 => self.number_of_hash(hash),
                _ => keys[self.u.index(2)].clone(),
            };
            let at = self.u.index(3);
            keys.insert(at, again);
        }
        // With more than five a table has grown.
        let others = self.u.pick(&[0, 0, 0, 0, 1, 2, 3, 4, 5]);
        let before = self.u.below(2) == 0;
        for other in &OTHERS[..others] {
            let at = if before { 0 } else { self.u.index(keys.len()) };
            keys.insert(at, other.to_vec());
        }
        keys
    }

    /// Both have one hash.
    fn minus_one_or_two(&mut self) -> Vec<u8> {
        let n = self.u.pick(&[-1, -2]);
        self.int(n)
    }

    fn number_of_hash(&mut self, hash: i64) -> Vec<u8> {
        let n = i128::from(hash);
        match self.u.below(4) {
            0 | 1 => integer(n, b'I'),
            2 => integer(n, b'l'),
            // Another one with this remainder.
            _ => integer(if n < 0 { n - MODULUS } else { n + MODULUS }, b'l'),
        }
    }

    /// Two objects of one hash, nested at most so deep.
    fn twins(&mut self, depth: u32) -> Pair {
        match self.u.below(if depth == 0 { 9 } else { 18 }) {
            0 | 1 => {
                let family = self.family();
                [self.spelled(&family), self.spelled(&family)]
            }
            2 => {
                let n = self.number();
                [self.int(n), self.int(n)]
            }
            3 => self.large_twins(),
            4 => [self.minus_one_or_two(), self.minus_one_or_two()],
            5 | 6 => self.texts(),
            7 | 8 => self.and_its_hash(depth),
            9..=13 => self.telltale(depth - 1),
            // Each of these has two that are alike.
            14 | 15 => {
                let (a, b) = (self.twins(depth - 1), self.twins(depth - 1));
                let [mut left, mut right] = [0, 1].map(|side| vec![a[side].clone(), b[side].clone()]);
                if self.u.one_in(4) {
                    left.push(self.constant());
                    right.push(left[2].clone());
                }
                if self.u.one_in(4) {
                    // It is there twice.
                    left.push(a[1].clone());
                }
                if self.u.below(2) == 0 {
                    right.reverse();
                }
                [sized(b'>', &left), sized(b'>', &right)]
            }
            16 => {
                let [one, other] = self.twins(depth - 1);
                [sized(b'(', &[one]), sized(b'(', &[other])]
            }
            _ => {
                let [one, other] = self.twins(depth - 1);
                [sized(b'>', &[one]), sized(b'>', &[other])]
            }
        }
    }

    /// Tuples of two pairs; the first pair is compared first.
    fn telltale(&mut self, depth: u32) -> Pair {
        let first = match self.u.below(6) {
            0 => [integer(3, b'i'), integer(3, b'l')],
            1 => [b"T".to_vec(), integer(1, b'i')],
            2 => [integer(-1, b'i'), integer(-2, b'i')],
            3 => self.texts(),
            4 => [b"N".to_vec(), b"N".to_vec()],
            _ => self.twins(depth),
        };
        let second = if self.u.below(3) < 2 { self.and_its_hash(depth) } else { self.twins(depth) };
        let mut items = vec![first, second];
        if self.u.one_in(4) {
            let third = self.twins(depth);
            items.push(third);
        }
        [0, 1].map(|side| sized(b'(', &items.iter().map(|item| item[side].clone()).collect::<Vec<_>>()))
    }

    /// Anything, and a number that is its hash.
    fn and_its_hash(&mut self, depth: u32) -> Pair {
        let value = match self.u.below(12) {
            0..=4 => {
                let family = self.family();
                self.spelled(&family)
            }
            5 | 6 => {
                let x = f64::from_le_bytes(self.u.octets(8).try_into().unwrap_or_default());
                binary(b'g', &[x])
            }
            7 => {
                let parts = [0, 1].map(|_| self.u.pick(&[0.5, 1.0, -1.0, 3.25, 0.0, 1e300]));
                binary(b'y', &parts)
            }
            8 => {
                let digits = self.u.octets(14);
                let digits = digits.chunks(2).map(|d| u16::from_le_bytes([d[0], d[1] & 0x7f]) | 1);
                let n = self.u.pick(&[7_i32, -7]);
                [&b"l"[..], &n.to_le_bytes(), &digits.flat_map(u16::to_le_bytes).collect::<Vec<u8>>()].concat()
            }
            9 => self.code(&[]).unwrap_or_else(|| b"T".to_vec()),
            _ => {
                let items: Vec<Vec<u8>> = (0..self.u.index(4)).map(|_| self.twins(depth.min(1))[0].clone()).collect();
                sized(self.u.pick(b"(>"), &items)
            }
        };
        match hash(&value) {
            Some(hash) => {
                let number = self.number_of_hash(hash);
                [value, number]
            }
            None => [value.clone(), value],
        }
    }

    /// Texts and bytes of one hash.
    fn texts(&mut self) -> Pair {
        let ascii: &[&str] = &["a", "ab", "name", ""];
        let others: &[&str] = &["\u{e9}", "\u{ff}x", "a\u{80}"];
        let text = if self.u.below(2) == 0 { self.u.pick(ascii) } else { self.u.pick(others) };
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(0)).collect();
        let one = |maker: &mut Self| {
            let (code, text) =
                maker.u.pick(&[(b's', &bytes[..]), (b't', &bytes), (b'u', text.as_bytes()), (b'u', text.as_bytes())]);
            string(code, text)
        };
        let pair = [one(self), one(self)];
        if self.u.one_in(4) {
            let number = hash(&pair[0]).map(|hash| self.number_of_hash(hash));
            return [pair[0].clone(), number.unwrap_or_default()];
        }
        if self.u.below(2) == 0 { pair } else { [pair[1].clone(), pair[0].clone()] }
    }

    /// A float and an integer of one hash, near the size at which they are compared digit by digit.
    fn large_twins(&mut self) -> Pair {
        let power = self.u.pick(&[46_u32, 47, 48, 49, 50, 52, 53, 60, 61, 62, 63, 64, 65, 75, 90, 100]);
        let n = (1_i128 << power) - i128::from(self.u.below(2) & u32::from(power < 53));
        let n = if self.u.below(3) == 1 { -n } else { n };
        #[allow(clippy::cast_precision_loss)] // it is a power of two, or has less than 53 bits
        let x = n as f64;
        let float = match self.u.below(4) {
            0 => {
                let imaginary = self.u.pick(&[0.0, -0.0]);
                binary(b'y', &[x, imaginary])
            }
            1 => {
                let text = text_of(x);
                if self.u.below(2) == 0 { [&b"f"[..], &text].concat() } else { [&b"x"[..], &text, b"\x010"].concat() }
            }
            _ => binary(b'g', &[x]),
        };
        let integer = match self.u.below(6) {
            0 | 1 if i64::try_from(n).is_ok() => integer(n, b'I'),
            // Of the same remainder by 2^64 - 1: of the same size, of another, of the other sign.
            4 => integer(n + MODULUS * n.signum(), b'l'),
            5 => match hash(&float) {
                Some(hash) => self.number_of_hash(hash),
                None => integer(n, b'l'),
            },
            3 if n == -(1 << 63) => integer(1 << 63, b'l'),
            _ => integer(n, b'l'),
        };
        if self.u.below(2) == 0 { [float, integer] } else { [integer, float] }
    }
}

const MODULUS: i128 = u64::MAX as i128;
