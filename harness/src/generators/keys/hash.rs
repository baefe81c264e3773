//! `hash()` of 2.7 on 64 bits, of an object in a stream: written from `Objects/*.c` of 2.7, with floats where CPython has them.

use std::collections::BTreeSet;

/// The hash of the first object, if it has one that does not depend on addresses.
pub(super) fn hash(stream: &[u8]) -> Option<i64> {
    Reader { rest: stream }.object()
}

struct Reader<'s> {
    rest: &'s [u8],
}

const NO_HASH: i64 = -1;

/// -1 is how C tells of an exception.
fn seen(hash: i64) -> i64 {
    if hash == NO_HASH { -2 } else { hash }
}

impl<'s> Reader<'s> {
    fn take(&mut self, n: usize) -> Option<&'s [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    fn long(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(self.long()?).ok()
    }

    fn binary(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<f64> {
        let length = self.take(1)?[0];
        std::str::from_utf8(self.take(length.into())?).ok()?.parse().ok()
    }

    fn object(&mut self) -> Option<i64> {
        let hash = match self.take(1)?[0] {
            b'T' => 1,
            b'F' => 0,
            b'i' => self.long()?.into(),
            b'I' => i64::from_le_bytes(self.take(8)?.try_into().ok()?),
            b'l' => self.digits()?,
            b'g' => of_float(self.binary()?),
            b'f' => of_float(self.text()?),
            b'y' => complex([self.binary()?, self.binary()?]),
            b'x' => complex([self.text()?, self.text()?]),
            b's' | b't' => {
                let n = self.size()?;
                of_text(self.take(n)?.iter().map(|byte| i64::from(*byte)))
            }
            b'u' => {
                let n = self.size()?;
                of_text(std::str::from_utf8(self.take(n)?).ok()?.chars().map(|c| i64::from(u32::from(c))))
            }
            b'(' => self.tuple()?,
            b'>' => self.frozenset()?,
            b'c' => self.code()?,
            _ => return None,
        };
        Some(seen(hash))
    }

    /// The remainder of the magnitude by 2^64 - 1, as adding the carry to rotated digits leaves it.
    fn digits(&mut self) -> Option<i64> {
        let n = self.long()?;
        let digits = self.take(2 * usize::try_from(n.unsigned_abs()).ok()?)?;
        let value = digits.chunks_exact(2).rev().fold(0, |value: u128, digit| {
            let next = value << 15 | u128::from(u16::from_le_bytes([digit[0], digit[1]]));
            // One that is 0 modulo 2^64 - 1 stays 2^64 - 1.
            if next > MODULUS { (next - 1) % MODULUS + 1 } else { next }
        });
        let value = u64::try_from(value).ok()?.cast_signed();
        Some(if n < 0 { value.wrapping_neg() } else { value })
    }

    fn tuple(&mut self) -> Option<i64> {
        let n = self.size()?;
        let (mut x, mut factor) = (0x34_5678_i64, 1_000_003_i64);
        for left in (0..n).rev() {
            x = (x ^ self.object()?).wrapping_mul(factor);
            factor = factor.wrapping_add(82_520 + 2 * i64::try_from(left).ok()?);
        }
        Some(x.wrapping_add(97_531))
    }

    fn frozenset(&mut self) -> Option<i64> {
        let n = self.size()?;
        // Members of one hash are equal, of those that are asked for.
        let members: BTreeSet<i64> = (0..n).map(|_| self.object()).collect::<Option<_>>()?;
        let size = u64::try_from(members.len()).ok()?;
        let mut hash = 1_927_868_237_u64.wrapping_mul(size + 1);
        for member in members {
            let h = member.cast_unsigned();
            hash ^= (h ^ (h << 16) ^ 89_869_747).wrapping_mul(3_644_798_167);
        }
        let hash = hash.wrapping_mul(69_069).wrapping_add(907_133_923).cast_signed();
        Some(if hash == NO_HASH { 590_923_713 } else { hash })
    }

    fn code(&mut self) -> Option<i64> {
        let [argcount, nlocals, _, flags] = [self.long()?, self.long()?, self.long()?, self.long()?];
        let mut hash = i64::from(argcount) ^ i64::from(nlocals) ^ i64::from(flags);
        // The instructions, constants, names, variables, free ones and cells; then the file name, which does not count.
        for _ in 0..6 {
            hash ^= self.object()?;
        }
        self.object()?;
        hash ^= self.object()?;
        self.long()?;
        self.object()?;
        Some(hash)
    }
}

const MODULUS: u128 = u64::MAX as u128;

fn complex(parts: [f64; 2]) -> i64 {
    let [re, im] = parts.map(of_float);
    re.wrapping_add(im.wrapping_mul(1_000_003))
}

fn of_text(characters: impl Iterator<Item = i64>) -> i64 {
    let characters: Vec<i64> = characters.collect();
    let Some(first) = characters.first() else { return 0 };
    let hash = characters.iter().fold(first << 7, |hash, c| hash.wrapping_mul(1_000_003) ^ c);
    hash ^ i64::try_from(characters.len()).unwrap_or(0)
}

fn of_float(value: f64) -> i64 {
    if value.is_infinite() {
        return if value < 0.0 { -271_828 } else { 314_159 };
    }
    if value.is_nan() {
        return 0;
    }
    let (fraction, exponent) = split(value);
    if value.trunc().to_bits() == value.to_bits() {
        // As the int that it is equal to: the fraction's 53 bits, moved up.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 53 bits, and no sign
        let mantissa = (fraction.abs() * 2_f64.powi(53)) as u64;
        let magnitude = match u32::try_from(exponent - 53) {
            Ok(up) => mantissa.rotate_left(up % 64),
            Err(_) => mantissa >> (53 - exponent),
        };
        let magnitude = magnitude.cast_signed();
        return seen(if value < 0.0 { magnitude.wrapping_neg() } else { magnitude });
    }
    let scale = 2_147_483_648.0;
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // as C does it
    let (upper, lower) = {
        let upper = (fraction * scale) as i64;
        (upper, ((fraction * scale - upper as f64) * scale) as i64)
    };
    seen(upper + lower + (i64::from(exponent) << 15))
}

/// `frexp`: a fraction from a half to 1, and a power of two.
fn split(value: f64) -> (f64, i32) {
    if value == 0.0 {
        return (value, 0);
    }
    let (mut fraction, mut exponent) = (value, 0);
    while fraction.abs() >= 1.0 {
        fraction /= 2.0;
        exponent += 1;
    }
    while fraction.abs() < 0.5 {
        fraction *= 2.0;
        exponent -= 1;
    }
    (fraction, exponent)
}

#[cfg(test)]
mod tests {
    use super::hash;

    /// What 2.7 answered.
    #[test]
    fn hashes() {
        let rows: &[(&[u8], i64)] = &[
            (b"i\xff\xff\xff\xff", -2),
            (b"I\0\0\0\0\0\0\0\xc0", -4_611_686_018_427_387_904),
            (b"l\x05\0\0\0\xff\x7f\xff\x7f\xff\x7f\xff\x7f\x0f\0", -2),
            (b"l\x05\0\0\0)\0\0\0\0\0\0\0\x10\0", 42),
            (b"l\xf9\xff\xff\xff90\0\0\0\0\0\0\0\0\0\0\0\x04", -68_719_489_081),
            (b"l\x06\0\0\0\xc9c;!\xbfl\x86\x1fU\0\x13\0", 6_048_575_297_968_569_294),
            (b"g\0\0\0\0\0\0\xe0\xbf", -1_073_741_824),
            (b"g\x9a\x99\x99\x99\x99\x99\xb9?", 2_576_882_278),
            (b"gkN\xb9\x1du\xcf\x95\xbe", -3_387_239_030),
            (b"g\xe8\x07\0\0\0\0\0\0", 2_087_485_440),
            (b"g\x01\0\0\0\0\0@C", 9_007_199_254_740_994),
            (b"g\0\0\0\0\0\0\xe0\xc3", i64::MIN + 1 - 1),
            (b"g\x92\xd5M\x06\xcf\xf0\x80D", 1_864_712_049_423_024_670),
            (b"g\x9cu\0\x88<\xe47\xfe", -8_474_648_701_417_850_880),
            (b"f\x011", 1),
            (b"N", 0),
        ];
        for (stream, expected) in rows {
            assert_eq!(hash(stream).unwrap_or(0), *expected, "{stream:x?}");
        }
    }
}
