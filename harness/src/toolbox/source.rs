//! The source file of a .pyc file and the module that it is, as importlib finds them.

use super::places::source_of;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A source file, and when it was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// In seconds since 1970, modulo 2^32, as in a header.
    pub mtime: u32,
}

/// The module that the file is imported as: with the packages that it is in, which are folders with an `__init__.py`.
#[must_use]
pub fn module(pyc: &Path) -> String {
    let source = source_of(pyc).unwrap_or_else(|| pyc.to_owned());
    let whole = std::path::absolute(&source).unwrap_or(source);
    let stem = whole.file_stem().map_or("module".into(), |stem| stem.to_string_lossy().into_owned());
    let is_package = |folder: &&Path| ["__init__.py", "__init__.pyc"].iter().any(|name| folder.join(name).is_file());
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_init = stem == "__init__";
    let mut folders = whole.ancestors().skip(1);
    // What is called so is one, whether its source is there or not.
    let own = folders.next().filter(|folder| is_init || is_package(folder)).and_then(name);
    let mut names: Vec<String> = Vec::new();
    if let Some(own) = own {
        names.push(own);
        names.extend(folders.take_while(is_package).map_while(name));
        names.reverse();
    }
    if !is_init || names.is_empty() {
        names.push(stem);
    }
    names.join(".")
}

/// When a file was changed, as a header has it: in whole seconds, modulo 2^32, also before 1970.
///
/// # Errors
/// When the system does not tell.
pub fn mtime(facts: &Metadata) -> std::io::Result<u32> {
    let seconds = match facts.modified()?.duration_since(UNIX_EPOCH) {
        Ok(since) => i128::from(since.as_secs()),
        Err(e) => -i128::from(e.duration().as_secs()),
    };
    Ok(u32::try_from(seconds.rem_euclid(1 << 32)).unwrap_or(0))
}

/// The source of a .pyc file, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn source(pyc: &Path) -> std::io::Result<Option<Source>> {
    let Some(path) = source_of(pyc).filter(|path| path.is_file()) else { return Ok(None) };
    let mtime = mtime(&path.metadata()?)?;
    Ok(Some(Source { bytes: std::fs::read(&path)?, path, mtime }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_called_with_their_packages() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("pk/sub")).unwrap();
        for name in ["pk/__init__.py", "pk/sub/__init__.py"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for (pyc, expected) in [
            ("__pycache__/m.cpython-312.pyc", "m"),
            ("m.pyc", "m"),
            ("pk/__pycache__/__init__.cpython-312.opt-1.pyc", "pk"),
            ("pk/__init__.pyc", "pk"),
            ("pk/__pycache__/m.cpython-312.pyc", "pk.m"),
            ("pk/sub/__pycache__/__init__.cpython-312.pyc", "pk.sub"),
            ("pk/sub/__pycache__/m.cpython-312.pyc", "pk.sub.m"),
            ("other/__pycache__/__init__.cpython-312.pyc", "other"),
        ] {
            assert_eq!(module(&folder.path().join(pyc)), expected, "{pyc}");
        }
    }
}
