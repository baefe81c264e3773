//! What is looked for, and what was found: plain data, and the names by which people select interpreters.

use crate::exec::Declaration;
use crate::launch::Launch;
use protocol::Facts;
use serde::{Deserialize, Serialize, Serializer};
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
    /// A reader of somebody else, which speaks EXEC.md.
    Adapter,
}

impl Driver {
    /// The name that workers use in their facts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Driver::Embedded => "embedded",
            Driver::Script => "script",
            Driver::Pyodide => "pyodide",
            Driver::Adapter => "adapter",
        }
    }
}

/// What a worker may use. Memory and the CPU time of a request are enforced by the worker on itself, the time for a case by
/// the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Address space beyond what the worker takes when it starts, in MiB. Not applied to Pyodide.
    pub memory_mib: u64,
    /// CPU time for one request, which is a whole batch, in seconds.
    pub cpu_seconds: u64,
    /// CPU time for one case, as far as it can be measured.
    pub case_cpu: Duration,
    /// How long a worker that owes an answer may use no CPU time at all; how long to wait where that cannot be measured.
    pub silence: Duration,
    /// The same two for the start of an interpreter: Pyodide takes seconds.
    pub start: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory_mib: 512,
            cpu_seconds: 60,
            case_cpu: Duration::from_secs(10),
            silence: Duration::from_secs(60),
            start: Duration::from_secs(60),
        }
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
    /// `cpython:3.12`; with the full version, and then `#1`, `#2`, as far as needed to be unique. A build that is not an
    /// ordinary one always says so: `cpython:3.13t`, `cpython:3.14-debug`, `cpython:3.11-32bit`.
    pub id: String,
    /// What its worker says of it.
    pub facts: Facts,
    /// How it is talked to.
    pub driver: Driver,
    /// Why it is not embedded.
    pub driver_reason: Option<String>,
    /// Which part of the search found it first.
    pub found_by: String,
    /// The executable, without links unless it is a wrapper; the libpython; or the Pyodide package.
    pub path: PathBuf,
    /// From the start of the process to its first answer; in JSON milliseconds.
    #[serde(rename = "start_up_ms", serialize_with = "milliseconds")]
    pub start_up: Duration,
    /// Why its worker is not confined, or not wholly; `None` if it is, as far as [`Found::confinement`] says.
    pub unconfined: Option<String>,
    #[serde(skip)]
    pub(crate) launch: Launch,
}

impl Interpreter {
    /// The executable that was asked; `None` of a libpython or a Pyodide package without one.
    #[must_use]
    pub fn executable(&self) -> Option<&Path> {
        match &self.launch {
            Launch::Script { python, .. } => Some(python),
            Launch::Embedded { libpython, .. } => Some(&*self.path).filter(|path| path != libpython),
            Launch::Pyodide { .. } => None,
            Launch::Adapter { program, .. } => Some(program),
        }
    }

    /// The same with a worker that executes code objects when it is asked to, which no other one does.
    ///
    /// # Errors
    /// Why there is none: it is not driven by a script, or its worker is not confined.
    pub fn executing(&self) -> Result<Interpreter, String> {
        if let Some(why) = &self.unconfined {
            return Err(format!("nothing is executed where the worker is not confined: {why}"));
        }
        let mut interpreter = self.clone();
        match &mut interpreter.launch {
            Launch::Script { executes, through: Some(_), .. } => *executes = true,
            _ => return Err("nothing is executed but by a script worker that is confined".into()),
        }
        Ok(interpreter)
    }

    /// What it declares, if it is a reader behind an adapter.
    #[must_use]
    pub fn declaration(&self) -> Option<&Declaration> {
        match &self.launch {
            Launch::Adapter { declaration, .. } => declaration.as_deref(),
            _ => None,
        }
    }

    /// The words of the command line of an adapter.
    #[must_use]
    pub fn adapter(&self) -> Option<Vec<String>> {
        let Launch::Adapter { program, arguments, .. } = &self.launch else { return None };
        let words = std::iter::once(program.as_os_str()).chain(arguments.iter().map(AsRef::as_ref));
        Some(words.map(|word: &std::ffi::OsStr| word.to_string_lossy().into_owned()).collect())
    }

    /// The command line that runs another script than the worker, in the same environment; `None` if it is not driven by
    /// a script.
    #[must_use]
    pub fn script(&self, script: &Path) -> Option<Command> {
        let mut launch = self.launch.clone();
        let Launch::Script { worker, .. } = &mut launch else { return None };
        *worker = script.to_owned();
        Some(launch.command(0, &Limits::default()))
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
    /// Whether the user named it, or the folder that it is in.
    pub named: bool,
}

/// The result of a discovery.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// By implementation and version, ascending.
    pub interpreters: Vec<Interpreter>,
    /// In the order of the search.
    pub unusable: Vec<Unusable>,
    /// What this kernel keeps a confined worker from.
    pub confinement: Confinement,
}

/// What a confined process cannot do on this machine: nothing is refused where the kernel has no means, or `host` is not
/// built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// It cannot create, change or remove files.
    pub files: bool,
    /// It cannot signal processes that are not its own.
    pub signals: bool,
    /// It gets no socket; nor may it change metadata of files, look into other processes, or mount.
    pub network: bool,
    /// A program that it starts has no more rights than it has.
    pub privileges: bool,
}

/// Sorts interpreters and gives each the shortest id that is unique among them.
pub(crate) fn name(interpreters: &mut [Interpreter]) {
    interpreters.sort_by(|a, b| order(&a.facts, &b.facts).then_with(|| a.path.cmp(&b.path)));
    let ids: Vec<String> = interpreters
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let same = |name: &dyn Fn(&Facts) -> String, among: &[Interpreter]| {
                among.iter().filter(|other| name(&other.facts) == name(&one.facts)).count()
            };
            if same(&short_id, interpreters) == 1 {
                short_id(&one.facts)
            } else if same(&full_id, interpreters) == 1 {
                full_id(&one.facts)
            } else {
                format!("{}#{}", full_id(&one.facts), 1 + same(&full_id, &interpreters[..index]))
            }
        })
        .collect();
    for (interpreter, id) in interpreters.iter_mut().zip(ids) {
        interpreter.id = id;
    }
}

/// `cpython:3.14`, `cpython:3.14-debug`, `pypy:3.11`
fn short_id(facts: &Facts) -> String {
    let (major, minor, ..) = facts.version_info;
    format!("{}:{major}.{minor}{}", facts.implementation, Build::of(facts).suffix())
}

/// `cpython:3.14.8`, `cpython:3.14.8-debug`, `pypy:3.11-8.0.1`: the release of another implementation decides the rest of
/// the version.
fn full_id(facts: &Facts) -> String {
    let Facts { implementation, version, implementation_version, .. } = facts;
    let suffix = Build::of(facts).suffix();
    if version == implementation_version {
        return format!("{implementation}:{version}{suffix}");
    }
    let (major, minor, ..) = facts.version_info;
    format!("{implementation}:{major}.{minor}-{implementation_version}{suffix}")
}

/// In what a build is not the ordinary one, which is a 64-bit release build. WebAssembly has but one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Build {
    is_free_threaded: bool,
    is_debug: bool,
    has_32_bits: bool,
}

impl Build {
    fn of(facts: &Facts) -> Build {
        Build {
            is_free_threaded: facts.free_threaded,
            is_debug: facts.debug,
            has_32_bits: facts.pointer_bits == 32 && !is_wasm(facts),
        }
    }

    /// What every id of such a build ends with; nothing for an ordinary one.
    fn suffix(self) -> String {
        let part = |is: bool, text: &'static str| if is { text } else { "" };
        [part(self.is_free_threaded, "t"), part(self.is_debug, "-debug"), part(self.has_32_bits, "-32bit")].concat()
    }
}

fn is_wasm(facts: &Facts) -> bool {
    facts.platform == "emscripten"
}

/// By implementation, version and release, ordinary builds first.
fn order(a: &Facts, b: &Facts) -> Ordering {
    // "alpha" < "beta" < "candidate" < "final", as it happens.
    let version = |a: &Facts, b: &Facts| a.version_info.cmp(&b.version_info);
    let release = |facts: &Facts| -> Vec<u32> {
        facts.implementation_version.split('.').map(|number| number.parse().unwrap_or(0)).collect()
    };
    a.implementation
        .cmp(&b.implementation)
        .then_with(|| version(a, b))
        .then_with(|| release(a).cmp(&release(b)))
        .then_with(|| Build::of(a).cmp(&Build::of(b)))
}

/// Whether a selector that a person wrote means the interpreter with this id and these facts.
///
/// A selector is an id, or an implementation, or a version down to any component, or both: `cpython:3.11.7#2`, `pypy`,
/// `3`, `3.11`, `cpython:3.11`, `cpython:3.11.7`, `pypy:3.11-8.0.1`. `cpython:3.11` selects every 3.11, however long their
/// ids are, but ordinary builds only; others are selected by a version with what they are: `3.13t`, `3.14-debug`,
/// `3.11-32bit`, `3.14t-debug`. `3.14-wasm` selects ordinary builds that are Pyodide's.
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
    id.split_once(':').is_some_and(|(_, tail)| tail == version) || describes(version, facts)
}

/// Whether this is the version, and the build, of the interpreter with these facts.
fn describes(version: &str, facts: &Facts) -> bool {
    let is_start_of = |start: &str, whole: &str| {
        start.ends_with(|c: char| c.is_ascii_digit())
            && whole.strip_prefix(start).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut words = version.split('-');
    let version = words.next().unwrap_or_default();
    let (version, is_free_threaded) = version.strip_suffix('t').map_or((version, false), |version| (version, true));
    let mut build = Build { is_free_threaded, ..Build::default() };
    let mut rest = is_start_of(version, &facts.version);
    for word in words {
        match word {
            "debug" => build.is_debug = true,
            "32bit" => build.has_32_bits = true,
            "wasm" => rest &= is_wasm(facts),
            release => rest &= is_start_of(release, &facts.implementation_version),
        }
    }
    rest && build == Build::of(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::Needs;

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
                unconfined: None,
                launch: Launch::Script {
                    through: None,
                    python: PathBuf::new(),
                    worker: PathBuf::new(),
                    needs: Needs::default(),
                    executes: false,
                },
            })
            .collect();
        name(&mut interpreters);
        interpreters.into_iter().map(|i| i.id).collect()
    }

    fn other(facts: Facts, change: impl Fn(&mut Facts)) -> Facts {
        let mut facts = facts;
        change(&mut facts);
        facts
    }

    fn debug(micro: u8) -> Facts {
        other(facts("cpython", (3, 14, micro), ""), |facts| facts.debug = true)
    }

    fn free_threaded() -> Facts {
        other(facts("cpython", (3, 13, 15), ""), |facts| facts.free_threaded = true)
    }

    fn narrow() -> Facts {
        other(facts("cpython", (3, 11, 2), ""), |facts| facts.pointer_bits = 32)
    }

    fn wasm() -> Facts {
        other(facts("cpython", (3, 14, 2), ""), |facts| {
            (facts.pointer_bits, facts.platform) = (32, "emscripten".into())
        })
    }

    fn pypy(micro: u8, release: &str) -> Facts {
        other(facts("pypy", (3, 11, micro), ""), |facts| facts.implementation_version = release.into())
    }

    #[test]
    fn ids_are_as_short_as_unique_allows_and_sorted_by_version() {
        #[track_caller]
        fn check(found: &[Facts], expected: &[&str]) {
            assert_eq!(ids(found), expected);
        }
        let cpython = |version| facts("cpython", version, "");
        check(
            &[
                facts("pypy", (3, 9, 19), ""),
                cpython((3, 11, 7)),
                cpython((3, 9, 18)),
                facts("cpython", (3, 15, 0), "rc1"),
                cpython((3, 11, 2)),
                cpython((3, 11, 7)),
            ],
            &["cpython:3.9", "cpython:3.11.2", "cpython:3.11.7#1", "cpython:3.11.7#2", "cpython:3.15", "pypy:3.9"],
        );
        check(
            &[debug(8), wasm(), cpython((3, 14, 8)), narrow(), free_threaded(), pypy(13, "8.0.1")],
            &[
                "cpython:3.11-32bit",
                "cpython:3.13t",
                "cpython:3.14.2",
                "cpython:3.14.8",
                "cpython:3.14-debug",
                "pypy:3.11",
            ],
        );
        check(&[wasm(), debug(10), debug(8)], &["cpython:3.14", "cpython:3.14.8-debug", "cpython:3.14.10-debug"]);
        check(&[pypy(11, "10.0.0"), pypy(11, "7.3.19")], &["pypy:3.11-7.3.19", "pypy:3.11-10.0.0"]);
        check(&[other(debug(8), |facts| facts.free_threaded = true)], &["cpython:3.14t-debug"]);
    }

    #[test]
    fn a_selector_selects_whole_components_and_one_kind_of_build() {
        #[track_caller]
        fn check(facts: &Facts, id: &str, selected_by: &[&str], not_by: &[&str]) {
            for (selectors, expected) in [(selected_by, true), (not_by, false)] {
                for selector in selectors {
                    assert_eq!(selects(selector, id, facts), expected, "{selector} and {id}");
                }
            }
        }
        check(
            &facts("cpython", (3, 11, 2), ""),
            "cpython:3.11.2",
            &["cpython", "3", "3.11", "cpython:3", "cpython:3.11", "3.11.2", "cpython:3.11-3.11.2"],
            &["cpython:3.11.7", "3.11.7", "cpython:3.11.7#2", "3.11.7#2", "3.11-32bit", "3.11t", "3.11-wasm", "3.11-x"],
        );
        check(
            &facts("cpython", (3, 11, 7), ""),
            "cpython:3.11.7#2",
            &["cpython", "3", "cpython:3.11", "cpython:3.11.7", "3.11.7", "cpython:3.11.7#2", "3.11.7#2"],
            &["", "3.", "3.1", "pypy", "pypy:3.11", "cpython:", "cpython:3.11.7#1", "3.11.7#1", "11", "3.11-", "t"],
        );
        check(
            &facts("cpython", (3, 15, 0), "rc1"),
            "cpython:3.15",
            &["3.15", "3.15.0", "3.15.0rc1", "cpython:3.15"],
            &["3.15.0rc", "3.15.0rc1t"],
        );
        check(
            &debug(8),
            "cpython:3.14-debug",
            &["cpython", "3.14-debug", "cpython:3.14.8-debug", "3-debug"],
            &["3.14", "cpython:3.14.8", "3.14.10-debug", "3.14t-debug", "3.14-debug-32bit"],
        );
        check(&free_threaded(), "cpython:3.13t", &["3.13t", "cpython:3.13.15t"], &["3.13", "3.13.15", "3.13t-debug"]);
        check(&narrow(), "cpython:3.11-32bit", &["3.11-32bit", "cpython:3.11.2-32bit"], &["3.11", "cpython:3.11.2"]);
        check(&wasm(), "cpython:3.14", &["3.14", "3.14-wasm", "cpython:3.14.2"], &["3.14-32bit", "3.13-wasm"]);
        check(
            &pypy(13, "8.0.1"),
            "pypy:3.11",
            &["pypy", "3.11", "pypy:3.11-8.0.1", "pypy:3.11-8", "pypy:3.11.13"],
            &["pypy:3.11-7.3.19", "pypy:3.11-8.0.1-debug", "cpython:3.11-8.0.1", "pypy:8.0.1"],
        );
    }
}
