//! Supervision, seen with a worker that misbehaves on demand (`fake_worker.py`).

use interpreters::{Driver, Fault, Found, Limits, Options, Outcome, Supervisor, Workspace, discover};
use protocol::{Answer, CanonMode, Compile, Load};
use std::path::Path;
use std::time::Duration;

/// Time limits that a case which hangs does reach and a busy machine does not.
fn limits() -> Limits {
    Limits { case_cpu: Duration::from_secs(1), silence: Duration::from_secs(5), ..Limits::default() }
}

/// Discovers the `python3` of this machine with the fake worker in this mode; `None`, with a note, if there is none.
fn found(mode: &str, limits: Limits) -> Option<(tempfile::TempDir, Found)> {
    let home = tempfile::tempdir().unwrap();
    let script = include_str!("fake_worker.py").replace("\"honest\"", &format!("{mode:?}"));
    std::fs::create_dir(home.path().join("script")).unwrap();
    std::fs::write(home.path().join("script/worker.py"), script).unwrap();
    let found = discover(&Options {
        pythons: vec!["python3".into()],
        search: false,
        driver: Some(Driver::Script),
        pyodide: false,
        home: Workspace::at(home.path(), home.path()),
        limits,
    });
    if found.unusable.iter().any(|u| u.reason.contains("no such command")) {
        eprintln!("skipped: there is no python3 on PATH");
        return None;
    }
    Some((home, found))
}

/// A supervisor over an honest fake; the folder must outlive it.
fn supervisor() -> Option<(tempfile::TempDir, Supervisor)> {
    let (home, found) = found("honest", Limits::default())?;
    assert_eq!(found.interpreters.len(), 1, "{:?}", found.unusable);
    Some((home, Supervisor::new(&found.interpreters[0], limits())))
}

fn load(cases: &[&str]) -> Load {
    let cases = cases.iter().map(|case| case.as_bytes().to_vec()).collect();
    Load { canon: CanonMode::None, consumed: false, versions: vec![4], cases }
}

/// What an outcome is, in one line; an echo is the case itself.
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answer(Answer::Rejected(exception)) => exception.message.clone(),
        Outcome::Answer(other) => format!("{other:?}"),
        Outcome::Fault(fault) => fault.to_string(),
    }
}

/// A batch has these outcomes after this many restarts.
#[track_caller]
fn check(cases: &[&str], expected: &[&str], restarts: u32) {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    let outcomes = supervisor.load(&load(cases)).unwrap();
    assert_eq!(outcomes.iter().map(describe).collect::<Vec<_>>(), expected);
    assert_eq!(supervisor.restarts(), restarts);
    let after = supervisor.load(&load(&["still there"])).unwrap();
    assert_eq!(describe(&after[0]), "still there");
}

#[test]
fn honest_cases_need_no_restart() {
    check(&["a", "", "b"], &["a", "", "b"], 0);
    check(&[], &[], 0);
}

#[test]
fn a_crash_costs_its_case_and_one_restart() {
    for signal in ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"] {
        check(&["a", signal, "b"], &["a", &format!("it crashed with {signal}"), "b"], 1);
    }
    check(&["trap", "b"], &["it crashed with wasm trap", "b"], 1);
    let starved = "it ran out of memory (memory allocation of 5 bytes failed)";
    check(&["a", "starve", "b"], &["a", starved, "b"], 1);
    check(&["SIGSEGV", "SIGSEGV", "b"], &["it crashed with SIGSEGV", "it crashed with SIGSEGV", "b"], 2);
}

#[test]
fn a_kill_from_outside_changes_no_verdict() {
    check(&["a", "killed once", "b"], &["a", "killed once", "b"], 1);
}

#[test]
fn what_may_come_from_outside_is_tried_twice() {
    check(&["a", "SIGKILL", "b"], &["a", "it crashed with SIGKILL", "b"], 2);
    check(&["a", "SIGTERM", "b"], &["a", "it crashed with SIGTERM", "b"], 2);
    check(&["a", "exit", "b"], &["a", "it exited with status 3 (last words)", "b"], 2);
    check(&["SIGXCPU", "b"], &["it did not answer within 60s of CPU time", "b"], 2);
}

#[test]
fn a_worker_that_does_nothing_is_measured_by_the_clock_and_any_other_by_its_work() {
    check(&["a", "hang", "b"], &["a", "it gave no sign of life for 5s", "b"], 1);
    check(&["SIGSTOP", "b"], &["it gave no sign of life for 5s", "b"], 1);
    if !Path::new("/proc/self").exists() {
        eprintln!("skipped: there is no /proc");
        return;
    }
    check(&["a", "spin", "b"], &["a", "it did not answer within 1s of CPU time", "b"], 1);
    // Twice as long as it may do nothing, and it does a little all the while.
    check(&["a", "doze", "b"], &["a", "doze", "b"], 0);
}

#[test]
fn broken_frames_are_faults() {
    let protocol = "it broke the worker protocol: ";
    let garbage = format!("{protocol}a frame of 1819043144 bytes is longer than the limit of 1073741824");
    check(&["a", "garbage", "b"], &["a", &garbage, "b"], 2);
    check(&["a", "half", "b"], &["a", &format!("{protocol}its answers end in the middle of a frame"), "b"], 2);
    check(&["a", "close", "b"], &["a", &format!("{protocol}it closed its answers and went on running"), "b"], 2);
    check(&["other answer", "b"], &[&format!("{protocol}the answer is to another kind of request"), "b"], 2);
}

#[test]
fn neither_full_pipes_nor_a_loud_worker_block() {
    let large = "x".repeat(1 << 20);
    let cases = [&large, "shout", &large, "shout", &large, &large, &large, &large];
    check(&cases, &cases, 0);
}

#[test]
fn a_worker_that_died_idle_is_replaced() {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    assert_eq!(supervisor.process_id(), None);
    supervisor.load(&load(&["a"])).unwrap();
    let pid = supervisor.process_id().unwrap();
    assert!(std::process::Command::new("kill").args(["-SEGV", &pid.to_string()]).status().unwrap().success());
    let outcomes = supervisor.load(&load(&["b", "c"])).unwrap();
    // Whether it was still alive when asked is a race, in which the signal may count as b's crash.
    assert_eq!(describe(&outcomes[1]), "c");
    assert_eq!(supervisor.restarts(), 1);
    assert_ne!(supervisor.process_id(), Some(pid));
}

#[test]
fn a_worker_that_fails_itself_or_talks_too_much_is_broken() {
    for (case, reason) in [("failed", "I give up"), ("twice", "more than it was asked")] {
        let Some((_home, mut supervisor)) = supervisor() else { return };
        let broken = supervisor.load(&load(&["a", case])).unwrap_err();
        assert!(broken.reason.contains(reason), "{broken}");
    }
}

#[test]
fn a_worker_that_does_not_start_again_is_broken() {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    let broken = supervisor.load(&load(&["a", "break", "b"])).unwrap_err();
    assert!(broken.reason.contains("tried 3 times: it exited with status 1 (no interpreter today)"), "{broken}");
    assert!(broken.to_string().starts_with(&broken.interpreter));
}

#[test]
fn a_level_that_the_worker_does_not_serve_has_a_process_of_its_own() {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    for optimize in [0, 1, 2, 1, 0] {
        let compile = Compile { source: b"x = 1".to_vec(), filename: "x.py".into(), optimize };
        let expected = Outcome::Answer(Answer::Compiled(format!("level {optimize}").into_bytes()));
        assert_eq!(supervisor.compile(&compile), Ok(expected));
    }
    assert_eq!(supervisor.restarts(), 0);
}

#[test]
fn dropping_a_supervisor_ends_and_reaps_its_worker() {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    supervisor.load(&load(&["a"])).unwrap();
    let process = format!("/proc/{}", supervisor.process_id().unwrap());
    if !Path::new("/proc/self").exists() {
        eprintln!("skipped: there is no /proc");
        return;
    }
    assert!(Path::new(&process).exists());
    drop(supervisor);
    assert!(!Path::new(&process).exists());
}

#[test]
fn a_worker_that_does_not_introduce_itself_is_unusable() {
    #[track_caller]
    fn check(mode: &str, reason: &str) {
        let start = if mode == "silent" { Duration::from_secs(10) } else { limits().start };
        let Some((_home, found)) = found(mode, Limits { start, ..limits() }) else { return };
        assert!(found.interpreters.is_empty(), "{mode}");
        assert_eq!(found.unusable.len(), 1, "{mode}: {:?}", found.unusable);
        let unusable = &found.unusable[0];
        assert!(unusable.reason.contains(reason), "{mode}: {unusable:?}");
        assert!(!unusable.advice.is_empty());
    }
    check("dies", "exited with status 1 (no interpreter today)");
    check("crashes", "crashed with SIGSEGV");
    check("closes", "exited with status 0");
    check("silent", "gave no sign of life for 10s");
    check("garbage", "broke the worker protocol");
    check("no facts", "broke the worker protocol");
    check("other protocol", "speaks worker protocol 0");
    check("other driver", "says that it is the \"pyodide\" driver");
    check("other version", "worker (9, 9, 9)");
}

#[test]
fn the_fault_keeps_the_last_words() {
    let Some((_home, mut supervisor)) = supervisor() else { return };
    let outcomes = supervisor.load(&load(&["shout", "exit"])).unwrap();
    let Outcome::Fault(Fault::Exit { status: 3, stderr }) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert_eq!(stderr, "first words\nlast words\n");
}
