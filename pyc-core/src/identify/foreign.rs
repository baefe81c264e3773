//! What a file is that is no .pyc file, or was one before something took it for text.

use crate::magic::Magic;
use crate::prelude::*;

/// What a file is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No bytes at all.
    Empty,
    /// Nothing but zeros: what a crash leaves where a file was being written.
    Zeros,
    /// It begins with a magic number that is known.
    Pyc(Magic),
    /// It begins as a .pyc file does, with a number that nobody is known to write.
    Unknown(u16),
    /// A .pyc file that something took for text.
    Mangled(Mangling),
    /// A file of another kind: its name.
    Foreign(&'static str),
    /// None of these.
    Other,
}

/// How bytes were taken for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mangling {
    /// For Latin-1, and written as UTF-8. The original can be had back.
    Utf8,
    /// Line feeds became carriage returns and line feeds. The original can be had back.
    LineFeeds,
    /// Carriage returns and line feeds became line feeds. Where, is lost.
    CarriageReturns,
    /// For UTF-8, and what is none was replaced by U+FFFD. That is lost.
    Replaced,
}

impl Mangling {
    /// What happened, in a sentence.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Mangling::Utf8 => {
                "its bytes were taken for Latin-1 text and written as UTF-8; the original can be had back"
            }
            Mangling::LineFeeds => {
                "each line feed became a carriage return and a line feed, as in text; the original can be had back"
            }
            Mangling::CarriageReturns => {
                "each carriage return with a line feed became a line feed, as in text; where, is lost"
            }
            Mangling::Replaced => {
                "its bytes were taken for UTF-8, and those that are none were replaced; they are lost"
            }
        }
    }
}

/// How files of other kinds begin, and what they are.
static STARTS: [(&[u8], &str); 19] = [
    (
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS; the file itself was not fetched (git lfs pull)",
    ),
    (b"PK\x03\x04", "a zip archive, such as a wheel"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x7fELF", "an ELF program or library"),
    (b"MZ", "a program or library for Windows"),
    (b"\xcf\xfa\xed\xfe", "a program or library for macOS"),
    (b"\xca\xfe\xba\xbe", "a program for macOS, or a class of Java"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"\x78\x9c", "compressed by zlib; unpack it first"),
    (b"\x78\xda", "compressed by zlib; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
];

/// What the file is, and the original if something took it for text and that can be undone.
pub(super) fn kind(bytes: &[u8]) -> (Kind, Option<Vec<u8>>) {
    let Some(first) = bytes.first() else { return (Kind::Empty, None) };
    if *first == 0 && bytes.iter().all(|byte| *byte == 0) {
        return (Kind::Zeros, None);
    }
    if let Some((mangling, restored)) = mangled(bytes) {
        return (Kind::Mangled(mangling), restored);
    }
    if let Some(magic) = Magic::at_start(bytes) {
        return (Kind::Pyc(magic), None);
    }
    let kind = match () {
        () if bytes.get(2..4) == Some(b"\r\n") => Kind::Unknown(u16::from_le_bytes([bytes[0], bytes[1]])),
        () => foreign(bytes).map_or(Kind::Other, Kind::Foreign),
    };
    (kind, None)
}

fn foreign(bytes: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(name);
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |tag: &str| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()));
    if ["<!doctype html", "<html", "<head"].iter().any(|tag| begins(tag)) {
        return Some("a web page, such as a server's error message");
    }
    if begins("<?xml") {
        return Some("an XML document");
    }
    if is_git_revision(bytes) {
        return Some("perhaps a .pyc file of an older RustPython, whose magic number is a revision of its source");
    }
    let is_text = |text: &str| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c'));
    core::str::from_utf8(bytes).is_ok_and(is_text).then_some("a text")
}

/// Four digits of a hexadecimal number, and flags that a header of 16 bytes has.
fn is_git_revision(bytes: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    bytes.len() > 16 && bytes[..4].iter().all(digit) && bytes[4] < 4 && bytes[5..8] == [0; 3]
}

/// Whether a magic number comes out if a conversion of text is undone, and what the file was.
fn mangled(bytes: &[u8]) -> Option<(Mangling, Option<Vec<u8>>)> {
    let [low, high] = *bytes.first_chunk::<2>()?;
    let is_known = |low, high| Magic::at_start(&[low, high, b'\r', b'\n']).is_some();
    match bytes[2..] {
        [b'\r', b'\r', b'\n', ..] if is_known(low, high) => {
            let restored = with_line_feeds(bytes);
            return Some((Mangling::LineFeeds, Some(restored)));
        }
        [b'\n', ..] if is_known(low, high) => return Some((Mangling::CarriageReturns, None)),
        _ => {}
    }
    let is_lost = |start: &[u8]| {
        let rest = start.get(..8).unwrap_or(start);
        rest.windows(3).any(|it| it == b"\xef\xbf\xbd") && rest.windows(2).any(|it| it == b"\r\n")
    };
    if is_lost(bytes) {
        return Some((Mangling::Replaced, None));
    }
    // Decoding all of a large file is for those that begin as one that was encoded.
    let start = latin1(&bytes[..bytes.len().min(8)])?;
    if start.len() == bytes.len().min(8) || Magic::at_start(&start).is_none() {
        return None;
    }
    latin1(bytes).map(|restored| (Mangling::Utf8, Some(restored)))
}

pub(super) fn with_line_feeds(bytes: &[u8]) -> Vec<u8> {
    let mut restored = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().peekable();
    while let Some(byte) = rest.next() {
        if *byte != b'\r' || rest.peek() != Some(&&b'\n') {
            restored.push(*byte);
        }
    }
    restored
}

/// The characters of a UTF-8 text as bytes, if all of them are below 256. The end may be cut.
fn latin1(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => core::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
