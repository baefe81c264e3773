//! What a person names: files, directories, standard input, wheels and zips.
//!
//! A file that is named is taken whatever it is called. Of a directory or an archive those are taken that are .pyc files by
//! their first bytes, whatever they are called, and those that are called so, whatever is in them. Directories are gone
//! through in the order of their names; links to directories are not followed, as they may lead in circles. Links to files are
//! not followed by who writes, as they may lead out of the directory.

use super::Trouble;
use super::archive::{self, Archive, Source};
use super::replace::is_temporary;
use clap::Args;
use pyc_core::magic::Magic;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A larger file is not read.
pub(crate) const LARGEST: u64 = 1 << 30;

/// What a person names, and how it is gone through.
#[derive(Debug, Clone, Args)]
pub struct Paths {
    /// Files or directories; - reads standard input. In directories, .pyc files are found by content
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How many files are processed at the same time [default: one for each processor]
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// Whether a command looks into wheels and zips. One that writes does not, nor does it follow links in folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archives {
    /// It does.
    Read,
    /// An archive is a file like others.
    Keep,
}

/// A file to look at.
#[derive(Debug)]
pub struct Entry {
    /// What people call it: the path as they wrote it, `-`, or `ARCHIVE!MEMBER`.
    pub name: String,
    /// Whether the file itself was named, and not something that it is in.
    pub is_named: bool,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    /// A link in a folder, for who writes.
    Link(PathBuf),
    Memory(Arc<[u8]>),
    /// Its own name is the last part of what people call it, from `at` on.
    Member {
        archive: usize,
        index: usize,
        at: usize,
    },
    Nowhere(Trouble),
}

/// All files that were named, and the archives that some of them are in.
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    archives: Vec<Opened>,
}

/// An archive, and the places of its members by their names.
struct Opened {
    source: Source,
    members: BTreeMap<String, usize>,
}

/// What is in the same archive as a file.
pub struct Beside<'l> {
    pub(super) listing: &'l Listing,
    pub(super) entry: &'l Entry,
    pub(super) reader: &'l mut Reader,
}

impl Beside<'_> {
    fn place(&self, name: &Path) -> Option<(usize, usize)> {
        let Place::Member { archive, .. } = self.entry.place else { return None };
        Some((archive, *self.listing.archives[archive].members.get(name.to_str()?)?))
    }

    /// Whether the archive has a member of this name.
    #[must_use]
    pub fn has(&self, name: &Path) -> bool {
        self.place(name).is_some()
    }

    /// The bytes of a member; none if there is none of this name.
    ///
    /// # Errors
    /// When it cannot be unpacked.
    pub fn read(&mut self, name: &Path) -> Result<Option<Vec<u8>>, Trouble> {
        let Some((archive, index)) = self.place(name) else { return Ok(None) };
        self.listing.read_member(archive, index, self.reader, |_| true)
    }
}

/// Reads entries; keeps the archive open that the last one was in.
#[derive(Default)]
pub(super) struct Reader {
    open: Option<(usize, Archive)>,
}

impl Entry {
    /// Whether it is a link that is not followed.
    pub(super) fn is_link(&self) -> bool {
        matches!(self.place, Place::Link(_))
    }

    /// The file's path; none of standard input and of what is in an archive.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            _ => None,
        }
    }

    /// What an archive calls it, and what people call the archive.
    #[must_use]
    pub fn member(&self) -> Option<(&Path, &str)> {
        match self.place {
            Place::Member { at, .. } => Some((Path::new(&self.name[at..]), &self.name[..at - 1])),
            _ => None,
        }
    }

    fn is_wanted(&self, start: &[u8]) -> bool {
        self.is_named || is_pyc_name(&self.name) || Magic::at_start(start).is_some()
    }
}

impl Listing {
    /// What the paths name. What is wrong with one is told when it is read.
    pub(super) fn of(paths: &[PathBuf], archives: Archives) -> Listing {
        let mut listing = Listing { entries: Vec::new(), archives: Vec::new() };
        for path in paths {
            listing.add(path, archives);
        }
        listing
    }

    fn push(&mut self, name: String, is_named: bool, place: Place) {
        self.entries.push(Entry { name, is_named, place });
    }

    fn add(&mut self, path: &Path, archives: Archives) {
        let name = path.display().to_string();
        if path == Path::new("-") {
            match read_all(std::io::stdin().lock()) {
                Ok(bytes) if archives == Archives::Read && archive::is_one(&bytes) => {
                    self.add_archive(&name, Source::Memory(bytes.into()));
                }
                Ok(bytes) => self.push(name, true, Place::Memory(bytes.into())),
                Err(trouble) => self.push(name, true, Place::Nowhere(trouble)),
            }
        } else if path.is_dir() {
            self.add_folder(path, archives);
        } else if archives == Archives::Read && starts_as_archive(path) {
            self.add_archive(&name, Source::File(path.to_owned()));
        } else {
            self.push(name, true, Place::File(path.to_owned()));
        }
    }

    fn add_folder(&mut self, folder: &Path, archives: Archives) {
        let (files, troubles) = files_below(folder);
        // Another command is writing these, or was killed while it did.
        for file in files.into_iter().filter(|file| !is_temporary(file)) {
            let name = file.display().to_string();
            if archives == Archives::Read && is_archive_name(&name) && starts_as_archive(&file) {
                self.add_archive(&name, Source::File(file));
            } else if archives == Archives::Keep && file.is_symlink() {
                self.push(name, false, Place::Link(file));
            } else {
                self.push(name, false, Place::File(file));
            }
        }
        for (folder, trouble) in troubles {
            self.push(folder.display().to_string(), true, Place::Nowhere(trouble));
        }
    }

    fn add_archive(&mut self, name: &str, source: Source) {
        match Archive::open(&source).and_then(|archive| archive.members()) {
            Ok(members) => {
                let (archive, at) = (self.archives.len(), name.len() + 1);
                let mut opened = Opened { source, members: BTreeMap::new() };
                for member in members {
                    let name = format!("{name}!{}", member.name);
                    let place = Place::Member { archive, index: member.index, at };
                    let is_named = member.trouble.is_some();
                    self.push(name, is_named, member.trouble.map_or(place, Place::Nowhere));
                    opened.members.insert(member.name, member.index);
                }
                self.archives.push(opened);
            }
            Err(trouble) => self.push(name.to_owned(), true, Place::Nowhere(trouble)),
        }
    }

    /// The bytes of an entry; none if it is not a .pyc file and was not named.
    pub(super) fn read(&self, entry: &Entry, reader: &mut Reader) -> Result<Option<Vec<u8>>, Trouble> {
        match &entry.place {
            Place::Nowhere(trouble) => Err(trouble.clone()),
            Place::Memory(bytes) => Ok(Some(bytes.to_vec())),
            Place::File(path) | Place::Link(path) => {
                let file = File::open(path).map_err(|e| Trouble::io(&e))?;
                // A pipe or a device might never end.
                let facts = file.metadata().map_err(|e| Trouble::io(&e))?;
                if !entry.is_named && !facts.is_file() {
                    return Ok(None);
                }
                let is_large = facts.len() > LARGEST;
                let mut file = std::io::BufReader::new(file);
                let mut start = Vec::new();
                (&mut file).take(4).read_to_end(&mut start).map_err(|e| Trouble::io(&e))?;
                match entry.is_wanted(&start) {
                    false => Ok(None),
                    true if is_large => Err(too_large()),
                    true => read_all(start.chain(file)).map(Some),
                }
            }
            Place::Member { archive, index, .. } => {
                self.read_member(*archive, *index, reader, |start| entry.is_wanted(start))
            }
        }
    }

    fn read_member(
        &self,
        archive: usize,
        index: usize,
        reader: &mut Reader,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        if reader.open.as_ref().is_none_or(|(open, _)| *open != archive) {
            reader.open = Some((archive, Archive::open(&self.archives[archive].source)?));
        }
        let Some((_, open)) = &mut reader.open else { return Ok(None) };
        open.read(index, wanted)
    }
}

/// All regular files below a folder, links to such included, in the order of their names; and the folders that cannot be listed.
pub fn files_below(folder: &Path) -> (Vec<PathBuf>, Vec<(PathBuf, Trouble)>) {
    let (mut files, mut troubles) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = std::fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        match listed {
            Ok(entries) => {
                for entry in entries {
                    match entry.file_type() {
                        Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                        Ok(kind) if kind.is_file() || entry.path().is_file() => files.push(entry.path()),
                        _ => {}
                    }
                }
            }
            Err(e) => troubles.push((folder, Trouble::io(&e))),
        }
    }
    files.sort();
    (files, troubles)
}

/// Whether a file is called as .pyc files are: `x.pyc`, `x.PYC`, `x.pyo`, `x.pyc.backup`, `x.pyc-notyet`.
#[must_use]
pub fn is_pyc_name(name: &str) -> bool {
    let name = name.rsplit(['/', '!']).next().unwrap_or(name).to_ascii_lowercase();
    [".pyc", ".pyo"].iter().any(|suffix| {
        name.match_indices(suffix).any(|(at, _)| !name[at + suffix.len()..].starts_with(char::is_alphanumeric))
    })
}

fn is_archive_name(name: &str) -> bool {
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    extension.is_some_and(|extension| ["whl", "zip", "egg", "pyz"].contains(&extension.as_str()))
}

/// Whether a file is a zip, or one behind the line of a script, as zipapp writes it.
pub(super) fn starts_as_archive(path: &Path) -> bool {
    let mut start = [0; 4];
    path.is_file()
        && File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok())
        && (archive::is_one(&start) || start.starts_with(b"#!") && is_archive_name(&path.to_string_lossy()))
}

fn read_all(reader: impl Read) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|e| Trouble::io(&e))?;
    if bytes.len() as u64 > LARGEST { Err(too_large()) } else { Ok(bytes) }
}

fn too_large() -> Trouble {
    let advice = "name a part of it: `tail -c +OFFSET FILE | head -c SIZE`, and - for the file";
    Trouble::new("too-large", format!("has more than {LARGEST} bytes"), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pyc_files_are_recognized() {
        for (name, is_one) in [
            ("a/x.pyc", true),
            ("cpython.pyo", true),
            ("UP.PYC", true),
            ("x.pyc-notyet", true),
            ("x.opt-2.pyc.backup", true),
            ("a.pyc/x.py", false),
            ("x.pycx", false),
            ("w.whl!x.pyc", true),
            ("x.pyc!y", false),
        ] {
            assert_eq!(is_pyc_name(name), is_one, "{name}");
        }
    }
}
