//! Files are replaced as a whole, or not at all.

use super::Trouble;
use std::fs::{File, Metadata, Permissions};
use std::io::Write;
use std::path::Path;

/// Puts these bytes in the place of a file, which keeps its mode and owner. What a link leads to is replaced, not the link. Whoever
/// reads meanwhile sees the old file or the new one.
///
/// # Errors
/// When that cannot be; the old file is still there then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let path = path.canonicalize().map_err(|e| not_written(&e))?;
    let old = path.metadata().map_err(|e| not_written(&e))?;
    if !old.is_file() {
        return Err(Trouble::new("not-written", "is no regular file", "name a file, or -o OUT for the result"));
    }
    put(&path, bytes, Some(&old), None, true)
}

/// The same, if the file has still these bytes: what somebody wrote meanwhile is kept.
///
/// # Errors
/// As [`replace`], and when the file has other bytes by now.
pub fn replace_unchanged(path: &Path, old: &[u8], new: &[u8]) -> Result<(), Trouble> {
    if std::fs::read(path).map_err(|e| not_written(&e))? != old {
        return Err(Trouble::new("not-written", "was changed by somebody else meanwhile", "run the command again"));
    }
    replace(path, new)
}

/// How the names of files begin that are not whole yet.
const TEMPORARY: &str = ".provost-";

/// Whether a file is one that is not whole yet, or was left behind by a command that was killed.
#[must_use]
pub fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPORARY))
}

/// Makes a file of these bytes, with the mode that new files have, or puts them in the place of one.
///
/// # Errors
/// When that cannot be.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    // Where a link leads to is not there yet, that is made, and the link stays.
    if let (Ok(target), Err(_)) = (path.read_link(), path.metadata()) {
        let target = path.parent().map_or(target.clone(), |folder| folder.join(&target));
        return put(&target, bytes, None, None, false);
    }
    if let Ok(path) = path.canonicalize() {
        let old = path.metadata().map_err(|e| not_written(&e))?;
        // A device or a pipe takes the bytes, and stays what it is.
        if !old.is_file() && !old.is_dir() {
            let out = File::options().write(true).open(&path);
            return out.and_then(|mut out| out.write_all(bytes)).map_err(|e| not_written(&e));
        }
        return put(&path, bytes, Some(&old), None, false);
    }
    make_folder(path)?;
    put(path, bytes, None, None, false)
}

/// Makes a file of these bytes that nobody named, with this mode as far as the umask allows it, or puts them in the place of one.
/// What a link leads to is not this file, and nobody asked for the link to become one; so it is refused, as by py_compile.
///
/// # Errors
/// When that cannot be, or when something else than a regular file is there.
pub fn create_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let old = path.symlink_metadata().ok();
    if let Some(kind) = old.as_ref().map(Metadata::file_type).filter(|kind| !kind.is_file()) {
        let kind = if kind.is_symlink() { "a link" } else { "no regular file" };
        let what = format!("{} is {kind}, and is not replaced", path.display());
        return Err(Trouble::new("not-written", what, "remove it, and run the command again"));
    }
    make_folder(path)?;
    put(path, bytes, old.as_ref(), Some(mode), false)
}

fn make_folder(path: &Path) -> Result<(), Trouble> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(|e| not_written(&e))
}

/// `waits` for the disk, so that not even a crash of the machine costs a file that cannot be made again.
fn put(path: &Path, bytes: &[u8], old: Option<&Metadata>, as_mode: Option<u32>, waits: bool) -> Result<(), Trouble> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let error = |e: std::io::Error| not_written(&e);
    // The mode of new files follows the umask, as far as the builder is told nothing else.
    let new =
        tempfile::Builder::new().prefix(TEMPORARY).permissions(mode(as_mode.unwrap_or(0o666))).tempfile_in(folder);
    let mut new = new.map_err(error)?;
    new.write_all(bytes).map_err(error)?;
    if let Some(old) = old {
        own(new.as_file(), old).map_err(error)?;
        if as_mode.is_none() {
            new.as_file().set_permissions(old.permissions()).map_err(error)?;
        }
    }
    if waits {
        new.as_file().sync_data().map_err(error)?;
    }
    new.persist(path).map_err(|e| not_written(&e.error))?;
    Ok(())
}

#[cfg(unix)]
fn mode(mode: u32) -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[cfg(unix)]
fn own(new: &File, old: &Metadata) -> std::io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = new.metadata()?;
    if (own.uid(), own.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(new, Some(old.uid()), Some(old.gid()))
}

fn not_written(error: &std::io::Error) -> Trouble {
    Trouble::new(
        "not-written",
        format!("cannot be replaced: {error}"),
        "check the permissions of the file and its folder",
    )
}
