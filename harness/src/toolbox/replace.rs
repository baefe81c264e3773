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
    put(&path, bytes, Some(&old), None, true)
}

/// Makes a file of these bytes, with the mode that new files have, or puts them in the place of one.
///
/// # Errors
/// When that cannot be.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    make(path, bytes, None)
}

/// The same with this mode, as far as the umask allows it, whatever mode the old file has.
///
/// # Errors
/// When that cannot be.
pub fn create_as(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    make(path, bytes, Some(mode))
}

fn make(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), Trouble> {
    if let Ok(path) = path.canonicalize() {
        let old = path.metadata().map_err(|e| not_written(&e))?;
        return put(&path, bytes, Some(&old), mode, false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| not_written(&e))?;
    }
    put(path, bytes, None, mode, false)
}

/// `waits` for the disk, so that not even a crash of the machine costs a file that cannot be made again.
fn put(path: &Path, bytes: &[u8], old: Option<&Metadata>, as_mode: Option<u32>, waits: bool) -> Result<(), Trouble> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let error = |e: std::io::Error| not_written(&e);
    // The mode of new files follows the umask, as far as the builder is told nothing else.
    let new =
        tempfile::Builder::new().prefix(".provost-").permissions(mode(as_mode.unwrap_or(0o666))).tempfile_in(folder);
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
