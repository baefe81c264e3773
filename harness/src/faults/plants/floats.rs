//! Floats that come out as other floats.

use super::*;

/// The sign, and the bit that makes a NaN a quiet one.
const SIGN: u64 = 1 << 63;
const QUIET: u64 = 1 << 51;

pub(super) const FAULTS: [Fault; 13] = [
    Fault {
        name: "negative-zero",
        what: "-0.0 is read as 0.0",
        cause: "a cache of floats by value, or a sum that starts with 0.0",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| binary(walk, object, |bits| if bits == SIGN { 0 } else { bits })),
        example: Example::Stream(b"g\0\0\0\0\0\0\0\x80"),
    },
    Fault {
        name: "nan-payload",
        what: "every NaN is read as the default one of its sign",
        cause: "languages with one NaN",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| {
            binary(walk, object, |bits| if is_nan(bits) { bits & SIGN | f64::NAN.to_bits() } else { bits })
        }),
        example: Example::Stream(b"g\0\0\0\0\0\0\xf1\x7f"),
    },
    Fault {
        name: "nan-sign",
        what: "the sign of a NaN is lost",
        cause: "a NaN that went through an operation",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| {
            binary(walk, object, |bits| if is_nan(bits) { bits & !SIGN } else { bits })
        }),
        example: Example::Stream(b"g\0\0\0\0\0\0\xf1\xff"),
    },
    Fault {
        name: "nan-quieted",
        what: "signalling NaNs become quiet ones",
        cause: "a value passed through an x87 register, or through single precision",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| {
            binary(walk, object, |bits| if is_nan(bits) { bits | QUIET } else { bits })
        }),
        example: Example::Stream(b"g\0\0\0\0\0\0\xf1\x7f"),
    },
    Fault {
        name: "subnormal-flushed",
        what: "subnormal numbers are read as 0",
        cause: "flush-to-zero mode, set by some library in the process",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| {
            binary(walk, object, |bits| if f64::from_bits(bits).is_subnormal() { bits & SIGN } else { bits })
        }),
        example: Example::Stream(b"g\0\0\0\0\0\0\x01\0"),
    },
    Fault {
        name: "infinity-clipped",
        what: "infinities are read as the largest finite numbers",
        cause: "a decoder for formats without infinities",
        versions: EVERY,
        way: Way::Reads(b"gy", |walk, object| {
            let clip = |bits| f64::from_bits(bits).clamp(f64::MIN, f64::MAX).to_bits();
            binary(walk, object, |bits| if is_nan(bits) { bits } else { clip(bits) })
        }),
        example: Example::Stream(b"g\0\0\0\0\0\0\xf0\x7f"),
    },
    Fault {
        name: "complex-swapped",
        what: "`y` is read with its parts in the other order",
        cause: "arguments that are evaluated from the right",
        versions: EVERY,
        way: Way::Reads(b"y", |walk, object| {
            let (real, imaginary) = walk.payload(object)?.split_at(8);
            if real == imaginary { None } else { Edit::of(17, object.spelled(b'y', &[imaginary, real].concat())) }
        }),
        example: Example::Stream(b"y\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
    },
    Fault {
        name: "complex-by-sum",
        what: "`y` is read as real + imaginary * 1j, which loses zeros' signs and makes NaNs of infinities",
        cause: "the way in which Python's source code spells complex numbers",
        versions: EVERY,
        way: Way::Reads(b"y", |walk, object| {
            let (real, imaginary) = walk.payload(object)?.split_at(8);
            let [real, imaginary] = [real, imaginary].map(|part| f64::from_le_bytes(part.try_into().unwrap_or([0; 8])));
            let sum = [real + imaginary * 0.0, imaginary + 0.0];
            let bits = |part: f64| if part.is_nan() { f64::NAN } else { part }.to_bits();
            // What a NaN's bits come to is another matter.
            (!real.is_nan() && !imaginary.is_nan() && sum.map(bits) != [real, imaginary].map(bits)).then_some(())?;
            Edit::of(17, object.spelled(b'y', &sum.map(|part| bits(part).to_le_bytes()).concat()))
        }),
        example: Example::Stream(b"y\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80"),
    },
    Fault {
        name: "float-text-underscore",
        what: "a float's text may have `_` between digits",
        cause: "the text given to what reads floats in source code",
        versions: EVERY,
        way: Way::Reads(b"f", |walk, object| {
            text(walk, object, |text| text.contains('_').then(|| text.replace('_', "")))
        }),
        example: Example::Stream(b"f\x01_"),
    },
    Fault {
        name: "float-text-blanks",
        what: "a float's text may have blanks around it",
        cause: "`float(text)`, which strips them",
        versions: EVERY,
        way: Way::Reads(b"f", |walk, object| {
            text(walk, object, |text| Some(text.trim().to_owned()).filter(|trimmed| trimmed != text))
        }),
        example: Example::Stream(b"f\x01\x09"),
    },
    Fault {
        name: "float-text-nul",
        what: "a float's text that holds a NUL is refused; it ends there",
        cause: "a language whose strings are no C strings",
        versions: EVERY,
        way: Way::Reads(b"f", |walk, object| {
            text(walk, object, |text| text.contains('\0').then(|| text.replace('\0', "?")))
        }),
        example: Example::Stream(b"f\x01\0"),
    },
    Fault {
        name: "float-text-overflow",
        what: "a float's text that is too large is refused; it is infinite",
        cause: "strtod with a look at ERANGE",
        versions: EVERY,
        way: Way::Reads(b"f", |walk, object| {
            text(walk, object, |text| {
                let is_large = text.parse().is_ok_and(f64::is_infinite) && text.contains(|c: char| c.is_ascii_digit());
                is_large.then(|| format!("{text}?"))
            })
        }),
        example: Example::Stream(b"f\x051E309"),
    },
    Fault {
        name: "float-text-minus-nan",
        what: "the sign of the text `-nan` is lost",
        cause: "NaN taken for a number without sign, as 2.7 does",
        versions: PYTHON3,
        way: Way::Reads(b"f", |walk, object| {
            text(walk, object, |text| text.to_lowercase().starts_with("-nan").then(|| text[1..].to_owned()))
        }),
        example: Example::Stream(b"f\x04-NAN"),
    },
];

fn is_nan(bits: u64) -> bool {
    f64::from_bits(bits).is_nan()
}

/// `g`, or both parts of `y`, with other bits.
fn binary(walk: &Walk, object: Object, wrong: impl Fn(u64) -> u64) -> Option<Edit> {
    let right = walk.payload(object)?;
    let other = |part: &[u8]| wrong(u64::from_le_bytes(part.try_into().unwrap_or([0; 8]))).to_le_bytes();
    let bytes: Vec<u8> = right.chunks(8).flat_map(other).collect();
    if bytes == right { None } else { Edit::of(1 + bytes.len(), object.spelled(object.code, &bytes)) }
}

/// `f` with another text.
fn text(walk: &Walk, object: Object, wrong: impl Fn(&str) -> Option<String>) -> Option<Edit> {
    let right = walk.payload(object)?;
    let text = wrong(str::from_utf8(right).ok()?)?;
    let size = u8::try_from(text.len()).ok()?;
    Edit::of(2 + right.len(), object.spelled(b'f', &[&[size], text.as_bytes()].concat()))
}
