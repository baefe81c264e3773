//! Ints that come out as other ints.

use super::*;

pub(super) const FAULTS: [Fault; 13] = [
    Fault {
        name: "int-unsigned",
        what: "`i` is read as an unsigned number",
        cause: "a reader in a language whose default is u32",
        versions: EVERY,
        way: Way::Reads(b"i", |walk, object| {
            let value = walk.long(object).filter(|value| *value < 0)?;
            Edit::of(5, object.spelled(b'I', &u64::from(value.cast_unsigned()).to_le_bytes()))
        }),
        example: Example::Stream(b"i\0\0\0\x80"),
    },
    Fault {
        name: "int64-cut",
        what: "`I` keeps its low 32 bits",
        cause: "a C long of a 32-bit platform, or of Windows",
        versions: EVERY,
        way: Way::Reads(b"I", |walk, object| {
            let value = int64(walk, object).filter(|value| i32::try_from(*value).is_err())?;
            Edit::of(9, object.spelled(b'i', &value.to_le_bytes()[..4]))
        }),
        example: Example::Stream(b"I\0\0\0\0\0\0\0\x01"),
    },
    Fault {
        name: "int64-halves-swapped",
        what: "`I` is put together with the high half first",
        cause: "two reads of 32 bits, evaluated in the other order",
        versions: EVERY,
        way: Way::Reads(b"I", |walk, object| {
            let value = int64(walk, object)?.cast_unsigned();
            let swapped = value.rotate_left(32);
            if swapped == value { None } else { Edit::of(9, object.spelled(b'I', &swapped.to_le_bytes())) }
        }),
        example: Example::Stream(b"I\0\0\0\0\0\0\0\x01"),
    },
    Fault {
        name: "int64-low-half-signed",
        what: "bit 31 of `I` is taken for the sign of its low half and spreads into the high one",
        cause: "`high << 32 | low` with a signed low half",
        versions: EVERY,
        way: Way::Reads(b"I", |walk, object| {
            let value = int64(walk, object)?;
            let [a, b, c, d, ..] = value.to_le_bytes();
            let spread = value | i64::from(i32::from_le_bytes([a, b, c, d]));
            if spread == value { None } else { Edit::of(9, object.spelled(b'I', &spread.to_le_bytes())) }
        }),
        example: Example::Stream(b"I\0\0\0\x80\0\0\0\0"),
    },
    Fault {
        name: "int64-small-cached",
        what: "a small `I` is the cached int and not a new one",
        cause: "all ints made by one function; right since 3.11",
        versions: FRESH_INT64S,
        way: Way::Reads(b"I", |walk, object| {
            let value = int64(walk, object).filter(|value| (-5..=256).contains(value))?;
            Edit::of(9, object.spelled(b'i', &value.to_le_bytes()[..4]))
        }),
        example: Example::Stream(b"I\0\0\0\0\0\0\0\0"),
    },
    Fault {
        name: "long-small-cached",
        what: "a small `l` is the cached int and not a new one",
        cause: "all ints made by one function; right since 3.14",
        versions: FRESH_LONGS,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, digits) = digits(walk, object)?;
            let [value] = digits[..] else { return None };
            let value = if negative { -i32::from(value) } else { i32::from(value) };
            (-5..=256).contains(&value).then_some(())?;
            Edit::of(7, object.spelled(b'i', &value.to_le_bytes())).filter(|_| value != 0)
        }),
        example: Example::Stream(b"l\x01\0\0\0\0\x01"),
    },
    Fault {
        name: "long-as-int",
        what: "an `l` of one digit is an int and no long",
        cause: "the two types that 3 made one",
        versions: PYTHON2,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, digits) = digits(walk, object).filter(|(_, digits)| !digits.contains(&0))?;
            let [value] = digits[..] else { return None };
            let value = if negative { -i32::from(value) } else { i32::from(value) };
            (value.abs() <= 0x7fff).then(|| Edit { length: 7, by: object.spelled(b'i', &value.to_le_bytes()) })
        }),
        example: Example::Stream(b"l\x01\0\0\0\0\x01"),
    },
    Fault {
        name: "long-sign-of-one-digit",
        what: "the sign of an `l` of one digit is lost",
        cause: "a short cut for small numbers that looks at the size's absolute value only",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| match digits(walk, object)? {
            (true, digits) if digits.len() == 1 => Edit::of(7, long(object, false, &digits)),
            _ => None,
        }),
        example: Example::Stream(b"l\xff\xff\xff\xff\0\x01"),
    },
    Fault {
        name: "long-wraps",
        what: "an `l` of five digits or more is taken modulo 2^64",
        cause: "digits added up in a 64-bit number",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, all) = digits(walk, object).filter(|(_, digits)| digits.len() > 4)?;
            let sum = all.iter().take(5).rev().fold(0_u128, |sum, digit| sum << 15 | u128::from(*digit));
            let mut low = sum & u128::from(u64::MAX);
            let mut wrapped = Vec::new();
            while low > 0 {
                wrapped.push(u16::try_from(low & 0x7fff).unwrap_or(0));
                low >>= 15;
            }
            if wrapped == all { None } else { Edit::of(5 + 2 * all.len(), long(object, negative, &wrapped)) }
        }),
        example: Example::Stream(b"l\x05\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    },
    Fault {
        name: "long-odd-digit-lost",
        what: "the highest of an odd number of digits is lost, from three on",
        cause: "two digits of marshal make one of CPython's 30-bit digits, and the last pair is half",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, mut digits) = digits(walk, object).filter(|(_, d)| d.len() % 2 == 1 && d.len() > 1)?;
            let length = 5 + 2 * digits.len();
            digits.pop();
            while digits.last() == Some(&0) {
                digits.pop();
            }
            Edit::of(length, long(object, negative, &digits))
        }),
        example: Example::Stream(b"l\x03\0\0\0\0\0\0\0\0\0"),
    },
    Fault {
        name: "long-zero-refused",
        what: "an `l` without digits is refused as not normalized",
        cause: "the check looks at the last digit, and a number without any is no special case",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| {
            walk.long(object).filter(|size| *size == 0)?;
            Edit::of(5, object.spelled(b'l', b"\x01\0\0\0\0\0"))
        }),
        example: Example::Stream(b"l\0\0\0\0"),
    },
    Fault {
        name: "long-digit-high-bit",
        what: "bit 15 of a digit is ignored where it is an error",
        cause: "`digit & 0x7fff` in place of a check",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, mut digits) = digits(walk, object)?;
            digits.iter().any(|digit| *digit > 0x7fff).then_some(())?;
            digits.iter_mut().for_each(|digit| *digit &= 0x7fff);
            Edit::of(5 + 2 * digits.len(), long(object, negative, &digits))
        }),
        example: Example::Stream(b"l\x01\0\0\0\0\x80"),
    },
    Fault {
        name: "long-unnormalized-taken",
        what: "highest digits that are 0 are taken where they are an error",
        cause: "digits added up, with nobody looking at the last",
        versions: EVERY,
        way: Way::Reads(b"l", |walk, object| {
            let (negative, mut digits) = digits(walk, object).filter(|(_, digits)| digits.last() == Some(&0))?;
            let length = 5 + 2 * digits.len();
            while digits.last() == Some(&0) {
                digits.pop();
            }
            Edit::of(length, long(object, negative, &digits))
        }),
        example: Example::Stream(b"l\x01\0\0\0\0\0"),
    },
];

fn int64(walk: &Walk, object: Object) -> Option<i64> {
    Some(i64::from_le_bytes(walk.payload(object)?.try_into().ok()?))
}

/// Whether an `l` is negative, and its digits.
fn digits(walk: &Walk, object: Object) -> Option<(bool, Vec<u16>)> {
    let digits = walk.payload(object)?.chunks_exact(2).map(|digit| u16::from_le_bytes([digit[0], digit[1]]));
    Some((walk.long(object)? < 0, digits.collect()))
}

fn long(object: Object, negative: bool, digits: &[u16]) -> Vec<u8> {
    let size = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let size = if negative { -size } else { size };
    let digits: Vec<u8> = digits.iter().flat_map(|digit| digit.to_le_bytes()).collect();
    object.spelled(b'l', &[&size.to_le_bytes()[..], &digits].concat())
}
