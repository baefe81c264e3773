//! Strings that come out as other strings, or as other objects.

use super::*;
use crate::faults::numbering::When;

/// Types whose payload is UTF-8; in 2.7 `t` is bytes, and is left alone.
const UTF8: &[u8] = b"ut";
const LATIN1: &[u8] = b"aAzZ";

pub(super) const FAULTS: [Fault; 18] = [
    Fault {
        name: "latin1-as-utf8",
        what: "the bytes of `a A z Z` are read as UTF-8; what is none is replaced",
        cause: "ASCII taken for a promise; CPython's reader takes them for Latin-1",
        versions: PYTHON3,
        way: Way::Reads(LATIN1, |walk, object| {
            let payload = walk.payload(object).filter(|payload| !payload.is_ascii())?;
            let code = if object.code.is_ascii_uppercase() { b't' } else { b'u' };
            let text = String::from_utf8_lossy(payload);
            Edit::of(header(object) + payload.len(), object.sized(code, text.as_bytes()))
        }),
        example: Example::Stream(b"z\x01\x80"),
    },
    Fault {
        name: "latin1-seven-bits",
        what: "the highest bit of the bytes of `a A z Z` is lost",
        cause: "a decoder that trusts in ASCII and masks",
        versions: PYTHON3,
        way: Way::Reads(LATIN1, |walk, object| {
            let payload = walk.payload(object).filter(|payload| !payload.is_ascii())?;
            let masked: Vec<u8> = payload.iter().map(|byte| byte & 0x7f).collect();
            let start = object.at + header(object);
            let head = walk.bytes.get(object.at + 1..start)?;
            Edit::of(start - object.at + masked.len(), object.spelled(object.code, &[head, &masked].concat()))
        }),
        example: Example::Stream(b"z\x01\x80"),
    },
    Fault {
        name: "surrogate-replaced",
        what: "lone surrogates become U+FFFD",
        cause: "a language whose strings hold no surrogates",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| replace_surrogates(text, |_| "\u{fffd}".as_bytes().to_vec()))
        }),
        example: Example::Stream(b"u\x03\0\0\0\xed\xa0\x80"),
    },
    Fault {
        name: "surrogate-refused",
        what: "surrogates are refused",
        cause: "a strict UTF-8 decoder; CPython's passes them",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| replace_surrogates(text, |bytes| [&[0xff], &bytes[1..]].concat()))
        }),
        example: Example::Stream(b"u\x03\0\0\0\xed\xa0\x80"),
    },
    Fault {
        name: "surrogate-pair-joined",
        what: "a pair of surrogates becomes one character",
        cause: "text kept as UTF-16",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| {
                let at = text.windows(6).position(|six| {
                    six[0] == 0xed && six[3] == 0xed && six[1] & 0xf0 == 0xa0 && six[4] & 0xf0 == 0xb0
                })?;
                let unit = |at: usize| 0xd000 | u32::from(text[at + 1] & 0x3f) << 6 | u32::from(text[at + 2] & 0x3f);
                let joined = 0x1_0000 + ((unit(at) & 0x3ff) << 10) + (unit(at + 3) & 0x3ff);
                let joined = char::from_u32(joined)?.to_string();
                Some([&text[..at], joined.as_bytes(), &text[at + 6..]].concat())
            })
        }),
        example: Example::Stream(b"u\x06\0\0\0\xed\xa0\0\xed\xb0\0"),
    },
    Fault {
        name: "astral-split",
        what: "a character above U+FFFF becomes two surrogates",
        cause: "text kept as UTF-16 and written unit by unit",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| {
                let text = str::from_utf8(text).ok()?;
                let unit = |unit: u16| {
                    let [high, low] = unit.to_be_bytes();
                    vec![0xe0 | high >> 4, 0x80 | (high & 15) << 2 | low >> 6, 0x80 | low & 0x3f]
                };
                let bytes = |c: char| match c.len_utf16() {
                    1 => c.to_string().into_bytes(),
                    _ => c.encode_utf16(&mut [0; 2]).iter().flat_map(|&u| unit(u)).collect(),
                };
                Some(text.chars().flat_map(bytes).collect())
            })
        }),
        example: Example::Stream(b"u\x04\0\0\0\xf0\x90\x80\x80"),
    },
    Fault {
        name: "overlong-nul",
        what: "C0 80 is read as U+0000",
        cause: "Java's modified UTF-8",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| {
                let at = text.windows(2).position(|two| two == b"\xc0\x80")?;
                Some([&text[..at], b"\0", &text[at + 2..]].concat())
            })
        }),
        example: Example::Stream(b"u\x02\0\0\0\xc0\x80"),
    },
    Fault {
        name: "invalid-utf8-replaced",
        what: "what is no UTF-8 becomes U+FFFD where it is an error",
        cause: "a lossy decoder",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| {
                let no_surrogates = replace_surrogates(text, |_| b"abc".to_vec());
                str::from_utf8(no_surrogates.as_deref().unwrap_or(text)).err()?;
                Some(String::from_utf8_lossy(text).into_owned().into_bytes())
            })
        }),
        example: Example::Stream(b"u\x01\0\0\0\x80"),
    },
    Fault {
        name: "byte-order-mark-lost",
        what: "U+FEFF at the beginning of a text is dropped",
        cause: "a decoder for files",
        versions: EVERY,
        way: Way::Reads(UTF8, |walk, object| {
            utf8(walk, object, |text| text.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec))
        }),
        example: Example::Stream(b"u\x03\0\0\0\xef\xbb\xbf"),
    },
    Fault {
        name: "nul-ends-text",
        what: "a text ends at its first NUL",
        cause: "C strings",
        versions: EVERY,
        way: Way::Reads(b"utaAzZ", |walk, object| {
            let payload = walk.payload(object)?;
            let end = payload.iter().position(|byte| *byte == 0)?;
            let cut = match object.code {
                b'z' | b'Z' => [&[u8::try_from(end).unwrap_or(0)], &payload[..end]].concat(),
                _ => [&u32::try_from(end).unwrap_or(0).to_le_bytes(), &payload[..end]].concat(),
            };
            Edit::of(header(object) + payload.len(), object.spelled(object.code, &cut))
        }),
        example: Example::Stream(b"z\x01\0"),
    },
    Fault {
        name: "interned-forgotten",
        what: "interned strings are read as plain ones",
        cause: "the difference cannot be seen but in the next dump",
        versions: PYTHON3,
        way: Way::Reads(b"tAZ", |walk, object| {
            respell(walk, object, if object.code == b't' { b'u' } else { object.code + 32 })
        }),
        example: Example::Stream(b"Z\x02\0\0"),
    },
    Fault {
        name: "plain-interned",
        what: "plain strings are read as interned ones",
        cause: "a reader that keeps one object for each text",
        versions: PYTHON3,
        way: Way::Reads(b"uaz", |walk, object| {
            respell(walk, object, if object.code == b'u' { b't' } else { object.code - 32 })
        }),
        example: Example::Stream(b"z\x02\0\0"),
    },
    Fault {
        name: "long-ascii-interned-forgotten",
        what: "`A` is read as `a`",
        cause: "who has 256 characters is hardly a name",
        versions: PYTHON3,
        way: Way::Reads(b"A", |walk, object| respell(walk, object, b'a')),
        example: Example::Stream(b"A\x02\0\0\0\0\0"),
    },
    Fault {
        name: "short-length-signed",
        what: "the length of `z Z` is a signed byte",
        cause: "`char` where it is signed",
        versions: PYTHON3,
        way: Way::Reads(b"zZ", |walk, object| {
            let length = walk.bytes.get(object.at + 1)?.cast_signed();
            let code = if object.code == b'z' { b'a' } else { b'A' };
            (length < 0).then_some(())?;
            Edit::of(2, object.spelled(code, &i32::from(length).to_le_bytes()))
        }),
        example: Example::Stream(b"z\x80"),
    },
    Fault {
        name: "bytes-as-text",
        what: "`s` is a text if it is ASCII, as `t` is",
        cause: "2.7's str read by 3",
        versions: PYTHON3,
        way: Way::Reads(b"s", |walk, object| {
            let is_text = object.parent != b'c' && walk.payload(object)?.is_ascii();
            is_text.then_some(()).and_then(|()| respell(walk, object, b'u'))
        }),
        example: Example::Stream(b"s\0\0\0\0"),
    },
    Fault {
        name: "ascii-unicode-as-str",
        what: "a unicode text of ASCII characters is a str",
        cause: "the two types that are equal in 2",
        versions: PYTHON2,
        way: Way::Reads(b"u", |walk, object| {
            walk.payload(object).filter(|text| text.is_ascii())?;
            respell(walk, object, b's')
        }),
        example: Example::Stream(b"u\0\0\0\0"),
    },
    Fault {
        name: "string-table-of-all",
        what: "plain strings enter the table that `R` names, too",
        cause: "one function for `s` and `t`",
        versions: PYTHON2,
        way: Way::Numbers(|_, object| (object.code == b's').then_some(When::Wrongly)),
        example: Example::Stream(b"{s\0\0\0\0r\0\0\0\0"),
    },
    Fault {
        name: "string-table-from-one",
        what: "`R` counts from 1",
        cause: "0 as the mark of an absent entry",
        versions: PYTHON2,
        way: Way::Reads(b"R", |walk, object| {
            Edit::of(5, object.spelled(b'R', &walk.long(object)?.wrapping_sub(1).to_le_bytes()))
        }),
        example: Example::Stream(b"{t\0\0\0\0R\0\0\0\x000"),
    },
];

/// Bytes before the payload.
fn header(object: Object) -> usize {
    if b"zZ".contains(&object.code) { 2 } else { 5 }
}

/// The same under another type byte.
fn respell(walk: &Walk, object: Object, code: u8) -> Option<Edit> {
    walk.payload(object)?;
    Edit::of(1, object.spelled(code, &[]))
}

/// A text in UTF-8 that is another one.
fn utf8(walk: &Walk, object: Object, wrong: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Edit> {
    let right = walk.payload(object).filter(|_| object.code == b'u' || walk.version().0 > 2)?;
    let text = wrong(right).filter(|text| text != right)?;
    Edit::of(5 + right.len(), object.sized(object.code, &text))
}

/// The text with something in place of each surrogate; `None` if there is none.
fn replace_surrogates(text: &[u8], by: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let is_surrogate = first == 0xed && rest.len() > 2 && rest[1] & 0xe0 == 0xa0 && rest[2] & 0xc0 == 0x80;
        let length = if is_surrogate { 3 } else { 1 };
        if is_surrogate {
            out.extend(by(&rest[..3]));
        } else {
            out.push(first);
        }
        rest = &rest[length..];
    }
    (out != text).then_some(out)
}
