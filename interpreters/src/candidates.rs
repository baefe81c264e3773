//! Where interpreters may be: a list of paths worth running, and nothing that is believed of them.

use crate::interpreter::Unusable;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Folders of executables, after what is on PATH. `*` is any one name; `$X` and `~` come from the environment.
const FOLDERS: [(&str, &str); 20] = [
    ("VIRTUAL_ENV", "$VIRTUAL_ENV/bin"),
    ("pyenv", "$PYENV_ROOT/versions/*/bin"),
    ("pyenv", "~/.pyenv/versions/*/bin"),
    ("uv", "$UV_PYTHON_INSTALL_DIR/*/bin"),
    ("uv", "$XDG_DATA_HOME/uv/python/*/bin"),
    ("uv", "~/.local/share/uv/python/*/bin"),
    ("rye", "~/.rye/py/*/bin"),
    ("hatch", "~/.local/share/hatch/pythons/*/python/bin"),
    ("mise", "~/.local/share/mise/installs/python/*/bin"),
    ("asdf", "~/.asdf/installs/python/*/bin"),
    ("home folder", "~/.local/share/python*/bin"),
    ("home folder", "~/.local/share/python*/*/bin"),
    ("home folder", "~/.local/share/python*/*/python/bin"),
    ("home folder", "~/.local/bin"),
    ("system folder", "/usr/bin"),
    ("system folder", "/usr/local/bin"),
    ("system folder", "/opt/bin"),
    ("system folder", "/opt/*/bin"),
    ("system folder", "/opt/python*/*/bin"),
    ("system folder", "/opt/*/python/bin"),
];

/// How those are found that the user named.
const NAMED: &str = "named by the user";

/// What may be run, or opened, to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    pub(crate) found_by: &'static str,
    /// A libpython, to be opened, not run.
    pub(crate) is_library: bool,
}

impl Candidate {
    pub(crate) fn is_named(&self) -> bool {
        self.found_by == NAMED
    }
}

/// The environment, as a function so that a search can be tested.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Executables on PATH and in the usual folders, each real file once.
pub(crate) fn search(environment: Environment) -> Vec<Candidate> {
    let mut folders: Vec<(&'static str, PathBuf)> = Vec::new();
    for folder in path_folders(environment) {
        match versions_behind_shims(&folder) {
            // A shim runs one of these or fails, depending on the folder it is run in; these just run.
            Some(pattern) => folders.extend(expand(&pattern).into_iter().map(|folder| ("shims on PATH", folder))),
            None => folders.push(("PATH", folder)),
        }
    }
    for (found_by, pattern) in FOLDERS {
        let path = substitute(pattern, environment).map(|pattern| expand(&pattern)).unwrap_or_default();
        folders.extend(path.into_iter().map(|folder| (found_by, folder)));
    }
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (found_by, folder) in folders {
        for path in executables(&folder) {
            if seen.insert(real(&path)) {
                found.push(Candidate { path, found_by, is_library: false });
            }
        }
    }
    found
}

/// What a path or command that the user named stands for.
pub(crate) fn explicit(named: &Path, environment: Environment) -> Result<Vec<Candidate>, Unusable> {
    let unusable = |reason: String, advice: &str| {
        Err(Unusable { what: named.display().to_string(), reason, advice: advice.into(), named: true })
    };
    let candidate = |path: PathBuf, is_library| Candidate { path, found_by: NAMED, is_library };
    let advice = "give an executable, a shared libpython, or the prefix that holds bin or lib";
    if named.is_dir() {
        let named = real(named);
        let mut paths = executables(&named.join("bin"));
        paths.extend(executables(&named));
        let mut seen = BTreeSet::new();
        paths.retain(|path| seen.insert(real(path)));
        if !paths.is_empty() {
            return Ok(paths.into_iter().map(|path| candidate(path, false)).collect());
        }
        let libraries = libraries(&named);
        if libraries.is_empty() {
            return unusable("the folder holds neither bin/python* nor lib/libpython*".into(), advice);
        }
        return Ok(libraries.into_iter().map(|path| candidate(path, true)).collect());
    }
    if named.is_file() {
        let path = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
        let library = is_library(&path);
        return Ok(vec![candidate(path, library)]);
    }
    if named.components().count() == 1 {
        return match which(named.as_os_str(), environment) {
            Some(path) => Ok(vec![candidate(path, false)]),
            None => unusable("there is no such file, and no such command on PATH".into(), advice),
        };
    }
    unusable("there is no such file or folder".into(), advice)
}

/// The first executable file of this name on PATH.
pub(crate) fn which(command: &OsStr, environment: Environment) -> Option<PathBuf> {
    path_folders(environment).into_iter().map(|folder| folder.join(command)).find(|path| is_executable(path))
}

/// The path without links, or itself if it leads nowhere.
pub(crate) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn path_folders(environment: Environment) -> Vec<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

/// Where a folder of shims keeps what they run: pyenv's next to it in `versions`, asdf's and mise's in `installs`.
fn versions_behind_shims(folder: &Path) -> Option<PathBuf> {
    let root = folder.ends_with("shims").then(|| folder.parent())??;
    let homes = [root.join("versions"), root.join("installs").join("python")];
    homes.into_iter().find(|home| home.is_dir()).map(|home| home.join("*").join("bin"))
}

fn substitute(pattern: &str, environment: Environment) -> Option<PathBuf> {
    let (variable, rest) = match pattern.strip_prefix('$') {
        Some(tail) => tail.split_once('/')?,
        None => match pattern.strip_prefix("~/") {
            Some(rest) => ("HOME", rest),
            None => return Some(pattern.into()),
        },
    };
    environment(variable).filter(|value| !value.is_empty()).map(|value| PathBuf::from(value).join(rest))
}

/// The folders that a pattern means, sorted; `python*` means every name that starts so.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::new()];
    for component in pattern.components() {
        paths = match component {
            Component::Normal(name) if name.as_encoded_bytes().ends_with(b"*") => {
                let start = name.to_string_lossy().trim_end_matches('*').to_owned();
                let matches =
                    |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&start));
                paths.iter().flat_map(|path| list(path)).filter(matches).collect()
            }
            other => paths.into_iter().map(|path| path.join(other)).collect(),
        };
    }
    paths.retain(|path| path.is_dir());
    paths
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// The executables of a folder that are named like an interpreter.
fn executables(folder: &Path) -> Vec<PathBuf> {
    let mut paths = list(folder);
    paths.retain(|path| path.file_name().is_some_and(|n| is_interpreter(&n.to_string_lossy())) && is_executable(path));
    paths
}

/// `python`, `python3`, `python3.13t`, `pypy3.11`, but not `python3-config` or `python3.11-gdb.py`.
fn is_interpreter(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| {
        let flags = version.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        flags.chars().all(|c| "dmtu".contains(c)) && (flags.is_empty() || flags.len() < version.len())
    })
}

fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("lib") && (name.contains(".so") || name.ends_with(".dylib")) && path.is_file()
}

/// The libpythons of a prefix, or of a folder of them, each once. Debian has a folder for each machine in `lib`.
fn libraries(prefix: &Path) -> Vec<PathBuf> {
    let lib = prefix.join("lib");
    let folders = list(&lib).into_iter().filter(|folder| folder.is_dir());
    let mut paths: Vec<_> = [prefix, &lib].into_iter().flat_map(list).chain(folders.flat_map(|f| list(&f))).collect();
    // libpython3.so only forwards to the real one.
    paths.retain(|path| is_library(path) && version_of(path).is_some_and(|version| version.contains('.')));
    let mut seen = BTreeSet::new();
    paths.into_iter().map(|path| real(&path)).filter(|path| seen.insert(path.clone())).collect()
}

/// The version that a libpython is named after: `3.13`, of libpython3.13d.so.1.0.
fn version_of(library: &Path) -> Option<&str> {
    let name = library.file_name()?.to_str()?.strip_prefix("libpython")?;
    let end = name.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(name.len());
    Some(name[..end].trim_end_matches('.')).filter(|version| !version.is_empty())
}

/// The prefix that a libpython is in the `lib` of, if the standard library of its version is there, too.
pub(crate) fn prefix_of(library: &Path) -> Option<PathBuf> {
    let stdlib = Path::new(&format!("python{}", version_of(library)?)).join("os.py");
    let mut folders = library.ancestors().skip(1);
    let is_it = |lib: &&Path| (lib.ends_with("lib") || lib.ends_with("lib64")) && lib.join(&stdlib).is_file();
    Some(folders.find(is_it)?.parent()?.to_owned())
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder tree with these executables (`a -> b`: a link) and the environment that goes with it.
    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let (file, target) = file.split_once(" -> ").map_or((*file, None), |(file, target)| (file, Some(target)));
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match target {
                Some(target) => std::os::unix::fs::symlink(root.path().join(target), path).unwrap(),
                None => {
                    std::fs::write(&path, "").unwrap();
                    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
                }
            }
        }
        root
    }

    fn found(root: &Path, found: &[Candidate]) -> Vec<String> {
        let inside = found.iter().filter_map(|c| Some((c.found_by, c.path.strip_prefix(root).ok()?)));
        inside.map(|(found_by, path)| format!("{found_by}: {}", path.display())).collect()
    }

    #[test]
    fn a_search_goes_through_shims_and_folds_links() {
        let root = tree(&[
            "bin/python3.11",
            "bin/python3 -> bin/python3.11",
            "bin/python3-config",
            "bin/python3.11-gdb.py",
            "bin/pythonic",
            "home/.pyenv/shims/python3.9",
            "home/.pyenv/versions/3.9.18/bin/python3.9",
            "home/.pyenv/versions/3.9.18/bin/python -> home/.pyenv/versions/3.9.18/bin/python3.9",
            "home/.local/share/uv/python/cpython-3.13/bin/python3.13t",
            "home/.local/share/uv/python/pypy-3.11/bin/pypy3.11",
            "shims/python3",
            "venv/bin/python -> bin/python3.11",
        ]);
        let root = root.path();
        let environment = |name: &str| match name {
            "PATH" => std::env::join_paths(["home/.pyenv/shims", "bin", "shims"].map(|p| root.join(p))).ok(),
            "HOME" => Some(root.join("home").into()),
            "VIRTUAL_ENV" => Some(root.join("venv").into()),
            _ => None,
        };
        let expected = [
            "shims on PATH: home/.pyenv/versions/3.9.18/bin/python",
            "PATH: bin/python3",
            "PATH: shims/python3",
            "uv: home/.local/share/uv/python/cpython-3.13/bin/python3.13t",
            "uv: home/.local/share/uv/python/pypy-3.11/bin/pypy3.11",
        ];
        assert_eq!(found(root, &search(&environment)), expected);
    }

    #[test]
    fn what_a_user_names_may_be_a_file_a_library_a_prefix_or_a_command() {
        let root = tree(&[
            "both/bin/python3",
            "both/lib/libpython3.12.so.1.0",
            "library/lib/libpython3.12.so.1.0",
            "library/lib/libpython3.so",
            "debian/lib/x86_64-linux-gnu/libpython3.13.so.1.0",
            "debian/lib/x86_64-linux-gnu/libpython3.13.so -> debian/lib/x86_64-linux-gnu/libpython3.13.so.1.0",
            "debian/lib/x86_64-linux-gnu/libc.so.6",
            "debian/lib/python3.13/os.py",
            "private/libpython3.9.so.1.0",
            "private/libpython3.13d.so.1.0",
            "nothing/README",
            "anything",
        ]);
        let root = &root.path().canonicalize().unwrap();
        let environment = |name: &str| (name == "PATH").then(|| root.join("both/bin").into());
        let check = |named: PathBuf, expected: &[(&str, bool)]| {
            let candidates = explicit(&named, &environment).unwrap_or_default();
            let candidates: Vec<_> = candidates.into_iter().map(|c| (c.path, c.is_library)).collect();
            let expected: Vec<_> = expected.iter().map(|(path, library)| (root.join(path), *library)).collect();
            assert_eq!(candidates, expected, "{}", named.display());
        };
        check(root.join("both"), &[("both/bin/python3", false)]);
        check(root.join("both/bin"), &[("both/bin/python3", false)]);
        check(root.join("both/bin/python3"), &[("both/bin/python3", false)]);
        check(root.join("both/lib/libpython3.12.so.1.0"), &[("both/lib/libpython3.12.so.1.0", true)]);
        check(root.join("library"), &[("library/lib/libpython3.12.so.1.0", true)]);
        check(root.join("debian"), &[("debian/lib/x86_64-linux-gnu/libpython3.13.so.1.0", true)]);
        check(root.join("private"), &[("private/libpython3.13d.so.1.0", true), ("private/libpython3.9.so.1.0", true)]);
        check(root.join("anything"), &[("anything", false)]);
        check("python3".into(), &[("both/bin/python3", false)]);
        check("python2".into(), &[]);
        check(root.join("nothing"), &[]);
        check(root.join("missing/python"), &[]);
    }

    #[test]
    fn a_library_is_of_the_prefix_that_has_its_standard_library() {
        let root = tree(&[
            "usr/lib/python3.11/os.py",
            "usr/lib/libpython3.11.so.1.0",
            "usr/lib/x86_64-linux-gnu/libpython3.11d.so.1.0",
            "usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0",
            "usr/lib64/python3.13/os.py",
            "usr/lib64/libpython3.13.so.1.0",
            "usr/private/libpython3.11.so.1.0",
        ]);
        let check = |library: &str, prefix: Option<&str>| {
            let prefix = prefix.map(|prefix| root.path().join(prefix));
            assert_eq!(prefix_of(&root.path().join(library)), prefix, "{library}");
        };
        check("usr/lib/libpython3.11.so.1.0", Some("usr"));
        check("usr/lib/x86_64-linux-gnu/libpython3.11d.so.1.0", Some("usr"));
        check("usr/lib/x86_64-linux-gnu/libpython3.12.so.1.0", None);
        check("usr/lib64/libpython3.13.so.1.0", Some("usr"));
        check("usr/private/libpython3.11.so.1.0", None);
    }
}
