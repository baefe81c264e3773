//! From places to interpreters: probe every candidate, fold those that are one program, start a worker in each.
//!
//! The fastest driver that really answers is taken, and why another was not is remembered, because a campaign that runs
//! slower, or without a version that its author counts on, has to say so.

use crate::candidates::{self, Candidate, prefix_of, real};
use crate::interpreter::{Confinement, Driver, Found, Interpreter, Options, Unusable, name};
use crate::launch::{Launch, Through};
use crate::probe::{Failure, Probe, probe, run};
use crate::process::Worker;
use crate::pyodide;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The oldest CPython whose stable ABI the embedded worker is built for (PyO3's `abi3-py39`).
const OLDEST_EMBEDDED: (u8, u8) = (3, 9);

/// How long an executable may take to say what it is; the first start after a boot may be slow, but it is a small script.
const PROBE: Duration = Duration::from_secs(20);

/// A distinct interpreter that has not been talked to yet.
struct Plan {
    /// What is started, or opened.
    path: PathBuf,
    found_by: &'static str,
    named: bool,
    start: Start,
}

enum Start {
    Executable(Box<Probe>),
    Library,
    Package(Launch),
}

/// Finds interpreters; what is going on goes to stderr when it takes long. See [`discover_with`].
#[must_use]
pub fn discover(options: &Options) -> Found {
    discover_with(options, &|message| eprintln!("{message}"))
}

/// Finds interpreters. Never fails as a whole: what cannot be used is in [`Found::unusable`].
///
/// `progress` hears of things that take long (installing Pyodide) before they begin. Candidates are tried in parallel.
pub fn discover_with(options: &Options, progress: &dyn Fn(&str)) -> Found {
    let environment = &|name: &str| std::env::var_os(name);
    let mut unusable = Vec::new();
    let mut plans = Vec::new();
    if options.driver != Some(Driver::Pyodide) {
        let mut candidates = Vec::new();
        for named in &options.pythons {
            match candidates::explicit(named, environment) {
                Ok(found) => candidates.extend(found),
                Err(failure) => unusable.push(failure),
            }
        }
        if options.search {
            candidates.extend(candidates::search(environment));
        }
        plans = fold(candidates, options, &mut unusable);
    }
    if options.pyodide && matches!(options.driver, None | Some(Driver::Pyodide)) {
        match pyodide::launches(&options.home, environment, options.limits.start, progress) {
            Ok(launches) => plans.extend(launches.into_iter().map(|(path, launch)| Plan {
                path,
                found_by: "package.json",
                named: false,
                start: Start::Package(launch),
            })),
            Err(failure) => unusable.push(failure),
        }
    }
    let mut interpreters = Vec::new();
    for result in in_parallel(&plans, |plan| start(plan, options)) {
        match result {
            Ok(interpreter) => interpreters.push(interpreter),
            Err(failure) => unusable.push(failure),
        }
    }
    name(&mut interpreters);
    Found { interpreters, unusable, confinement: confinement(options) }
}

/// Probes the executables and keeps one plan for each program, whatever the paths, links and environments it came by.
///
/// What the user named is started rather than what a search found, and a program rather than a wrapper that starts it.
fn fold(mut candidates: Vec<Candidate>, options: &Options, unusable: &mut Vec<Unusable>) -> Vec<Plan> {
    let mut seen = BTreeSet::new();
    candidates.retain(|candidate| {
        let (file, name) = (seen.insert(real(&candidate.path)), seen.insert(candidate.path.clone()));
        // What a wrapper starts may depend on the name that it is called by.
        file || (name && candidate.is_named())
    });
    let probed = in_parallel(&candidates, |candidate| {
        if candidate.is_library { None } else { Some(probe(&candidate.path, options.limits.start.min(PROBE))) }
    });
    // The index of the plan, and whether it starts a wrapper.
    let mut chosen: BTreeMap<Identity, (usize, bool)> = BTreeMap::new();
    let mut libraries = BTreeSet::new();
    let mut plans: Vec<Plan> = Vec::new();
    let mut unpaired = Vec::new();
    for (candidate, probed) in candidates.into_iter().zip(probed) {
        let named = candidate.is_named();
        let Candidate { path, found_by, .. } = candidate;
        let plan = |path, start| Plan { path, found_by, named, start };
        match probed {
            Some(Ok(probe)) => {
                libraries.extend(probe.library.clone());
                let is_wrapper = file(&path) != file(&probe.executable);
                let path = if is_wrapper { path } else { probe.executable.clone() };
                let identity = (probe.prefix.clone(), file(&probe.executable));
                let plan = plan(path, Start::Executable(Box::new(probe)));
                match chosen.get(&identity) {
                    None => {
                        chosen.insert(identity, (plans.len(), is_wrapper));
                        plans.push(plan);
                    }
                    Some(&(index, true)) if !is_wrapper && named == plans[index].named => {
                        chosen.insert(identity, (index, false));
                        plans[index] = plan;
                    }
                    Some(_) => {}
                }
            }
            Some(Err(Failure { reason, advice, .. })) => {
                unusable.push(Unusable { what: path.display().to_string(), reason, advice, named });
            }
            None => unpaired.push(plan(real(&path), Start::Library)),
        }
    }
    // A library whose executable was found as well is that interpreter, and better known through it.
    plans.extend(unpaired.into_iter().filter(|plan| !libraries.contains(&plan.path)));
    plans
}

/// A prefix and an executable. One file under two prefixes is two interpreters.
type Identity = (PathBuf, Result<(u64, u64), PathBuf>);

/// What all names of a file have in common: python3.6 and python3.6m are hard links. Its path, if there is no file.
fn file(path: &Path) -> Result<(u64, u64), PathBuf> {
    path.metadata().map(|meta| (meta.dev(), meta.ino())).map_err(|_| path.to_owned())
}

/// Starts the best worker that works and asks it for its facts.
fn start(plan: &Plan, options: &Options) -> Result<Interpreter, Unusable> {
    let unusable = |reason: String, advice: &str| {
        Err(Unusable { what: plan.path.display().to_string(), reason, advice: advice.into(), named: plan.named })
    };
    let mut driver_reason = None;
    if options.driver != Some(Driver::Script) {
        let attempt = match &plan.start {
            Start::Package(launch) => {
                return match confined(plan, launch.clone(), None, options) {
                    Ok(interpreter) => Ok(interpreter),
                    Err(reason) => unusable(reason, "delete node_modules beside its package.json to install it again"),
                };
            }
            Start::Executable(probe) => embed(probe, options),
            Start::Library => check_host(options).map(|()| embedded(&plan.path, prefix_of(&plan.path), None, options)),
        };
        match attempt.and_then(|launch| converse(plan, launch, None, options)) {
            Ok(interpreter) => return Ok(interpreter),
            Err(reason) => driver_reason = Some(reason),
        }
    }
    match (&plan.start, driver_reason) {
        (Start::Executable(_), Some(reason)) if options.driver == Some(Driver::Embedded) => {
            unusable(reason, "use the script driver, or let the driver be chosen")
        }
        (Start::Executable(probe), driver_reason) => {
            let launch = Launch::Script {
                through: None,
                python: plan.path.clone(),
                worker: absolute(&options.home.script),
                needs: probe.needs.clone(),
                executes: false,
            };
            let reason = driver_reason.or_else(|| Some("the script driver was asked for".into()));
            confined(plan, launch, reason, options).or_else(|reason| {
                unusable(format!("its worker did not start: {reason}"), "run the script worker with it by hand")
            })
        }
        (_, Some(reason)) => {
            unusable(reason, "give the executable instead, or put its standard library into lib/pythonX.Y beside it")
        }
        (_, None) => unusable("a library cannot run a script".into(), "give the executable instead of the library"),
    }
}

/// How to embed the interpreter of an executable, or why not.
fn embed(probe: &Probe, options: &Options) -> Result<Launch, String> {
    let (major, minor, _) = probe.version;
    let (oldest_major, oldest_minor) = OLDEST_EMBEDDED;
    if probe.implementation != "cpython" {
        return Err(format!("{} cannot be embedded, only CPython can", probe.implementation));
    }
    if (major, minor) < OLDEST_EMBEDDED {
        return Err(format!(
            "{major}.{minor} is older than {oldest_major}.{oldest_minor}, with which PyO3's stable ABI begins"
        ));
    }
    if probe.free_threaded {
        return Err("it is a free-threaded build, which has another ABI".into());
    }
    if probe.pointer_bits != usize::BITS {
        return Err(format!("it has {} bits, this program {}", probe.pointer_bits, usize::BITS));
    }
    let library = probe.library.as_ref().ok_or("it has no shared libpython")?;
    check_host(options)?;
    Ok(embedded(library, Some(probe.prefix.clone()), probe.stdlib.as_deref(), options))
}

fn check_host(options: &Options) -> Result<(), String> {
    for file in [&options.home.host, &options.home.worker] {
        if !file.is_file() {
            return Err(format!("{} is not built (cargo build --release -p host -p worker)", file.display()));
        }
    }
    Ok(())
}

fn embedded(libpython: &Path, prefix: Option<PathBuf>, stdlib: Option<&Path>, options: &Options) -> Launch {
    Launch::Embedded {
        host: absolute(&options.home.host),
        libpython: libpython.to_owned(),
        prefix,
        worker: absolute(&options.home.worker),
        stdlib: stdlib.map(Path::to_owned),
    }
}

/// Workers run in another folder than this program.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A confined worker; one that is not, with the reason, where that does not start.
fn confined(plan: &Plan, launch: Launch, reason: Option<String>, options: &Options) -> Result<Interpreter, String> {
    let host = absolute(&options.home.host);
    let plain = |unconfined: String| {
        let interpreter = converse(plan, launch.clone(), reason.clone(), options)?;
        Ok(Interpreter { unconfined: Some(unconfined), ..interpreter })
    };
    if !host.is_file() {
        return plain(format!("{} is not built (cargo build --release -p host)", host.display()));
    }
    let filter = !matches!(&plan.start, Start::Executable(probe) if probe.pointer_bits != usize::BITS);
    match converse(plan, launch.clone().through(Some(Through { host, filter })), reason.clone(), options) {
        Ok(interpreter) => Ok(interpreter),
        // Whoever starts in no way has the reason of the plain one.
        Err(why) => plain(format!("it does not start when it is confined: {why}")),
    }
}

/// What this kernel keeps a confined process from.
fn confinement(options: &Options) -> Confinement {
    let mut command = Command::new(absolute(&options.home.host));
    command.arg("confinement");
    let output = run(command, PROBE).ok();
    output.and_then(|output| serde_json::from_slice(&output.stdout).ok()).unwrap_or_default()
}

fn converse(plan: &Plan, launch: Launch, reason: Option<String>, options: &Options) -> Result<Interpreter, String> {
    let driver = launch.driver();
    let begin = Instant::now();
    let (_worker, facts) = Worker::start(&launch, 0, &options.limits)
        .map_err(|e| if driver == Driver::Embedded { format!("the embedded worker did not start: {e}") } else { e })?;
    let start_up = begin.elapsed();
    if facts.driver != driver.name() {
        return Err(format!("it says that it is the {:?} driver, and is the {:?} one", facts.driver, driver.name()));
    }
    let version = (facts.version_info.0, facts.version_info.1, facts.version_info.2);
    if let Start::Executable(probe) = &plan.start {
        if probe.version != version {
            return Err(format!("its executable is version {:?} and its worker {version:?}", probe.version));
        }
        if build(&probe.build) != build(&facts.build) {
            return Err(format!("its executable is {:?} and its worker {:?}", probe.build, facts.build));
        }
    }
    // Only another architecture than this program's has no filter.
    let is_filtered = !matches!(launch, Launch::Script { through: Some(Through { filter: false, .. }), .. });
    let unfiltered = "its system calls are not filtered, as it is built for another architecture";
    Ok(Interpreter {
        id: String::new(),
        facts,
        driver,
        driver_reason: reason,
        found_by: plan.found_by.into(),
        path: plan.path.clone(),
        start_up,
        unconfined: (!is_filtered).then(|| unfiltered.into()),
        launch,
    })
}

/// A `sys.version` without line ends and the time of day: a distribution compiles program and library one after the other.
fn build(version: &str) -> String {
    let is_time = |word: &&str| {
        word.split(':').count() == 3 && word.trim_end_matches(')').ends_with(|c: char| c.is_ascii_digit())
    };
    version.split_whitespace().filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ")
}

/// Maps in order, two to four at a time: starting interpreters is waiting as much as computing.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let next = Mutex::new(items.iter().enumerate());
    let take = || next.lock().expect("taking an item cannot panic").next();
    let worker = || std::iter::from_fn(take).map(|(index, item)| (index, work(item))).collect::<Vec<_>>();
    let mut results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(items.len())).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|w| w.join().expect("trying a candidate does not panic")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
