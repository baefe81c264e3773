//! What is told of files as people bring them.

use super::*;
use crate::code::EXAMPLE_312;

fn pyc(header: &[u8]) -> Vec<u8> {
    [header, EXAMPLE_312].concat()
}

/// The best candidate's version and offset, and what the file is.
#[track_caller]
fn check(bytes: &[u8], kind: &str, best: Option<(&str, usize)>) {
    let found = identify(bytes);
    let tied: Vec<_> = found.best().map(|it| (it.profile.version.to_string(), it.offset)).collect();
    let is_one = |(version, offset): (&str, usize)| tied.contains(&(version.to_string(), offset));
    assert!(best.map_or(tied.is_empty(), is_one), "{found:?}");
    assert!(format!("{:?}", found.kind).contains(kind), "{:?}", found.kind);
    assert!(found.candidates.iter().all(|it| (1..=99).contains(&it.confidence)));
}

#[test]
fn streams_are_found_whatever_the_header_is() {
    let at = |offset| Some(("3.12", offset));
    check(&pyc(b"\xcb\x0d\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"), "Pyc", at(16));
    // A pre-release, another version, an unknown number, none, and headers of other lengths.
    check(&pyc(b"\xbd\x0d\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"), "Pyc", at(16));
    check(&pyc(b"\x55\x0d\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"), "Pyc", at(16));
    check(&pyc(b"\xfe\xfe\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"), "Unknown", at(16));
    check(&pyc(&[0; 16]), "Other", at(16));
    check(&pyc(b""), "Other", at(0));
    check(&pyc(b"\xcb\x0d\x0d\x0a\0\0\0\0"), "Pyc", at(8));
    check(&pyc(b"\xcb\x0d\x0d\x0a\0\0\0\0\0\0\0\0"), "Pyc", at(12));
    // Inside of other files.
    check(&[b"\x7fELF 0123456789cccccc", EXAMPLE_312, b"behind"].concat(), "ELF", at(21));
    check(&[&b"PK\x03\x04"[..], &[7; 100], EXAMPLE_312].concat(), "zip", at(104));
}

/// What the version dies of does not make the stream another one's.
#[test]
fn the_named_version_stays_a_candidate_with_deadly_opcodes() {
    for (minor, magic, opcode) in
        [(12, b"\xcb\x0d", 254), (12, b"\xcb\x0d", 247), (13, b"\xf3\x0d", 254), (13, b"\xf3\x0d", 70)]
    {
        let mut bytes = pyc(&[&magic[..], b"\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"].concat());
        let at = bytes.windows(2).position(|it| it == b"\x97\0").unwrap();
        bytes[at + 2] = opcode;
        let named: Vec<_> = identify(&bytes).candidates.into_iter().filter(|it| it.is_named).collect();
        assert_eq!(named.len(), 1, "{minor} {opcode}");
        assert_eq!((named[0].profile.version.minor, named[0].offset), (minor, 16));
    }
}

#[test]
fn other_files_are_named() {
    for (bytes, kind) in [
        (&b""[..], "Empty"),
        (&[0; 300], "Zeros"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n", "Git LFS"),
        (b"\n<!DOCTYPE html><html>", "web page"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"import os\n", "a text"),
        (b"\x02\x99\x99\0", "39170"),
        (b"1a2b\0\0\0\0\0\0\0\0\0\0\0\0\x05", "RustPython"),
        (b"\xb2\x0b\x0d\x0a\0\0\0\0", "2994"),
        (b"\xef\xbf\xbd\x0d\x0d\x0a\0\0\0", "Replaced"),
        (b"\xa7\x0d\x0a\0\0\0\0", "CarriageReturns"),
    ] {
        check(bytes, kind, None);
    }
}

#[test]
fn text_conversions_are_undone() {
    let good = pyc(b"\xcb\x0d\x0d\x0a\0\0\0\0\x0a\0\0\0\0\0\0\0");
    let utf8: String = good.iter().map(|byte| char::from(*byte)).collect();
    let crlf: Vec<u8> =
        good.iter().flat_map(|b| if *b == b'\n' { &b"\r\n"[..] } else { core::slice::from_ref(b) }).copied().collect();
    // As `unix2dos` does it: the line feed of the magic number has its carriage return already.
    let dos = [&good[..4], &crlf[5..]].concat();
    assert_eq!(&dos[4..13], b"\0\0\0\0\x0d\x0a\0\0\0");
    for (bytes, kind) in [(utf8.as_bytes(), "Utf8"), (&crlf, "LineFeeds"), (&dos, "LineFeeds")] {
        check(bytes, kind, Some(("3.12", 16)));
        assert_eq!(identify(bytes).restored.as_deref(), Some(&good[..]));
    }
}

#[test]
fn the_payload_is_found_for_who_names_a_version() {
    let profile = Profile::of(crate::Version::new(3, 12)).unwrap();
    for (header, offset) in [
        (&b"\xbd\x0d\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0"[..], 16),
        (b"\xbd\x0d\x0d\x0a\0\0\0\0", 8),
        (b"", 0),
        (&[0; 16], 16),
    ] {
        assert_eq!(payload_offset(&pyc(header), profile), offset);
    }
    // Nothing is found: what the version's header takes.
    assert_eq!(payload_offset(b"\xfe\xfe\x0d\x0a\0\0\0\0\0\0\0\0\0\0\0\0\xff", profile), 16);
    assert_eq!(payload_offset(b"\xff", profile), 0);
}

/// What begins as a code object at every byte is given up, not read to its end each time.
#[test]
fn hostile_files_take_bounded_time() {
    let start = b"c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0s\x08\0\0\0";
    let hostile: Vec<u8> = start.repeat(40_000);
    let found = identify(&hostile);
    assert!(found.candidates.is_empty());
    // Lists in each other, which every byte reads to the end.
    let deep = [&b"\x7fELF"[..], &start[..21], &b"s\x01\0\0\0d"[..], &b"(\x01\0\0\0".repeat(50_000)].concat();
    assert!(identify(&deep.repeat(4)).candidates.is_empty());
}
