//! What an interpreter's import says of a .pyc file before it reads the stream.
//!
//! [`Pyc::parse`](super::Pyc::parse) explains a file to a person; this is what `importlib` does with it
//! (`importlib/_bootstrap_external.py`: `_classify_pyc`, `_validate_timestamp_pyc`, `_validate_hash_pyc`; in 3.6
//! `_validate_bytecode_header`; in 2.7 `Python/import.c`, which looks at the magic number only).

use super::source_hash;
use crate::magic::Magic;
use crate::prelude::*;
use crate::profile::{HeaderLayout, Profile};

/// The source file next to a .pyc file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceFile<'s> {
    /// Its contents.
    pub bytes: &'s [u8],
    /// When it was changed, in seconds since 1970, modulo 2^32.
    pub mtime: u32,
}

/// The exception that an import of the file raises, or, where there is a source file, would be the reason to compile it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `ImportError` or `EOFError`.
    pub class: &'static str,
    /// Its text.
    pub message: String,
}

/// The flags of a file whose header the import of the module `name` accepts, with the source file, if there is one (2.7
/// never raises because of it; nor does any version look at it where the flags do not ask for that).
///
/// # Errors
/// What the interpreter raises.
///
/// ```
/// use pyc_core::{Profile, Version, pyc::import};
/// let profile = Profile::of(Version::new(3, 12)).unwrap();
/// assert_eq!(import(b"\xcb\x0d\r\n\x02\0\0\0abcdefgh", profile, None, "spam"), Ok(2));
/// let refusal = import(b"\xa7\x0d\r\n", profile, None, "spam").unwrap_err();
/// assert_eq!(refusal.message, r"bad magic number in 'spam': b'\xa7\r\r\n'");
/// ```
pub fn import(file: &[u8], profile: &Profile, source: Option<SourceFile>, name: &str) -> Result<u32, Refusal> {
    let refuse = |class, message| Err(Refusal { class, message });
    let magic = &file[..file.len().min(4)];
    if magic != Magic::of(profile.magic).bytes() {
        let message = match profile.header {
            HeaderLayout::Mtime => format!("Bad magic number in {name}"),
            _ => format!("bad magic number in '{name}': {}", literal(magic)),
        };
        return refuse("ImportError", message);
    }
    let word = |at: usize| file.get(at..at + 4)?.first_chunk().map(|word| u32::from_le_bytes(*word));
    let end = |of: &str| refuse("EOFError", format!("reached EOF while reading {of} '{name}'"));
    let (flags, first, second) = match profile.header {
        HeaderLayout::Mtime => return Ok(0),
        HeaderLayout::MtimeSize => {
            let Some(mtime) = word(4) else { return end("timestamp in") };
            let Some(size) = word(8) else { return end("size of source in") };
            (0, mtime, size)
        }
        HeaderLayout::Flags => {
            let (Some(flags), Some(first), Some(second)) = (word(4), word(8), word(12)) else {
                return end("pyc header of");
            };
            if flags & !3 != 0 {
                return refuse("ImportError", format!("invalid flags {flags} in '{name}'"));
            }
            (flags, first, second)
        }
    };
    let Some(source) = source else { return Ok(flags) };
    match flags {
        1 => {}
        3 if file[8..16] != source_hash(profile, source.bytes) => {
            return refuse("ImportError", format!("hash in bytecode doesn't match hash of source '{name}'"));
        }
        3 => {}
        _ if (first, u64::from(second)) != (source.mtime, source.bytes.len() as u64 & 0xFFFF_FFFF) => {
            return refuse("ImportError", format!("bytecode is stale for '{name}'"));
        }
        _ => {}
    }
    Ok(flags)
}

/// Bytes as Python shows them.
fn literal(bytes: &[u8]) -> String {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    let mut out = format!("b{}", char::from(quote));
    for &byte in bytes {
        out += &match byte {
            b'\t' => "\\t".to_string(),
            b'\n' => "\\n".to_string(),
            b'\r' => "\\r".to_string(),
            b'\\' => "\\\\".to_string(),
            _ if byte == quote => format!("\\{}", char::from(byte)),
            b' '..=b'~' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        };
    }
    out.push(char::from(quote));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Version;

    #[test]
    fn import_says_what_importlib_says() {
        let check = |minor: u8, file: &[u8], source: Option<SourceFile>, expected: Result<u32, &str>| {
            let major = if minor == 7 && file.get(1) == Some(&0xf3) { 2 } else { 3 };
            let profile = Profile::of(Version::new(major, minor)).unwrap();
            let said = import(file, profile, source, "spam").map_err(|r| format!("{}: {}", r.class, r.message));
            assert_eq!(said, expected.map_err(String::from), "3.{minor} {file:02x?}");
        };
        let source = |mtime| Some(SourceFile { bytes: b"x=1\n", mtime });
        check(12, b"", None, Err("ImportError: bad magic number in 'spam': b''"));
        check(12, b"\\'\x7f\t", None, Err(r#"ImportError: bad magic number in 'spam': b"\\'\x7f\t""#));
        check(12, b"'\"\n\xff", None, Err(r#"ImportError: bad magic number in 'spam': b'\'"\n\xff'"#));
        check(
            12,
            b"\xcb\x0d\r\n\0\0\0\0abcdabc",
            None,
            Err("EOFError: reached EOF while reading pyc header of 'spam'"),
        );
        check(12, b"\xcb\x0d\r\n\x07\0\0\0abcdabcd", None, Err("ImportError: invalid flags 7 in 'spam'"));
        check(12, b"\xcb\x0d\r\n\x03\0\0\0abcdabcd", None, Ok(3));
        check(12, b"\xcb\x0d\r\n\x03\0\0\0\x2c\xf2\x6e\xbe\x71\x32\x86\x71", source(0), Ok(3));
        let other = Err("ImportError: hash in bytecode doesn't match hash of source 'spam'");
        check(12, b"\xcb\x0d\r\n\x03\0\0\0\x2c\xf2\x6e\xbe\x71\x32\x86\x72", source(0), other);
        check(12, b"\xcb\x0d\r\n\x01\0\0\0abcdabcd", source(0), Ok(1));
        check(12, b"\xcb\x0d\r\n\x02\0\0\0\x01\0\0\0\x04\0\0\0", source(1), Ok(2));
        let stale = Err("ImportError: bytecode is stale for 'spam'");
        check(12, b"\xcb\x0d\r\n\x02\0\0\0\x01\0\0\0\x04\0\0\0", source(2), stale);
        check(12, b"\xcb\x0d\r\n\0\0\0\0\x01\0\0\0\x05\0\0\0", source(1), stale);
        check(6, b"\x33\x0d\r\nabc", None, Err("EOFError: reached EOF while reading timestamp in 'spam'"));
        check(6, b"\x33\x0d\r\nabcdabc", None, Err("EOFError: reached EOF while reading size of source in 'spam'"));
        check(6, b"\x33\x0d\r\n\x01\0\0\0\x04\0\0\0", source(1), Ok(0));
        check(6, b"\x33\x0d\r\n\x01\0\0\0\x04\0\0\0", source(2), stale);
        check(7, b"\x03\xf3\r\n", None, Ok(0));
        check(7, b"\x03\xf3\r\r", None, Err("ImportError: Bad magic number in spam"));
    }
}
