//! Wheels and zips: read, never unpacked, and not trusted.
//!
//! Nothing is written anywhere, so that a name which leads outside is only a name; it is refused all the same, because
//! whoever unpacks the archive would be in trouble. Sizes are those that the archive claims, and not a byte more is unpacked.

use super::Trouble;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use zip::ZipArchive;
use zip::result::ZipError;

/// A larger member is not read.
const MEMBER: u64 = 64 << 20;

/// An archive whose members come to more is not read.
const ALL: u64 = 1 << 30;

/// A record at the end tells how many members there are; before it there are at most so many bytes.
const TAIL: u64 = 1 << 17;

/// Where an archive is.
#[derive(Debug, Clone)]
pub(super) enum Source {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

trait Seekable: Read + Seek + Send {}
impl<T: Read + Seek + Send> Seekable for T {}

/// An open archive.
pub(super) struct Archive(ZipArchive<Box<dyn Seekable>>);

/// A file in an archive.
pub(super) struct Member {
    pub(super) index: usize,
    pub(super) name: String,
    /// Why it is not read.
    pub(super) trouble: Option<Trouble>,
}

pub(super) fn is_one(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04")
}

fn trouble(what: impl Into<String>) -> Trouble {
    Trouble::new("archive", what, "unpack it with a tool that you trust, and name the files")
}

fn broken(error: &ZipError) -> Trouble {
    trouble(format!("cannot be read as a zip: {error}"))
}

impl Archive {
    pub(super) fn open(source: &Source) -> Result<Archive, Trouble> {
        let mut reader: Box<dyn Seekable> = match source {
            Source::File(path) => Box::new(BufReader::new(File::open(path).map_err(|e| Trouble::io(&e))?)),
            Source::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        };
        if has_too_many_members(&mut reader).map_err(|e| Trouble::io(&e))? {
            return Err(trouble("the archive has more than 65,534 members or 4 GiB"));
        }
        let archive = ZipArchive::new(reader).map_err(|e| broken(&e))?;
        if archive.has_duplicate_names() {
            return Err(trouble("two members of the archive have one name"));
        }
        Ok(Archive(archive))
    }

    /// Its files, in the order of their names.
    pub(super) fn members(&self) -> Result<Vec<Member>, Trouble> {
        let mut members = Vec::new();
        let mut all = 0_u64;
        for index in 0..self.0.len() {
            let entry = self.0.by_index_data(index).map_err(|e| broken(&e))?;
            if !entry.is_file() {
                continue;
            }
            let name = entry.name().map_err(|e| broken(&e))?.into_owned();
            all = all.saturating_add(entry.size());
            let leads_outside =
                entry.enclosed_name().is_none() || name.starts_with(['/', '\\']) || name.contains(":\\");
            let trouble = if leads_outside {
                Some(Trouble::new("outside", "the name leads outside of the archive", "do not unpack this archive"))
            } else if entry.size() > MEMBER {
                let what = format!("unpacks to {} bytes; more than {MEMBER} are not read", entry.size());
                Some(Trouble::new("too-large", what, "unpack it, and name the file"))
            } else {
                None
            };
            members.push(Member { index, name, trouble });
        }
        if all > ALL {
            let what = format!("the archive unpacks to {all} bytes; more than {ALL} are not read");
            return Err(Trouble::new("too-large", what, "unpack it with a tool that you trust, and name the files"));
        }
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(members)
    }

    /// The bytes of a member, unless its first ones are not wanted.
    pub(super) fn read(&mut self, index: usize, wanted: impl Fn(&[u8]) -> bool) -> Result<Option<Vec<u8>>, Trouble> {
        let member = self.0.by_index(index).map_err(|e| broken(&e))?;
        let size = member.size();
        let packed = |e: &std::io::Error| trouble(format!("cannot be unpacked: {e}"));
        // One byte more than there should be tells that there are more.
        let mut member = member.take(size.saturating_add(1));
        let mut bytes = Vec::new();
        (&mut member).take(4).read_to_end(&mut bytes).map_err(|e| packed(&e))?;
        if !wanted(&bytes) {
            return Ok(None);
        }
        member.read_to_end(&mut bytes).map_err(|e| packed(&e))?;
        if bytes.len() as u64 > size {
            return Err(trouble(format!("unpacks to more than the {size} bytes that the archive claims")));
        }
        Ok(Some(bytes))
    }
}

/// Whether there are more members than a record without extensions can tell. Looked for in more bytes than readers look in.
fn has_too_many_members(reader: &mut (impl Read + Seek)) -> std::io::Result<bool> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    reader.take(TAIL).read_to_end(&mut tail)?;
    reader.seek(SeekFrom::Start(0))?;
    let large = |window: &[u8]| {
        window.starts_with(b"PK\x06\x07") || window.starts_with(b"PK\x05\x06") && window[10..12] == [0xFF, 0xFF]
    };
    Ok(tail.windows(22).any(large))
}
