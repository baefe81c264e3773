//! `provost corpus sync`: what fuzzers have found to be worth keeping, between machines and nights.
//!
//! The folder has one for each target, with files named by their content, so that it can be a cache of a CI system, an asset of
//! a release, or a folder that machines share, and never needs to be in git.

use super::fuzz::{Fuzz, Sanitizer, targets};
use super::root;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What needs interpreters is not minimized: what it reaches depends on them.
const WITH_INTERPRETERS: &str = "marshal_differential";

/// Arguments of `corpus sync`.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// The folder; it is made if there is none
    folder: PathBuf,
    /// Only these targets (repeatable) [default: all that need no interpreter]
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// How many megabytes a target keeps: the newest inputs
    #[arg(long, value_name = "MB", default_value_t = 64)]
    megabytes: u64,
    /// How many days an input is kept after it was first found
    #[arg(long, default_value_t = 365)]
    days: u64,
}

impl Sync {
    /// Puts together what is in the folder and in fuzz/corpus, keeps what reaches something that smaller inputs do not, and
    /// leaves that in both.
    pub(crate) fn run(&self) -> Result<u8> {
        let fuzz = root().join("fuzz");
        let all = targets(&fuzz)?;
        for target in &self.target {
            ensure!(all.contains(target), "{target} is no fuzz target; there are: {}", all.join(", "));
        }
        let is_chosen = |target: &&String| match self.target.as_slice() {
            [] => *target != WITH_INTERPRETERS,
            chosen => chosen.contains(target),
        };
        for target in all.iter().filter(is_chosen) {
            let (kept, grown) = (self.folder.join(target), fuzz.join("corpus").join(target));
            let merged = self.folder.join(format!(".{target}.part"));
            for folder in [&kept, &grown] {
                fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            }
            if merged.exists() {
                fs::remove_dir_all(&merged).with_context(|| format!("cannot remove {}", merged.display()))?;
            }
            let before = files(&kept)?.len() + files(&grown)?.len();
            let merge = Fuzz {
                target: target.clone(),
                sanitizer: Sanitizer::None,
                corpus: Some(merged.clone()),
                seeds: vec![kept.clone(), grown.clone()],
                options: ["-merge=1", "-verbosity=0"].map(str::to_owned).to_vec(),
            };
            ensure!(merge.run()? == 0, "{target}: the inputs could not be merged; nothing was changed");
            keep_ages(&merged, &[&kept, &grown])?;
            let gone =
                bound(&merged, self.megabytes << 20, Duration::from_secs(self.days * 86_400), SystemTime::now())?;
            exchange(&merged, &kept)?;
            mirror(&kept, &grown)?;
            println!("{target}: {before} inputs came to {}, {gone} more were too old or too many", files(&kept)?.len());
        }
        Ok(0)
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// What was there before keeps the time at which it was found; its name is that of its content.
fn keep_ages(merged: &Path, before: &[&Path]) -> Result<()> {
    for path in files(merged)? {
        let name = path.file_name().unwrap_or_default();
        let found = before.iter().filter_map(|folder| folder.join(name).metadata().ok()?.modified().ok()).min();
        if let Some(found) = found {
            fs::File::options().append(true).open(&path)?.set_modified(found)?;
        }
    }
    Ok(())
}

/// Removes what is older than `age`, then the oldest until all of it has no more than `bytes`; how many files these were.
fn bound(folder: &Path, bytes: u64, age: Duration, now: SystemTime) -> Result<usize> {
    let mut inputs = Vec::new();
    for path in files(folder)? {
        let about = path.metadata()?;
        inputs.push((about.modified()?, about.len(), path));
    }
    // The newest first; of equals the smaller one.
    inputs.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut sum = 0;
    let mut gone = 0;
    for (found, length, path) in inputs {
        sum += length;
        if sum > bytes || now.duration_since(found).unwrap_or_default() > age {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            gone += 1;
        }
    }
    Ok(gone)
}

/// Gives `to` exactly the inputs of `from`, with the times at which they were found: a copy that is as young as today would never
/// become too old, and one that was left would bring back what was dropped.
fn mirror(from: &Path, to: &Path) -> Result<()> {
    for path in files(to)? {
        if !from.join(path.file_name().unwrap_or_default()).exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for path in files(from)? {
        let copy = to.join(path.file_name().unwrap_or_default());
        let failed = || format!("cannot write {}", copy.display());
        if !copy.exists() {
            fs::copy(&path, &copy).with_context(failed)?;
        }
        let found = path.metadata()?.modified()?;
        fs::File::options().append(true).open(&copy).and_then(|file| file.set_modified(found)).with_context(failed)?;
    }
    Ok(())
}

/// Puts one folder in the place of another.
fn exchange(new: &Path, old: &Path) -> Result<()> {
    let aside = old.with_extension("old");
    let what = || format!("cannot put {} in the place of {}", new.display(), old.display());
    fs::rename(old, &aside).and_then(|()| fs::rename(new, old)).with_context(what)?;
    fs::remove_dir_all(&aside).with_context(|| format!("cannot remove {}", aside.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(100 * 86_400);
        let check = |megabytes: u64, days: u64, wanted: &[&str]| {
            let dir = tempfile::tempdir().unwrap();
            for (name, length, day) in [("a", 400, 10), ("b", 300, 99), ("c", 200, 99), ("d", 100, 50)] {
                let path = dir.path().join(name);
                fs::write(&path, vec![0; length]).unwrap();
                let found = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
                fs::File::options().append(true).open(&path).unwrap().set_modified(found).unwrap();
            }
            let gone = bound(dir.path(), megabytes, Duration::from_secs(days * 86_400), now).unwrap();
            let left: Vec<String> =
                files(dir.path()).unwrap().iter().map(|path| path.file_name().unwrap().display().to_string()).collect();
            assert_eq!((left, gone), (wanted.iter().map(|&name| name.to_owned()).collect(), 4 - wanted.len()));
        };
        check(1000, 365, &["a", "b", "c", "d"]);
        check(600, 365, &["b", "c", "d"]);
        check(499, 365, &["c"]);
        check(1000, 60, &["b", "c", "d"]);
        check(1000, 20, &["b", "c"]);
    }

    #[test]
    fn ages_stay_and_the_old_folder_goes() {
        let dir = tempfile::tempdir().unwrap();
        let [old, new] = ["old inputs", "new"].map(|name| dir.path().join(name));
        for folder in [&old, &new] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("same"), "x").unwrap();
        }
        let found = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        fs::File::options().append(true).open(old.join("same")).unwrap().set_modified(found).unwrap();
        keep_ages(&new, &[&old]).unwrap();
        exchange(&new, &old).unwrap();
        assert_eq!(old.join("same").metadata().unwrap().modified().unwrap(), found);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Nothing that was dropped comes back, and a copy is as old as what it is a copy of.
    #[test]
    fn both_folders_have_the_same_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| dir.path().join(name));
        for (folder, names) in [(&from, ["new", "both"]), (&to, ["both", "dropped"])] {
            fs::create_dir(folder).unwrap();
            names.iter().for_each(|name| fs::write(folder.join(name), "x").unwrap());
        }
        let found = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        for path in files(&from).unwrap() {
            fs::File::options().append(true).open(path).unwrap().set_modified(found).unwrap();
        }
        mirror(&from, &to).unwrap();
        let about = |folder: &Path| {
            let about =
                |path: &PathBuf| (path.file_name().unwrap().to_owned(), path.metadata().unwrap().modified().unwrap());
            files(folder).unwrap().iter().map(about).collect::<Vec<_>>()
        };
        assert_eq!(about(&to), [("both".into(), found), ("new".into(), found)]);
        assert_eq!(about(&to), about(&from));
    }
}
