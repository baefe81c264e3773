//! Discovery and supervision against the interpreters of this machine; what is not there is skipped, and said.

use interpreters::{Driver, Found, Interpreter, Limits, Options, Outcome, Supervisor, Workspace, discover, selects};
use protocol::{Answer, CanonMode, Compile, Load};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

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

#[test]
fn a_library_alone_is_an_interpreter() {
    for one in all().iter().filter(|one| one.driver == Driver::Embedded) {
        let output = Command::new(&one.path)
            .args(["-c", "from sysconfig import get_config_var as v; print(v('LIBDIR') + '/' + v('INSTSONAME'))"])
            .output()
            .unwrap();
        let library = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        if !library.is_file() {
            eprintln!("skipped: {} is not where {} says", library.display(), one.id);
            continue;
        }
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

#[test]
fn what_is_no_interpreter_is_unusable() {
    #[track_caller]
    fn check(content: &str, mode: u32, reason: &str) {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("python3");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let limits = Limits { start: std::time::Duration::from_secs(5), ..Limits::default() };
        let found = discover(&Options { limits, ..options(vec![file.clone()], None) });
        assert!(found.interpreters.is_empty());
        assert_eq!(found.unusable.len(), 1);
        assert_eq!(found.unusable[0].what, file.display().to_string());
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
                assert!(
                    matches!(outcome, Outcome::Fault(interpreters::Fault::Crash { .. })),
                    "{}: {outcome:?}",
                    one.id
                );
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
