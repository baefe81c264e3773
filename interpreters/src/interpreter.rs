//! What is looked for, and what was found: plain data, and the names by which people select interpreters.

use crate::launch::Launch;
use protocol::Facts;
use serde::{Serialize, Serializer};
use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The files that workers are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The script worker, `interpreters/script/worker.py`.
    pub script: PathBuf,
    /// The folder of the Pyodide worker: worker.mjs, package.json and, once installed, node_modules.
    pub pyodide: PathBuf,
    /// The program that opens a libpython; need not exist.
    pub host: PathBuf,
    /// The embedded worker (a shared library) that `host` loads; need not exist.
    pub worker: PathBuf,
}

impl Workspace {
    /// The workspace whose `interpreters` folder and folder of built programs are given.
    #[must_use]
    pub fn at(interpreters: &Path, binaries: &Path) -> Workspace {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
        Workspace {
            script: interpreters.join("script").join("worker.py"),
            pyodide: interpreters.join("pyodide"),
            host: binaries.join(format!("host{EXE_SUFFIX}")),
            worker: binaries.join(format!("{DLL_PREFIX}worker{DLL_SUFFIX}")),
        }
    }

    /// The workspace that this program was built from; host and worker are expected next to the running program.
    #[must_use]
    pub fn locate() -> Workspace {
        let program = std::env::current_exe().unwrap_or_default();
        let folder = program.parent().unwrap_or(Path::new("."));
        // Test programs live one folder deeper.
        let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
        Workspace::at(Path::new(env!("CARGO_MANIFEST_DIR")), folder)
    }
}

/// How an interpreter is talked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// Its shared library is loaded into `host`: the fastest.
    Embedded,
    /// Its executable runs `script/worker.py`: works everywhere.
    Script,
    /// CPython built for WebAssembly, run by Node.
    Pyodide,
}

impl Driver {
    /// The name that workers use in their facts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Driver::Embedded => "embedded",
            Driver::Script => "script",
            Driver::Pyodide => "pyodide",
        }
    }
}

/// What a worker may use. Memory and CPU time are enforced by the worker on itself, wall-clock time by the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Address space, in MiB. Not applied to Pyodide.
    pub memory_mib: u64,
    /// CPU time for one request, which is a whole batch, in seconds.
    pub cpu_seconds: u64,
    /// How long to wait for the answer to one case.
    pub wall: Duration,
    /// How long an interpreter may take to start: Pyodide takes seconds, on a busy machine many.
    pub start: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_mib: 512, cpu_seconds: 60, wall: Duration::from_secs(10), start: Duration::from_secs(60) }
    }
}

/// Where and how to look for interpreters.
#[derive(Debug, Clone)]
pub struct Options {
    /// Named by the user: executables (a path, or a command on PATH), shared libpythons, or prefixes.
    pub pythons: Vec<PathBuf>,
    /// Whether to search PATH and the usual folders too.
    pub search: bool,
    /// The only driver to use; `None`: embedded where possible, else script.
    pub driver: Option<Driver>,
    /// Whether to use the Pyodide releases in `pyodide/package.json`, if Node is there. The first use installs them.
    pub pyodide: bool,
    /// The files of the workers.
    pub home: Workspace,
    /// Limits for the conversations of the discovery itself.
    pub limits: Limits,
}

/// An interpreter that has answered.
#[derive(Debug, Clone, Serialize)]
pub struct Interpreter {
    /// `cpython:3.12`; with the full version, and then `#1`, `#2`, as far as needed to be unique.
    pub id: String,
    /// What its worker says of it.
    pub facts: Facts,
    /// How it is talked to.
    pub driver: Driver,
    /// Why it is not embedded.
    pub driver_reason: Option<String>,
    /// Which part of the search found it first.
    pub found_by: String,
    /// The real executable, libpython, or Pyodide package.
    pub path: PathBuf,
    /// From the start of the process to its first answer; in JSON milliseconds.
    #[serde(rename = "start_up_ms", serialize_with = "milliseconds")]
    pub start_up: Duration,
    #[serde(skip)]
    pub(crate) launch: Launch,
}

impl Interpreter {
    /// The command line that runs another script than the worker, in the same environment; `None` if it is not driven by
    /// a script.
    #[must_use]
    pub fn script(&self, script: &Path) -> Option<Command> {
        let Launch::Script { python, library_path, .. } = &self.launch else { return None };
        let (python, library_path, worker) = (python.clone(), library_path.clone(), script.to_owned());
        Some(Launch::Script { python, worker, library_path }.command(0, &Limits::default()))
    }
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Something that looked like an interpreter, or was named as one, and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unusable {
    /// The path or name.
    pub what: String,
    /// What happened.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
}

/// The result of a discovery.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// By implementation and version, ascending.
    pub interpreters: Vec<Interpreter>,
    /// In the order of the search.
    pub unusable: Vec<Unusable>,
}

/// Sorts interpreters and gives each the shortest id that is unique among them.
pub(crate) fn name(interpreters: &mut [Interpreter]) {
    interpreters.sort_by(|a, b| order(&a.facts, &b.facts).then_with(|| a.path.cmp(&b.path)));
    let short = |f: &Facts| format!("{}:{}.{}", f.implementation, f.version_info.0, f.version_info.1);
    let full = |f: &Facts| format!("{}:{}", f.implementation, f.version);
    let ids: Vec<String> = interpreters
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let same = |name: &dyn Fn(&Facts) -> String, among: &[Interpreter]| {
                among.iter().filter(|other| name(&other.facts) == name(&one.facts)).count()
            };
            if same(&short, interpreters) == 1 {
                short(&one.facts)
            } else if same(&full, interpreters) == 1 {
                full(&one.facts)
            } else {
                format!("{}#{}", full(&one.facts), 1 + same(&full, &interpreters[..index]))
            }
        })
        .collect();
    for (interpreter, id) in interpreters.iter_mut().zip(ids) {
        interpreter.id = id;
    }
}

fn order(a: &Facts, b: &Facts) -> Ordering {
    // "alpha" < "beta" < "candidate" < "final", as it happens.
    a.implementation.cmp(&b.implementation).then_with(|| a.version_info.cmp(&b.version_info))
}

/// Whether a selector that a person wrote means the interpreter with this id and these facts.
///
/// A selector is an id, or an implementation, or a version down to any component, or both: `cpython:3.11.7#2`, `pypy`,
/// `3`, `3.11`, `cpython:3.11`, `cpython:3.11.7`. `cpython:3.11` selects every 3.11, however long their ids are.
#[must_use]
pub fn selects(selector: &str, id: &str, facts: &Facts) -> bool {
    if selector == id || selector == facts.implementation {
        return true;
    }
    let version = match selector.split_once(':') {
        Some((implementation, version)) if implementation == facts.implementation => version,
        Some(_) => return false,
        None => selector,
    };
    let whole_component = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    let by_id = id.split_once(':').is_some_and(|(_, tail)| tail == version);
    let by_version = version.ends_with(|c: char| c.is_ascii_digit())
        && facts.version.strip_prefix(version).is_some_and(whole_component);
    by_id || by_version
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(implementation: &str, version: (u8, u8, u8), suffix: &str) -> Facts {
        let (major, minor, micro) = version;
        let level = if suffix.is_empty() { "final" } else { "candidate" };
        Facts {
            protocol: 1,
            driver: "script".into(),
            implementation: implementation.into(),
            version: format!("{major}.{minor}.{micro}{suffix}"),
            version_info: (major, minor, micro, level.into(), 0),
            implementation_version: format!("{major}.{minor}.{micro}{suffix}"),
            magic: String::new(),
            marshal_version: 4,
            pointer_bits: 64,
            unicode_max: 0x10_ffff,
            debug: false,
            gil: true,
            free_threaded: false,
            executable: String::new(),
            prefix: String::new(),
            stdlib: String::new(),
            platform: "linux".into(),
            optimize: vec![0, 1, 2],
            build: String::new(),
            interned_elsewhere: Vec::new(),
            quiets_nans: false,
        }
    }

    fn ids(found: &[Facts]) -> Vec<String> {
        let mut interpreters: Vec<_> = found
            .iter()
            .map(|facts| Interpreter {
                id: String::new(),
                facts: facts.clone(),
                driver: Driver::Script,
                driver_reason: None,
                found_by: String::new(),
                path: PathBuf::new(),
                start_up: Duration::ZERO,
                launch: Launch::Script { python: PathBuf::new(), worker: PathBuf::new(), library_path: None },
            })
            .collect();
        name(&mut interpreters);
        interpreters.into_iter().map(|i| i.id).collect()
    }

    #[test]
    fn ids_are_as_short_as_unique_allows_and_sorted_by_version() {
        let found = [
            facts("pypy", (3, 9, 19), ""),
            facts("cpython", (3, 11, 7), ""),
            facts("cpython", (3, 9, 18), ""),
            facts("cpython", (3, 15, 0), "rc1"),
            facts("cpython", (3, 11, 2), ""),
            facts("cpython", (3, 11, 7), ""),
        ];
        let expected =
            ["cpython:3.9", "cpython:3.11.2", "cpython:3.11.7#1", "cpython:3.11.7#2", "cpython:3.15", "pypy:3.9"];
        assert_eq!(ids(&found), expected);
    }

    #[test]
    fn a_selector_selects_whole_components() {
        #[track_caller]
        fn check(selector: &str, id: &str, facts: &Facts, expected: bool) {
            assert_eq!(selects(selector, id, facts), expected, "{selector} and {id}");
        }
        let c2 = &facts("cpython", (3, 11, 2), "");
        let c7 = &facts("cpython", (3, 11, 7), "");
        for selector in ["cpython", "3", "3.11", "cpython:3", "cpython:3.11"] {
            check(selector, "cpython:3.11.2", c2, true);
            check(selector, "cpython:3.11.7#2", c7, true);
        }
        for selector in ["cpython:3.11.7", "3.11.7", "cpython:3.11.7#2", "3.11.7#2"] {
            check(selector, "cpython:3.11.2", c2, false);
            check(selector, "cpython:3.11.7#2", c7, true);
        }
        for selector in ["", "3.", "3.1", "pypy", "pypy:3.11", "cpython:", "cpython:3.11.7#1", "3.11.7#1", "11"] {
            check(selector, "cpython:3.11.7#2", c7, false);
        }
        let preview = &facts("cpython", (3, 15, 0), "rc1");
        for selector in ["3.15", "3.15.0", "3.15.0rc1", "cpython:3.15"] {
            check(selector, "cpython:3.15", preview, true);
        }
    }
}
