//! Text as marshal sees it: UTF-8 with surrogates, and floats as C's `strtod` reads and `%.17g` writes them.
//!
//! Rust's own UTF-8 validation refuses lone surrogates, which are ordinary characters of a Python string, and does not give
//! CPython's error positions, so the slow path here follows CPython's decoder (`Objects/stringlib/codecs.h`, `utf8_decode`;
//! 2.7: `Objects/unicodeobject.c`, `PyUnicode_DecodeUTF8Stateful`).

use crate::error::UnicodeError;
use crate::prelude::*;
use alloc::borrow::Cow;

/// Whether all bytes are below 128; most texts are names, and short.
#[inline]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = |eight: &[u8; 8]| u64::from_le_bytes(*eight);
    match (bytes.last_chunk(), bytes.len()) {
        (Some(last), ..32) => {
            let (words, _) = bytes.as_chunks();
            words.iter().chain([last]).fold(0, |sum, eight| sum | word(eight)) & HIGH == 0
        }
        (None, _) => bytes.iter().fold(0, |sum, byte| sum | byte) < 0x80,
        _ => bytes.is_ascii(),
    }
}

/// Checks the payload of a string type that is written as UTF-8.
pub(crate) fn check_utf8(bytes: &[u8], python2: bool) -> Result<(), UnicodeError> {
    let mut at = 0;
    while let Err(error) = core::str::from_utf8(&bytes[at..]) {
        let start = at + error.valid_up_to();
        let rest = &bytes[start..];
        if let [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] = rest {
            at = start + 3;
            continue;
        }
        let (length, reason) = if python2 { fault_in_python2(rest) } else { fault(rest) };
        return Err(UnicodeError { start, end: start + length, byte: rest[0], reason });
    }
    Ok(())
}

const START: &str = "invalid start byte";
const CONTINUATION: &str = "invalid continuation byte";
const END: &str = "unexpected end of data";

fn continues(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// How many bytes are at fault, and why, at a place that is known to be invalid.
fn fault(rest: &[u8]) -> (usize, &'static str) {
    let first = rest[0];
    let width = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (1, START),
    };
    let is_good = |place: usize, byte: u8| {
        let in_range = match (first, place) {
            (0xE0, 1) => byte >= 0xA0,
            (0xED, 1) => byte < 0xA0,
            (0xF0, 1) => byte >= 0x90,
            (0xF4, 1) => byte < 0x90,
            _ => true,
        };
        continues(byte) && in_range
    };
    // One of them is missing or wrong.
    let good = (1..width).take_while(|&place| rest.get(place).is_some_and(|&byte| is_good(place, byte))).count();
    (1 + good, if 1 + good < rest.len() { CONTINUATION } else { END })
}

fn fault_in_python2(rest: &[u8]) -> (usize, &'static str) {
    let first = rest[0];
    let width = match first {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return (1, START),
    };
    if rest.len() < width {
        // CPython adds k for the k-th continuation byte, not 1.
        let run = rest[1..].iter().take_while(|b| continues(**b)).count();
        return ((1 + (1..=run).sum::<usize>()).min(rest.len()), END);
    }
    // A second byte that is out of range is only found when all the others are continuation bytes.
    let good = 1 + rest[1..width - 1].iter().take_while(|b| continues(**b)).count();
    (good, CONTINUATION)
}

/// Whether a finite float is a whole number.
pub(crate) fn is_whole(value: f64) -> bool {
    // From 2^52 on all are.
    const ALL: f64 = (1_u64 << 52) as f64;
    #[allow(clippy::cast_possible_truncation)] // below 2^52
    let truncated = value as i64 as f64;
    !(-ALL..ALL).contains(&value) || truncated == value
}

/// The bits of the float that a text stands for: cut at the first NUL, then `strtod` with nothing left over.
pub(crate) fn parse_float(bytes: &[u8], python2: bool) -> Option<u64> {
    let bytes = bytes.split(|&b| b == 0).next()?;
    let (negative, digits) = match bytes.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, bytes),
    };
    let sign = if negative { 1 << 63 } else { 0 };
    if digits.eq_ignore_ascii_case(b"nan") {
        // 2.7 computes its NaN, and x86 computes a negative one.
        return Some(0x7FF8_0000_0000_0000 | sign ^ if python2 { 1 << 63 } else { 0 });
    }
    // What is left is Rust's grammar too, which is as exact; but a second sign is not.
    if matches!(digits.first(), Some(b'+' | b'-')) {
        return None;
    }
    let value: f64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(value.to_bits() | sign)
}

/// `%.17g`, as marshal versions 0 and 1 write floats.
pub(crate) fn format_float(bits: u64) -> String {
    let value = f64::from_bits(bits);
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value.is_sign_negative() { "-inf".into() } else { "inf".into() };
    }
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| -> String {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text.into() }
    };
    if !(-4..17).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.abs());
    }
    let places = usize::try_from(16 - exponent).unwrap_or(0);
    trim(&format!("{value:.places$}"))
}

/// 2.7's encoder: a high surrogate followed by a low one becomes one character of four bytes.
pub(crate) fn combine_surrogates(bytes: &[u8]) -> Cow<'_, [u8]> {
    let pair = |w: &[u8]| matches!(w, [0xED, 0xA0..=0xAF, _, 0xED, 0xB0..=0xBF, _]);
    if !bytes.windows(6).any(pair) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes.get(at..at + 6) {
            Some(w) if pair(w) => {
                let bits = |high: u8, low: u8| u32::from(high & 0x0F) << 6 | u32::from(low & 0x3F);
                let code = 0x1_0000 + (bits(w[1], w[2]) << 10) + (bits(w[4], w[5]) & 0x3FF);
                out.extend_from_slice(char::from_u32(code).unwrap_or('\u{FFFD}').encode_utf8(&mut [0; 4]).as_bytes());
                at += 6;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_is_enough_to_be_no_ascii() {
        for length in 0..80 {
            let mut text = vec![0x7F; length];
            assert!(is_ascii(&text));
            for place in 0..length {
                text[place] = 0x80;
                assert!(!is_ascii(&text), "{place} of {length}");
                text[place] = 0;
            }
        }
    }

    #[test]
    fn floats_print_as_c_prints_them() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (1.0, "1"),
            (1e22, "1e+22"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (-0.0, "-0"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
            (123_456.789, "123456.789"),
        ] {
            assert_eq!(format_float(f64::to_bits(value)), text);
            let read = parse_float(text.as_bytes(), false).map(f64::from_bits).unwrap();
            assert!(read == value || value.is_nan() && read.is_nan());
        }
    }

    #[test]
    fn float_texts_follow_strtod() {
        for good in ["1", "1.", ".5", "+1e5", "-1E-5", "INF", "-infinity", "nAn", "1e999", "1\0junk", "00.00"] {
            assert!(parse_float(good.as_bytes(), false).is_some(), "{good:?}");
        }
        for bad in
            ["", "+", ".", "1e", "e5", " 1", "1 ", "0x1", "1_0", "--1", "+-1", "infin", "nan(1)", "\u{e9}", "1..2"]
        {
            assert!(parse_float(bad.as_bytes(), false).is_none(), "{bad:?}");
        }
        assert_eq!(parse_float(b"-nan", false), Some(0xFFF8_0000_0000_0000));
        assert_eq!(parse_float(b"-nan", true), Some(0x7FF8_0000_0000_0000));
        assert_eq!(parse_float(b"nan", true), Some(0xFFF8_0000_0000_0000));
    }

    #[test]
    fn utf8_errors_are_cpythons() {
        for (bytes, expected) in [
            (&b"a\xff"[..], Some((1, 2, START))),
            (b"\x80", Some((0, 1, START))),
            (b"\xc0\x80", Some((0, 1, START))),
            (b"\xc3", Some((0, 1, END))),
            (b"\xc3a", Some((0, 1, CONTINUATION))),
            (b"\xe2\x82", Some((0, 2, END))),
            (b"\xe2\x82a", Some((0, 2, CONTINUATION))),
            (b"\xe0\x80\x80", Some((0, 1, CONTINUATION))),
            (b"\xed\xa0\x80", None),
            (b"\xed\xa0", Some((0, 1, CONTINUATION))),
            (b"\xed\xb0\x80\xed\xa0\x80z\xff", Some((7, 8, START))),
            (b"\xf0\x9f\x98", Some((0, 3, END))),
            (b"\xf0\x9f\x98a", Some((0, 3, CONTINUATION))),
            (b"\xf5", Some((0, 1, START))),
            (b"\xf4\x90\x80\x80", Some((0, 1, CONTINUATION))),
            ("\u{e9}\u{20ac}\u{1f600}".as_bytes(), None),
        ] {
            let got = check_utf8(bytes, false).err().map(|e| (e.start, e.end, e.reason));
            assert_eq!(got, expected, "{bytes:x?}");
        }
    }
}
