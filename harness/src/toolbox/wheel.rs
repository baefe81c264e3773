//! Wheels and other zips whose .pyc files are rewritten, with the RECORD that lists their hashes.

use super::Trouble;
use super::archive::{self, Archive, Source};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::read::ZipArchive;
use zip::write::ZipWriter;

/// Whether these bytes are an archive.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    archive::is_one(bytes)
}

/// An archive with other members.
#[derive(Debug)]
pub struct Rewritten {
    /// The archive.
    pub bytes: Vec<u8>,
    /// How many .pyc files changed.
    pub members: usize,
    /// Whether there is a RECORD, which changed with them.
    pub has_record: bool,
}

/// An archive with other members: `change` is given the name and the bytes of each .pyc file, and a way to read others. Members
/// that do not change are copied as they are. `None` if none changes.
///
/// # Errors
/// What `change` returns; or when the archive cannot be read, has signatures of its RECORD, or a RECORD that is wrong already.
pub fn rewrite(
    bytes: &[u8],
    is_wheel: bool,
    mut change: impl FnMut(&str, &[u8], &mut dyn FnMut(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, Trouble>,
) -> Result<Option<Rewritten>, Trouble> {
    let source = Source::Memory(bytes.into());
    let (mut archive, mut others) = (Archive::open(&source)?, Archive::open(&source)?);
    let members = archive.members()?;
    let index: BTreeMap<String, usize> = members.iter().map(|member| (member.name.clone(), member.index)).collect();
    let mut changed: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for member in members {
        if let Some(trouble) = member.trouble {
            return Err(Trouble { what: format!("{}: {}", member.name, trouble.what), ..trouble });
        }
        let is_wanted =
            |start: &[u8]| super::input::is_pyc_name(&member.name) || pyc_core::magic::Magic::at_start(start).is_some();
        let Some(old) = archive.read(member.index, is_wanted)? else { continue };
        let mut other = |name: &str| others.read(*index.get(name)?, |_| true).ok().flatten();
        let new = change(&member.name, &old, &mut other)
            .map_err(|trouble| Trouble { what: format!("{}: {}", member.name, trouble.what), ..trouble })?;
        if new != old {
            changed.insert(member.name, new);
        }
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let count = changed.len();
    let records: Vec<&String> = index.keys().filter(|name| is_record(name, "RECORD")).collect();
    if let Some(signed) = index.keys().find(|name| ["RECORD.jws", "RECORD.p7s"].iter().any(|it| is_record(name, it))) {
        let what = format!("{signed} signs the list of hashes, which would have to change");
        return Err(Trouble::new("signed", what, "normalize the files before they are packed and signed"));
    }
    let has_record = !records.is_empty();
    match records[..] {
        [] if is_wheel => {
            return Err(Trouble::new(
                "no-record",
                "the wheel has no RECORD",
                "normalize the files before they are packed",
            ));
        }
        [] => {}
        [record] => {
            let text = others.read(index[record], |_| true)?.unwrap_or_default();
            let text = String::from_utf8(text).map_err(|_| {
                Trouble::new("record", "RECORD is no UTF-8", "normalize the files before they are packed")
            })?;
            for Listed { path, hash, size } in text.lines().map(Listed::of) {
                let Some(at) = index.get(&path) else { continue };
                let old = others.read(*at, |_| true)?.unwrap_or_default();
                if !is_right(&hash, &size, &old) {
                    let what = format!("RECORD is wrong already: {path} has another hash or size");
                    return Err(Trouble::new(
                        "record",
                        what,
                        "find out what changed that file, and pack the wheel again",
                    ));
                }
            }
            changed.insert(record.clone(), listed(&text, &changed)?.into_bytes());
        }
        _ => {
            return Err(Trouble::new(
                "record",
                "there is more than one RECORD",
                "normalize the files before they are packed",
            ));
        }
    }
    let packed = packed(bytes, &changed);
    let packed = packed.map_err(|e| Trouble::new("archive", format!("cannot be written: {e}"), "report it"))?;
    Ok(Some(Rewritten { bytes: packed, members: count, has_record }))
}

fn is_record(name: &str, file: &str) -> bool {
    matches!(name.split_once('/'), Some((folder, rest)) if folder.ends_with(".dist-info") && rest == file)
}

/// A line of RECORD.
struct Listed {
    path: String,
    hash: String,
    size: String,
}

impl Listed {
    /// A path with a comma is in quotes, in which they are doubled.
    fn of(line: &str) -> Listed {
        let (path, rest) = match line.strip_prefix('"').and_then(|rest| rest.rsplit_once("\",")) {
            Some((path, rest)) => (path.replace("\"\"", "\""), rest),
            None => line.split_once(',').map_or((line.to_owned(), ""), |(path, rest)| (path.to_owned(), rest)),
        };
        let (hash, size) = rest.split_once(',').unwrap_or((rest, ""));
        Listed { path, hash: hash.to_owned(), size: size.to_owned() }
    }
}

/// Whether these are the bytes with that hash and size. Nothing is said of what has none, and nothing is known of other hashes.
fn is_right(hash: &str, size: &str, bytes: &[u8]) -> bool {
    let digest = match hash.split_once('=') {
        Some(("sha256", _)) => base64(&Sha256::digest(bytes)),
        Some(("sha384", _)) => base64(&Sha384::digest(bytes)),
        Some(("sha512", _)) => base64(&Sha512::digest(bytes)),
        _ => String::new(),
    };
    let said = hash.split_once('=').map_or("", |(_, digest)| digest.trim_end_matches('='));
    (digest.is_empty() || digest == said) && (size.is_empty() || size == bytes.len().to_string())
}

/// RECORD with the hashes and sizes of what changed: `path,sha256=...,size`.
fn listed(record: &str, changed: &BTreeMap<String, Vec<u8>>) -> Result<String, Trouble> {
    let mut missing: Vec<&String> = changed.keys().collect();
    let mut out = String::with_capacity(record.len());
    for line in record.split_inclusive('\n') {
        let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
        let text = &line[..line.len() - end.len()];
        let Listed { path, .. } = Listed::of(text);
        match changed.get(&path) {
            Some(bytes) => {
                missing.retain(|name| **name != path);
                let quoted =
                    if path.contains([',', '"']) { format!("\"{}\"", path.replace('"', "\"\"")) } else { path };
                out += &format!("{quoted},sha256={},{}{end}", base64(&Sha256::digest(bytes)), bytes.len());
            }
            None => out += line,
        }
    }
    match missing.first() {
        None => Ok(out),
        Some(name) => {
            let what = format!("RECORD does not list {name}");
            Err(Trouble::new("record", what, "normalize the files before they are packed"))
        }
    }
}

/// As RECORD has it: the alphabet for URLs, without padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

/// The archive with these members in the place of the old ones, which keep time, mode, compression and comment.
fn packed(bytes: &[u8], changed: &BTreeMap<String, Vec<u8>>) -> zip::result::ZipResult<Vec<u8>> {
    let mut old = ZipArchive::new(Cursor::new(bytes))?;
    let mut new = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len())));
    new.set_raw_comment(old.comment().into())?;
    for index in 0..old.len() {
        let member = old.by_index_raw(index)?;
        let name = member.name()?.into_owned();
        let Some(bytes) = changed.get(&name) else {
            new.raw_copy_file(member)?;
            continue;
        };
        let mut options = member.options().into_full_options();
        if !member.comment().is_empty() {
            options = options.with_file_comment(member.comment());
        }
        drop(member);
        new.start_file(name, options)?;
        new.write_all(bytes)?;
    }
    Ok(new.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_written_as_records_have_them() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xff\xef\xbf", "_--_")]
        {
            assert_eq!(base64(bytes), text);
        }
        let changed = BTreeMap::from([("a,b.pyc".to_owned(), b"x".to_vec()), ("p/c.pyc".to_owned(), Vec::new())]);
        let record = "\"a,b.pyc\",sha256=old,9\r\np/c.pyc,,\np/c.py,sha256=kept,1\nRECORD,,\n";
        let expected = "\"a,b.pyc\",sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1\r\n\
                        p/c.pyc,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\np/c.py,sha256=kept,1\nRECORD,,\n";
        assert_eq!(listed(record, &changed).unwrap(), expected);
        assert_eq!(listed("p/c.pyc,,\n", &changed).unwrap_err().kind, "record");
    }

    #[test]
    fn hashes_and_sizes_are_compared() {
        for (line, expected) in [
            ("x,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1", true),
            ("x,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE=,", true),
            ("x,sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,2", false),
            ("x,sha256=MXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE,1", false),
            ("x,sha384=LXEW,1", false),
            ("x,sha512=LXEW,1", false),
            ("x,md5=LXEW,1", true),
            ("x,,", true),
            ("x", true),
        ] {
            let Listed { path, hash, size } = Listed::of(line);
            assert_eq!((path.as_str(), is_right(&hash, &size, b"x")), ("x", expected), "{line}");
        }
    }
}
