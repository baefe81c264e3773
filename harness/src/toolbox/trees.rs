//! Two trees side by side: directories, wheels and zips, in which files of the same relative name belong together.

use super::Trouble;
use super::input::{Archives, Listing, Reader, is_pyc_name};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A tree whose files are looked up by their names in it.
pub struct Tree {
    listing: Listing,
    by_name: BTreeMap<String, usize>,
    readers: Mutex<Vec<Reader>>,
}

/// Whether a path is a tree: a directory, a wheel or a zip.
#[must_use]
pub fn is_tree(path: &Path) -> bool {
    path.is_dir() || super::input::starts_as_archive(path)
}

/// The name of a file in the tree `root`.
#[must_use]
pub fn relative<'n>(name: &'n str, root: &Path) -> &'n str {
    let root = root.display().to_string();
    let rest = name.strip_prefix(root.trim_end_matches('/')).unwrap_or(name);
    rest.trim_start_matches(['/', '!'])
}

impl Tree {
    /// The files of a tree.
    #[must_use]
    pub fn open(root: &Path) -> Tree {
        let listing = Listing::of(&[PathBuf::from(root)], Archives::Read);
        let names = listing.entries.iter().enumerate();
        let by_name = names.map(|(place, entry)| (relative(&entry.name, root).to_owned(), place)).collect();
        Tree { listing, by_name, readers: Mutex::default() }
    }

    /// The bytes of a file; `None` if there is none of this name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(place) = self.by_name.get(name) else { return Ok(None) };
        let readers = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reader = readers().pop().unwrap_or_default();
        let bytes = self.listing.read(&self.listing.entries[*place], &mut reader);
        readers().push(reader);
        bytes
    }

    /// The names of its .pyc files that are not among these.
    pub fn others<'t>(&'t self, seen: &'t BTreeSet<String>) -> impl Iterator<Item = &'t str> {
        self.by_name.keys().map(String::as_str).filter(|name| is_pyc_name(name) && !seen.contains(*name))
    }
}
