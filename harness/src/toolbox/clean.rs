//! Which files are compiled ones that can be made again.

use super::Trouble;
use super::input::files_below;
use super::places::{CACHE, is_cached, may_have_source, source_below};
use super::replace::is_temporary;
use pyc_core::Version;
use pyc_core::magic::Magic;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Which .pyc files are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those that were changed before this time.
    pub before: Option<SystemTime>,
    /// Those of these Pythons, by their magic numbers; of all if there is none.
    pub pythons: BTreeSet<Version>,
    /// Those without a source file.
    pub orphans: bool,
    /// PYTHONPYCACHEPREFIX
    pub prefix: Option<PathBuf>,
}

/// What is to become of a path.
#[derive(Debug)]
pub enum Fate {
    /// It is removed.
    Removed {
        /// Its size.
        bytes: u64,
    },
    /// It is an empty folder of .pyc files, and removed.
    Emptied,
    /// It is kept: it is all that there is of its program.
    Kept,
    /// It cannot be removed, or looked at.
    Failed(Trouble),
}

/// A command that writes a file is done with it after this time, or was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Whether a file is called as compiled files are, and not as copies of them: `x.pyc`, `x.pyo`, and in `__pycache__` what importlib
/// leaves behind when it is killed, `x.cpython-312.pyc.140234567`.
fn is_compiled(path: &Path) -> bool {
    if is_temporary(path) {
        return true;
    }
    // A name need not be text.
    let Some(name) = path.file_name().map(OsStr::as_bytes) else { return false };
    let is_cached = path.parent().and_then(Path::file_name).is_some_and(|folder| folder == CACHE);
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let left = name[..name.len() - digits].strip_suffix(b".").filter(|_| digits > 0);
    [&b".pyc"[..], b".pyo"]
        .iter()
        .any(|suffix| name.ends_with(suffix) || is_cached && left.is_some_and(|rest| rest.ends_with(suffix)))
}

impl Filter {
    fn takes(&self, path: &Path) -> std::io::Result<Option<Fate>> {
        let facts = path.symlink_metadata()?;
        if is_temporary(path) {
            let is_left = facts.modified()?.elapsed().is_ok_and(|age| age > ABANDONED);
            return Ok(is_left.then_some(Fate::Removed { bytes: facts.len() }));
        }
        if let Some(before) = self.before
            && facts.modified()? >= before
        {
            return Ok(None);
        }
        if !self.pythons.is_empty() {
            let mut start = [0; 4];
            let is_whole = File::open(path)?.read_exact(&mut start).is_ok();
            let magic = Magic::at_start(&start).filter(|_| is_whole).and_then(Magic::profile);
            if !magic.is_some_and(|profile| self.pythons.contains(&profile.version)) {
                return Ok(None);
            }
        }
        let prefix = self.prefix.as_deref();
        let is_cached = is_cached(path, prefix);
        let has_source = source_below(path, prefix).is_some_and(|source| source.exists())
            // Files below another PYTHONPYCACHEPREFIX look as if they were alone.
            || !is_cached && may_have_source(path);
        Ok(match (has_source, self.orphans) {
            (true, true) => None,
            // No import takes a file of __pycache__ without its source.
            (false, false) if !is_cached => Some(Fate::Kept),
            _ => Some(Fate::Removed { bytes: facts.len() }),
        })
    }
}

/// Removes what the filter takes below a path, or with `dry` only says so; then folders `__pycache__` that are empty. Links are not
/// followed, but removed like files if they are called so.
pub fn clean(path: &Path, filter: &Filter, dry: bool, tell: &mut dyn FnMut(&Path, Fate)) {
    // With a slash at its end, a path is that of what a link leads to.
    let path = &path.components().collect::<PathBuf>();
    let is_link = path.is_symlink();
    let is_folder = path.is_dir() && !is_link;
    let (files, troubles) = if is_folder { files_below(path) } else { (vec![path.to_owned()], Vec::new()) };
    for (folder, trouble) in troubles {
        tell(&folder, Fate::Failed(trouble));
    }
    if !is_folder && !is_compiled(path) {
        let what = match path.exists() {
            true if is_link && path.is_dir() => "is a link to a folder, and links are not followed",
            true => "is not called as .pyc files are",
            false => "cannot be read: there is no such file",
        };
        return tell(path, Fate::Failed(Trouble::new("name", what, "name .pyc files, or folders with such files")));
    }
    let mut gone = BTreeSet::new();
    for file in files.iter().filter(|file| is_compiled(file)) {
        let fate = filter.takes(file).and_then(|fate| {
            if matches!(fate, Some(Fate::Removed { .. })) {
                gone.insert(file.clone());
                // Somebody else may have been faster.
                match if dry { Ok(()) } else { std::fs::remove_file(file) } {
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    removed => removed?,
                }
            }
            Ok(fate)
        });
        match fate {
            Ok(Some(fate)) => tell(file, fate),
            Ok(None) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => tell(file, Fate::Failed(failed(&e))),
        }
    }
    for folder in caches(path, &files) {
        let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let is_empty = entries.is_ok_and(|entries| entries.iter().all(|entry| dry && gone.contains(&entry.path())));
        if is_empty {
            match if dry { Ok(()) } else { std::fs::remove_dir(&folder) } {
                Ok(()) => tell(&folder, Fate::Emptied),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => tell(&folder, Fate::Failed(failed(&e))),
            }
        }
    }
}

/// The folders `__pycache__` of the tree.
fn caches(root: &Path, files: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
    // Those without any file are found by their parents.
    let mut folders = if root.is_dir() { vec![root.to_owned()] } else { Vec::new() };
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        folders.extend(
            entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()),
        );
        found.insert(folder);
    }
    found.retain(|folder| folder.file_name().is_some_and(|name| name == CACHE));
    found
}

fn failed(error: &std::io::Error) -> Trouble {
    Trouble::new("not-removed", format!("cannot be removed: {error}"), "check the permissions of its folder")
}

/// A time span: `30d`, `12h`, `90m`, `45s`; without a letter days.
///
/// # Errors
/// When the text is no such span.
pub fn span(text: &str) -> Result<Duration, String> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let seconds = match &text[at..] {
        "" | "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return Err("it is no time such as 30d, 12h, 90m or 45s".into()),
    };
    if at == 0 {
        return Err("it begins with no number".into());
    }
    let number = text[..at].parse::<u64>().ok().and_then(|number| number.checked_mul(seconds));
    number.map(Duration::from_secs).ok_or_else(|| "it is too long".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiled_files_are_told_from_copies() {
        for (path, expected) in [
            ("a/x.pyc", true),
            ("a/x.pyo", true),
            ("a/__pycache__/x.cpython-312.pyc", true),
            ("a/__pycache__/x.cpython-312.pyc.140234", true),
            ("a/x.pyc.140234", false),
            ("a/x.pyc.backup", false),
            ("a/__pycache__/x.cpython-312.pyc.", false),
            ("a/x.py", false),
        ] {
            assert_eq!(is_compiled(Path::new(path)), expected, "{path}");
        }
        assert!(is_compiled(Path::new(OsStr::from_bytes(b"a/\xff.pyc"))));
    }

    #[test]
    fn spans_have_units() {
        let all = ["2", "2d", "3h", "4m", "5s"].map(|text| span(text).unwrap().as_secs());
        assert_eq!(all, [172_800, 172_800, 10_800, 240, 5]);
        for (wrong, said) in [
            ("", "no number"),
            ("d", "no number"),
            ("2w", "no time"),
            ("-1d", "no time"),
            ("99999999999999999999", "too long"),
            ("999999999999999999d", "too long"),
        ] {
            assert!(span(wrong).unwrap_err().contains(said), "{wrong}");
        }
    }
}
