//! Discovery and supervision against the interpreters of this machine; what is not there is skipped, and said.

use interpreters::{
    Confinement, Driver, Fault, Found, Interpreter, Limits, Options, Outcome, Supervisor, TimeLimit, Workspace,
    discover, selects,
};
use protocol::{Answer, CanonMode, Compile, Load};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn options(pythons: Vec<PathBuf>, driver: Option<Driver>) -> Options {
    Options { pythons, search: false, driver, pyodide: false, home: Workspace::locate(), limits: Limits::default() }
}

/// Every interpreter that a search finds, and the script worker of those that are embedded.
fn every_worker() -> Vec<Interpreter> {
    let embedded = all().iter().filter(|one| one.driver == Driver::Embedded).map(|one| one.path.clone()).collect();
    let found = discover(&options(embedded, Some(Driver::Script)));
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    all().iter().cloned().chain(found.interpreters).collect()
}

/// Every interpreter that a search finds; Pyodide only if its packages are installed already.
fn all() -> &'static [Interpreter] {
    static ALL: OnceLock<Found> = OnceLock::new();
    let found = ALL.get_or_init(|| {
        let given = std::env::var_os("PROVOST_PYODIDE_MODULES").is_some();
        let pyodide = given || Workspace::locate().pyodide.join("node_modules").is_dir();
        let found = discover(&Options { search: true, pyodide, ..options(Vec::new(), None) });
        for one in &found.interpreters {
            let reason = one.driver_reason.as_deref().unwrap_or("");
            eprintln!("{} {} by {}, {:?} {reason}", one.id, one.path.display(), one.found_by, one.driver);
        }
        for one in &found.unusable {
            eprintln!("skipped: {}: {}; {}", one.what, one.reason, one.advice);
        }
        found
    });
    if found.interpreters.is_empty() {
        eprintln!("skipped: no interpreter found");
    }
    &found.interpreters
}

/// `None`, `True`, ... with what it re-dumps to: the stream itself.
fn batch(size: usize) -> Load {
    let cases = (0..size).map(|i| vec![b"NTF."[i % 4]]).collect();
    Load { canon: CanonMode::Text, consumed: true, versions: vec![2], cases }
}

/// The outcome for each stream of [`batch`].
#[track_caller]
fn check_loaded(stream: &[u8], outcome: &Outcome, who: &str) {
    let Outcome::Answer(Answer::Accepted(loaded)) = outcome else { panic!("{who}: {outcome:?}") };
    let canon = match stream {
        b"N" => "none\n",
        b"T" => "true\n",
        b"F" => "false\n",
        _ => "ellipsis\n",
    };
    assert_eq!(loaded.canon, Ok(canon.into()), "{who}");
    assert_eq!(loaded.dumps, [Ok(stream.to_vec())], "{who}");
    assert_eq!(loaded.consumed, Some(1), "{who}");
}

#[test]
fn nothing_asked_for_is_nothing_found() {
    let found = discover(&options(Vec::new(), None));
    assert!(found.interpreters.is_empty() && found.unusable.is_empty());
}

#[test]
fn ids_are_unique_and_select_their_interpreter() {
    for one in all() {
        for other in all() {
            assert_eq!(selects(&one.id, &other.id, &other.facts), std::ptr::eq(one, other), "{} {}", one.id, other.id);
        }
    }
}

#[test]
fn every_way_to_name_an_interpreter_finds_it_once() {
    for one in all().iter().filter(|one| one.driver != Driver::Pyodide) {
        let link = tempfile::tempdir().unwrap();
        let link = link.path().join("anything");
        std::os::unix::fs::symlink(&one.path, &link).unwrap();
        let bin = one.path.parent().unwrap();
        let mut ways = vec![one.path.clone(), link];
        if bin.ends_with("bin") && !bin.starts_with("/usr/bin") {
            ways.extend([bin.to_owned(), bin.parent().unwrap().to_owned()]);
        }
        let found = discover(&options(ways, None));
        assert!(found.unusable.is_empty(), "{:?}", found.unusable);
        let paths: Vec<_> = found.interpreters.iter().map(|i| &i.path).collect();
        assert_eq!(paths, [&one.path]);
        assert_eq!(found.interpreters[0].facts.build, one.facts.build);
    }
}

/// The libpython of an embedded interpreter; `None` with a note if it is not where it says.
fn library_of(one: &Interpreter) -> Option<PathBuf> {
    let script = "from sysconfig import get_config_var as v; print(v('LIBDIR') + '/' + v('INSTSONAME'))";
    let output = Command::new(&one.path).args(["-c", script]).output().unwrap();
    let library = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    if !library.is_file() {
        eprintln!("skipped: {} is not where {} says", library.display(), one.id);
    }
    library.is_file().then_some(library)
}

#[test]
fn a_library_alone_is_an_interpreter() {
    for one in all().iter().filter(|one| one.driver == Driver::Embedded) {
        let Some(library) = library_of(one) else { continue };
        let found = discover(&options(vec![library.clone()], None));
        assert!(found.unusable.is_empty(), "{:?}", found.unusable);
        assert_eq!(found.interpreters[0].facts.build, one.facts.build);
        let both = discover(&options(vec![library, one.path.clone()], None));
        assert_eq!(both.interpreters.len(), 1, "{:?}", both.interpreters);
    }
}

#[test]
fn a_virtual_environment_is_its_base() {
    let Some(one) = all().iter().find(|one| one.driver != Driver::Pyodide && one.facts.version_info.0 == 3) else {
        return;
    };
    for flags in [&["--symlinks"][..], &["--copies"]] {
        let home = tempfile::tempdir().unwrap();
        let command = &mut Command::new(&one.path);
        let made = command.args(["-m", "venv", "--without-pip"]).args(flags).arg(home.path()).status().unwrap();
        if !made.success() {
            eprintln!("skipped: {} has no venv", one.id);
            continue;
        }
        let found = discover(&options(vec![home.path().into(), one.path.clone()], None));
        let paths: Vec<_> = found.interpreters.iter().map(|i| &i.path).collect();
        assert_eq!(paths, [&one.path], "{flags:?}");
    }
}

/// A shell script called `name` that does this; `@PYTHON@` stands for the interpreter's executable.
fn wrapper(folder: &Path, name: &str, text: &str, python: &Path) -> PathBuf {
    let path = folder.join(name);
    let text = text.replace("@PYTHON@", &format!("'{}'", python.display()));
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// The interpreters of which a script can start the executable.
fn executables() -> impl Iterator<Item = &'static Interpreter> {
    all().iter().filter(|one| one.driver != Driver::Pyodide)
}

/// The one interpreter that is found by these names with this driver.
#[track_caller]
fn only(pythons: Vec<PathBuf>, driver: Option<Driver>) -> Interpreter {
    let mut found = discover(&options(pythons, driver));
    assert!(found.unusable.is_empty(), "{:?}", found.unusable);
    assert_eq!(found.interpreters.len(), 1, "{:?}", found.interpreters);
    found.interpreters.remove(0)
}

#[test]
fn a_wrapper_is_started_wherever_its_program_is_needed() {
    for one in executables() {
        let folder = tempfile::tempdir().unwrap();
        let named = wrapper(folder.path(), "python", "WRAPPED=yes exec @PYTHON@ \"$@\"", &one.path);
        let scripted = only(vec![named.clone()], Some(Driver::Script));
        assert_eq!((&scripted.path, &scripted.facts.build), (&named, &one.facts.build), "{}", one.id);
        let mut supervisor = Supervisor::new(&scripted, Limits::default());
        supervisor.load(&batch(1)).unwrap();
        let environment = std::fs::read(format!("/proc/{}/environ", supervisor.process_id().unwrap())).unwrap();
        assert!(environment.split(|byte| *byte == 0).any(|variable| variable == b"WRAPPED=yes"), "{}", one.id);
        // Where the library can be loaded as well, that is as good.
        assert_eq!(only(vec![named.clone()], None).driver, one.driver, "{}", one.id);
        // What the wrapper starts is the same interpreter, and needs no wrapper.
        assert_eq!(only(vec![named, one.path.clone()], None).path, one.path);
    }
}

#[test]
fn a_wrapper_may_go_on_running() {
    let killer = b"\xa9\x01<\x01\x00\x00\x00r\x00\x00\x00\x00".to_vec();
    let Some(one) = executables().filter(|one| one.facts.implementation == "cpython").last() else { return };
    let folder = tempfile::tempdir().unwrap();
    let named = wrapper(folder.path(), "python", "@PYTHON@ \"$@\"", &one.path);
    let scripted = only(vec![named], Some(Driver::Script));
    let mut supervisor = Supervisor::new(&scripted, Limits::default());
    let load = Load { cases: vec![b"N".to_vec(), killer, b"T".to_vec()], ..batch(0) };
    let outcomes = supervisor.load(&load).unwrap();
    check_loaded(b"N", &outcomes[0], &one.id);
    let crashed = matches!(&outcomes[1], Outcome::Fault(Fault::Crash { signal, .. }) if signal == "SIGSEGV");
    assert!(crashed, "{:?}", outcomes[1]);
    check_loaded(b"T", &outcomes[2], &one.id);
    assert_eq!(supervisor.restarts(), 1);
    if one.facts.version_info.1 > 13 || !Path::new("/proc/self").exists() {
        return;
    }
    // Until 3.13 version 2 walks 2^2000 paths through a list that contains itself twice.
    let slow = b"\xdb\x02\0\0\0r\0\0\0\0r\0\0\0\0".to_vec();
    let limits = Limits { case_cpu: Duration::from_secs(1), ..Limits::default() };
    let outcomes = Supervisor::new(&scripted, limits).load(&Load { cases: vec![slow], ..load }).unwrap();
    let by_work = matches!(&outcomes[0], Outcome::Fault(Fault::Timeout { limit: TimeLimit::Cpu, .. }));
    assert!(by_work, "{:?}", outcomes[0]);
}

#[test]
fn a_wrapper_has_the_environment_that_it_sets_and_that_it_needs() {
    for one in executables().filter(|one| one.facts.implementation == "cpython" && one.facts.version_info.0 == 3) {
        let folder = tempfile::tempdir().unwrap();
        let prefix = folder.path().canonicalize().unwrap().join("prefix");
        std::os::unix::fs::symlink(&one.facts.prefix, &prefix).unwrap();
        let text = format!("PYTHONHOME='{}' exec @PYTHON@ \"$@\"", prefix.display());
        let named = wrapper(folder.path(), "sets", &text, &one.path);
        assert_eq!(Path::new(&only(vec![named], Some(Driver::Script)).facts.prefix), prefix, "{}", one.id);
        // A variable that every test has, and no worker.
        let text = ": \"${CARGO_MANIFEST_DIR:?}\"; exec @PYTHON@ \"$@\"";
        let named = wrapper(folder.path(), "needs", text, &one.path);
        assert_eq!(only(vec![named.clone()], Some(Driver::Script)).path, named, "{}", one.id);
    }
}

#[test]
fn one_wrapper_with_two_names_may_be_two_interpreters() {
    let mut two = executables().filter(|one| one.driver_reason.is_none());
    let (Some(one), Some(other)) = (two.next(), two.next()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = format!("case $0 in */one) exec @PYTHON@ \"$@\";; *) exec '{}' \"$@\";; esac", other.path.display());
    let named = wrapper(folder.path(), "one", &text, &one.path);
    let link = folder.path().join("other");
    std::os::unix::fs::symlink(&named, &link).unwrap();
    let found = discover(&options(vec![named.clone(), link.clone()], Some(Driver::Script)));
    let paths: Vec<_> = found.interpreters.iter().map(|one| one.path.clone()).collect();
    assert_eq!(paths, [named, link], "{:?}", found.unusable);
}

/// Copies the libpython of an embedded interpreter into a folder; `None` with a note if it is not where it says.
fn copy_library(one: &Interpreter, folder: &Path) -> Option<PathBuf> {
    let library = library_of(one)?;
    std::fs::create_dir_all(folder).unwrap();
    let copy = folder.canonicalize().unwrap().join(library.file_name().unwrap());
    std::fs::copy(&library, &copy).unwrap();
    Some(copy)
}

/// The files that a worker of an interpreter has opened to run them; `None` where nobody can tell.
fn maps(one: &Interpreter) -> Option<String> {
    let mut supervisor = Supervisor::new(one, Limits::default());
    supervisor.load(&batch(1)).unwrap();
    std::fs::read_to_string(format!("/proc/{}/maps", supervisor.process_id()?)).ok()
}

#[test]
fn a_library_in_the_folder_of_a_machine_below_a_moved_prefix_is_found() {
    for one in all().iter().filter(|one| one.driver == Driver::Embedded) {
        let folder = tempfile::tempdir().unwrap();
        let (prefix, (major, minor, ..)) = (folder.path().canonicalize().unwrap(), &one.facts.version_info);
        let script = "from sysconfig import get_config_var as v; print(v('MULTIARCH') or '')";
        let output = Command::new(&one.path).args(["-c", script]).output().unwrap();
        let machine = String::from_utf8(output.stdout).unwrap();
        if machine.trim().is_empty() {
            continue;
        }
        let Some(library) = copy_library(one, &prefix.join("lib").join(machine.trim())) else { continue };
        let stdlib = prefix.join("lib").join(format!("python{major}.{minor}"));
        std::os::unix::fs::symlink(&one.facts.stdlib, stdlib).unwrap();
        std::fs::create_dir(prefix.join("bin")).unwrap();
        let text = format!("PYTHONHOME='{}' exec @PYTHON@ \"$@\"", prefix.display());
        wrapper(&prefix.join("bin"), "python3", &text, &one.path);
        let found = only(vec![prefix.clone()], None);
        assert_eq!(found.driver, Driver::Embedded, "{:?}", found.driver_reason);
        assert_eq!(Path::new(&found.facts.prefix), prefix);
        let Some(maps) = maps(&found) else { continue };
        assert!(maps.contains(library.to_str().unwrap()), "{maps}");
    }
}

#[test]
fn a_folder_of_libraries_is_as_many_interpreters() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for one in all().iter().filter(|one| one.driver == Driver::Embedded) {
        // A library that is named after the same version would take the place of another.
        if expected.iter().all(|build: &(String, PathBuf)| build.0[..4] != one.facts.build[..4])
            && let Some(copy) = copy_library(one, folder.path())
        {
            let alone = only(vec![copy.clone()], None);
            assert_eq!((&alone.facts.build, &alone.path), (&one.facts.build, &copy));
            // It may be found by another name of the same folder, such as /lib, a link to /usr/lib.
            let stdlib = |one: &Interpreter| Path::new(&one.facts.stdlib).canonicalize().unwrap();
            assert_eq!(stdlib(&alone), stdlib(one), "the folder has none");
            expected.push((one.facts.build.clone(), copy));
        }
    }
    let found = discover(&options(vec![folder.path().into()], None));
    let builds: Vec<_> = found.interpreters.iter().map(|i| (i.facts.build.clone(), i.path.clone())).collect();
    assert_eq!(builds, expected, "{:?}", found.unusable);
}

#[test]
fn what_is_no_interpreter_is_unusable() {
    #[track_caller]
    fn check(content: &str, mode: u32, reason: &str) {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("python3");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let limits = Limits { start: Duration::from_secs(5), ..Limits::default() };
        let found = discover(&Options { limits, ..options(vec![file.clone()], None) });
        assert!(found.interpreters.is_empty());
        assert_eq!(found.unusable.len(), 1);
        assert_eq!((&found.unusable[0].what, found.unusable[0].named), (&file.display().to_string(), true));
        assert!(found.unusable[0].reason.contains(reason), "{:?}", found.unusable);
    }
    check("#!/bin/sh\necho 'pyenv: python3: command not found' >&2; exit 127\n", 0o755, "python3: command not found");
    check("#!/bin/sh\necho Python 3.9.1\n", 0o755, "no message");
    check("#!/bin/sh\ncat /dev/zero | head -c 1 >/dev/null; exec tail -f /dev/null\n", 0o755, "did not end within 5s");
    check("#!/bin/sh\necho 'PROBED {}'\n", 0o755, "not understood");
    check("\x7fELF for another machine", 0o755, "could not be started");
    check("", 0o644, "could not be started");
}

#[test]
fn each_worker_loads_and_compiles() {
    for one in every_worker() {
        let mut supervisor = Supervisor::new(&one, Limits::default());
        let load = batch(40);
        let outcomes = supervisor.load(&load).unwrap();
        assert_eq!(outcomes.len(), load.cases.len());
        for (stream, outcome) in load.cases.iter().zip(&outcomes) {
            check_loaded(stream, outcome, &one.id);
        }
        let mut files = Vec::new();
        for optimize in 0..3 {
            let source = b"def f():\n    'text'\n    assert f\n".to_vec();
            let outcome = supervisor.compile(&Compile { source, filename: "f.py".into(), optimize }).unwrap();
            let Outcome::Answer(Answer::Compiled(pyc)) = outcome else { panic!("{}: {outcome:?}", one.id) };
            files.push(pyc);
        }
        assert!(files[0] != files[1] && files[1] != files[2], "{}: the levels differ", one.id);
        assert_eq!(supervisor.restarts(), 0, "{}", one.id);
    }
}

#[test]
fn a_killer_stream_costs_its_case_and_one_restart() {
    // A tuple holding a frozenset that holds the tuple: hashing reads the tuple before it is complete.
    let killer = b"\xa9\x01<\x01\x00\x00\x00r\x00\x00\x00\x00".to_vec();
    for one in every_worker() {
        if one.facts.implementation != "cpython" || one.facts.version_info.0 < 3 {
            continue;
        }
        let mut supervisor = Supervisor::new(&one, Limits::default());
        let mut load = batch(21);
        load.cases[10].clone_from(&killer);
        let outcomes = supervisor.load(&load).unwrap();
        assert_eq!(outcomes.len(), load.cases.len());
        for (index, (stream, outcome)) in load.cases.iter().zip(&outcomes).enumerate() {
            if index == 10 {
                assert!(matches!(outcome, Outcome::Fault(Fault::Crash { .. })), "{}: {outcome:?}", one.id);
            } else {
                check_loaded(stream, outcome, &one.id);
            }
        }
        assert_eq!(supervisor.restarts(), 1, "{}", one.id);
    }
}

#[test]
fn kills_from_outside_change_no_answer() {
    let Some(one) = all().iter().find(|one| one.driver != Driver::Pyodide) else { return };
    let mut supervisor = Supervisor::new(one, Limits::default());
    let load = batch(2000);
    for _ in 0..10 {
        supervisor.load(&batch(1)).unwrap();
        let pid = supervisor.process_id().unwrap();
        let begun = AtomicBool::new(false);
        let outcomes = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !begun.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap()
            });
            begun.store(true, Ordering::Release);
            supervisor.load(&load).unwrap()
        });
        assert_eq!(outcomes.len(), load.cases.len());
        for (stream, outcome) in load.cases.iter().zip(&outcomes) {
            check_loaded(stream, outcome, &one.id);
        }
    }
    supervisor.load(&batch(1)).unwrap();
    assert!(supervisor.restarts() >= 10, "{}", supervisor.restarts());
}

/// From 3.12 on, interned strings stay for ever. What is left of a hundred mebibytes of them must not end a worker that may
/// take less.
#[test]
fn what_earlier_cases_leave_behind_ends_no_worker() {
    const MIB: usize = 1 << 20;
    for one in all().iter().filter(|one| one.driver != Driver::Pyodide) {
        let mut supervisor = Supervisor::new(one, Limits { memory_mib: 64, ..Limits::default() });
        for number in 0..100_u8 {
            // Each is another string.
            let mut stream = [&b"t"[..], &u32::try_from(MIB).unwrap().to_le_bytes(), &[number]].concat();
            stream.resize(5 + MIB, b'a');
            let load = Load { canon: CanonMode::None, consumed: true, versions: vec![], cases: vec![stream] };
            let outcomes = supervisor.load(&load).unwrap();
            assert!(
                matches!(outcomes[..], [Outcome::Answer(Answer::Accepted(_))]),
                "{}: string {number}: {:?}",
                one.id,
                outcomes[0]
            );
        }
        assert_eq!(supervisor.restarts(), 0, "{}", one.id);
    }
}

/// As the kernel says it of each running worker: nothing is refused to a process whose kernel has no means.
#[test]
fn every_worker_is_confined() {
    let field = |status: &str, name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(':').trim().to_owned())
    };
    let confinement = discover(&options(Vec::new(), None)).confinement;
    if confinement == Confinement::default() {
        eprintln!("skipped: host is not built, or this kernel has no means to confine");
        return;
    }
    for one in every_worker() {
        assert_eq!(one.unconfined, None, "{}", one.id);
        let mut supervisor = Supervisor::new(&one, Limits::default());
        check_loaded(b"N", &supervisor.load(&batch(1)).unwrap()[0], &one.id);
        let id = supervisor.process_id().unwrap();
        let Ok(status) = std::fs::read_to_string(format!("/proc/{id}/status")) else {
            eprintln!("skipped: there is no /proc");
            return;
        };
        assert_eq!(field(&status, "NoNewPrivs").as_deref() == Some("1"), confinement.privileges, "{}", one.id);
        assert_eq!(field(&status, "Seccomp").as_deref() == Some("2"), confinement.network, "{}", one.id);
    }
}

/// Where the program that confines is not there, or does not run, workers are started all the same, and it is said.
#[test]
fn what_is_not_confined_says_so() {
    #[track_caller]
    fn check(host: Option<&str>, reason: &str) {
        let home = tempfile::tempdir().unwrap();
        let workspace = Workspace { host: home.path().join("host"), ..Workspace::locate() };
        if let Some(text) = host {
            std::fs::write(&workspace.host, text).unwrap();
            std::fs::set_permissions(&workspace.host, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let options = Options { home: workspace, ..options(vec!["python3".into()], Some(Driver::Script)) };
        let found = discover(&options);
        assert_eq!(found.confinement, Confinement::default());
        let Some(one) = found.interpreters.first() else {
            eprintln!("skipped: there is no python3 on PATH");
            return;
        };
        assert!(one.unconfined.as_ref().is_some_and(|why| why.contains(reason)), "{:?}", one.unconfined);
        let mut supervisor = Supervisor::new(one, Limits::default());
        check_loaded(b"N", &supervisor.load(&batch(1)).unwrap()[0], &one.id);
    }
    check(None, "is not built");
    check(Some("#!/bin/sh\nexit 3\n"), "does not start when it is confined");
}
